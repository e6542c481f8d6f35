#pragma once
// What a batch counts, and what that means for its callbacks: pure rules, which every backend asks.
//
// Each job of a batch is counted once: as succeeded or failed when it ends, or as lost when it is deleted without
// having completed. A retried one is neither until it ends again. The three triggers:
//
//   success   sealed, and all jobs have completed; never again possible once one is lost
//   failure   the first job has failed, sealed or not; impossible once all jobs of a sealed batch have ended without it
//   finished  sealed, and all jobs have ended, for the first time

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "store/store.hpp"

namespace galley::store {

/// In the order in which they come true.
inline constexpr std::array kTriggers{job::Trigger::Success, job::Trigger::Failure, job::Trigger::Finished};

[[nodiscard]] std::int64_t pending(const BatchStats& batch) noexcept;
[[nodiscard]] bool has_come_true(const BatchStats& batch, job::Trigger trigger) noexcept;
/// Why it can never come true any more; nothing: it still can, or has.
[[nodiscard]] std::optional<std::string> never(const BatchStats& batch, job::Trigger trigger);

// The five things that happen to a batch.
void job_entered(BatchStats& batch) noexcept;
void job_ended(BatchStats& batch, JobState state, Time now) noexcept;
void job_revived(BatchStats& batch) noexcept;
/// `state`: of the job that is deleted; it is not running.
void job_erased(BatchStats& batch, JobState state, Time now) noexcept;
void seal(BatchStats& batch, Time now) noexcept;

/// A batch's completed jobs are kept, for whoever joins their results: while it goes on, for kKeepCompleted after its
/// end, and as long as a callback still waits, runs or is dead. But no longer than kKeepForBatch after their own end,
/// and of a batch beyond kMaxSplit jobs no longer than other jobs. `callbacks`: the states of those that are stored.
[[nodiscard]] bool keeps_job(const BatchStats& batch, std::span<const JobState> callbacks, Time ended_at,
                             Time now) noexcept;

/// Jobs that a batch keeps may fill what a queue keeps of completed jobs. Others, that ended behind them, are then kept
/// for so long all the same: among them the job that has joined the results, with its own.
inline constexpr std::chrono::minutes kKeepBesideBatches{10};

/// The refusal of a job that `batch` does not take (nullptr: there is none of this id).
[[nodiscard]] std::optional<Enqueued> refuse_member(BatchId id, const BatchStats* batch);
/// The refusal of a callback, beside the `callbacks` that it has.
[[nodiscard]] std::optional<Enqueued> refuse_callback(BatchId id, const BatchStats* batch, std::size_t callbacks,
                                                      job::Trigger trigger);

[[nodiscard]] Error no_such_batch(BatchId id);

}  // namespace galley::store
