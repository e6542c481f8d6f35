// Opening, enqueueing, the operator's verbs, and the one place where states change.

#include "base/assert.hpp"
#include "job/order.hpp"
#include "job/validate.hpp"
#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::store {

std::unique_ptr<Store> open_memory(const base::Clock& clock) { return std::make_unique<memory::MemoryStore>(clock); }

}  // namespace galley::store

namespace galley::store::memory {

Entry* MemoryStore::entry(JobId id) {
  const auto at = jobs_.find(id);
  return at == jobs_.end() ? nullptr : &at->second;
}

Entry* MemoryStore::held(const job::ClaimId& claim) {
  Entry* const job = entry(claim.job);
  return job && job->record.state == JobState::Running && job->epoch == claim.epoch ? job : nullptr;
}

void MemoryStore::take_place(Entry& job, const Now& now) {
  last_tick_ = std::max(last_tick_ + 1, now.wall.time_since_epoch().count());
  job.rank = job::rank(last_tick_, job.record.priority);
}

void MemoryStore::move(Entry& job, job::JobEvent event, const Now& now, Duration delay) {
  const auto to = job::next(job.record.state, event);
  GALLEY_ASSERT(to);
  auto& record = job.record;
  record.state = *to;
  record.due_at.reset();
  record.finished_at.reset();
  if (*to != JobState::Running) {
    record.worker.clear();
    record.cancel_requested = false;
  }
  if (*to == JobState::Scheduled) record.due_at = now.wall + delay;
  if (*to == JobState::Ready && event != job::JobEvent::Release) take_place(job, now);
  if (is_ended(*to)) {
    record.finished_at = now.wall;
    record.checkpoint.clear();
  }
}

void MemoryStore::forget(JobId id) {
  const auto at = jobs_.find(id);
  if (!at->second.token.empty()) tokens_.erase(at->second.token);
  jobs_.erase(at);
}

void MemoryStore::signal() { ++signals_; }

// ---- enqueue ----------------------------------------------------------------------------------------------------

Result<std::vector<Enqueued>> MemoryStore::enqueue(std::span<const job::NewJob> jobs) {
  if (auto fine = check(jobs); !fine) return fine.error();
  std::vector<Enqueued> answers;
  {
    const std::scoped_lock lock(mutex_);
    const Now time = now();
    for (const job::NewJob& job : jobs) answers.push_back(enqueue_one(job, time));
  }
  chime_.ring();
  return answers;
}

Enqueued MemoryStore::enqueue_one(const job::NewJob& job, const Now& now) {
  if (!job.token.empty()) {
    const auto same = tokens_.find(job.token);
    if (same != tokens_.end()) return {same->second, true};
  }
  Entry added;
  added.token = job.token;
  auto& record = added.record;
  record.id = ++last_id_;
  record.queue = job.queue;
  record.kind = job.kind;
  record.key = job.key;
  record.content = job.content;
  record.program = job.program;
  record.payload = job.payload;
  record.priority = job.priority;
  record.policy = job.policy;
  record.enqueued_at = now.wall;
  const Time due = job.at.value_or(now.wall + job.delay);
  if (due > now.wall) {
    record.state = JobState::Scheduled;
    record.due_at = due;
  } else {
    record.state = JobState::Ready;
    take_place(added, now);
  }
  if (!job.token.empty()) tokens_[job.token] = record.id;
  const JobId id = record.id;
  jobs_.emplace(id, std::move(added));
  return {id, false};
}

// ---- operate ----------------------------------------------------------------------------------------------------

Operated MemoryStore::retry_one(JobId id, const Now& now) {
  Entry* const job = entry(id);
  if (!job) return Operated::NotFound;
  if (!job::next(job->record.state, job::JobEvent::Revive)) return Operated::WrongState;
  job->record.counters = {.attempts = job->record.counters.attempts};
  move(*job, job::JobEvent::Revive, now);
  return Operated::Done;
}

Operated MemoryStore::cancel_one(JobId id, const Now& now) {
  Entry* const job = entry(id);
  if (!job) return Operated::NotFound;
  if (is_ended(job->record.state)) return Operated::WrongState;
  if (job->record.state == JobState::Running) {
    job->record.cancel_requested = true;
    signal();
    return Operated::Requested;
  }
  move(*job, job::JobEvent::Cancel, now);
  return Operated::Done;
}

Operated MemoryStore::erase_one(JobId id) {
  Entry* const job = entry(id);
  if (!job) return Operated::NotFound;
  if (job->record.state == JobState::Running) return Operated::WrongState;
  forget(id);
  return Operated::Done;
}

Result<std::vector<Operated>> MemoryStore::retry(std::span<const JobId> ids) {
  if (auto fine = check(ids); !fine) return fine.error();
  std::vector<Operated> answers;
  {
    const std::scoped_lock lock(mutex_);
    for (const JobId id : ids) answers.push_back(retry_one(id, now()));
  }
  chime_.ring();
  return answers;
}

Result<std::vector<Operated>> MemoryStore::cancel(std::span<const JobId> ids) {
  if (auto fine = check(ids); !fine) return fine.error();
  std::vector<Operated> answers;
  {
    const std::scoped_lock lock(mutex_);
    for (const JobId id : ids) answers.push_back(cancel_one(id, now()));
  }
  chime_.ring();
  return answers;
}

Result<std::vector<Operated>> MemoryStore::erase(std::span<const JobId> ids) {
  if (auto fine = check(ids); !fine) return fine.error();
  std::vector<Operated> answers;
  const std::scoped_lock lock(mutex_);
  for (const JobId id : ids) answers.push_back(erase_one(id));
  return answers;
}

Result<void> MemoryStore::pause(const std::string& queue) {
  if (auto fine = job::check_queue("queue", queue); !fine) return fine;
  {
    const std::scoped_lock lock(mutex_);
    paused_.insert(queue);
    signal();
  }
  chime_.ring();
  return {};
}

Result<void> MemoryStore::resume(const std::string& queue) {
  if (auto fine = job::check_queue("queue", queue); !fine) return fine;
  {
    const std::scoped_lock lock(mutex_);
    paused_.erase(queue);
    signal();
  }
  chime_.ring();
  return {};
}

}  // namespace galley::store::memory
