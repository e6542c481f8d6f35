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
/// A page's or a step's bound: 1..max.
[[nodiscard]] Result<void> check_limit(std::size_t limit, std::size_t max);

}  // namespace galley::store
