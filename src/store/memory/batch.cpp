// Batches: jobs that are watched together, and the callbacks that wait for them.

#include <algorithm>

#include "store/batch_rules.hpp"
#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

std::optional<Time> old_since(const BatchStats& batch, const Now& now) {
  const bool old = batch.finished_at && now.wall - *batch.finished_at > limits::kKeepCompleted;
  return old ? batch.finished_at : std::nullopt;
}

}  // namespace

const BatchStats* MemoryStore::batch(BatchId id) const {
  const auto at = batches_.find(id);
  return at == batches_.end() ? nullptr : &at->second.stats;
}

std::vector<JobId> MemoryStore::callbacks_of(BatchId id) const {
  std::vector<JobId> ids;
  for (const auto& [job, entry] : jobs_) {
    if (entry.record.awaits == id) ids.push_back(job);
  }
  return ids;
}

bool MemoryStore::kept_by_batch(const Entry& completed, const Now& now) const {
  const BatchStats* const stats = batch(completed.record.batch);
  if (stats == nullptr) return false;
  std::vector<JobState> callbacks;
  for (const JobId id : callbacks_of(stats->id)) callbacks.push_back(jobs_.at(id).record.state);
  return keeps_job(*stats, callbacks, *completed.record.finished_at, now.wall);
}

void MemoryStore::change_batch(BatchId id, const Now& now, const std::function<void(BatchStats&)>& change) {
  BatchStats& stats = batches_.at(id).stats;
  const BatchStats before = stats;
  change(stats);
  for (const job::Trigger trigger : kTriggers) {
    const bool comes_true = has_come_true(stats, trigger) && !has_come_true(before, trigger);
    const auto why = never(before, trigger) ? std::nullopt : never(stats, trigger);
    if (!comes_true && !why) continue;
    for (const JobId callback : callbacks_of(id)) {
      Entry& job = jobs_.at(callback);
      if (job.record.trigger == trigger && job.record.state == JobState::Blocked) release_callback(job, why, now);
    }
  }
}

void MemoryStore::release_callback(Entry& callback, const std::optional<std::string>& why, const Now& now) {
  if (why) {
    callback.record.error = *why;
    callback.record.error_class = "batch";
  }
  move(callback, why ? job::JobEvent::Cancel : job::JobEvent::Unblock, now);
}

std::optional<Enqueued> MemoryStore::meet_batch(const job::NewJob& job) const {
  if (job.batch != 0) {
    if (auto refused = refuse_member(job.batch, batch(job.batch))) return refused;
  }
  if (job.awaits == 0) return std::nullopt;
  return refuse_callback(job.awaits, batch(job.awaits), callbacks_of(job.awaits).size(), job.trigger);
}

void MemoryStore::entered_batch(Entry& job, const Now& now) {
  const auto& record = job.record;
  if (record.batch != 0) change_batch(record.batch, now, job_entered);
  if (record.awaits != 0 && has_come_true(*batch(record.awaits), record.trigger)) release_callback(job, {}, now);
}

void MemoryStore::moved_in_batch(const Entry& job, bool was_ended, const Now& now) {
  const auto& record = job.record;
  if (record.batch == 0 || is_ended(record.state) == was_ended) return;
  change_batch(record.batch, now, [&](BatchStats& stats) {
    if (was_ended) {
      job_revived(stats);
    } else {
      job_ended(stats, record.state, now.wall);
    }
  });
}

void MemoryStore::erased_in_batch(BatchId id, JobState state, const Now& now) {
  if (id != 0) change_batch(id, now, [&](BatchStats& stats) { job_erased(stats, state, now.wall); });
}

bool MemoryStore::drop_empty_batches(std::size_t limit, const Now& now) {
  std::vector<std::pair<Time, BatchId>> empty;
  for (const auto& [id, one] : batches_) {
    const auto since = old_since(one.stats, now);
    const bool has_some = std::any_of(jobs_.begin(), jobs_.end(), [&, batch = id](const auto& item) {
      return item.second.record.batch == batch || item.second.record.awaits == batch;
    });
    if (since && !has_some) empty.emplace_back(*since, id);
  }
  std::sort(empty.begin(), empty.end());
  if (empty.size() > limit) empty.resize(limit);
  for (const auto& [since, id] : empty) batches_.erase(id);
  return empty.size() == limit;
}

Result<BatchId> MemoryStore::open_batch(const std::string& name, const std::string& token) {
  if (auto fine = check_batch(name, token); !fine) return fine.error();
  const std::scoped_lock lock(mutex_);
  for (const auto& [id, one] : batches_) {
    if (!token.empty() && one.token == token) return id;
  }
  const BatchId id = ++last_batch_;
  Batch& added = batches_[id];
  added.token = token;
  added.stats.id = id;
  added.stats.name = name;
  added.stats.opened_at = clock_.wall();
  return id;
}

Result<void> MemoryStore::seal_batch(BatchId id) {
  {
    const std::scoped_lock lock(mutex_);
    if (!batch(id)) return no_such_batch(id);
    const Now time = now();
    change_batch(id, time, [&](BatchStats& stats) { seal(stats, time.wall); });
  }
  chime_.ring();
  return {};
}

Result<BatchStats> MemoryStore::find_batch(BatchId id) {
  const std::scoped_lock lock(mutex_);
  const BatchStats* const found = batch(id);
  if (!found) return no_such_batch(id);
  BatchStats stats = *found;
  stats.callbacks = callbacks_of(id);
  return stats;
}

Result<std::vector<BatchStats>> MemoryStore::batches(BatchId after, std::size_t limit) {
  if (auto fine = check_limit(limit, limits::kMaxPage); !fine) return fine.error();
  const std::scoped_lock lock(mutex_);
  std::vector<BatchStats> answer;
  for (auto at = batches_.upper_bound(after); at != batches_.end() && answer.size() < limit; ++at) {
    answer.push_back(at->second.stats);
  }
  return answer;
}

}  // namespace galley::store::memory
