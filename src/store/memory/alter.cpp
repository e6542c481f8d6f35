// What a person changes about jobs that wait or have ended.

#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

Operated MemoryStore::run_now_one(JobId id, const Now& now) {
  Entry* const job = entry(id);
  if (!job) return Operated::NotFound;
  if (job->record.state != JobState::Scheduled) return Operated::WrongState;
  move(*job, job::JobEvent::Due, now);
  return Operated::Done;
}

Operated MemoryStore::alter_one(JobId id, const Alteration& change, const Now& now) {
  Entry* const job = entry(id);
  if (!job) return Operated::NotFound;
  auto& record = job->record;
  if (record.state == JobState::Running) return Operated::WrongState;
  if (record.state == JobState::Ready) leave_lane(*job, now);
  if (change.queue && *change.queue != record.queue) drop_holder(*job);
  record.queue = change.queue.value_or(record.queue);
  record.priority = change.priority.value_or(record.priority);
  job->gathers = false;
  if (record.state == JobState::Ready) {
    take_place(*job, now);
    enter_lane(*job, now);
  }
  return Operated::Done;
}

Result<std::vector<Operated>> MemoryStore::run_now(std::span<const JobId> ids) {
  if (auto fine = check(ids); !fine) return fine.error();
  std::vector<Operated> answers;
  {
    const std::scoped_lock lock(mutex_);
    for (const JobId id : ids) answers.push_back(run_now_one(id, now()));
  }
  chime_.ring();
  return answers;
}

Result<std::vector<Operated>> MemoryStore::alter(std::span<const JobId> ids, const Alteration& change) {
  if (auto fine = check(change); !fine) return fine.error();
  if (auto fine = check(ids); !fine) return fine.error();
  std::vector<Operated> answers;
  {
    const std::scoped_lock lock(mutex_);
    for (const JobId id : ids) answers.push_back(alter_one(id, change, now()));
  }
  chime_.ring();
  return answers;
}

}  // namespace galley::store::memory
