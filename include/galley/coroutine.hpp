#pragma once
// Handlers that are coroutines: while one waits it takes a slot and some hundred bytes, and no thread, so that a pool
// may have thousands of slots of work that mostly waits for others.
//
//   boost::asio::awaitable<void> fetch(galley::Attempt& attempt, const Page& page) {
//     boost::asio::ip::tcp::socket socket(co_await boost::asio::this_coro::executor);
//     ...
//   }
//   worker.handle<Page>("fetch", fetch).pool("pages", 10'000);
//
// f(Attempt&, const Args&) or, of raw bytes, f(Attempt&, std::string_view), which gives awaitable<void>,
// awaitable<Outcome> or awaitable<std::optional<Outcome>>. The attempt and the arguments live until it has ended.
//
// All of a worker's coroutines run on one thread of it, so between two awaits nothing else of them runs: they need no
// locks among themselves, and none may block or compute for long, which holds up all the others. What takes long goes
// to a pool of threads or into a plain handler; a worker may have both, in one pool too. Plain handlers and commands
// take threads of their own as before.
//
// A stop request (time-out, deadline, cancel, shutdown, a lost claim) reaches a coroutine as Asio's cancellation
// (terminal): what it awaits ends with operation_aborted, and each later await throws that. It may still save a
// checkpoint, in a catch block or a destructor; and where it must await something then, it first resets its
// cancellation state (boost::asio::this_coro::reset_cancellation_state). Once it has been cancelled, one that
// ends with operation_aborted, or returns without an Outcome, was stopped early; Outcome::done() says that it has done
// its work all the same. The stop token and stop_requested() say the same as ever.
//
// It must not destroy or outlive its worker, nor leave anything behind on its executor: what is still there when the
// worker ends is dropped.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "galley/middleware.hpp"
#include "galley/worker.hpp"

namespace galley {

/// An attempt on its way.
using AttemptCoroutine = boost::asio::awaitable<std::optional<Outcome>>;

/// Thread-safety: run() is called by the worker's loop thread, again while others of its coroutines wait.
class CoroutineHandler {
 public:
  virtual ~CoroutineHandler() = default;
  /// `attempt`, the bytes of `payload` and the handler live until the coroutine has ended. What it throws is the
  /// attempt's failure, operation_aborted after a stop request excepted.
  [[nodiscard]] virtual AttemptCoroutine run(Attempt& attempt, std::string_view payload) = 0;
};

/// The rest of an attempt: the next middleware, at last the handler. The bytes of `payload` must live until it ended.
using NextCoroutine = std::function<AttemptCoroutine(std::string_view payload)>;

/// Middleware that stands round coroutine handlers too. A store with middleware of another sort runs none: its
/// on_attempt would have to block.
class CoroutineMiddleware : public Middleware {
 public:
  /// As on_attempt, of a coroutine. `next` may be called once, before the first await or later.
  [[nodiscard]] virtual AttemptCoroutine on_coroutine(Attempt& attempt, std::string_view payload, NextCoroutine next) {
    (void)attempt;
    return next(payload);
  }
};

namespace coroutine_detail {

// No templates: of one, the frame would name types of the program, of which g++ warns where they have no linkage.
// `args` is kept until it has ended.
[[nodiscard]] AttemptCoroutine end_of(std::shared_ptr<const void> args, boost::asio::awaitable<void> running);
[[nodiscard]] AttemptCoroutine end_of(std::shared_ptr<const void> args, boost::asio::awaitable<Outcome> running);
[[nodiscard]] AttemptCoroutine end_of(std::shared_ptr<const void> args, AttemptCoroutine running);
[[nodiscard]] AttemptCoroutine failed(std::string why);

template <class F>
class OfBytes final : public CoroutineHandler {
 public:
  explicit OfBytes(F f) : f_(std::move(f)) {}
  [[nodiscard]] AttemptCoroutine run(Attempt& attempt, std::string_view payload) override {
    auto kept = std::make_shared<const std::string_view>(payload);  // f may take it by reference
    return end_of(kept, f_(attempt, *kept));
  }

 private:
  F f_;
};

template <class F, class Args>
class OfArgs final : public CoroutineHandler {
 public:
  explicit OfArgs(F f) : f_(std::move(f)) {}
  [[nodiscard]] AttemptCoroutine run(Attempt& attempt, std::string_view payload) override {
    auto args = Codec<Args>::decode(payload);
    if (!args) return failed(args.error().message);  // a newer worker may understand it
    auto kept = std::make_shared<const Args>(*std::move(args));
    return end_of(kept, f_(attempt, *kept));
  }

 private:
  F f_;
};

}  // namespace coroutine_detail

/// What makes Worker::handle take coroutines.
template <class T>
struct CoroutineResult<boost::asio::awaitable<T>> : std::true_type {
  static_assert(std::is_void_v<T> || std::is_same_v<T, Outcome> || std::is_same_v<T, std::optional<Outcome>>,
                "a coroutine handler gives void, Outcome or std::optional<Outcome>");
  template <class F>
  [[nodiscard]] static std::shared_ptr<CoroutineHandler> of_bytes(F f) {
    return std::make_shared<coroutine_detail::OfBytes<F>>(std::move(f));
  }
  template <class Args, class F>
  [[nodiscard]] static std::shared_ptr<CoroutineHandler> of_args(F f) {
    return std::make_shared<coroutine_detail::OfArgs<F, Args>>(std::move(f));
  }
};

}  // namespace galley
