#pragma once
// Coroutine handlers for tests, and a gate at which they wait. The handlers are structs: what they use is in their
// members, which live as long as the worker keeps them.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

#include "base/event.hpp"
#include "galley/coroutine.hpp"

namespace galley::engine {

namespace asio = boost::asio;
template <class T>
using Awaitable = asio::awaitable<T>;

/// Used by the loop's thread alone, but for the event.
class Gate {
 public:
  /// Until it is opened. Throws operation_aborted when it is cancelled meanwhile.
  Awaitable<void> wait() {
    if (open_) co_return;
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    const auto place = waiting_.insert(waiting_.end(), &timer);
    came.set();
    boost::system::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    waiting_.erase(place);
    if (!open_) throw boost::system::system_error(error);
  }
  void open() {
    open_ = true;
    for (asio::steady_timer* timer : waiting_) timer->cancel();
  }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

  test::Event came;  ///< set once for each that waits

 private:
  bool open_ = false;
  std::list<asio::steady_timer*> waiting_;
};

/// Waits at the gate.
struct WaitAt {
  Gate* gate;
  Awaitable<void> operator()(Attempt&, std::string_view) const { return gate->wait(); }
};

struct Open {
  Gate* gate;
  Awaitable<void> operator()(Attempt&, std::string_view) const {
    gate->open();
    co_return;
  }
};

struct Nothing {
  Awaitable<void> operator()(Attempt&, std::string_view) const { co_return; }
};

}  // namespace galley::engine
