#pragma once
// Work for a pool that a coroutine awaits. Its value, or what it throws, comes back on the coroutine's own executor,
// exactly once; meanwhile the loop serves others.
//
//   auto thumbnail = galley::offload(pool, [image] { return shrink(image); });
//   galley::Result<Image> small = co_await thumbnail.result();
//
//   galley::Result<long> number = co_await galley::run_on(pool, fibonacci, 40);
//
// Two lines for a lambda, one for a plain function: g++ 12 destroys twice what a lambda has captured when the lambda
// is a temporary inside a co_await expression. So what would be such an expression does not compile: result() is for
// something with a name, and run_on takes functions, and arguments that the compiler gets right.
//
// An Error instead of a value: WrongState (the pool was closed before it began), TimedOut (its queue_timeout was over),
// QueueFull (PoolOptions::max_waiting wait for room already), or what the callable has returned as an Error: where it
// returns a Result<T>, that is what is awaited.
//
// While there is no room in the pool the coroutine waits, in the order of those who wait. Where it is cancelled before
// the task has begun, the task is taken out and its callable destroyed, and the co_await throws operation_aborted, as
// those of Asio do. A task that has begun is never left alone, because it may use what the coroutine holds: its stop
// token is requested (it takes a TaskContext&), and what comes of it is what is awaited.
//
// The pool must be there until what is awaited has come back, and must be closed before an io_context is destroyed to
// which something may still come back.
//
// Thread-safety: each object is one coroutine's. Cancellation is emitted where Asio asks for it: on that coroutine's
// own executor.

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "galley/runtime/detail/offload_operation.hpp"
#include "galley/runtime/worker_pool.hpp"

namespace galley {

/// What a callable gives as what is awaited: Result<T>, also where it gives a Result<T> already.
template <class F>
using OffloadResult = runtime::OffloadResult<F>;

/// A task that has not been handed over yet: result() does that.
template <class F>
class Offload {
 public:
  Offload(WorkerPool& pool, F f, TaskOptions options) : work_(std::in_place, pool, std::move(f), std::move(options)) {}

  /// Awaitable once: a second time is WrongState. Any other completion token of Asio's will do too; it is for
  /// void(std::exception_ptr, Result<T>).
  template <class Token = boost::asio::use_awaitable_t<>>
  [[nodiscard]] auto result(Token&& token = Token()) & {
    using Signature = void(std::exception_ptr, OffloadResult<F>);
    return boost::asio::async_initiate<Token, Signature>(runtime::StartOffload{}, token,
                                                         std::exchange(work_, std::nullopt));
  }

 private:
  std::optional<runtime::OffloadWork<F>> work_;
};

/// f() or f(TaskContext&), run once by a thread of the pool as soon as result() is awaited.
template <class F>
[[nodiscard]] Offload<std::decay_t<F>> offload(WorkerPool& pool, F&& f, TaskOptions options = {}) {
  return {pool, std::forward<F>(f), std::move(options)};
}

/// Of an argument of run_on: an lvalue, or a temporary which g++ 12 destroys once inside a co_await expression. Not
/// those are an aggregate with members to destroy, and a lambda that captures: name them on the line above.
template <class A>
inline constexpr bool kSafeInsideAwait = std::is_lvalue_reference_v<A> ||
                                         std::is_trivially_destructible_v<std::remove_cvref_t<A>> ||
                                         (!std::is_aggregate_v<std::remove_cvref_t<A>> &&
                                          std::is_default_constructible_v<std::remove_cvref_t<A>>);

/// How what is held of an argument of run_on is given to the function, which is called once.
template <class Parameter, class A>
using PassedOn = std::conditional_t<std::is_reference_v<Parameter>, std::decay_t<A>&, std::decay_t<A>&&>;

/// co_await run_on(pool, function, arguments...): the arguments are copied or moved, as to a thread. Those which the
/// function takes by reference are the copies; those which it takes by value are moved on to it.
template <class R, class... Parameters, class... Arguments>
requires(sizeof...(Parameters) == sizeof...(Arguments) && (kSafeInsideAwait<Arguments> && ...))
    [[nodiscard]] auto run_on(WorkerPool& pool, R (*function)(Parameters...), Arguments&&... arguments) {
  auto call = [function,
               held = std::tuple<std::decay_t<Arguments>...>(std::forward<Arguments>(arguments)...)]() mutable {
    return std::apply(
        [function](auto&... each) {
          return function(static_cast<Parameters>(static_cast<PassedOn<Parameters, Arguments>>(each))...);
        },
        held);
  };
  Offload<decltype(call)> task(pool, std::move(call), {});
  return task.result();
}

/// A task of which only the acceptance is awaited: what it throws goes to the pool's sink.
class Submission {
 public:
  Submission(WorkerPool& pool, Task task, TaskOptions options)
      : work_(std::in_place, pool, std::move(task), std::move(options)) {}

  /// Waits for room. Once; the Errors are those of an offload. Cancelled while it waits: the task is taken out, and
  /// this throws operation_aborted.
  template <class Token = boost::asio::use_awaitable_t<>>
  [[nodiscard]] auto accepted(Token&& token = Token()) & {
    return boost::asio::async_initiate<Token, void(std::exception_ptr, Result<void>)>(
        runtime::StartSubmission{}, token, std::exchange(work_, std::nullopt));
  }

 private:
  std::optional<runtime::OffloadWork<Task>> work_;
};

[[nodiscard]] inline Submission submission(WorkerPool& pool, Task task, TaskOptions options = {}) {
  return {pool, std::move(task), std::move(options)};
}

/// co_await close_pool(pool, mode, deadline): as pool.close, while the loop goes on. Not cancelled by anything. Throws
/// Exception (Unavailable) where the thread that waits cannot be started; the pool is closing all the same.
template <class Token = boost::asio::use_awaitable_t<>>
[[nodiscard]] auto close_pool(WorkerPool& pool, CloseMode mode, std::optional<Duration> deadline = std::nullopt,
                              Token&& token = Token()) {
  return boost::asio::async_initiate<Token, void(std::exception_ptr, PoolClosed)>(runtime::StartClose{}, token, &pool,
                                                                                  mode, deadline);
}

}  // namespace galley
