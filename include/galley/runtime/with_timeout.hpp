#pragma once
// A time limit for a coroutine.
//
//   auto answer = galley::with_timeout(fetch(url), 500ms);
//   const galley::Result<Page> page = co_await std::move(answer);
//   if (!page) return busy();   // TimedOut
//
// Thread-safety: on one executor, that runs one handler at a time: a loop, an io_context of one thread, a strand.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/runtime/detail/as_result.hpp"
#include "galley/runtime/detail/children.hpp"

namespace galley {

namespace detail {

[[nodiscard]] Error timed_out(Duration limit);

template <class T>
boost::asio::awaitable<typename AsResult<T>::Type> run_with_timeout(boost::asio::awaitable<T> work, Duration limit) {
  using Answer = typename AsResult<T>::Type;
  Slot<T> slot;
  Children child(co_await boost::asio::this_coro::executor);
  child.add(put(std::move(work), slot));
  child.expire_after(limit);
  co_await child.run();
  if (slot) {  // in time, or while it was being cancelled: what there is, is not thrown away
    if constexpr (std::is_void_v<T>) {
      co_return Answer();
    } else {
      co_return Answer(std::move(*slot));
    }
  }
  const std::exception_ptr error = child.error() != nullptr ? child.error() : cancellation();
  if (child.expired() && !child.cancelled_outside() && is_cancellation(error)) co_return Answer(timed_out(limit));
  std::rethrow_exception(error);
}

}  // namespace detail

/// What the work returns; where it returns a Result, that one. When the limit is over, the work is cancelled
/// (cancellation_type::terminal), and this returns TimedOut as soon as the work has ended: nothing of it runs on behind
/// its caller's back, and work that does not heed its cancellation delays this. What the work still returns then is
/// returned, and what it throws, other than operation_aborted, is thrown.
///
/// A cancellation from outside goes to the work and ends the wait as it would without a limit, also where the limit
/// ends at the same time.
template <class T>
[[nodiscard]] boost::asio::awaitable<typename detail::AsResult<T>::Type> with_timeout(boost::asio::awaitable<T> work,
                                                                                      Duration limit) {
  return detail::run_with_timeout(std::move(work), limit);
}

}  // namespace galley
