// Opening, enqueueing, the operator's verbs, and the one place where states change.

#include <algorithm>

#include "base/assert.hpp"
#include "job/group.hpp"
#include "job/order.hpp"
#include "job/validate.hpp"
#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::store {

std::unique_ptr<Store> open_memory(const base::Clock& clock) { return std::make_unique<memory::MemoryStore>(clock); }

}  // namespace galley::store

namespace galley::store::memory {

namespace {

Time due_time(const job::NewJob& job, const Now& now) {
  const bool gathers = !job.group.key.empty() && !job::is_full(job.group, 1, job::group_of_one(job.payload.size()));
  return gathers ? now.wall + job.group.max_age : job.at.value_or(now.wall + job.delay);
}

}  // namespace

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
  const auto& record = job.record;
  const auto learned = learned_.find({record.queue, record.kind});
  const Duration expected = record.expect != Duration{0} || learned == learned_.end() ? record.expect : learned->second;
  job.rank = record.ordered
                 ? last_tick_
                 : job::rank(order_of(record.queue), last_tick_, record.priority, expected, record.deadline_at);
  job.ready_since = Time(Duration(last_tick_));
}

void MemoryStore::move(Entry& job, job::JobEvent event, const Now& now, Duration delay) {
  const auto to = job::next(job.record.state, event);
  GALLEY_ASSERT(to);
  auto& record = job.record;
  const bool was_ended = is_ended(record.state);
  if (record.state == JobState::Ready) leave_lane(job, now);
  record.state = *to;
  const std::optional<Time> due = std::exchange(record.due_at, std::nullopt);
  record.finished_at.reset();
  if (*to != JobState::Running) {
    record.worker.clear();
    record.cancel_requested = false;
  }
  if (*to == JobState::Scheduled) record.due_at = now.wall + delay;
  if (event == job::JobEvent::Revive) {  // a person wants it to run
    record.expires_at.reset();
    record.deadline_at.reset();
  }
  if (*to == JobState::Ready && event != job::JobEvent::Release) take_place(job, now);
  if (*to == JobState::Ready) enter_lane(job, now);
  if (is_ended(*to) || (event == job::JobEvent::Release && !record.started_at)) drop_holder(job);
  if (event == job::JobEvent::Due && due) job.ready_since = std::min(job.ready_since, *due);
  if (is_ended(*to)) {
    record.finished_at = now.wall;
    record.checkpoint.clear();
  }
  job.gathers = false;
  move_unique(job);
  moved_in_batch(job, was_ended, now);
}

void MemoryStore::forget(JobId id) {
  const auto at = jobs_.find(id);
  if (!at->second.token.empty()) tokens_.erase(at->second.token);
  if (at->second.record.state == JobState::Ready) leave_lane(at->second, now());
  drop_holder(at->second);
  const BatchId batch = at->second.record.batch;
  const JobState state = at->second.record.state;
  jobs_.erase(at);
  erased_in_batch(batch, state, now());
}

void MemoryStore::signal() { ++signals_; }

// ---- enqueue ----------------------------------------------------------------------------------------------------

Result<std::vector<Enqueued>> MemoryStore::enqueue(std::span<const job::NewJob> jobs) {
  if (auto fine = check(jobs); !fine) return fine.error();
  std::vector<Enqueued> answers;
  {
    const std::scoped_lock lock(mutex_);
    const Now time = now();
    for (const job::NewJob& job : jobs) answers.push_back(enqueue_one(job, time, Source::Caller));
  }
  // A refusal is no news: those who wait for room would wake each other for ever.
  if (!std::all_of(answers.begin(), answers.end(), [](const Enqueued& one) { return one.refused.has_value(); })) {
    chime_.ring();
  }
  return answers;
}

Enqueued MemoryStore::enqueue_one(const job::NewJob& job, const Now& now, Source source) {
  if (!job.token.empty()) {
    const auto same = tokens_.find(job.token);
    if (same != tokens_.end()) return {same->second, true, false, std::nullopt, {}};
  }
  if (auto met = meet_unique(job, now)) return *std::move(met);
  if (auto met = meet_group(job, now)) return *std::move(met);
  if (auto met = meet_batch(job)) return *std::move(met);
  if (auto met = meet_limits(job, source)) return *std::move(met);
  close_group(job, now);
  Entry added;
  added.token = job.token;
  auto& record = added.record;
  record.id = ++last_id_;
  record.enqueued_at = last_enqueued_ = std::max(last_enqueued_, now.wall);
  give(added, job);
  record.batch = job.batch;
  record.awaits = job.awaits;
  if (job.awaits != 0) record.trigger = job.trigger;
  begin(added, job, now);
  if (!job.token.empty()) tokens_[job.token] = record.id;
  const JobId id = record.id;
  ++minute(record.queue, record.kind, now).enqueued;
  entered_batch(jobs_.emplace(id, std::move(added)).first->second, now);
  return {id, false, false, std::nullopt, {}};
}

void MemoryStore::give(Entry& entry, const job::NewJob& job) {
  auto& record = entry.record;
  record.queue = job.queue;
  record.kind = job.kind;
  record.key = job.key;
  record.content = job.content;
  record.program = job.program;
  record.payload = job.payload;
  record.priority = job.priority;
  record.policy = job.policy;
  entry.unique = {job.unique.key, job.unique.until, OnConflict::Ignore};
  if (job.unique.key.empty()) entry.unique = {};
  record.unique = entry.unique;
  record.tags = job.tags;
  record.headers = job.headers;
  record.redacted = job.redacted;
  record.limits = job.limits;
  std::sort(record.limits.begin(), record.limits.end());
  record.ordered = job.ordered;
  record.expect = job.expect;
  if (!job.group.key.empty()) {
    record.group = job.group;
    record.payload = "[" + job.payload + "]";
    record.members = 1;
  }
}

void MemoryStore::set_ends(Entry& entry, const job::NewJob& job, const Now& now) {
  const auto after = [](Time from, Duration by) { return by > Duration{0} ? std::optional(from + by) : std::nullopt; };
  entry.record.expires_at = after(std::max(now.wall, due_time(job, now)), job.expires);
  entry.record.deadline_at = after(now.wall, job.deadline);
}

void MemoryStore::begin(Entry& entry, const job::NewJob& job, const Now& now) {
  auto& record = entry.record;
  const Time due = due_time(job, now);
  set_ends(entry, job, now);
  record.due_at.reset();
  if (job.awaits != 0) {
    record.state = JobState::Blocked;
  } else if (due > now.wall) {
    record.state = JobState::Scheduled;
    record.due_at = due;
    entry.gathers = record.members > 0;
  } else {
    record.state = JobState::Ready;
    take_place(entry, now);
    enter_lane(entry, now);
  }
}

// ---- operate ----------------------------------------------------------------------------------------------------

Operated MemoryStore::retry_one(JobId id, const Now& now) {
  Entry* const job = entry(id);
  if (!job) return Operated::NotFound;
  if (!job::next(job->record.state, job::JobEvent::Revive)) return Operated::WrongState;
  if (!may_regain(*job)) return Operated::Conflict;
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
  {
    const std::scoped_lock lock(mutex_);
    for (const JobId id : ids) answers.push_back(erase_one(id));
  }
  chime_.ring();  // a callback may wait for a batch without them
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
