#pragma once
// Long work in small pieces, so that what else runs on a loop does not wait for it.
//
//   for (const auto& row : rows) {
//     check(row);
//     if (galley::need_yield()) co_await galley::yield();
//   }
//
// or, with pieces of a known number:
//
//   const auto check_all = [&](std::span<const Row> part) { ... };
//   co_await galley::for_each_chunk(rows, 1'000, check_all);
//
// Work that takes more than a few milliseconds and a core of its own belongs on a pool: galley/runtime/worker_pool.hpp.

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>

#include "galley/error.hpp"
#include "galley/runtime/budget.hpp"
#include "galley/runtime/current_task.hpp"
#include "galley/runtime/detail/task_ref.hpp"
#include "galley/runtime/loop.hpp"

namespace galley {

/// What yield() gives: an asynchronous operation void(), for co_await or any other completion token.
class Yield {
 public:
  template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void()) Token>
  auto operator()(Token&& token) const {
    return boost::asio::async_initiate<Token, void()>(Start{}, token);
  }

 private:
  template <class Handler>
  struct Resume {
    Handler handler;
    std::optional<runtime::TaskRef> task;
    void operator()() && {
      if (!task) return std::move(handler)();
      const TaskScope scope(&task->info());
      std::move(handler)();
    }
  };
  struct Start {
    template <class Handler>
    void operator()(Handler&& handler) const {
      using Function = Resume<std::decay_t<Handler>>;
      if (Loop* const loop = Loop::current()) {
        // Its own task, as its executor would make it, and not the current one: a coroutine that is started inside
        // another's handler runs in the other's task until it first waits, and may outlive it.
        auto task = task_of(boost::asio::get_associated_executor(handler));
        loop->push_yield(
            runtime::LoopFunction<Function>::make(Function{std::forward<Handler>(handler), std::move(task)}));
      } else {
        boost::asio::post(std::forward<Handler>(handler));
      }
    }
  };
  template <class Executor>
  [[nodiscard]] static std::optional<runtime::TaskRef> task_of(const Executor& executor) noexcept {
    if constexpr (std::is_same_v<Executor, boost::asio::any_io_executor>) {
      return runtime::task_of(executor);
    } else {
      return std::nullopt;  // named_executor() gives none of this type
    }
  }
};

/// co_await yield(): goes on in the check phase of this turn of the loop, or of the next one where this is the check
/// phase. Timers, I/O and everybody else who is ready have their chance in between. On a plain io_context: goes on when
/// what was posted before has run. A coroutine that was cancelled does not come back from it: the next co_await throws,
/// as everywhere in Asio.
[[nodiscard]] inline Yield yield() noexcept { return {}; }

namespace runtime {
template <class T, class F>
boost::asio::awaitable<void> for_each_chunk(std::span<T> items, std::size_t chunk, F& f) {
  for (std::size_t at = 0; at < items.size(); at += chunk) {
    if (at != 0) co_await yield();
    f(items.subspan(at, std::min(chunk, items.size() - at)));
  }
}
[[noreturn]] void refuse_chunk();
}  // namespace runtime

/// Calls f(std::span) with `chunk` items after the other, the last time with what is left, and yields between the
/// calls. `items` (contiguous: a vector, an array, a span) and `f` are borrowed until it has ended, so they are named
/// things: a lambda that is written inside a co_await expression is destroyed twice by g++ 12 where it captures an
/// object. Throws Exception: InvalidInput for a chunk of 0. What f throws comes out of the co_await.
template <std::ranges::contiguous_range Items, class F>
[[nodiscard]] boost::asio::awaitable<void> for_each_chunk(Items& items, std::size_t chunk, F& f) {
  if (chunk == 0) runtime::refuse_chunk();
  return runtime::for_each_chunk(std::span(items), chunk, f);
}
template <class Items, class F>
boost::asio::awaitable<void> for_each_chunk(Items&& items, std::size_t chunk, F&& f) = delete;  // name both above

}  // namespace galley
