#include "runtime/loop_core.hpp"

#include <unistd.h>

#include <limits>

#include "base/assert.hpp"
#include "runtime/thread_times.hpp"

namespace galley::runtime {

namespace {

thread_local LoopCore* current = nullptr;

/// How long a thread of this process could run and had no CPU; 0 where the kernel does not say.
std::int64_t waited_for_cpu(int thread_id) {
  const auto times = thread_times(thread_id);
  return times ? times->waiting_ns : 0;
}

LoopOptions checked(LoopOptions options) {
  const auto refuse = [](const std::string& what) { throw Exception(Error{Errc::InvalidInput, what}); };
  if (options.inbox_capacity < 1 || options.inbox_capacity > 10'000'000) {
    refuse("inbox_capacity is " + std::to_string(options.inbox_capacity) + ": allowed are 1..10000000");
  }
  if (options.lag_limit < Duration{0}) {
    refuse("lag_limit is " + std::to_string(options.lag_limit.count()) + " us: at least 0 is allowed");
  }
  return options;
}

template <class Hooks, class Function>
std::shared_ptr<void> add_hook(Hooks& hooks, Function function) {
  if (!function) throw Exception(Error{Errc::InvalidInput, "hook is empty: a function is allowed"});
  std::erase_if(hooks, [](const auto& hook) { return hook.expired(); });
  if (hooks.size() >= kMaxHooks) {
    throw Exception(Error{Errc::InvalidInput, "hook number " + std::to_string(hooks.size() + 1) +
                                                  " of one sort: at most " + std::to_string(kMaxHooks) +
                                                  " are allowed"});
  }
  auto entry = std::make_shared<Function>(std::move(function));
  hooks.push_back(entry);
  return entry;
}

}  // namespace

LoopCore* current_loop() noexcept { return current; }

LoopCore::LoopCore(Loop& of, LoopOptions chosen)
    : loop(of),
      options(checked(std::move(chosen))),
      inbox(options.inbox_capacity),
      context(std::make_unique<boost::asio::io_context>(1)),
      reactor_(&LoopReactor::install(*context, *this)),
      lag_limit_(options.on_lag && options.lag_limit > Duration{0} ? std::chrono::nanoseconds(options.lag_limit).count()
                                                                   : std::numeric_limits<std::int64_t>::max()) {
  errors_.reserve(kMaxErrors);  // defer_error cannot fail
}

LoopCore::~LoopCore() {
  GALLEY_ASSERT(thread_id.load() == 0);
  const auto drop = [this] {
    inbox.drop();
    for (NodeList* const list : {&pending_, &immediates_, &checking_, &closing_, &ending_}) list->drop();
  };
  drop();           // coroutines among them post their end to the context
  context.reset();  // destroys its handlers, which may still queue something here
  drop();
}

void LoopCore::run() {
  GALLEY_ASSERT(thread_id.load() == 0);
  begin_run();
  struct End {
    LoopCore& core;
    LoopCore* before = std::exchange(current, &core);
    ~End() {
      core.end_run();
      current = before;
    }
  } const end{*this};
  while (!stopping_.load(std::memory_order_relaxed)) {
    try {
      if (context->run_one() == 0) break;
      ran();  // one that another thread has posted while the loop was in its turn; the scheduler begins it itself
    } catch (...) {
      stamp();  // a handler that the scheduler has begun
      if (!options.on_error || std::exchange(reporting_, false)) throw;
      defer_error(std::current_exception());
    }
  }
}

void LoopCore::begin_run() {
  const std::lock_guard lock(thread_mutex_);
  context->restart();
  boost::asio::use_service<boost::asio::detail::scheduler>(*context).work_started();  // run() ends by our word alone
  cpu_ = base::ThreadCpu::of_this_thread();
  cpu_ns_ -= cpu_.ns();
  thread_id = ::gettid();
  wait_ns_ -= waited_for_cpu(thread_id);
  last_ = resynced_ = clock_.resync();
  looked_ = 0;  // the first turn begins with what is due and what is ready
  phase_began_ = last_;
  budget = kBudget;
  turn_began_ = last_;
  heartbeat.busy_since_ns = last_;
  heartbeat.awake();
}

void LoopCore::end_run() noexcept {
  account();  // may call on_lag, which may want the figures
  account_phase();
  phase = LoopPhase::Poll;
  heartbeat.busy_since_ns = 0;
  const std::lock_guard lock(thread_mutex_);
  turn_began_ = 0;
  cpu_ns_ += cpu_.ns();
  wait_ns_ += waited_for_cpu(thread_id);
  thread_id = 0;
  stopping_ = false;
  boost::asio::use_service<boost::asio::detail::scheduler>(*context).work_finished();
}

void LoopCore::stop() noexcept {
  stopping_ = true;
  context->stop();
}

void LoopCore::wake() noexcept {
  if (asleep_.load() && asleep_.exchange(false)) reactor_->interrupt();
}

void LoopCore::push_inbox(LoopNode* node) noexcept {
  node->queued_ns = base::mono_ns();
  inbox.push(node);
  wake();
}

void LoopCore::defer_error(std::exception_ptr error) noexcept {
  {
    const std::lock_guard lock(error_mutex_);
    if (errors_.size() >= kMaxErrors) {
      ++errors_dropped_;
      return;
    }
    errors_.push_back(std::move(error));
    error_count_ = errors_.size();
  }
  wake();
}

void LoopCore::push_immediate(LoopNode* node, bool stamp) noexcept {
  if (stamp) {
    node->queued_ns = clock_.now_ns();
  } else if (unstamped_ == nullptr) {
    unstamped_ = node;
  }
  immediates_.push(node);
}

void LoopCore::push_closing(LoopNode* node) noexcept {
  node->queued_ns = clock_.now_ns();
  closing_.push(node);
}

std::shared_ptr<void> LoopCore::add_idle(std::function<bool()> hook) { return add_hook(idle_hooks_, std::move(hook)); }

std::shared_ptr<void> LoopCore::add_prepare(std::function<void()> hook) {
  return add_hook(prepare_hooks_, std::move(hook));
}

LoopStats LoopCore::stats() const {
  LoopStats stats;
  for (int attempt = 0; attempt < 8; ++attempt) {  // it may fall asleep or wake up just now
    const std::int64_t sleeping = sleeping_since_.load();
    const std::int64_t turn = turn_began_.load();
    const std::int64_t now = base::mono_ns();
    std::int64_t idle = meter_.idle.get();
    std::int64_t busy = meter_.busy.get();
    if (sleeping != 0) {
      idle += std::max<std::int64_t>(0, now - sleeping);
      busy += std::max<std::int64_t>(0, sleeping - turn);
    } else if (turn != 0) {
      busy += std::max<std::int64_t>(0, now - turn);
    }
    stats.idle = std::chrono::nanoseconds(idle);
    stats.busy = std::chrono::nanoseconds(busy);
    if (sleeping == sleeping_since_.load() && turn == turn_began_.load()) break;
  }
  stats.turns = meter_.turns.get();
  stats.handlers = static_cast<std::int64_t>(heartbeat.handlers.load());
  for (std::size_t i = 0; i < stats.in_phase.size(); ++i) {
    stats.in_phase[i] = std::chrono::nanoseconds(meter_.in_phase[i].get());
  }
  stats.turn_time = meter_.turn_time.read();
  stats.handler_time = meter_.handler_time.read();
  stats.ready_delay = meter_.ready_delay.read();
  stats.inbox = inbox.size();
  stats.posts_refused = inbox.refused();
  stats.errors_dropped = errors_dropped_;
  const std::lock_guard lock(thread_mutex_);
  const int thread = thread_id;
  stats.on_cpu = std::chrono::nanoseconds(cpu_ns_ + (thread == 0 ? 0 : cpu_.ns()));
  stats.waiting_for_cpu = std::chrono::nanoseconds(wait_ns_ + (thread == 0 ? 0 : waited_for_cpu(thread)));
  return stats;
}

}  // namespace galley::runtime
