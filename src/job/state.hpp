#pragma once
// The one table of a job's life: (state, event) -> state. Stores enforce it with conditional writes.

#include <optional>
#include <string_view>

#include "galley/job.hpp"

namespace galley::job {

enum class JobEvent : std::uint8_t {
  Due,       ///< its time has come
  Unblock,   ///< its last child finished
  Claim,     ///< a worker took it
  Complete,  ///< its attempt ended well
  Retry,     ///< its attempt failed or snoozed: again after a delay
  Pause,     ///< its attempt ended early: put back behind everything of its priority
  Release,   ///< its claim never started: put back in its place
  Crash,     ///< its worker died or its lease ended
  Die,       ///< out of tries, or quarantined
  Discard,   ///< its handler said that trying again is pointless
  Cancel,    ///< a person ended it
  Expire,    ///< it waited too long
  Revive,    ///< a person retries it
};
inline constexpr int kJobEvents = 13;

[[nodiscard]] std::string_view name(JobEvent event) noexcept;

/// The state after `event`, or nothing where the event is not allowed in `state`.
[[nodiscard]] std::optional<JobState> next(JobState state, JobEvent event) noexcept;

}  // namespace galley::job
