#pragma once
// The rules of OverloadGuard (galley/runtime/overload_guard.hpp says what they are), without locks: state, event and
// moment in, answer out.
//
// Thread-safety: none.

#include "base/random.hpp"
#include "galley/error.hpp"
#include "galley/runtime/overload_guard.hpp"

namespace galley::runtime {

/// Errors: InvalidInput naming the option, its value and what is allowed.
[[nodiscard]] Result<void> validate(const OverloadOptions& options);

/// Requests that are served in a time, and what was spent on refusing others: counted over one interval after another.
class Throughput {
 public:
  using Nanos = std::chrono::nanoseconds;
  explicit Throughput(Nanos interval) : interval_(interval) {}

  /// True where an interval has ended.
  bool roll(Nanos now);
  void started() { ++starts_; }
  void spent(Nanos cost) { refusing_ += cost; }
  /// Starts in a nanosecond: of the best interval lately. Those in which less was asked for say little of what is
  /// possible.
  [[nodiscard]] double rate() const noexcept { return rate_; }
  /// The part of it that was spent on refusing.
  [[nodiscard]] double refusing() const noexcept { return share_; }

 private:
  Nanos interval_;
  Nanos began_{0};
  bool begun_ = false;
  std::int64_t starts_ = 0;
  Nanos refusing_{0};
  double rate_ = 0;
  double share_ = 0;
};

/// Whether the waits are bad, and when they are good again.
class WaitWatch {
 public:
  using Nanos = std::chrono::nanoseconds;
  WaitWatch(Nanos target, Nanos interval) : target_(target), interval_(interval) {}

  /// A request has come out of its line at `now`, after `wait`. True where the state has changed.
  bool saw(Nanos wait, Nanos now);
  /// Nobody is in the line. True where the state has changed: no wait for so long that it is Normal again.
  bool idle(Nanos now, Nanos quiet);
  [[nodiscard]] bool busy() const noexcept { return busy_; }
  /// Most of those who came out of the line in the last whole interval had waited for more than twice the target, and
  /// so has the last one, lately.
  [[nodiscard]] bool beyond(Nanos now) const noexcept {
    return beyond_ && wait_ > 2 * target_ && now - seen_ < interval_;
  }
  /// The last one seen.
  [[nodiscard]] Nanos wait() const noexcept { return wait_; }
  [[nodiscard]] Nanos seen_at() const noexcept { return seen_; }

 private:
  [[nodiscard]] bool turns_busy(Nanos wait, Nanos now);
  void count(Nanos wait, Nanos now);

  Nanos target_;
  Nanos interval_;
  bool busy_ = false;
  Nanos wait_{0};
  Nanos seen_{0};
  bool above_ = false;      ///< an unbroken run of waits above the target
  Nanos above_since_{0};    ///< when it began
  Nanos least_{0};          ///< its least wait
  Nanos last_not_good_{0};  ///< the last wait above half the target
  Nanos counted_from_{0};   ///< the interval that goes on
  int counted_ = 0;         ///< waits in it
  int counted_beyond_ = 0;  ///< of those, above twice the target
  bool beyond_ = false;     ///< most were, in the interval before
};

/// Whether connections are accepted, and how many while they should not be: one for each that was served and a tenth
/// more, one for each that was refused, so that the server never runs dry. What waits in the kernel meanwhile is kept
/// so short that it does not wait longer than the target. Where saying no costs little again, the kernel may keep more,
/// until the gate is open.
class AcceptGate {
 public:
  using Nanos = std::chrono::nanoseconds;
  explicit AcceptGate(const OverloadOptions& options);

  /// Finds out whether it is closed now. True where it has just closed.
  bool look(bool busy, bool beyond, const Throughput& throughput, Nanos now);
  /// An interval has ended: lets the kernel keep more or less.
  void adjust(const Throughput& throughput);
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  /// Only while it is closed.
  [[nodiscard]] AcceptAnswer ask(const Throughput& throughput, Nanos now);
  /// Somebody was refused: there is room for another one.
  void refused() noexcept;

 private:
  [[nodiscard]] double pace(const Throughput& throughput) const noexcept;
  [[nodiscard]] double least(const Throughput& throughput) const noexcept;

  Nanos target_;
  Nanos interval_;
  double max_refusing_;
  bool closed_ = false;
  bool costly_ = false;  ///< closed for what saying no costs
  double backlog_ = 0;   ///< what the kernel may keep while it is costly
  double credits_ = 0;   ///< connections that may be accepted
  Nanos credited_{0};    ///< until when they were given
};

class OverloadRules {
 public:
  using Nanos = std::chrono::nanoseconds;
  explicit OverloadRules(const OverloadOptions& options);

  AcceptAnswer accept(Nanos now);
  Verdict admit(const Arrival& arrival, Nanos now);
  Verdict start(const Arrival& arrival, Nanos now);
  void abandon() noexcept;
  Verdict take(const Arrival& arrival, Nanos now);
  void finished(Nanos service) noexcept;
  void spent_refusing(Nanos cost, Nanos now);
  OverloadStatus status(Nanos now);
  [[nodiscard]] bool busy() const noexcept { return watch_.busy(); }

 private:
  [[nodiscard]] Nanos forward(Nanos now) noexcept;
  void saw(Nanos wait, Nanos now);
  void look(Nanos now);
  [[nodiscard]] bool too_long(RequestClass request_class, Nanos wait) const noexcept;
  [[nodiscard]] bool too_late(const Arrival& arrival, Nanos now) noexcept;
  Verdict refuse(const Arrival& arrival, Refusal why);
  Verdict admitted(const Arrival& arrival);

  OverloadOptions options_;
  Nanos target_;
  Nanos max_wait_;
  Throughput throughput_;
  WaitWatch watch_;
  AcceptGate gate_;
  base::Random random_;
  Nanos latest_{0};
  Nanos service_{0};
  std::int64_t waiting_ = 0;
  OverloadStatus counters_;
};

}  // namespace galley::runtime
