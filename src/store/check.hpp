#pragma once
// What a verb refuses before its first write: each bound of base/limits.hpp that its arguments are held to. Pure.
// Errors of all: InvalidInput naming the item, the field, the value and what is allowed.

#include <cstddef>
#include <span>

#include "store/store.hpp"

namespace galley::store {

/// 1..kMaxEnqueueBatch valid jobs with at most kMaxEnqueueBytes of payload in all.
[[nodiscard]] Result<void> check(std::span<const job::NewJob> jobs);
/// At most kMaxFinishBatch; events that a running job allows, but Crash, which is the store's own.
[[nodiscard]] Result<void> check(std::span<const Finish> finishes);
/// At most kMaxPools requests.
[[nodiscard]] Result<void> check(std::span<const ClaimRequest> requests);
/// At most kMaxFinishBatch.
[[nodiscard]] Result<void> check(std::span<const Renewal> renewals);
/// Over 0, at most kMaxTimeout.
[[nodiscard]] Result<void> check_lease(Duration lease);
/// The jobs that one call may name: at most kMaxPage.
[[nodiscard]] Result<void> check(std::span<const JobId> ids);
/// A worker's card: at most kMaxCardBytes of names, kMaxClaimKinds kinds and programs.
[[nodiscard]] Result<void> check(const WorkerCard& card);
/// At most kMaxClaimKinds, of valid queues and kinds, without a negative count.
[[nodiscard]] Result<void> check(std::span<const Measured> measured);
/// A batch's name: 1..kMaxNameBytes of printable text; its token as a job's.
[[nodiscard]] Result<void> check_batch(const std::string& name, const std::string& token);
/// A name as a queue's; a valid job without a delay, `at`, token, group or batch to wait for. The rule is not looked
/// at, because that reads a file (job::timetable_from).
[[nodiscard]] Result<void> check(const Schedule& schedule);
/// 1..kKeepMinutes.
[[nodiscard]] Result<void> check_minutes(int minutes);
/// A queue or a priority or both, valid as a job's.
[[nodiscard]] Result<void> check(const Alteration& change);
/// A valid queue and key, 1..kMaxWeight.
[[nodiscard]] Result<void> check_weight(const std::string& queue, const std::string& key, int weight);
/// A queue only for a key; a valid name, which only for a key may be empty.
[[nodiscard]] Result<void> check(const LimitTarget& target);
/// One of the two, within kMaxLimitJobs and kMaxLimitPeriod.
[[nodiscard]] Result<void> check(const LimitRule& rule);
/// A page's or a step's bound: 1..max.
[[nodiscard]] Result<void> check_limit(std::size_t limit, std::size_t max);

}  // namespace galley::store
