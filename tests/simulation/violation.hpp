#pragma once
// What must hold whatever happens, and how a simulation says that it did not.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace galley::simulation {

enum class Rule : std::uint8_t {
  Kept,        ///< an acknowledged job is there until it was deleted or pruned; a token is one job
  OneClaim,    ///< at most one live claim a job
  Epoch,       ///< each claim of a job has a larger epoch than the ones before
  Fence,       ///< exactly the holder of the current epoch finishes and renews
  Lease,       ///< a claim is recovered after its lease, or its worker's death, and never sooner
  Overlap,     ///< in a worker that lives and reaches its store no attempt runs beside its successor
  Order,       ///< what was put back stands behind what was ready of its priority
  KeyOrder,    ///< the ordered jobs of a key run one at a time, in the order in which they became ready
  Limit,       ///< no more claims than a limit allows, and none that it counts on after its end
  Counters,    ///< attempts are counted as they ended, within their bounds
  State,       ///< nothing moves but by a verb that may move it
  Statistics,  ///< lanes and queues say what the contents are
  Unique,      ///< a unique key is held by one live job
  QueueBound,  ///< no enqueue exceeds a queue's bound
  ClaimBound,  ///< no claim brings more than was asked for, or anything else
  Rate,        ///< in no window do more start than a limit's rate and burst allow
  Share,       ///< no lane is passed over for longer than the weights say
  Batch,       ///< a callback comes once, when its trigger has come true, and a batch counts what its jobs have done
  Schedule,    ///< each tick is decided on once, and the one that gets a job gets one
  Ahead,       ///< what a worker has claimed ahead starts, or is given back, in time
  Drained,     ///< without faults every job ends
};

[[nodiscard]] inline std::string_view name(Rule rule) noexcept {
  constexpr std::string_view kNames[] = {"kept",     "one claim",   "epoch",       "fence",    "lease", "overlap",
                                         "order",    "key order",   "limit",       "counters", "state", "statistics",
                                         "unique",   "queue bound", "claim bound", "rate",     "share", "batch",
                                         "schedule", "ahead",       "drained"};
  return kNames[static_cast<std::size_t>(rule)];
}

/// Ends the run it is thrown in.
class Violation : public std::runtime_error {
 public:
  Violation(Rule broken, const std::string& what)
      : std::runtime_error(std::string(name(broken)) + ": " + what), rule(broken) {}
  Rule rule;
};

[[noreturn]] inline void violated(Rule rule, const std::string& what) { throw Violation(rule, what); }

}  // namespace galley::simulation
