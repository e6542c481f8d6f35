#include "galley/runtime/lifecycle.hpp"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "galley/runtime/worker_pool.hpp"
#include "runtime/stop_rules.hpp"

namespace galley {

namespace {

namespace asio = boost::asio;
using runtime::StopAction;

void check(const char* option, Duration value, Duration most) {
  if (value >= Duration{0} && value <= most) return;
  throw Exception(
      Error{Errc::InvalidInput, std::string(option) + " " + std::to_string(value.count()) + " us is not allowed: 0.." +
                                    std::to_string(std::chrono::ceil<std::chrono::hours>(most).count()) + " h"});
}

const LifecycleOptions& checked(const LifecycleOptions& options) {
  check("not_ready", options.not_ready, std::chrono::hours(1));
  check("drain", options.drain, std::chrono::hours(24));
  check("cancel", options.cancel, std::chrono::hours(1));
  return options;
}

constexpr std::string_view kProcess = "process";  // the lifecycle's own condition

/// Reasons by the name of their condition.
class Conditions {
 public:
  void set(std::string_view name, std::string_view reason) { reasons_[std::string(name)] = reason; }
  void clear(std::string_view name) {
    if (const auto at = reasons_.find(name); at != reasons_.end()) reasons_.erase(at);
  }
  [[nodiscard]] Readiness state() const {
    Readiness state;
    state.yes = reasons_.empty();
    for (const auto& [name, reason] : reasons_) {
      state.reason += (state.reason.empty() ? "" : "; ") + name + ": " + reason;
    }
    return state;
  }

 private:
  std::map<std::string, std::string, std::less<>> reasons_;
};

}  // namespace

std::string_view name(Stage stage) noexcept {
  switch (stage) {
    case Stage::Running: return "running";
    case Stage::NotReady: return "not_ready";
    case Stage::Draining: return "draining";
    case Stage::Cancelling: return "cancelling";
    case Stage::Ended: return "ended";
  }
  return "ended";
}

LifecyclePart part_of(WorkerPool& pool, std::string name) {
  LifecyclePart part;
  part.name = std::move(name);
  part.drain = [&pool](const std::function<void()>& drained) {
    pool.close_then(CloseMode::Drain, std::nullopt, [drained](const PoolClosed&) { drained(); }).value();
  };
  part.cancel = [&pool] { pool.close_then(CloseMode::Cancel, std::nullopt, [](const PoolClosed&) {}).value(); };
  part.left = [&pool] {
    const int busy = pool.stats().busy;
    return busy == 0 ? std::string() : std::to_string(busy) + (busy == 1 ? " task" : " tasks");
  };
  return part;
}

class Lifecycle::Impl : public std::enable_shared_from_this<Lifecycle::Impl> {
 public:
  Impl(asio::any_io_executor executor, const LifecycleOptions& options)
      : executor_(executor), rules_(options.not_ready, options.drain, options.cancel), timer_(executor) {
    not_ready_.set(kProcess, "starting");
  }

  Result<void> add(LifecyclePart part) {
    if (stage_ != Stage::Running) return Error{Errc::WrongState, "part " + part.name + ": the stop has begun"};
    parts_.push_back(std::move(part));
    return {};
  }

  Result<void> stop_on_signals() {
    boost::system::error_code fault;
    signals_.emplace(executor_);
    signals_->add(SIGTERM, fault);
    if (!fault) signals_->add(SIGINT, fault);
    if (fault) return Error{Errc::Io, "cannot watch for signals: " + fault.message()};
    wait_for_signal();
    return {};
  }

  void started() {
    const std::lock_guard lock(mutex_);
    if (!stop_asked_) not_ready_.clear(kProcess);
  }

  void stop(std::string_view reason, int exit_code) {
    at_least(exit_code);
    {
      const std::lock_guard lock(mutex_);  // not ready from this moment on, not from when the loop gets round to it
      if (!std::exchange(stop_asked_, true)) not_ready_.set(kProcess, "stopping: " + std::string(reason));
    }
    asio::post(executor_, [self = shared_from_this(), why = std::string(reason)] { self->stop_now(why); });
  }

  void let_go() {
    timer_->cancel();
    signals_.reset();
  }

  /// Its owner goes: what is on its way to the executor does nothing any more, and nothing of the executor's is kept.
  void go() {
    let_go();
    timer_.reset();
    const std::lock_guard lock(mutex_);
    gone_ = true;
  }

  std::atomic<bool> gone_{false};  ///< written with the lock

  std::mutex mutex_;  ///< of the next three
  bool stop_asked_ = false;
  Conditions not_ready_;
  Conditions not_live_;
  std::atomic<Stage> stage_{Stage::Running};
  std::atomic<int> exit_code_{0};
  std::vector<std::function<void(Stage)>> on_stage_;
  std::vector<std::function<void(const StopReport&)>> on_ended_;

 private:
  using Kind = StopAction::Kind;

  void at_least(int exit_code) {
    for (int before = exit_code_; before < exit_code && !exit_code_.compare_exchange_weak(before, exit_code);) continue;
  }

  void wait_for_signal() {
    signals_->async_wait([self = shared_from_this()](boost::system::error_code fault, int signal) {
      if (fault || !self->signals_) return;  // one may be on its way when they are given back
      self->stop(signal == SIGTERM ? "SIGTERM" : "SIGINT", 0);
      self->wait_for_signal();
    });
  }

  void stop_now(const std::string& reason) {
    if (gone_) return;
    if (stage_ == Stage::Running) {
      report_.reason = reason;
      began_ = clock_.mono();
    }
    carry_out(rules_.stop(static_cast<int>(parts_.size()), clock_.mono()));
  }

  void carry_out(const std::vector<StopAction>& actions) {
    if (gone_) return;
    if (stage_ != rules_.stage()) {
      stage_ = rules_.stage();
      for (const auto& told : on_stage_) told(stage_);
    }
    arm();
    for (const StopAction& action : actions) carry_out(action);
  }

  void carry_out(const StopAction& action) {
    if (action.kind == Kind::End) return end();
    const LifecyclePart& part = parts_[static_cast<std::size_t>(action.part)];
    switch (action.kind) {
      case Kind::StopAccepting: call(part, "stop_accepting", part.stop_accepting); break;
      case Kind::Drain: drain(action.part); break;
      case Kind::Cancel:
        report_.cancelled.push_back(part.name);
        call(part, "cancel", part.cancel);
        break;
      case Kind::Close:
        note_abandoned(action.part);
        call(part, "close", part.close);
        break;
      case Kind::End: break;
    }
  }

  void drain(int number) {
    const LifecyclePart& part = parts_[static_cast<std::size_t>(number)];
    // Behind what is being carried out, whatever the part does: its answer is a new event.
    // A part that was abandoned may answer when the executor is gone: its owner has gone before, and said so.
    std::function<void()> drained = [weak = weak_from_this(), number] {
      const auto self = weak.lock();
      if (!self) return;
      const std::lock_guard lock(self->mutex_);
      if (!self->gone_) asio::post(self->executor_, [self, number] { self->carry_out(self->rules_.drained(number)); });
    };
    if (!part.drain || !call(part, "drain", [&] { part.drain(drained); })) drained();
  }

  /// False: it threw.
  template <class Hook>
  bool call(const LifecyclePart& part, const char* hook, const Hook& run) {
    if constexpr (std::is_constructible_v<bool, const Hook&>) {
      if (!run) return true;
    }
    try {
      run();
      return true;
    } catch (const std::exception& failure) {
      report_.failed.push_back(part.name + ": " + hook + ": " + failure.what());
    } catch (...) {
      report_.failed.push_back(part.name + ": " + hook + ": an exception without a text");
    }
    return false;
  }

  void note_abandoned(int number) {
    if (!rules_.abandoned(number)) return;
    const LifecyclePart& part = parts_[static_cast<std::size_t>(number)];
    std::string left;
    call(part, "left", [&] { left = part.left ? part.left() : std::string(); });
    report_.abandoned.push_back(left.empty() ? part.name : part.name + ": " + left);
  }

  void end() {
    report_.hurried = rules_.hurried();
    report_.took = clock_.mono() - began_;
    if (!report_.abandoned.empty() || !report_.failed.empty()) at_least(1);
    let_go();
    for (const auto& told : on_ended_) told(report_);
  }

  void arm() {
    const auto deadline = rules_.deadline();
    if (!deadline) {
      timer_->cancel();
      return;
    }
    timer_->expires_after(std::max(Duration{0}, *deadline - clock_.mono()));
    timer_->async_wait([self = shared_from_this()](boost::system::error_code fault) {
      if (!fault) self->carry_out(self->rules_.tick(self->clock_.mono()));
    });
  }

  asio::any_io_executor executor_;
  base::SystemClock clock_;
  runtime::StopRules rules_;
  std::optional<asio::steady_timer> timer_;
  std::optional<asio::signal_set> signals_;
  std::vector<LifecyclePart> parts_;
  base::Mono began_{};
  StopReport report_;
};

Lifecycle::Lifecycle(asio::any_io_executor executor, const LifecycleOptions& options)
    : impl_(std::make_shared<Impl>(std::move(executor), checked(options))) {}
Lifecycle::~Lifecycle() { impl_->go(); }

Result<void> Lifecycle::add(LifecyclePart part) { return impl_->add(std::move(part)); }
Result<void> Lifecycle::stop_on_signals() { return impl_->stop_on_signals(); }
void Lifecycle::started() { impl_->started(); }
void Lifecycle::stop(std::string_view reason, int exit_code) { impl_->stop(reason, exit_code); }

void Lifecycle::set_not_ready(std::string_view condition, std::string_view reason) {
  const std::lock_guard lock(impl_->mutex_);
  if (condition != kProcess) impl_->not_ready_.set(condition, reason);
}
void Lifecycle::set_ready(std::string_view condition) {
  const std::lock_guard lock(impl_->mutex_);
  if (condition != kProcess) impl_->not_ready_.clear(condition);
}
Readiness Lifecycle::readiness() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->not_ready_.state();
}
void Lifecycle::set_not_live(std::string_view condition, std::string_view reason) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->not_live_.set(condition, reason);
}
void Lifecycle::set_live(std::string_view condition) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->not_live_.clear(condition);
}
Readiness Lifecycle::liveness() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->not_live_.state();
}

Stage Lifecycle::stage() const noexcept { return impl_->stage_; }
void Lifecycle::on_stage(std::function<void(Stage)> told) { impl_->on_stage_.push_back(std::move(told)); }
void Lifecycle::on_ended(std::function<void(const StopReport&)> told) { impl_->on_ended_.push_back(std::move(told)); }
int Lifecycle::exit_code() const noexcept { return impl_->exit_code_; }

}  // namespace galley
