// Unique keys: at most one job of a kind holds one.

#include <algorithm>

#include "base/text.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

Entry* MemoryStore::holder(const std::string& kind, const std::string& key) {
  const auto at = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& item) {
    return item.second.record.kind == kind && item.second.record.unique.key == key;
  });
  return at == jobs_.end() ? nullptr : &at->second;
}

std::optional<Enqueued> MemoryStore::meet_unique(const job::NewJob& job, const Now& now) {
  if (job.unique.key.empty()) return std::nullopt;
  Entry* const held = holder(job.kind, job.unique.key);
  if (!held || ends_now(*held, now)) return std::nullopt;
  const JobId id = held->record.id;
  if (job.unique.on_conflict == OnConflict::Error) {
    return Enqueued{id, false, false, Errc::Conflict,
                    "unique key " + base::quoted(job.unique.key) + ": job " + std::to_string(id) + " holds it"};
  }
  const bool replaces = job.unique.on_conflict == OnConflict::Replace && held->record.state != JobState::Running;
  if (replaces) replace(*held, job, now);
  return Enqueued{id, true, replaces, std::nullopt, {}};
}

void MemoryStore::replace(Entry& held, job::NewJob job, const Now& now) {
  job.awaits = 0;  // the holder's batch stays
  if (!job.token.empty()) {
    if (!held.token.empty()) tokens_.erase(held.token);
    held.token = job.token;
    tokens_[job.token] = held.record.id;
  }
  if (held.record.state == JobState::Ready) leave_lane(held, now);
  drop_holder(held);
  give(held, job);
  held.record.progress.clear();  // of the former payload
  held.record.checkpoint.clear();
  if (held.record.state == JobState::Blocked) {
    set_ends(held, job, now);
  } else {
    begin(held, job, now);
  }
}

void MemoryStore::move_unique(Entry& job) {
  const bool ended = is_ended(job.record.state);
  const bool started = job.record.state == JobState::Running;
  if (job.unique.until == UniqueUntil::Start && (started || ended)) job.unique = {};
  job.record.unique = ended ? Unique{} : job.unique;
}

bool MemoryStore::may_regain(const Entry& job) {
  return !is_ended(job.record.state) || job.unique.key.empty() || !holder(job.record.kind, job.unique.key);
}

}  // namespace galley::store::memory
