#include "engine/coroutines.hpp"

#include <pthread.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/executor.hpp"
#include "galley/coroutine.hpp"
#include "galley/runtime/loop.hpp"
#include "galley/runtime/named_executor.hpp"

namespace galley {

namespace coroutine_detail {

AttemptCoroutine end_of(std::shared_ptr<const void> args, boost::asio::awaitable<void> running) {
  static_cast<void>(args);
  co_await std::move(running);
  co_return std::nullopt;
}

AttemptCoroutine end_of(std::shared_ptr<const void> args, boost::asio::awaitable<Outcome> running) {
  static_cast<void>(args);
  Outcome outcome = co_await std::move(running);
  co_return outcome;
}

AttemptCoroutine end_of(std::shared_ptr<const void> args, AttemptCoroutine running) {
  static_cast<void>(args);
  std::optional<Outcome> outcome = co_await std::move(running);
  co_return outcome;
}

AttemptCoroutine failed(std::string why) { co_return Outcome::fail(std::move(why)); }

}  // namespace coroutine_detail

namespace engine {

namespace {

namespace asio = boost::asio;

/// The rest of the middleware, from `at` on, and then the handler.
AttemptCoroutine through(const CoroutineChain& chain, std::size_t at, Attempt& attempt, std::string_view payload) {
  if (at == chain.middleware.size()) return chain.handler->run(attempt, payload);
  auto& one = dynamic_cast<CoroutineMiddleware&>(*chain.middleware[at]);
  return one.on_coroutine(attempt, payload, [&chain, at, &attempt](std::string_view inner) {
    return through(chain, at + 1, attempt, inner);
  });
}

/// One attempt on a loop. Everything but the stop callback is called by the loop's thread.
class CoroutineRun : public std::enable_shared_from_this<CoroutineRun> {
 public:
  CoroutineRun(CoroutineChain chain, std::shared_ptr<RunningAttempt> attempt, std::function<void(AttemptEnd)> ended,
               const base::Clock& clock)
      : chain_(chain), attempt_(std::move(attempt)), ended_(std::move(ended)), clock_(clock) {}

  void begin(Loop& loop) {
    begun_ = clock_.mono();
    const std::string name = attempt_->kind() + " (job " + std::to_string(attempt_->id()) + ")";
    asio::co_spawn(
        named_executor(loop.get_executor(), name), root(this),
        asio::bind_cancellation_slot(
            cancel_.slot(), [self = shared_from_this()](const std::exception_ptr& thrown) { self->over(thrown); }));
    // By the thread that asks for the stop. The run may be over by the time that the loop hears of it.
    on_stop_.emplace(attempt_->stop_token_unseen(), [&loop, weak = weak_from_this()] {
      asio::post(loop.context(), [weak] {
        if (const auto self = weak.lock()) self->cancel();
      });
    });
  }

 private:
  static asio::awaitable<void> root(CoroutineRun* self) {
    auto running = through(self->chain_, 0, *self->attempt_, self->attempt_->claim().payload);
    self->outcome_ = co_await std::move(running);
  }

  void cancel() {
    if (over_) return;
    cancelled_ = true;
    attempt_->saw_stop();
    cancel_.emit(asio::cancellation_type::terminal);
  }

  void over(const std::exception_ptr& thrown) {
    over_ = true;
    on_stop_.reset();
    AttemptEnd end;
    end.outcome = std::move(outcome_);
    if (thrown && !(cancelled_ && is_abort(thrown))) put_thrown(thrown, end);
    end.report.run_time = clock_.mono() - begun_;
    attempt_->collect(end);
    ended_(std::move(end));
  }

  [[nodiscard]] static bool is_abort(const std::exception_ptr& thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
      return error.code() == asio::error::operation_aborted;
    } catch (...) {
      return false;
    }
  }

  const CoroutineChain chain_;
  const std::shared_ptr<RunningAttempt> attempt_;
  const std::function<void(AttemptEnd)> ended_;
  const base::Clock& clock_;
  base::Mono begun_{};
  std::optional<Outcome> outcome_;
  bool cancelled_ = false;
  bool over_ = false;
  asio::cancellation_signal cancel_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace

Result<void> check_middleware(std::string_view kind, std::span<const std::shared_ptr<Middleware>> middleware) {
  for (std::size_t at = 0; at < middleware.size(); ++at) {
    if (dynamic_cast<const CoroutineMiddleware*>(middleware[at].get()) != nullptr) continue;
    return Error{Errc::InvalidInput, "the handler of the kind '" + std::string(kind) +
                                         "' is a coroutine, and middleware " + std::to_string(at + 1) + " of " +
                                         std::to_string(middleware.size()) +
                                         " of its store cannot stand round it; allowed is what derives from "
                                         "galley::CoroutineMiddleware"};
  }
  return {};
}

AttemptEnd run_here(const CoroutineChain& chain, const std::shared_ptr<RunningAttempt>& attempt,
                    const base::Clock& clock) {
  Loop loop;
  AttemptEnd end;
  const auto ended = [&](AttemptEnd last) {
    end = std::move(last);
    loop.stop();  // whatever the handler has left behind
  };
  std::make_shared<CoroutineRun>(chain, attempt, ended, clock)->begin(loop);
  loop.run();
  return end;
}

struct CoroutineLoop::Impl {
  Impl(const base::Clock& with, base::Logger log) : clock(with), logger(std::move(log)) {}

  LoopOptions options() {
    LoopOptions wanted;
    wanted.name = "galley-loop";
    wanted.on_error = [this](const std::exception_ptr& thrown) {  // of something that a handler has left on the loop
      AttemptEnd end;
      put_thrown(thrown, end);
      logger.error("loop.error", {{"error", end.outcome->text()}});
    };
    wanted.on_lag = [this](const LoopLag& lag) {
      const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(lag.longest);
      logger.warn("loop.lag", {{"ms", std::int64_t{longest.count()}}});
    };
    return wanted;
  }
  void run() {
    pthread_setname_np(pthread_self(), "galley-loop");
    loop.run();
  }

  void one_less() {
    const std::lock_guard lock(mutex);
    if (--under_way == 0) none_left.notify_all();
  }

  const base::Clock& clock;
  base::Logger logger;
  Loop loop{options()};
  asio::executor_work_guard<Loop::executor_type> work{loop.get_executor()};
  std::mutex mutex;  ///< of under_way
  std::condition_variable none_left;
  int under_way = 0;
  std::thread thread;
};

CoroutineLoop::CoroutineLoop(const base::Clock& clock, base::Logger logger)
    : impl_(std::make_unique<Impl>(clock, std::move(logger))) {}

CoroutineLoop::~CoroutineLoop() {
  if (!impl_->thread.joinable()) return;
  {
    std::unique_lock lock(impl_->mutex);
    impl_->none_left.wait(lock, [this] { return impl_->under_way == 0; });
  }
  impl_->loop.stop();
  impl_->thread.join();
}

Result<void> CoroutineLoop::open() {
  try {
    impl_->thread = std::thread(&Impl::run, impl_.get());
  } catch (const std::system_error& failure) {
    return Error{Errc::Unavailable, std::string("no thread can be started: ") + failure.what()};
  }
  return {};
}

void CoroutineLoop::start(CoroutineChain chain, std::shared_ptr<RunningAttempt> attempt,
                          std::function<void(AttemptEnd)> ended) {
  {
    const std::lock_guard lock(impl_->mutex);
    ++impl_->under_way;
  }
  auto run = std::make_shared<CoroutineRun>(
      chain, std::move(attempt),
      [impl = impl_.get(), ended = std::move(ended)](AttemptEnd end) {
        ended(std::move(end));
        impl->one_less();
      },
      impl_->clock);
  asio::post(impl_->loop.context(), [&loop = impl_->loop, run = std::move(run)] { run->begin(loop); });
}

std::string CoroutineLoop::stack(runtime::StackTaker& taker) { return taker.take(impl_->loop.thread_id()); }

}  // namespace engine
}  // namespace galley
