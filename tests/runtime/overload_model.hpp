#pragma once
// A server in virtual time, to judge rules of overload by: one loop, requests that come whether or not the earlier ones
// were answered (Poisson, or one after another), a fixed time of service, a client who waits so long and no longer, and
// a cost of saying no. A connection carries one request. What finds the backlog full is dropped by the kernel, for a
// tenth of that cost. The server does not see that a client has gone.
//
// A loop of Node's kind: timers, then all requests that were there when the turn began.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "galley/runtime/overload_guard.hpp"
#include "galley/runtime/too_busy.hpp"

namespace galley::test {

using Nanos = std::chrono::nanoseconds;

/// What decides.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual AcceptAnswer accept(Nanos) { return {}; }
  virtual bool takes(const Arrival&, Nanos) { return true; }
  virtual void served(Nanos) {}
  virtual void refused(Nanos /*cost*/, Nanos /*now*/) {}
  /// The beginning of a turn of the loop.
  virtual void turn(Nanos) {}
  virtual bool busy(Nanos) { return false; }
};

class GuardRule : public Rule {
 public:
  explicit GuardRule(const OverloadOptions& options = {}) : guard_(options) {}
  AcceptAnswer accept(Nanos now) override { return guard_.accept(now); }
  bool takes(const Arrival& arrival, Nanos now) override { return guard_.take(arrival, now).admitted; }
  void served(Nanos service) override { guard_.finished(service); }
  void refused(Nanos cost, Nanos now) override { guard_.spent_refusing(cost, now); }
  bool busy(Nanos now) override { return guard_.status(now).state == OverloadState::Busy; }
  [[nodiscard]] OverloadGuard& guard() noexcept { return guard_; }

 private:
  OverloadGuard guard_;
};

class TooBusyRule : public Rule {
 public:
  explicit TooBusyRule(TooBusyOptions options = {}) : too_busy_(std::move(options)) {}
  bool takes(const Arrival&, Nanos) override { return !too_busy_(); }
  void turn(Nanos now) override {
    if (now < due_) return;
    too_busy_.tick(now);
    due_ = now + Nanos(too_busy_.interval());
  }

 private:
  TooBusy too_busy_;
  Nanos due_{0};
};

struct Traffic {
  Nanos from{0};    ///< Until the next one's beginning, or the end.
  double load = 0;  ///< Of the capacity.
};
struct Stall {
  Nanos at{0};
  Nanos length{0};
};

struct Model {
  std::vector<Traffic> traffic;
  std::vector<Stall> stalls;
  Nanos length = std::chrono::seconds(10);
  Nanos measured_from = std::chrono::seconds(2);  ///< What comes before is not counted.
  Nanos service = std::chrono::milliseconds(1);
  Nanos deadline = std::chrono::milliseconds(200);
  Nanos refusal = std::chrono::microseconds(20);
  std::size_t backlog = 128;
  bool poisson = true;
  bool send_deadlines = false;  ///< The server is told them.
  /// Parts of Low, Normal, High and System.
  std::array<double, kRequestClasses> classes{0, 1, 0, 0};
  std::uint64_t seed = 1;
};

struct Outcome {
  double goodput = 0;  ///< answered in time, of what the server could have served
  Nanos p99{0};        ///< of the answered ones, from arrival to answer
  std::array<std::int64_t, kRequestClasses> came{};
  std::array<std::int64_t, kRequestClasses> good{};
  std::vector<Nanos> refused;   ///< the arrivals of those who were told no
  std::vector<Nanos> refusals;  ///< when they were
  std::int64_t dropped = 0;     ///< by the kernel
  std::int64_t answered = 0;
  std::vector<Nanos> turned;  ///< when the rule became busy or normal
  [[nodiscard]] double success(RequestClass of) const {
    const auto i = static_cast<std::size_t>(of);
    return came[i] == 0 ? 1 : static_cast<double>(good[i]) / static_cast<double>(came[i]);
  }
};

[[nodiscard]] Outcome run(const Model& model, Rule& rule);
/// One load, all the time.
[[nodiscard]] Model at_load(double load);
/// For a failing test's message.
[[nodiscard]] std::string text(const Model& model, const Outcome& outcome);

}  // namespace galley::test
