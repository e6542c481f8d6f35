// What a coroutine awaits of a pool: values, exceptions, errors, cancellation, and the end.

#include "galley/runtime/offload.hpp"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/event.hpp"
#include "galley/runtime/current_task.hpp"
#include "runtime/pool_options.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::Event;
using test::options_of;

// A lambda that captures, inside the co_await expression itself, does not compile: g++ 12 would destroy it twice.
template <class F>
concept AwaitableInOneLine = requires(WorkerPool& pool, F f) {
  offload(pool, f).result();
};
template <class F>
concept AwaitableByName = requires(Offload<F>& task) {
  task.result();
};
struct Aggregate {
  std::string text;
};
template <class A>
concept TakenByRunOn = requires(WorkerPool& pool, int (*function)(const A&), A a) {
  run_on(pool, function, std::move(a));
};
using Lambda = decltype([text = std::string()] { return text; });
static_assert(!AwaitableInOneLine<Lambda> && AwaitableByName<Lambda>);
static_assert(!TakenByRunOn<Aggregate> && !TakenByRunOn<Lambda>);
static_assert(TakenByRunOn<std::string> && TakenByRunOn<int> && TakenByRunOn<std::unique_ptr<int>>);

/// Runs coroutines until all of them have ended; what one throws is kept.
struct Loop {
  asio::io_context context{1};
  std::exception_ptr thrown;

  void spawn(asio::awaitable<void> coroutine) {
    asio::co_spawn(context, std::move(coroutine), [this](std::exception_ptr error) { thrown = std::move(error); });
  }
  void spawn(asio::awaitable<void> coroutine, asio::cancellation_signal& signal) {
    asio::co_spawn(
        context, std::move(coroutine),
        asio::bind_cancellation_slot(signal.slot(), [this](std::exception_ptr error) { thrown = std::move(error); }));
  }
  void run() {
    context.run();
    if (thrown) std::rethrow_exception(thrown);
  }
  [[nodiscard]] bool aborted() {
    try {
      run();
    } catch (const boost::system::system_error& error) {
      return error.code() == asio::error::operation_aborted;
    }
    return false;
  }
};

/// The pool's only worker is held until it is let go, so that nothing else begins.
struct Held {
  Event begun, go;
  explicit Held(WorkerPool& pool) {
    EXPECT_EQ(pool.try_submit([this] {
      begun.set();
      EXPECT_TRUE(go.wait());
    }),
              Submitted::Accepted);
    EXPECT_TRUE(begun.wait());
  }
};

int twice(int number) { return 2 * number; }
int pointed_at(std::unique_ptr<int> number, const std::string& text) { return *number + static_cast<int>(text.size()); }
std::string joined(const std::string& left, std::string& right) { return left + right; }

asio::awaitable<void> values(WorkerPool& pool, std::thread::id loop) {
  const auto text = std::make_shared<std::string>("heavy");
  std::thread::id worker;
  auto task = offload(pool, [text, &worker] {
    worker = std::this_thread::get_id();
    return *text + " work";
  });
  const Result<std::string> answer = co_await task.result();
  EXPECT_EQ(answer.value(), "heavy work");
  EXPECT_EQ(text.use_count(), 1) << "what the callable held is gone before the coroutine goes on";
  EXPECT_EQ(std::this_thread::get_id(), loop);
  EXPECT_NE(worker, loop);
  auto nothing = offload(pool, [](TaskContext& context) { EXPECT_EQ(context.dispatcher(), 0); });
  EXPECT_TRUE(co_await nothing.result());
  EXPECT_EQ((co_await run_on(pool, twice, 21)).value(), 42);
  EXPECT_EQ((co_await run_on(pool, joined, std::string("left, "), std::string("right"))).value(), "left, right");
  auto owned = std::make_unique<int>(20);
  EXPECT_EQ((co_await run_on(pool, pointed_at, std::move(owned), "at most twenty-two")).value(), 38);
  const Result<std::string> again = co_await task.result();
  EXPECT_EQ(again.error().code, Errc::WrongState);
}

TEST(Offload, TheValueComesBackOnTheCoroutinesOwnExecutor) {
  WorkerPool pool{options_of(1, 1)};
  Loop loop;
  loop.spawn(values(pool, std::this_thread::get_id()));
  loop.run();
  EXPECT_EQ(pool.stats().failed, 0);
}

asio::awaitable<void> failures(WorkerPool& pool) {
  auto thrower = offload(pool, []() -> int { throw std::out_of_range("too far"); });
  bool caught = false;
  try {
    static_cast<void>(co_await thrower.result());
  } catch (const std::out_of_range& error) {
    caught = std::string(error.what()) == "too far";
  }
  EXPECT_TRUE(caught);
  auto refuser = offload(pool, []() -> Result<int> { return Error{Errc::NotFound, "no such number"}; });
  const Result<int> answer = co_await refuser.result();
  EXPECT_EQ(answer.error().code, Errc::NotFound);
}

TEST(Offload, WhatItThrowsOrReturnsAsAnErrorIsTheAwaitersAloneAndNotTheSinks) {
  WorkerPool pool{options_of(1, 1)};
  Loop loop;
  loop.spawn(failures(pool));
  loop.run();
  pool.close(CloseMode::Drain);
  EXPECT_TRUE(pool.take_errors().empty());
  EXPECT_EQ(pool.stats().failed, 0);
  EXPECT_EQ(pool.stats().completed, 2);
}

asio::awaitable<void> in_order(WorkerPool& pool, int number, std::vector<int>& order) {
  auto task = offload(pool, [&order, number] { order.push_back(number); });
  EXPECT_TRUE(co_await task.result());
}

TEST(Offload, WithoutRoomCoroutinesWaitAndComeInTheirOrder) {
  WorkerPool pool{options_of(1, 1, 2)};
  Loop loop;
  std::vector<int> order;
  {
    Held held(pool);
    for (int i = 0; i < 50; ++i) loop.spawn(in_order(pool, i, order));
    loop.context.poll();
    EXPECT_EQ(pool.stats().queued[1], 2);
    EXPECT_EQ(pool.stats().waiting_for_room, 48);
    held.go.set();
    loop.run();
  }
  ASSERT_EQ(order.size(), 50U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(pool.stats().refused, 0);
}

asio::awaitable<void> keep_answer(WorkerPool& pool, TaskOptions options, Errc& code) {
  auto task = offload(
      pool, [] {}, std::move(options));
  const auto answer = co_await task.result();
  code = answer ? Errc::Io : answer.error().code;
}

TEST(Offload, OneMoreThanMayWaitForRoomIsRefused) {
  auto options = options_of(1, 1, 1);
  options.max_waiting = 1;
  WorkerPool pool{options};
  Held held(pool);
  Loop loop;
  std::array<Errc, 3> codes{};
  for (Errc& code : codes) loop.spawn(keep_answer(pool, {}, code));
  loop.context.poll();
  EXPECT_EQ(codes[2], Errc::QueueFull);
  EXPECT_EQ(pool.submit_for(1h, [] {}), Submitted::Full);
  held.go.set();
  loop.run();
  EXPECT_EQ(codes[0], Errc::Io);
  EXPECT_EQ(codes[1], Errc::Io);
}

TEST(Offload, AClosedPoolAndATaskThatItDropsAreErrors) {
  auto pool = std::make_unique<WorkerPool>(options_of(1, 1, 1));
  Loop loop;
  std::array<Errc, 3> codes{};
  {
    Held held(*pool);
    TaskOptions named;  // of the three one is queued, two wait for room
    named.name = "named";
    loop.spawn(keep_answer(*pool, {}, codes[0]));
    loop.spawn(keep_answer(*pool, {}, codes[1]));
    loop.spawn(keep_answer(*pool, named, codes[2]));
    loop.context.poll();
    pool->close(CloseMode::Discard, 0us);
    held.go.set();
  }
  loop.run();
  EXPECT_EQ(codes, (std::array{Errc::WrongState, Errc::WrongState, Errc::WrongState}));
  Errc late{};
  loop.context.restart();
  loop.spawn(keep_answer(*pool, {}, late));
  loop.run();
  EXPECT_EQ(late, Errc::WrongState);
}

TEST(Offload, OneThatHasNotBegunInTimeIsTimedOut) {
  WorkerPool pool{options_of(1, 1)};
  Loop loop;
  Errc code{};
  int told = 0;
  {
    Held held(pool);
    TaskOptions brief;
    brief.queue_timeout = 1us;
    brief.on_dropped = [&told](Dropped why) { told += why == Dropped::QueueTimeout ? 1 : 0; };
    loop.spawn(keep_answer(pool, brief, code));
    loop.context.poll();
    held.go.set();
    loop.run();
  }
  EXPECT_EQ(code, Errc::TimedOut);
  EXPECT_EQ(told, 1);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(pool.stats().completed, 1);
  EXPECT_EQ(pool.stats().timed_out, 1);
}

// ---- cancellation -----------------------------------------------------------------------------------------------

asio::awaitable<void> hold_on(WorkerPool& pool, std::shared_ptr<int> held) {
  auto task = offload(pool, [held] { ADD_FAILURE() << "it was cancelled before it began"; });
  held.reset();
  static_cast<void>(co_await task.result());
}

TEST(Offload, ACancelledOneThatHasNotBegunIsTakenOutAtOnce) {
  WorkerPool pool{options_of(1, 1, 1)};
  Held held(pool);
  const auto alive = std::make_shared<int>(0);
  for (const int waiting : {0, 1}) {  // the first is queued, the second waits for room
    Loop loop;
    asio::cancellation_signal signal;
    loop.spawn(hold_on(pool, alive), signal);
    loop.context.poll();
    EXPECT_EQ(pool.stats().waiting_for_room, waiting);
    asio::post(loop.context, [&signal] { signal.emit(asio::cancellation_type::terminal); });
    EXPECT_TRUE(loop.aborted());
    EXPECT_EQ(pool.stats().waiting_for_room, 0);
    EXPECT_EQ(alive.use_count(), 1);
  }
  held.go.set();
  pool.close(CloseMode::Drain);
  EXPECT_EQ(pool.stats().completed, 1);
  EXPECT_EQ(pool.stats().cancelled, 1);
}

/// Returns when the task is asked to stop.
void until_stopped(TaskContext& context) {
  Event stopped;
  const std::stop_callback callback(context.stop_token(), [&stopped] { stopped.set(); });
  EXPECT_TRUE(stopped.wait());
}

asio::awaitable<void> run_until_stopped(WorkerPool& pool, TaskOptions options, Event& begun, std::string& seen) {
  auto task = offload(
      pool,
      [&begun](TaskContext& context) {
        begun.set();
        until_stopped(context);
        return std::string("tidied up");
      },
      std::move(options));
  seen = (co_await task.result()).value();
}

TEST(Offload, ACancelledOneThatRunsIsAskedToStopAndAwaitedToItsEnd) {
  WorkerPool pool{options_of(1, 1)};
  Loop loop;
  Event begun;
  std::string seen;
  asio::cancellation_signal signal;
  loop.spawn(run_until_stopped(pool, {}, begun, seen), signal);
  loop.context.poll();
  ASSERT_TRUE(begun.wait());
  asio::post(loop.context, [&signal] { signal.emit(asio::cancellation_type::terminal); });
  loop.run();
  EXPECT_EQ(seen, "tidied up");
  std::promise<bool> next;
  ASSERT_EQ(pool.try_submit([&](TaskContext& context) { next.set_value(context.stop_token().stop_requested()); }),
            Submitted::Accepted);
  EXPECT_FALSE(next.get_future().get()) << "it was asked for one task alone";
}

TEST(Offload, ARunTimeoutAndACloseRequestTheSameStopToken) {
  for (const bool limited : {true, false}) {
    WorkerPool pool{options_of(1, 1)};
    Loop loop;
    Event begun;
    std::string seen;
    TaskOptions options;
    if (limited) options.run_timeout = 2ms;
    loop.spawn(run_until_stopped(pool, options, begun, seen));
    loop.context.poll();
    ASSERT_TRUE(begun.wait());
    if (!limited) pool.close(CloseMode::Cancel);
    loop.run();
    EXPECT_EQ(seen, "tidied up");
  }
}

TEST(Offload, ALoopThatEndsBeforeItsTaskTakesTheCoroutineAlong) {
  const auto alive = std::make_shared<int>(0);
  {
    WorkerPool pool{options_of(1, 1)};
    asio::io_context context;
    Event ran;
    asio::co_spawn(
        context,
        [](WorkerPool& its_pool, Event& its_end, std::shared_ptr<int> held) -> asio::awaitable<void> {
          auto task = offload(its_pool, [&its_end] { its_end.set(); });
          static_cast<void>(co_await task.result());
          ADD_FAILURE() << *held;
        }(pool, ran, alive),
        [](std::exception_ptr) {});
    context.poll_one();  // what it does until it waits; the end may be there already
    ASSERT_TRUE(ran.wait());
    pool.close(CloseMode::Drain);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

// ---- submission and close ---------------------------------------------------------------------------------------

asio::awaitable<void> submit_all(WorkerPool& pool, int count, std::atomic<int>& ran, Errc& end) {
  for (int i = 0; i < count; ++i) {
    auto one = submission(pool, [&ran] {
      ++ran;
      throw std::runtime_error("nobody awaits it");
    });
    if (const auto accepted = co_await one.accepted(); !accepted) {
      end = accepted.error().code;
      co_return;
    }
  }
}

TEST(Submission, WaitsForRoomAndForNothingElse) {
  WorkerPool pool{options_of(1, 1, 3)};
  Loop loop;
  std::atomic<int> ran{0};
  Errc end = Errc::Io;
  loop.spawn(submit_all(pool, 200, ran, end));
  loop.run();
  pool.close(CloseMode::Drain);
  EXPECT_EQ(ran, 200);
  EXPECT_EQ(pool.stats().failed, 200) << "in the sink, as those of every detached task";
  Loop late;
  late.spawn(submit_all(pool, 1, ran, end));
  late.run();
  EXPECT_EQ(end, Errc::WrongState);
}

TEST(Submission, OneThatIsCancelledWhileItWaitsIsTakenOut) {
  WorkerPool pool{options_of(1, 1, 1)};
  Held held(pool);
  Loop loop;
  asio::cancellation_signal signal;
  std::atomic<int> ran{0};
  Errc end = Errc::Io;
  loop.spawn(submit_all(pool, 2, ran, end), signal);
  loop.context.poll();
  EXPECT_EQ(pool.stats().waiting_for_room, 1);
  asio::post(loop.context, [&signal] { signal.emit(asio::cancellation_type::terminal); });
  EXPECT_TRUE(loop.aborted());
  EXPECT_EQ(pool.stats().waiting_for_room, 0);
  held.go.set();
  pool.close(CloseMode::Drain);
  EXPECT_EQ(ran, 1);
}

asio::awaitable<void> close_it(WorkerPool& pool, CloseMode mode, std::optional<Duration> deadline, PoolClosed& closed) {
  closed = co_await close_pool(pool, mode, deadline);
}

TEST(ClosePool, TheLoopGoesOnMeanwhileAndEachHearsWhatBecameOfIt) {
  WorkerPool pool{options_of(1, 1)};
  Event begun, go;
  TaskOptions named;
  named.name = "stubborn";
  const auto stubborn = [&] {
    EXPECT_EQ(current_task()->name, "stubborn");
    begun.set();
    EXPECT_TRUE(go.wait());
  };
  ASSERT_EQ(pool.try_submit(stubborn, named), Submitted::Accepted);
  ASSERT_TRUE(begun.wait());
  ASSERT_EQ(pool.try_submit([] {}), Submitted::Accepted);
  Loop loop;
  PoolClosed patient, brief;
  patient.abandoned = -1;
  loop.spawn(close_it(pool, CloseMode::Drain, std::nullopt, patient));
  loop.spawn(close_it(pool, CloseMode::Drain, 2ms, brief));
  while (brief.abandoned == 0) loop.context.run_one();
  EXPECT_EQ(brief.tasks, std::vector<std::string>{"stubborn (pool/0/0)"});
  EXPECT_EQ(brief.discarded, 1);
  EXPECT_EQ(patient.abandoned, -1) << "it still waits";
  go.set();
  loop.run();
  EXPECT_EQ(patient.abandoned, 0);
  EXPECT_TRUE(pool.closed());
  Loop again;
  again.spawn(close_it(pool, CloseMode::Cancel, std::nullopt, patient));
  again.run();
  EXPECT_EQ(patient.discarded, 0);
}

}  // namespace
}  // namespace galley
