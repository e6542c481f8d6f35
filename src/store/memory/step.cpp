// Workers that come and go, and the housekeeping they share.

#include <algorithm>
#include <tuple>

#include "store/batch_rules.hpp"
#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

using job::JobEvent;

Result<WorkerId> MemoryStore::join(const WorkerCard& card) {
  if (auto fine = check(card); !fine) return fine.error();
  const std::scoped_lock lock(mutex_);
  const WorkerId id = ++last_worker_;
  workers_[id].stats = {.id = id, .card = card, .started_at = clock_.wall()};
  return id;
}

Result<void> MemoryStore::leave(WorkerId worker) {
  {
    const std::scoped_lock lock(mutex_);
    const auto at = workers_.find(worker);
    if (at == workers_.end()) return {};
    at->second.left = true;
    if (!holds_claims(worker)) workers_.erase(at);
  }
  chime_.ring();
  return {};
}

bool MemoryStore::holds_claims(WorkerId worker) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const auto& item) {
    return item.second.record.state == JobState::Running && item.second.worker == worker;
  });
}

Result<StepAnswer> MemoryStore::step(std::size_t limit) {
  if (auto fine = check_limit(limit, limits::kMaxStep); !fine) return fine.error();
  StepAnswer answer;
  {
    const std::scoped_lock lock(mutex_);
    const Now time = now();
    const std::size_t expired = expire(limit, time);  // first: what is over must not become due
    const std::size_t promoted = promote(nullptr, limit, time);
    const Ticked ticked = tick(nullptr, limit, time);
    recover(limit, time, answer);
    const std::size_t pruned = prune(limit, time);
    drop_old_minutes(time);
    drop_idle_lanes(time);
    const bool more_batches = drop_empty_batches(limit, time);
    answer.expired = static_cast<int>(expired);
    answer.promoted = static_cast<int>(promoted);
    answer.ticked = static_cast<int>(ticked.jobs);
    answer.pruned = static_cast<int>(pruned);
    const auto recovered = static_cast<std::size_t>(answer.recovered + answer.quarantined);
    answer.more =
        ticked.more || more_batches || expired == limit || promoted == limit || recovered == limit || pruned == limit;
    answer.next = answer.more ? Duration{0} : next_step(time);
  }
  if (answer.promoted + answer.ticked + answer.recovered + answer.quarantined + answer.expired + answer.pruned > 0) {
    chime_.ring();
  }
  return answer;
}

void MemoryStore::recover(std::size_t limit, const Now& now, StepAnswer& answer) {
  std::vector<Entry*> lost;
  for (auto& [id, job] : jobs_) {
    if (job.record.state != JobState::Running) continue;
    if (now.mono > job.lease_until || workers_.at(job.worker).left) lost.push_back(&job);
  }
  std::sort(lost.begin(), lost.end(), [](const Entry* a, const Entry* b) { return a->epoch < b->epoch; });
  if (lost.size() > limit) lost.resize(limit);

  std::set<WorkerId> dead;
  for (Entry* const job : lost) {
    if (workers_.at(job->worker).left) dead.insert(job->worker);
    ++(crash(*job, now) ? answer.quarantined : answer.recovered);
  }
  answer.dead_workers.assign(dead.begin(), dead.end());
  std::erase_if(workers_, [&](const auto& item) { return item.second.left && !holds_claims(item.first); });
}

bool MemoryStore::crash(Entry& job, const Now& now) {
  auto& record = job.record;
  ++record.counters.attempts;
  ++record.counters.crashes;
  job.ended_silently = false;
  job::AttemptReport report;
  report.run_time = std::max(now.wall - *record.started_at, Duration{0});
  keep_attempt(job, "crashed", report, now);
  end_holds(job, std::nullopt, now);
  if (record.cancel_requested) {
    move(job, JobEvent::Cancel, now);
    return false;
  }
  if (record.counters.crashes < record.policy.max_crashes) {
    move(job, JobEvent::Crash, now);
    return false;
  }
  record.error_class = "crashed";
  record.error = "quarantined: " + std::to_string(record.counters.crashes) + " workers died while they ran it";
  move(job, JobEvent::Die, now);
  return true;
}

std::size_t MemoryStore::prune(std::size_t limit, const Now& now) {
  std::vector<std::tuple<Time, JobId, std::string>> completed;
  std::map<std::string, std::int64_t> kept;
  std::map<std::string, Time> passed;  ///< when the first one ended that a batch keeps
  for (const auto& [id, job] : jobs_) {
    if (job.record.state != JobState::Completed) continue;
    ++kept[job.record.queue];
    if (!kept_by_batch(job, now)) {
      completed.emplace_back(*job.record.finished_at, id, job.record.queue);
    } else if (const auto [at, first] = passed.try_emplace(job.record.queue, *job.record.finished_at); !first) {
      at->second = std::min(at->second, *job.record.finished_at);
    }
  }
  std::sort(completed.begin(), completed.end());

  // Too old first, over all queues; then too many, queue by queue; of each the oldest first.
  std::vector<JobId> gone;
  const auto take = [&](JobId id, const std::string& queue) {
    gone.push_back(id);
    --kept[queue];
  };
  for (const auto& [finished, id, queue] : completed) {
    if (gone.size() < limit && now.wall - finished > limits::kKeepCompleted) take(id, queue);
  }
  std::stable_sort(completed.begin(), completed.end(),
                   [](const auto& a, const auto& b) { return std::get<2>(a) < std::get<2>(b); });
  for (const auto& [finished, id, queue] : completed) {
    const bool old = now.wall - finished > limits::kKeepCompleted;
    const auto before = passed.find(queue);
    const bool beside = before != passed.end() && before->second < finished;
    if (beside && now.wall - finished <= kKeepBesideBatches) continue;
    if (gone.size() < limit && !old && kept[queue] > limits::kKeepCompletedJobs) take(id, queue);
  }
  for (const JobId id : gone) forget(id);
  return gone.size();
}

Duration MemoryStore::next_step(const Now& now) const {
  Duration next = limits::kSafetyLook;
  if (const auto due = next_due(nullptr, now)) next = std::min(next, *due);
  if (const auto expiry = next_expiry(now)) next = std::min(next, *expiry);
  for (const auto& [id, job] : jobs_) {
    if (job.record.state != JobState::Running) continue;
    next = std::min(next, job.lease_until - now.mono + Duration{1});  // a lease holds up to its last microsecond
  }
  return std::max(next, Duration{0});
}

}  // namespace galley::store::memory
