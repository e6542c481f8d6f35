#include "store/batch_rules.hpp"

#include <algorithm>

namespace galley::store {

namespace {

std::string called(BatchId id) { return "batch " + std::to_string(id); }

void settle(BatchStats& batch, Time now) noexcept {
  if (batch.sealed && pending(batch) == 0 && !batch.finished_at) batch.finished_at = now;
}

Enqueued refusal(Errc code, std::string reason) { return {0, false, false, code, std::move(reason)}; }

}  // namespace

std::int64_t pending(const BatchStats& batch) noexcept { return batch.total - batch.succeeded - batch.failed; }

bool has_come_true(const BatchStats& batch, job::Trigger trigger) noexcept {
  switch (trigger) {
    case job::Trigger::Success: return batch.sealed && batch.lost == 0 && batch.succeeded == batch.total;
    case job::Trigger::Failure: return batch.failed_at.has_value();
    default: return batch.finished_at.has_value();
  }
}

std::optional<std::string> never(const BatchStats& batch, job::Trigger trigger) {
  if (trigger == job::Trigger::Success && batch.lost > 0) {
    return called(batch.id) + " cannot succeed: a job of it was deleted before it had completed";
  }
  if (trigger == job::Trigger::Failure && !batch.failed_at && batch.sealed && pending(batch) == 0) {
    return called(batch.id) + (batch.lost == 0 ? " has succeeded" : " has finished without a failed job");
  }
  return std::nullopt;
}

void job_entered(BatchStats& batch) noexcept { ++batch.total; }

void job_ended(BatchStats& batch, JobState state, Time now) noexcept {
  if (state == JobState::Completed) {
    ++batch.succeeded;
  } else {
    ++batch.failed;
    if (!batch.failed_at) batch.failed_at = now;
  }
  settle(batch, now);
}

void job_revived(BatchStats& batch) noexcept { --batch.failed; }

void job_erased(BatchStats& batch, JobState state, Time now) noexcept {
  if (state == JobState::Completed) return;
  if (is_ended(state)) --batch.failed;
  --batch.total;
  ++batch.lost;
  settle(batch, now);
}

void seal(BatchStats& batch, Time now) noexcept {
  batch.sealed = true;
  settle(batch, now);
}

bool keeps_job(const BatchStats& batch, std::span<const JobState> callbacks, Time ended_at, Time now) noexcept {
  if (batch.total > limits::kMaxSplit || now - ended_at > limits::kKeepForBatch) return false;
  if (!batch.finished_at || now - *batch.finished_at <= limits::kKeepCompleted) return true;
  return std::any_of(callbacks.begin(), callbacks.end(),
                     [](JobState state) { return state == JobState::Dead || !is_ended(state); });
}

std::optional<Enqueued> refuse_member(BatchId id, const BatchStats* batch) {
  if (batch == nullptr) return refusal(Errc::NotFound, no_such_batch(id).message);
  if (!batch->sealed || pending(*batch) > 0) return std::nullopt;
  return refusal(Errc::WrongState, called(id) + " takes no more jobs: it is sealed, and all of its jobs have ended");
}

std::optional<Enqueued> refuse_callback(BatchId id, const BatchStats* batch, std::size_t callbacks,
                                        job::Trigger trigger) {
  if (batch == nullptr) return refusal(Errc::NotFound, no_such_batch(id).message);
  if (callbacks >= limits::kMaxBatchCallbacks) {
    return refusal(Errc::WrongState,
                   called(id) + " has " + std::to_string(callbacks) + " callbacks; it takes no more than that");
  }
  if (auto why = never(*batch, trigger)) {
    return refusal(Errc::WrongState,
                   "its trigger (" + std::string(job::name(trigger)) + ") can no longer come true: " + *std::move(why));
  }
  return std::nullopt;
}

Error no_such_batch(BatchId id) {
  return {Errc::NotFound, called(id) + ": there is no such batch (any more)", Written::Nothing};
}

}  // namespace galley::store
