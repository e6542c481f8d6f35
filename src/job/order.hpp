#pragma once
// The order of ready jobs, and the order in which a pool looks at its queues. Pure.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "job/job.hpp"

namespace galley::job {

/// Position among the ready jobs of a lane: smaller runs first. `tick` is the store's own growing count of
/// microseconds at which the job became ready; a step of priority is a head start of limits::kPriorityStep.
[[nodiscard]] constexpr std::int64_t rank(std::int64_t tick, int priority) noexcept {
  return tick - priority * std::chrono::duration_cast<Duration>(limits::kPriorityStep).count();
}

/// A long job stands behind shorter ones that became ready up to this many times its run time later: on a queue that is
/// always busy nine of ten waits are shorter than ten run times of what is before them, so with 100 the order is strict
/// wherever it matters, and a job of a second is passed for 100 s at most.
inline constexpr std::int64_t kShortestFactor = 100;
/// Expected run times count up to this: no job is passed for longer than 100 minutes.
inline constexpr Duration kMaxExpected = std::chrono::minutes(1);
/// Where deadlines decide, a job without one has this long.
inline constexpr Duration kUsualDeadline = std::chrono::hours(24);

/// As above, by what the queue's order looks at. It is fixed when a job becomes ready, so nothing starves: what becomes
/// ready later than the bounds above stands behind. Never before the tick.
[[nodiscard]] inline std::int64_t rank(Order order, std::int64_t tick, int priority, Duration expected,
                                       std::optional<Time> deadline) noexcept {
  if (order == Order::Shortest) tick += kShortestFactor * std::min(expected, kMaxExpected).count();
  if (order == Order::Deadline) {
    const std::int64_t by = deadline ? deadline->time_since_epoch().count() : tick + kUsualDeadline.count();
    tick = std::max(tick, by);
  }
  return rank(tick, priority);
}

/// The tick that a rank of a queue without another order was made of; else one that is not before it.
[[nodiscard]] constexpr std::int64_t tick(std::int64_t rank, int priority) noexcept {
  return rank + priority * std::chrono::duration_cast<Duration>(limits::kPriorityStep).count();
}

/// One queue of a pool. Weight 0 in all: strict order; else shares by weight.
struct PoolQueue {
  std::string name;
  int weight = 0;
  friend bool operator==(const PoolQueue&, const PoolQueue&) = default;
};

/// A pool of slots bound to queues: "NAME=SLOTS[:QUEUE,...]", "a,b" strict, "a*3,b*1" by weight.
struct PoolSpec {
  std::string name;
  int slots = 1;
  std::vector<PoolQueue> queues;
  friend bool operator==(const PoolSpec&, const PoolSpec&) = default;
};

/// Reads the command line's form. Errors: InvalidInput naming the part, its value and what is allowed.
[[nodiscard]] Result<PoolSpec> pool_spec_from(std::string_view text);

/// Smooth weighted round robin over a pool's queues (as nginx balances upstreams): every queue's credit grows by its
/// weight, the queue with the most credit is looked at first and pays the sum of all weights.
/// With strict queues the order never changes. Not thread-safe.
class QueueOrder {
 public:
  explicit QueueOrder(std::vector<PoolQueue> queues);
  /// The names in the order in which the next claim looks at them.
  [[nodiscard]] const std::vector<std::string>& next();

 private:
  std::vector<PoolQueue> queues_;
  std::vector<std::int64_t> credit_;
  std::vector<std::string> order_;
};

}  // namespace galley::job
