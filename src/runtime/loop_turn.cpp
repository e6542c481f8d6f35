// How a turn goes. A handler that throws leaves the turn; what has not been run stays in its queue, and the next turn
// goes on with it.

#include <thread>

#include "runtime/loop_core.hpp"

namespace galley::runtime {

namespace {
/// However a handler ends.
template <class F>
struct AtEnd {
  F f;
  ~AtEnd() { f(); }
};
template <class F>
AtEnd(F) -> AtEnd<F>;
}  // namespace

void LoopCore::turns(bool may_sleep) {
  const std::int64_t began = last_;
  bool posted = !may_sleep;
  do {
    turn(may_sleep, posted);
    may_sleep = posted = false;
  } while (more_at_once() && last_ - began < kLookEvery);  // then the scheduler looks at what others have posted
}

void LoopCore::turn(bool may_sleep, bool posted) {
  meter_.turns.add(1);
  if (last_ - looked_ >= kLookEvery && reactor_->io.empty()) look();
  if (!reactor_->timers.empty()) run_timers();
  if (!inbox.empty() || !pending_.empty() || errors_wait()) run_pending();
  if (!idle_hooks_.empty()) run_idle();
  if (!prepare_hooks_.empty()) run_prepare();
  run_poll(may_sleep, posted);
  run_nodes(LoopPhase::Check, immediates_, checking_);
  run_nodes(LoopPhase::Closing, closing_, ending_);
}

/// Between handlers: something can go on without the kernel or another thread.
bool LoopCore::waits_here() const noexcept {
  return !immediates_.empty() || !checking_.empty() || !closing_.empty() || !ending_.empty() || !pending_.empty() ||
         !reactor_->io.empty() || !reactor_->timers.empty() || !reactor_->ready.empty();
}

bool LoopCore::more_at_once() const noexcept {
  return !stopping_.load(std::memory_order_relaxed) && (!immediates_.empty() || reactor_->has_own());
}

void LoopCore::enter(LoopPhase next) noexcept {
  if (next == phase.load(std::memory_order_relaxed)) return;
  account_phase();
  phase.store(next, std::memory_order_relaxed);
}

void LoopCore::account_phase() noexcept {
  meter_.in_phase[static_cast<std::size_t>(phase.load(std::memory_order_relaxed))].add(last_ - phase_began_);
  phase_began_ = last_;
}

/// A handler has ended, and the next one may begin at once.
void LoopCore::ran() noexcept {
  const std::int64_t now = clock_.now_ns();
  meter_.handler_time.add(now - last_);
  last_ = now;
  heartbeat.busy_since_ns.store(now, std::memory_order_relaxed);
  heartbeat.handlers.store(heartbeat.handlers.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  budget = kBudget;
  if (unstamped_ != nullptr) stamp();
}

/// What has yielded in the handler that has just ended is ready since then.
void LoopCore::stamp() noexcept {
  for (; unstamped_ != nullptr; unstamped_ = unstamped_->next) {
    if (unstamped_->queued_ns == 0) unstamped_->queued_ns = last_;
  }
}

void LoopCore::late(std::int64_t ns) noexcept {
  const std::int64_t delay = std::max<std::int64_t>(0, ns);
  meter_.ready_delay.add(delay);
  longest_ = std::max(longest_, delay);
}

void LoopCore::call(LoopNode* node) {
  late(last_ - node->queued_ns);
  const AtEnd ended{[this] { ran(); }};
  node->end(node, true);
}

void LoopCore::call(Operations& operations) {
  const AtEnd ended{[this] { ran(); }};
  reactor_->run_first(operations);
}

void LoopCore::run_timers() {
  enter(LoopPhase::Timers);
  while (!reactor_->timers.empty() && !stopping_.load(std::memory_order_relaxed)) {
    if (next_due_ < reactor_->due.size()) late(last_ - reactor_->due[next_due_++]);
    call(reactor_->timers);
  }
}

void LoopCore::run_pending() {
  enter(LoopPhase::Pending);
  inbox.take(pending_);
  std::size_t begun = 0;
  const AtEnd left{[this, &begun] { inbox.leave(begun); }};  // once: others write there all the time
  while (!pending_.empty() && !stopping_.load(std::memory_order_relaxed)) {
    ++begun;
    call(pending_.pop());
  }
  if (errors_wait()) run_errors();
}

void LoopCore::run_errors() {
  while (errors_wait() && !stopping_.load(std::memory_order_relaxed)) {
    std::exception_ptr error;
    {
      const std::lock_guard lock(error_mutex_);
      error = std::move(errors_.front());
      errors_.erase(errors_.begin());
      error_count_ = errors_.size();
    }
    if (!options.on_error) std::rethrow_exception(std::move(error));
    const AtEnd ended{[this] { ran(); }};
    reporting_ = true;
    options.on_error(std::move(error));
    reporting_ = false;
  }
}

void LoopCore::run_idle() {
  enter(LoopPhase::Idle);
  idle_wants_more_ = false;
  const std::size_t hooks = idle_hooks_.size();  // one that is added meanwhile waits a turn
  for (std::size_t i = 0; i < hooks && i < idle_hooks_.size(); ++i) {
    if (const auto hook = idle_hooks_[i].lock()) {
      const AtEnd ended{[this] { ran(); }};
      if ((*hook)()) idle_wants_more_ = true;
    }
  }
}

void LoopCore::run_prepare() {
  enter(LoopPhase::Prepare);
  const std::size_t hooks = prepare_hooks_.size();
  for (std::size_t i = 0; i < hooks && i < prepare_hooks_.size(); ++i) {
    if (const auto hook = prepare_hooks_[i].lock()) {
      const AtEnd ended{[this] { ran(); }};
      (*hook)();
    }
  }
}

void LoopCore::run_poll(bool may_sleep, bool posted) {
  if (posted) reactor_->take_posted();
  reactor_->take_own();
  if (may_sleep && !waits_here() && !idle_wants_more_ && !stopping_.load()) rest();
  if (reactor_->io.empty() && reactor_->ready.empty()) return;
  enter(LoopPhase::Poll);
  while (!reactor_->io.empty() && !stopping_.load(std::memory_order_relaxed)) call(reactor_->io);
  while (!reactor_->ready.empty() && !stopping_.load(std::memory_order_relaxed)) call(reactor_->ready);
}

void LoopCore::run_nodes(LoopPhase in, NodeList& waiting, NodeList& running) {
  if (waiting.empty() && running.empty()) return;
  enter(in);
  running.take(waiting);
  while (!running.empty() && !stopping_.load(std::memory_order_relaxed)) call(running.pop());
}

/// Until the kernel has something, or another thread. Where nothing can come any more, run() is told to end.
void LoopCore::rest() {
  enter(LoopPhase::Poll);
  account();
  account_phase();
  reactor_->take_own();
  if (waits_here()) return;  // on_lag has queued it
  const bool alone =
      reactor_->outstanding_work() <= 1;  // before the inbox: whoever posts and then drops its guard is seen
  asleep_.store(true);
  if (inbox.empty() && !errors_wait()) {
    if (alone) {
      context->stop();
    } else if (reactor_->begin_sleep()) {
      sleep_in_kernel();
    }
  }
  asleep_.store(false, std::memory_order_relaxed);
}

/// Looks for something to do for as long as it takes to be woken, if that has been of use lately. True: no sleep now.
bool LoopCore::look_out() {
  if (!patience_.looks()) return context->stopped();
  const std::int64_t until = last_ + kLookOut;
  while (true) {
    reactor_->look(false);
    if (reactor_->found() || !inbox.empty() || errors_wait()) break;
    if (clock_.now_ns() >= until) {
      patience_.was_in_vain();
      // A look may have taken an interrupt whose reason it could not see yet; none would follow.
      return !reactor_->arm() || context->stopped();
    }
    std::this_thread::yield();
  }
  patience_.paid();
  return true;
}

void LoopCore::sleep_in_kernel() {
  heartbeat.busy_since_ns.store(0, std::memory_order_relaxed);
  const bool awake = look_out();
  const std::int64_t began = clock_.now_ns();
  meter_.busy.add(began - last_);  // it had a CPU
  turn_began_.store(began, std::memory_order_relaxed);
  sleeping_since_.store(began);
  if (!awake) reactor_->look(true);
  reactor_->end_sleep();
  last_ = looked_ = resynced_ = std::max(last_, clock_.resync());
  next_due_ = 0;
  meter_.idle.add(last_ - began);
  phase_began_ = last_;
  turn_began_.store(last_, std::memory_order_relaxed);
  sleeping_since_.store(0);
  heartbeat.busy_since_ns.store(last_, std::memory_order_relaxed);
  heartbeat.awake();
  reactor_->take_posted();
  // The end of the last work outside has stopped the scheduler, which knows nothing of what was queued here before.
  // Where there is work, it was stopped by somebody.
  if ((!inbox.empty() || errors_wait() || waits_here()) && context->stopped() && reactor_->outstanding_work() <= 1) {
    context->restart();
    if (stopping_.load()) context->stop();
  }
}

void LoopCore::look() {
  account();
  if (reactor_->timers.empty()) next_due_ = 0;
  reactor_->look(false);
  if (last_ - resynced_ >= kResyncEvery) resynced_ = clock_.resync();
  looked_ = last_ = clock_.now_ns();
}

/// A turn, for whoever waits, is the time between two looks at the kernel.
void LoopCore::account() {
  const std::int64_t turn = last_ - turn_began_.load(std::memory_order_relaxed);
  meter_.busy.add(turn);
  turn_began_.store(last_, std::memory_order_relaxed);
  const std::uint64_t handlers = heartbeat.handlers.load(std::memory_order_relaxed);
  if (std::exchange(accounted_, handlers) == handlers) return;
  meter_.turn_time.add(turn);
  longest_ = std::max(longest_, turn);
  if (longest_ > lag_limit_ && (warned_ == 0 || last_ - warned_ >= kWarnEvery)) warn();
}

void LoopCore::warn() {
  warned_ = last_;
  const LoopLag lag{std::chrono::nanoseconds(std::exchange(longest_, 0)), options.name};
  const AtEnd ended{[this] { ran(); }};
  try {
    options.on_lag(lag);
  } catch (...) {  // it may be at the end of run()
    defer_error(std::current_exception());
  }
}

}  // namespace galley::runtime
