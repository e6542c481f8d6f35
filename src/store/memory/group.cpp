// Groups: many small jobs gathered into one.

#include "job/group.hpp"

#include <algorithm>

#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

std::int64_t bytes_of(const job::JobRecord& record) { return static_cast<std::int64_t>(record.payload.size()); }

}  // namespace

Entry* MemoryStore::open_group(const job::NewJob& job) {
  const auto at = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& item) {
    const auto& record = item.second.record;
    return item.second.gathers && record.queue == job.queue && record.kind == job.kind &&
           record.group.key == job.group.key;
  });
  return at == jobs_.end() ? nullptr : &at->second;
}

std::optional<Enqueued> MemoryStore::meet_group(const job::NewJob& job, const Now& now) {
  if (job.group.key.empty()) return std::nullopt;
  Entry* const open = open_group(job);
  if (!open || ends_now(*open, now)) return std::nullopt;
  auto& record = open->record;
  if (!job::has_room(record.group, bytes_of(record), job.payload.size())) return std::nullopt;
  record.payload.back() = ',';
  record.payload += job.payload + "]";
  ++record.members;
  record.redacted = record.redacted || job.redacted;
  if (job::is_full(record.group, record.members, bytes_of(record))) move(*open, job::JobEvent::Due, now);
  return Enqueued{record.id, true, false, std::nullopt, {}};
}

void MemoryStore::close_group(const job::NewJob& job, const Now& now) {
  if (job.group.key.empty()) return;
  if (Entry* const open = open_group(job)) move(*open, job::JobEvent::Due, now);
}

}  // namespace galley::store::memory
