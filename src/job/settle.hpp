#pragma once
// The rule that decides what becomes of a job when an attempt has ended. Pure: the engine applies it under the
// claim (whose epoch guarantees that the counters have not moved) and tells the store the result.

#include <cstdint>
#include <string>

#include "galley/error.hpp"
#include "job/job.hpp"
#include "job/state.hpp"

namespace galley::job {

/// How an attempt ended, as the executor saw it.
enum class Ending : std::uint8_t {
  Completed,
  Failed,    ///< an exception, a failure, or a command's non-zero exit
  TimedOut,  ///< it was stopped because its time was up
  Paused,    ///< it gave way (shutdown, its own wish) and is to be put back
  Snoozed,   ///< its handler asked for a later run
  Discarded,
  Cancelled,  ///< it was stopped because a person cancelled it
  Expired,    ///< it was stopped because its job's deadline had come
};
[[nodiscard]] std::string_view name(Ending ending) noexcept;

/// What the store is to do: an event that `next` allows from Running, a delay for Retry, the new counters.
struct Settlement {
  JobEvent event = JobEvent::Complete;
  Duration delay{0};
  Counters counters;
  std::string reason;  ///< why it is dead, empty otherwise ("after 10 errors", "paused 100 times")
};

/// A checkpoint that differs from the one before it is work done for good: pauses and crashes start anew, so that their
/// bounds catch jobs that do not get on, however long the others take. The stores do the same with a renewal's.
[[nodiscard]] Counters moved_on(Counters counters) noexcept;

/// `wanted_delay` is the snooze's or the shutdown's delay; `random01` in [0, 1) feeds the jitter.
[[nodiscard]] Settlement settle(const Policy& policy, const Counters& before, Ending ending, Duration wanted_delay,
                                double random01);

/// The wait before another try after the n-th error (n from 1). Exponential: min(cap, base * 2^(n-1)), then a value
/// drawn evenly from its upper half ("equal jitter", M. Brooker, "Exponential Backoff And Jitter", AWS 2015).
[[nodiscard]] Duration backoff_delay(const Backoff& backoff, int errors, double random01);

/// "exponential:1s..1h", "fixed:10s" or "list:1s,10s,1m", as stored, shown and read from the command line.
[[nodiscard]] std::string to_text(const Backoff& backoff);
[[nodiscard]] Result<Backoff> backoff_from(std::string_view text);

}  // namespace galley::job
