#pragma once
// The attempts that run now, and when each must be asked to stop or be killed. Pure: no threads, no I/O, no clock.
//
//   time-out      when it is over: stop; a command is killed its grace later
//   deadline      of its job: the same, and the job expires
//   lease         lease/5 before its end, when no renewal came through: stop; a command is killed lease/20 before it,
//                 so that in a live worker no attempt overlaps its successor
//   cancel, shutdown   stop; a command is killed its grace later
//   lost          stop, and a command is killed, at once
// A handler in this process cannot be killed: its slot is held, and its claim renewed, until it has really ended. When
// it has not by the end of its grace, it is stuck, which is reported once; a command is 5 s after it was killed.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/ending.hpp"
#include "engine/slot_pools.hpp"

namespace galley::engine {

/// What is to be done to a running attempt. It names the claim, because the slot may run another one by then.
struct Action {
  enum class Kind : std::uint8_t {
    Stop,
    Kill,
    Stuck,  ///< it is to be reported: it holds its slot, though it should have ended
  };
  SlotId slot = 0;
  job::ClaimId claim;
  Kind kind = Kind::Stop;
  StopReason reason = StopReason::None;
  friend bool operator==(const Action&, const Action&) = default;
};

struct Running {
  ClaimRules rules;
  std::string queue;
  std::string kind;
  bool command = false;
  base::Mono held_until = kNever;  ///< the end of the lease, counted from before the call that gave it
  base::Mono stop_at = kNever;     ///< its time-out or its job's deadline, whichever comes first
  StopReason stop_for = StopReason::TimedOut;
  base::Mono kill_at = kNever;     ///< of a command
  base::Mono stuck_at = kNever;    ///< kNever as long as it was not stopped, and when it was reported
  base::Mono abandon_at = kNever;  ///< from then on a shutdown does not wait for it
  StopReason reason = StopReason::None;
  bool killed = false;
  bool stuck = false;
};

class RunningSet {
 public:
  /// `timeouts`: by kind, of jobs that have none of their own.
  explicit RunningSet(Duration lease, std::map<std::string, Duration, std::less<>> timeouts = {})
      : lease_(lease), timeouts_(std::move(timeouts)) {}

  /// `claim` starts now; its lease counts from `sent`. Returns when the attempt must stop, where it has a time-out or
  /// its job a deadline.
  std::optional<base::Mono> add(SlotId slot, const job::Claim& claim, base::Mono sent, base::Mono now);
  /// Ended: takes it out. Nothing where the slot has none (it was abandoned).
  [[nodiscard]] std::optional<Running> remove(SlotId slot);

  [[nodiscard]] bool empty() const noexcept { return running_.empty(); }
  /// How many hold their slots though they should have ended.
  [[nodiscard]] int stuck() const noexcept { return stuck_; }
  [[nodiscard]] const std::map<SlotId, Running>& all() const noexcept { return running_; }
  [[nodiscard]] bool holds(SlotId slot, const job::ClaimId& claim) const noexcept;

  /// The answer to a renewal sent at `sent`; where the slot runs another claim by now, nothing happens.
  void renewed(SlotId slot, const job::ClaimId& claim, const store::Renewed& answer, base::Mono sent, base::Mono now);
  /// The shutdown's grace time is over: all are asked to stop. From a further min(grace, 5 s) on, the shutdown does
  /// not wait for a handler; for a command from 5 s after its kill on.
  void stop_all(base::Mono now);
  /// The graces of stop_all are over too.
  void hurry(base::Mono now);
  /// When the shutdown waits for none of them any more; kNever before stop_all.
  [[nodiscard]] base::Mono abandon_at() const noexcept;

  /// What is to be done by `now`; each action is returned once.
  [[nodiscard]] std::vector<Action> due(base::Mono now);
  /// Never later than the time at which `due` has something to say, though perhaps sooner.
  [[nodiscard]] base::Mono next_deadline() const noexcept;

 private:
  void stop(SlotId slot, Running& attempt, StopReason reason, base::Mono now);
  void kill(SlotId slot, Running& attempt);
  void check(SlotId slot, Running& attempt, base::Mono now);
  [[nodiscard]] base::Mono next_of(const Running& attempt) const noexcept;

  Duration lease_;
  std::map<std::string, Duration, std::less<>> timeouts_;
  int stuck_ = 0;
  std::map<SlotId, Running> running_;
  std::vector<Action> actions_;
  /// A lower bound of all next_of: kept by every change, made exact by a walk when it has passed. Attempts are mostly
  /// shorter than their deadlines, so that walks are rare, and no ordered set of deadlines need be kept.
  base::Mono bound_ = kNever;
};

}  // namespace galley::engine
