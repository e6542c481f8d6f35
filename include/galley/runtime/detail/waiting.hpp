#pragma once
// How a coroutine waits in somebody's line: the ground under semaphore, channel and task group. Not for programs.
//
// A Waiter stands in the frame of the coroutine that waits; nothing is allocated. Whoever completes it, on whatever
// thread, posts the coroutine to its own executor. Where its execution context is destroyed instead, the coroutine is
// destroyed with it.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <optional>

#include "galley/runtime/budget.hpp"

namespace galley::detail {

class Waiter;
class WaitingService;

/// What is waited for.
class WaitSource {
 public:
  /// The coroutine is suspended. True: it need not wait, and goes on; false: it stands in line, and may have been
  /// completed before this returns.
  virtual bool begin(Waiter& waiter) = 0;
  /// Its cancellation, on its own executor; it may have been completed already.
  virtual void cancel(Waiter& waiter) = 0;
  /// Its execution context goes away: takes it out of the line, without completing it. False: somebody has done so
  /// already, and is about to complete it.
  [[nodiscard]] virtual bool abandon(Waiter& waiter) = 0;

 protected:
  ~WaitSource() = default;
};

class Waiter {
 public:
  enum class Outcome : std::uint8_t { Waiting, Done, Cancelled, Closed };

  explicit Waiter(WaitSource& source) noexcept : source_(source) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  /// Posts the coroutine. Once, by whoever took it out of its line; it may be gone when this returns.
  void complete();

  /// Guarded by the source until it is completed. Said under its lock, before or as the waiter leaves the line: it may
  /// stand in a list of those to be completed then, which is no line that it could be taken out of.
  Outcome outcome = Outcome::Waiting;

 private:
  friend class WaitList;
  friend class WaitingService;
  friend struct StartWaiting;
  using Handler =
      boost::asio::async_result<boost::asio::use_awaitable_t<>, void()>::handler_type;  // of a coroutine that waits

  WaitSource& source_;
  Waiter* next_ = nullptr;
  Waiter* previous_ = nullptr;
  bool linked_ = false;
  std::optional<Handler> handler_;
  WaitingService* service_ = nullptr;
  Waiter* service_next_ = nullptr;
  Waiter* service_previous_ = nullptr;
};

/// Until the waiter is completed; what came of it is its outcome.
[[nodiscard]] boost::asio::awaitable<void> wait(Waiter& waiter);

/// Before an operation that could complete at once: where this is false, it gives way first.
[[nodiscard]] inline bool may_go_on() noexcept { return spend_budget(); }
/// Behind what else is ready: as yield().
[[nodiscard]] boost::asio::awaitable<void> give_way();

/// As Asio's own operations end when they are cancelled: boost::system::system_error, operation_aborted.
[[noreturn]] void throw_cancelled();

/// First in, first out. Whoever owns it locks it.
class WaitList {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] Waiter* first() const noexcept { return first_; }
  /// In the line that its source locks, and not in a list of those to be completed. In this order: what is in such a
  /// list is another thread's, but for its outcome.
  [[nodiscard]] static bool has(const Waiter& waiter) noexcept {
    return waiter.outcome == Waiter::Outcome::Waiting && waiter.linked_;
  }
  void push_back(Waiter& waiter) noexcept;
  Waiter* pop_front() noexcept;
  void remove(Waiter& waiter) noexcept;
  /// All of them, in order; not under a lock.
  void complete_all();

 private:
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace galley::detail
