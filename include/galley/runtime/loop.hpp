#pragma once
// An event loop: one thread, one io_context, turns of known order, and figures of what it does.
//
//   galley::Loop loop;
//   boost::asio::co_spawn(loop.context(), serve(), boost::asio::detached);
//   loop.run();
//
// Everything that runs on an io_context runs on it: sockets, steady_timer, boost::asio::awaitable. What the loop adds
// is the order of a turn, that of Node: timers; pending; idle and prepare hooks; poll; check; closing (LoopPhase). So
//
// - an immediate that an I/O handler queues runs before any timer that the handler starts, and before more I/O is read;
// - an immediate that an immediate queues waits a turn; a chain of them starves neither I/O nor timers.
//
// What throws out of a handler leaves run(), or goes to LoopOptions::on_error and the loop goes on.
//
// Cancellation (cancellation_signal::emit, timer.cancel(), closing a socket) is for the loop's own thread: from another
// one, post a function that does it.
//
// Thread-safety: what says so from any thread; all else from the thread that is in run(), or before it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/runtime/loop_stats.hpp"

namespace galley {

class Loop;

namespace runtime {

struct Heartbeat;
class LoopCore;

/// A function that waits in a queue of a loop. Linked, so that a queue allocates nothing of its own.
struct LoopNode {
  LoopNode* next = nullptr;
  std::int64_t queued_ns = 0;        ///< of the loop's clock; 0: as soon as the handler that queued it has ended
  void (*end)(LoopNode*, bool run);  ///< frees the node, and calls the function before that if `run`
};

template <class F>
struct LoopFunction final : LoopNode {
  F function;
  template <class G>
  explicit LoopFunction(G&& from) : function(std::forward<G>(from)) {
    end = [](LoopNode* node, bool run) {
      const auto self = static_cast<LoopFunction*>(node);
      F taken(std::move(self->function));  // the node's memory is free for what the function queues
      destroy(self);
      if (run) std::move(taken)();
    };
  }
  template <class G>
  static LoopNode* make(G&& from) {
    boost::asio::recycling_allocator<LoopFunction> memory;
    LoopFunction* const self = memory.allocate(1);
    try {
      return std::construct_at(self, std::forward<G>(from));
    } catch (...) {
      memory.deallocate(self, 1);
      throw;
    }
  }
  static void destroy(LoopFunction* self) noexcept {
    std::destroy_at(self);
    boost::asio::recycling_allocator<LoopFunction>().deallocate(self, 1);
  }
};

}  // namespace runtime

/// What the plain check tells.
struct LoopLag {
  std::chrono::nanoseconds longest{0};  ///< the longest turn, or the latest beginning of something that was ready
  std::string loop;                     ///< its name
};

struct LoopOptions {
  std::string name = "loop";  ///< for reports and figures
  /// Posts that may wait, 1..10,000,000 (about 100 bytes each, as they come). The loop takes all that wait at once, and
  /// gives their places back together when it has run them.
  std::size_t inbox_capacity = 65'536;
  /// on_lag is called for a turn that took longer, or for something that began later than this after it was ready; at
  /// most once a second, from the loop, at the end of a turn. No timer: a loop that sleeps is not woken. 0: never.
  Duration lag_limit = std::chrono::milliseconds(100);
  std::function<void(const LoopLag&)> on_lag;
  /// Called in the pending phase for what a handler has thrown, and for deferred errors. Empty: they leave run().
  std::function<void(std::exception_ptr)> on_error;
  LoopOptions() {}  // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

/// Keeps a hook in its loop; without it the hook is not called any more. To be dropped before the loop, by its thread.
class LoopHook {
 public:
  LoopHook() noexcept = default;
  explicit LoopHook(std::shared_ptr<void> entry) noexcept : entry_(std::move(entry)) {}
  void reset() noexcept { entry_.reset(); }

 private:
  std::shared_ptr<void> entry_;
};

class Loop {
 public:
  using executor_type = boost::asio::io_context::executor_type;

  /// Throws Exception: InvalidInput naming the option; boost::system::system_error without descriptors for it.
  explicit Loop(LoopOptions options = {});
  /// Not while it runs. What waits is destroyed without being run.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// For sockets, timers and co_spawn. Its own run functions are not for the user of a Loop. What other threads give to
  /// it with asio::post is not bounded by the inbox.
  [[nodiscard]] boost::asio::io_context& context() noexcept;
  [[nodiscard]] executor_type get_executor() noexcept { return context().get_executor(); }
  [[nodiscard]] const std::string& name() const noexcept;  ///< any thread

  /// The one that this thread is in run() of; null where there is none.
  [[nodiscard]] static Loop* current() noexcept;

  /// Until stop(), or until there is nothing left that could happen: no operation under way, nothing queued, no work
  /// guard. Hooks do not count. May be called again, also by another thread after this one has returned.
  void run();
  /// Any thread. run() returns when the handler that runs now has ended; one that has not begun, at once.
  void stop() noexcept;

  /// Any thread. Runs f() in the pending phase of a coming turn; functions of one thread run in their order. False: as
  /// many as inbox_capacity wait already; nothing was done, and f was not moved from. What copying or moving f throws
  /// comes out. The caller keeps the loop until this has returned: f may have run by then, and the loop have ended.
  template <class F>
  [[nodiscard]] bool post(F&& f) {
    if (!enter_inbox()) return false;
    runtime::LoopNode* node = nullptr;
    try {
      node = runtime::LoopFunction<std::decay_t<F>>::make(std::forward<F>(f));
    } catch (...) {
      leave_inbox();
      throw;
    }
    push_inbox(node);
    return true;
  }
  /// Any thread. An error that nobody awaits: to on_error in the pending phase, or out of run(). A thousand may wait;
  /// what is more is dropped and counted. Does not keep run() from ending.
  void defer_error(std::exception_ptr error) noexcept;

  /// In the check phase: of this turn, or of the next one where that is under way. Bounded by whoever calls it.
  template <class F>
  void immediate(F&& f) {
    push_immediate(runtime::LoopFunction<std::decay_t<F>>::make(std::forward<F>(f)));
  }
  /// At the very end of the turn.
  template <class F>
  void at_close(F&& f) {
    push_closing(runtime::LoopFunction<std::decay_t<F>>::make(std::forward<F>(f)));
  }

  /// Called once a turn; true: it wants to be called again soon, so the loop looks for I/O without sleeping. At most 64
  /// hooks of each sort: what is more throws Exception (InvalidInput).
  [[nodiscard]] LoopHook on_idle(std::function<bool()> hook);
  /// Called once a turn, before the loop looks for I/O: the place to send what was gathered during the turn.
  [[nodiscard]] LoopHook on_prepare(std::function<void()> hook);

  /// Any thread; does not disturb the loop. What is written meanwhile may be in one of the figures and not in another.
  [[nodiscard]] LoopStats stats() const;
  /// Any thread: what it does just now; of a loop that sleeps or does not run, Poll.
  [[nodiscard]] LoopPhase phase() const noexcept;
  /// Any thread: for whoever watches it. The kernel's id of the thread that is in run(); 0: none is.
  [[nodiscard]] const runtime::Heartbeat& heartbeat() const noexcept;
  [[nodiscard]] int thread_id() const noexcept;

  /// For yield(): resumed in the check phase, as an immediate.
  void push_yield(runtime::LoopNode* node) noexcept;

 private:
  [[nodiscard]] bool enter_inbox() noexcept;
  void leave_inbox() noexcept;
  void push_inbox(runtime::LoopNode* node) noexcept;
  void push_immediate(runtime::LoopNode* node) noexcept;
  void push_closing(runtime::LoopNode* node) noexcept;

  std::unique_ptr<runtime::LoopCore> core_;
};

}  // namespace galley
