#pragma once
// The bounds on what waits, and what is answered where one is reached: pure rules, which every backend asks.
//
// An item is held to the bounds after its token, its unique key, its group and its batch have been looked at: a job
// that is there already is answered with its id, full or not. What is put back, retried or becomes due is never
// refused.

#include <cstdint>
#include <optional>
#include <string>

#include "store/store.hpp"

namespace galley::store {

/// Who enqueues: a schedule's tick is held to its queue's bound (it is skipped, and counted so), not to the store's.
enum class Source : std::uint8_t { Caller, Schedule };

/// Scheduled, ready or blocked: what a queue's bound counts.
[[nodiscard]] bool waits(JobState state) noexcept;

/// The refusal of one more job where `waiting` wait already.
[[nodiscard]] std::optional<Enqueued> refuse_waiting(const std::string& queue, std::int64_t waiting,
                                                     std::optional<std::int64_t> most);
/// The refusal of `payload` bytes more in a store of `bytes`.
[[nodiscard]] std::optional<Enqueued> refuse_bytes(std::int64_t bytes, std::size_t payload,
                                                   std::optional<std::int64_t> most);

/// A bound: 0 or more. Errors: InvalidInput.
[[nodiscard]] Result<void> check_bound(std::string_view field, std::optional<std::int64_t> most);

}  // namespace galley::store
