#pragma once
// Coroutines that another one starts and awaits, all of them, whatever happens: the ground under with_timeout and
// for_each_limit. Not for programs.
//
// They run on the executor of the one who awaits them, under its name.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley::detail {

class Children {
 public:
  explicit Children(boost::asio::any_io_executor executor);
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  /// Before run(). What the work throws is kept (error()).
  void add(boost::asio::awaitable<void> work);
  /// Before run(): when to cancel them.
  void expire_after(Duration limit);
  /// Starts them, and returns when the last has ended. Where the caller is cancelled meanwhile, cancels them and still
  /// waits: no child outlives what it was started for.
  [[nodiscard]] boost::asio::awaitable<void> run();
  /// Those that run; those that have not begun never do.
  void cancel();

  [[nodiscard]] bool cancelled() const noexcept;          ///< for whatever reason
  [[nodiscard]] bool cancelled_outside() const noexcept;  ///< the caller was
  [[nodiscard]] bool expired() const noexcept;
  /// Of the first that failed.
  [[nodiscard]] std::exception_ptr error() const noexcept;

 private:
  class State;
  std::shared_ptr<State> state_;
};

/// boost::system::system_error with operation_aborted.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error) noexcept;
/// The same, made here.
[[nodiscard]] std::exception_ptr cancellation();

/// Where the value of a child is put: by whoever awaits all children, so that the reference is good.
template <class T>
using Slot = std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>>;

template <class T>
boost::asio::awaitable<void> put(boost::asio::awaitable<T> work, Slot<T>& slot) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(work);
    slot.emplace();
  } else {
    slot.emplace(co_await std::move(work));
  }
}

/// A temporary of it, inside a co_await expression, is destroyed twice by g++ 12: an aggregate or a lambda that owns
/// something. A named one is safe, and so is a moved one, but a template cannot tell a moved one from a temporary.
template <class T>
inline constexpr bool kSafeTemporary = std::is_lvalue_reference_v<T> || std::is_trivially_destructible_v<T>;

}  // namespace galley::detail
