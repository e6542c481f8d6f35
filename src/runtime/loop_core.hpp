#pragma once
// The inside of a Loop: its queues, and how a turn goes.
//
// Thread-safety: what says so from any thread; all else is for the thread in run().

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/patience.hpp"
#include "base/ticks.hpp"
#include "galley/runtime/budget.hpp"
#include "galley/runtime/loop.hpp"
#include "runtime/heartbeat.hpp"
#include "runtime/loop_meter.hpp"
#include "runtime/loop_reactor.hpp"

namespace galley::runtime {

inline constexpr std::size_t kMaxHooks = 64;      // of each sort: all are called in every turn
inline constexpr std::size_t kMaxErrors = 1'000;  // that wait for the pending phase
/// While there are functions to run, the kernel is asked so often: a look costs 200 ns, so 1 % of the time, and nobody
/// sees that I/O was noticed so much later. Also the longest that the scheduler has to wait for its queue.
inline constexpr std::int64_t kLookEvery = 20'000;
/// A loop that has nothing to do looks for so long before it sleeps, and gives way at each look (base/patience.hpp).
inline constexpr std::int64_t kLookOut = 100'000;
inline constexpr std::int64_t kSlice = 500'000;            // need_yield(), in ns
inline constexpr std::int64_t kWarnEvery = 1'000'000'000;  // on_lag, in ns
inline constexpr std::int64_t kResyncEvery = 500'000'000;  // of the tick clock, which trusts itself for a second

/// Functions in their order.
class NodeList {
 public:
  NodeList() = default;
  NodeList(const NodeList&) = delete;
  NodeList& operator=(const NodeList&) = delete;
  ~NodeList() { drop(); }

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  void push(LoopNode* node) noexcept {
    node->next = nullptr;
    (first_ == nullptr ? first_ : last_->next) = node;
    last_ = node;
  }
  [[nodiscard]] LoopNode* pop() noexcept { return std::exchange(first_, first_->next); }
  /// All of the other one, behind ours.
  void take(NodeList& other) noexcept {
    if (other.empty()) return;
    (first_ == nullptr ? first_ : last_->next) = other.first_;
    last_ = other.last_;
    other.first_ = nullptr;
  }
  /// Destroys them without running them; what that queues here, too.
  void drop() noexcept {
    while (!empty()) {
      LoopNode* const node = pop();
      node->end(node, false);
    }
  }

 private:
  LoopNode* first_ = nullptr;
  LoopNode* last_ = nullptr;  ///< valid where there is a first one
};

/// What any thread may give to a loop. Bounded: enter() first.
class Inbox {
 public:
  explicit Inbox(std::size_t capacity) noexcept : capacity_(capacity) {}
  ~Inbox() { drop(); }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  /// Any thread. A place for one; false: there is none.
  [[nodiscard]] bool enter() noexcept {
    if (count_.fetch_add(1) < capacity_) return true;
    count_.fetch_sub(1);
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  /// Any thread, into the place that it has entered.
  void push(LoopNode* node) noexcept {
    node->next = top_.load(std::memory_order_relaxed);
    while (!top_.compare_exchange_weak(node->next, node)) {
    }
  }
  [[nodiscard]] bool empty() const noexcept { return top_.load() == nullptr; }
  /// All that is there, the oldest first; it keeps its places until leave().
  void take(NodeList& into) noexcept {
    LoopNode* oldest = nullptr;
    for (LoopNode* node = top_.exchange(nullptr); node != nullptr;) {
      LoopNode* const next = node->next;
      node->next = oldest;
      oldest = node;
      node = next;
    }
    while (oldest != nullptr) {
      LoopNode* const next = oldest->next;
      into.push(oldest);
      oldest = next;
    }
  }
  void leave(std::size_t places) noexcept { count_.fetch_sub(places, std::memory_order_relaxed); }
  void drop() noexcept {
    NodeList list;
    take(list);
  }
  [[nodiscard]] std::size_t size() const noexcept { return std::min(count_.load(), capacity_); }
  [[nodiscard]] std::int64_t refused() const noexcept { return refused_.load(); }

 private:
  const std::size_t capacity_;
  std::atomic<LoopNode*> top_{nullptr};  ///< the latest; each points at the one before
  std::atomic<std::size_t> count_{0};
  std::atomic<std::int64_t> refused_{0};
};

class LoopCore final : public LoopTurns {
 public:
  LoopCore(Loop& loop, LoopOptions options);
  ~LoopCore();

  void run();
  void stop() noexcept;                                 ///< any thread
  void push_inbox(LoopNode* node) noexcept;             ///< any thread
  void defer_error(std::exception_ptr error) noexcept;  ///< any thread
  void push_immediate(LoopNode* node, bool stamp) noexcept;
  void push_closing(LoopNode* node) noexcept;
  [[nodiscard]] std::shared_ptr<void> add_idle(std::function<bool()> hook);
  [[nodiscard]] std::shared_ptr<void> add_prepare(std::function<void()> hook);
  [[nodiscard]] LoopStats stats() const;  ///< any thread
  [[nodiscard]] bool need_yield() noexcept { return clock_.now_ns() - last_ > kSlice; }

  void turns(bool may_sleep) override;

  Loop& loop;
  const LoopOptions options;
  Inbox inbox;
  Heartbeat heartbeat;
  std::atomic<LoopPhase> phase{LoopPhase::Poll};
  std::atomic<int> thread_id{0};
  int budget = kBudget;
  std::unique_ptr<boost::asio::io_context> context;

 private:
  // loop_turn.cpp
  void turn(bool may_sleep, bool posted);
  void run_timers();
  void run_pending();
  void run_errors();
  void run_idle();
  void run_prepare();
  void run_poll(bool may_sleep, bool posted);
  void run_nodes(LoopPhase in, NodeList& waiting, NodeList& running);
  void rest();
  [[nodiscard]] bool look_out();
  void sleep_in_kernel();
  void look();
  void warn();
  void account();
  [[nodiscard]] bool waits_here() const noexcept;
  [[nodiscard]] bool more_at_once() const noexcept;
  [[nodiscard]] bool errors_wait() const noexcept { return error_count_.load() != 0; }

  // loop_core.cpp
  void begin_run();
  void end_run() noexcept;
  void wake() noexcept;  ///< any thread
  void enter(LoopPhase next) noexcept;
  void account_phase() noexcept;
  void ran() noexcept;
  void stamp() noexcept;
  void late(std::int64_t ns) noexcept;
  void call(LoopNode* node);
  void call(Operations& operations);

  LoopReactor* reactor_ = nullptr;  ///< the context's
  std::atomic<bool> stopping_{false};
  std::atomic<bool> asleep_{false};
  NodeList immediates_, checking_, closing_, ending_, pending_;
  LoopNode* unstamped_ = nullptr;  ///< the first of `immediates_` that waits for the end of the handler that queued it
  std::vector<std::weak_ptr<std::function<bool()>>> idle_hooks_;
  std::vector<std::weak_ptr<std::function<void()>>> prepare_hooks_;
  bool idle_wants_more_ = false;
  bool reporting_ = false;  ///< inside on_error
  std::size_t next_due_ = 0;
  base::Patience patience_;

  mutable std::mutex error_mutex_;
  std::vector<std::exception_ptr> errors_;
  std::atomic<std::size_t> error_count_{0};
  std::atomic<std::int64_t> errors_dropped_{0};

  base::TickClock clock_;
  std::int64_t last_ = 0;  ///< the last reading of the clock: a handler has just ended, or the kernel has answered
  std::int64_t looked_ = 0;
  std::int64_t resynced_ = 0;
  std::int64_t phase_began_ = 0;
  std::uint64_t accounted_ = 0;  ///< handlers
  std::int64_t longest_ = 0;     ///< since on_lag was called
  std::int64_t warned_ = 0;
  const std::int64_t lag_limit_;  ///< in ns; the largest number: nobody wants to know
  LoopMeter meter_;
  std::atomic<std::int64_t> turn_began_{0};      ///< 0: not in run()
  std::atomic<std::int64_t> sleeping_since_{0};  ///< 0: it is awake

  mutable std::mutex thread_mutex_;  ///< for the figures of the thread, which comes and goes
  base::ThreadCpu cpu_;
  std::int64_t cpu_ns_ = 0;  ///< of runs that have ended, minus what the thread had used before the one that goes on
  std::int64_t wait_ns_ = 0;
};

/// Of this thread; null: it is in no loop's run().
[[nodiscard]] LoopCore* current_loop() noexcept;

}  // namespace galley::runtime
