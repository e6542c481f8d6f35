#pragma once
// What the end of an attempt means, given why it was asked to stop. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "galley/worker.hpp"
#include "job/settle.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// Why a running attempt was asked to stop.
enum class StopReason : std::uint8_t {
  None,
  TimedOut,     ///< its time is up
  Cancelled,    ///< a person cancelled its job
  Shutdown,     ///< the worker's grace time is over
  LeaseEnding,  ///< the worker could not renew in time; another one may start the job soon
  Deadline,     ///< its job's deadline has come
  Lost,         ///< the claim is no longer held: whatever it returns is dropped
};
[[nodiscard]] std::string_view name(StopReason reason) noexcept;

/// The end of an attempt as its slot saw it.
struct AttemptEnd {
  std::optional<Outcome> outcome;  ///< nothing: the handler returned nothing
  bool implied = false;            ///< the outcome is not the handler's word but an exception or a command's end
  bool saw_stop = false;  ///< it had looked at a stop request; a command: it was sent the signal before it ended
  bool command = false;
  /// Its handler has completed the job in a transaction of the application, of which only the store knows whether it
  /// was committed: AlreadyFinished then, so that anything else is an error.
  bool completed_itself = false;
  bool not_started = false;   ///< a command for which the machine had no room now: its claim is given back, no try used
  job::AttemptReport report;  ///< but its error, where the outcome brings one
  std::string result;
  std::optional<std::string> checkpoint;  ///< saved by this attempt, where the store has not got it yet
  bool moved_on = false;                  ///< it has saved another checkpoint than the one it began with
};

struct Verdict {
  job::Ending ending = job::Ending::Completed;
  Duration delay{0};
};

/// The rule. An explicit outcome stands, whatever was asked; one that saw a stop request and said nothing of its own
/// was stopped early, and the reason of the request decides. A cancelled job ends cancelled unless it completed.
/// `reason` is not Lost.
[[nodiscard]] Verdict judge(const AttemptEnd& end, StopReason reason);

/// A claim, and the rules that its attempt is ended by.
struct ClaimRules {
  job::ClaimId id;
  job::Policy policy;
  job::Counters counters;  ///< before this attempt
};

/// The verdict settled: what the store is told. Every size is within base/limits.hpp.
[[nodiscard]] store::Finish finish_of(const ClaimRules& claim, AttemptEnd end, StopReason reason, double random01);

/// Of an attempt that has completed itself, when the store says that it was committed.
[[nodiscard]] store::Finish completed_itself(const store::Finish& sent);

/// A claim given back that never started.
[[nodiscard]] store::Finish release_of(const job::ClaimId& claim);

}  // namespace galley::engine
