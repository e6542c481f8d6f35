// The end of claims, and their renewal.

#include "job/settle.hpp"
#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

using job::JobEvent;

namespace {

/// A cancelled job is not given another chance, and does not count as out of tries.
JobEvent settled(JobEvent asked, bool cancel_requested) {
  const bool ended_by_itself = asked == JobEvent::Complete || asked == JobEvent::Discard;
  return cancel_requested && !ended_by_itself ? JobEvent::Cancel : asked;
}

bool is_silent(const Finish& finish) {
  const auto& report = finish.report;
  const bool says_nothing = report.error.empty() && report.log.empty() && report.out.empty() && report.err.empty();
  return finish.event == JobEvent::Complete && says_nothing && !report.exit_code && !report.signal;
}

}  // namespace

Result<FinishAndClaimAnswer> MemoryStore::finish_and_claim(std::span<const Finish> finishes,
                                                           std::span<const ClaimRequest> requests) {
  if (auto fine = check(finishes); !fine) return fine.error();
  if (auto fine = check(requests); !fine) return fine.error();
  FinishAndClaimAnswer answer;
  bool made_room = false;
  {
    const std::scoped_lock lock(mutex_);
    if (auto fine = check_workers(requests); !fine) return fine.error();
    const Now time = now();
    for (const Finish& finish : finishes) answer.finished.push_back(finish_one(finish, time));
    for (const ClaimRequest& request : requests) answer.claimed.push_back(claim_one(request, time));
    answer.signals = signals_;
    made_room = std::exchange(made_room_, false);
  }
  if (!finishes.empty() || made_room) chime_.ring();
  return answer;
}

FinishAnswer MemoryStore::finish_one(const Finish& finish, const Now& now) {
  Entry* const job = held(finish.claim);
  if (!job) {
    const Entry* const other = entry(finish.claim.job);
    const bool before = other && other->finished_epoch != 0 && other->finished_epoch == finish.claim.epoch;
    return before ? FinishAnswer::AlreadyFinished : FinishAnswer::LeaseLost;
  }
  job->finished_epoch = finish.claim.epoch;
  auto& record = job->record;
  std::optional<Duration> never;
  if (finish.event == JobEvent::Release) {
    never = now.wall - *record.started_at;
    record.started_at = job->started_before;
  } else {
    record.counters = finish.counters;
    if (!finish.report.error.empty()) {
      record.error = finish.report.error;
      record.error_class = finish.report.error_class;
    }
    job->ended_silently = is_silent(finish);
    if (!job->ended_silently) keep_attempt(*job, finish.outcome, finish.report, now);
  }
  if (finish.event == JobEvent::Complete) {
    record.error.clear();
    record.error_class.clear();
    record.result = finish.result;
  }
  if (finish.checkpoint) record.checkpoint = *finish.checkpoint;
  end_holds(*job, never, now);
  move(*job, settled(finish.event, record.cancel_requested), now, finish.delay);
  return FinishAnswer::Finished;
}

void MemoryStore::keep_attempt(Entry& job, std::string outcome, const job::AttemptReport& report, const Now& now) {
  const auto& record = job.record;
  job.attempts.push_back({.attempt = record.counters.attempts,
                          .outcome = std::move(outcome),
                          .started_at = record.started_at.value_or(now.wall),
                          .ended_at = now.wall,
                          .worker = record.worker,
                          .report = report});
  if (job.attempts.size() > limits::kMaxKeptAttempts) job.attempts.pop_front();
}

Result<std::vector<Renewed>> MemoryStore::renew(std::span<const Renewal> renewals, Duration lease) {
  if (auto fine = check_lease(lease); !fine) return fine.error();
  if (auto fine = check(renewals); !fine) return fine.error();
  const std::scoped_lock lock(mutex_);
  std::vector<Renewed> answers;
  for (const Renewal& renewal : renewals) {
    Entry* const job = held(renewal.claim);
    if (!job) {
      answers.push_back({});
      continue;
    }
    job->lease_until = now().mono + lease;
    if (renewal.progress) job->record.progress = *renewal.progress;
    if (renewal.checkpoint && *renewal.checkpoint != job->record.checkpoint) {
      job->record.checkpoint = *renewal.checkpoint;
      job->record.counters = job::moved_on(job->record.counters);
    }
    answers.push_back({.held = true,
                       .cancel_requested = job->record.cancel_requested,
                       .queue_paused = paused_.contains(job->record.queue)});
  }
  return answers;
}

}  // namespace galley::store::memory
