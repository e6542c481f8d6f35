// What a loop promises to whoever gives it work.

#include "galley/runtime/loop.hpp"

#include <gmock/gmock.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "base/event.hpp"
#include "galley/runtime/yield.hpp"
#include "runtime/rethrow.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using test::Event;
using test::kRethrow;
using testing::ElementsAre;

/// A loop in a thread of its own, kept alive until it is stopped.
class Running {
 public:
  explicit Running(LoopOptions options = {}) : loop(std::move(options)), guard_(asio::make_work_guard(loop.context())) {
    thread_ = std::thread([this] { loop.run(); });
  }
  ~Running() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    loop.stop();
    thread_.join();
  }
  Loop loop;

 private:
  asio::executor_work_guard<Loop::executor_type> guard_;
  std::thread thread_;
};

TEST(LoopRun, EndsWhenNothingIsLeftAndMayBeCalledAgain) {
  Loop loop;
  loop.run();
  int ran = 0;
  for (int i = 1; i <= 3; ++i) {
    asio::steady_timer timer(loop.context(), 1ms);
    timer.async_wait([&](boost::system::error_code) {
      loop.immediate([&] {
        if (loop.post([&] { ++ran; })) return;
        ADD_FAILURE();
      });
    });
    loop.run();
    EXPECT_EQ(ran, i);
  }
}

TEST(LoopRun, GoesOnAsLongAsThereIsAWorkGuardAndEndsByStop) {
  Running running;
  Event ran;
  ASSERT_TRUE(running.loop.post([&] { ran.set(); }));
  ASSERT_TRUE(ran.wait());
  asio::post(running.loop.context(), [&] { ran.set(); });
  ASSERT_TRUE(ran.wait(2));
  running.end();
  EXPECT_EQ(running.loop.thread_id(), 0);
}

TEST(LoopRun, EndsAfterTheHandlerThatStopsItAndLeavesTheRestForTheNextRun) {
  Loop loop;
  std::vector<int> ran;
  loop.immediate([&] {
    ran.push_back(1);
    loop.stop();
  });
  loop.immediate([&] { ran.push_back(2); });
  asio::post(loop.context(), [&] { ran.push_back(0); });
  loop.run();
  EXPECT_THAT(ran, ElementsAre(0, 1));
  loop.run();
  EXPECT_THAT(ran, ElementsAre(0, 1, 2));
}

TEST(LoopRun, ReturnsAtOnceWhereStopCameBefore) {
  Loop loop;
  bool ran = false;
  loop.immediate([&] { ran = true; });
  loop.stop();
  loop.run();
  EXPECT_FALSE(ran);
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(LoopRun, KnowsItsThreadAndLoop) {
  Loop outer, inner;
  EXPECT_EQ(Loop::current(), nullptr);
  Loop* seen_inside = nullptr;
  inner.immediate([&] { seen_inside = Loop::current(); });
  outer.immediate([&] {
    EXPECT_EQ(Loop::current(), &outer);
    inner.run();
    EXPECT_EQ(Loop::current(), &outer);
  });
  outer.run();
  EXPECT_EQ(seen_inside, &inner);
  EXPECT_EQ(Loop::current(), nullptr);
}

TEST(LoopInbox, TakesFromManyThreadsInTheOrderOfEach) {
  constexpr int kThreads = 4, kPosts = 5'000;
  Running running;
  std::vector<int> next(kThreads, 0);
  int wrong = 0;
  Event done;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kPosts; ++i) {
        while (!running.loop.post([&, thread, i] {
          if (next[static_cast<std::size_t>(thread)]++ != i) ++wrong;
          if (i == kPosts - 1) done.set();
        })) {
          std::this_thread::yield();
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(done.wait(kThreads));
  running.end();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(running.loop.stats().inbox, 0u);
}

TEST(LoopInbox, WakesALoopThatSleepsEachTime) {
  Running running;
  for (int i = 1; i <= 2'000; ++i) {
    Event ran;
    ASSERT_TRUE(running.loop.post([&] { ran.set(); }));
    ASSERT_TRUE(ran.wait());
  }
}

TEST(LoopInbox, RefusesWhatIsAboveItsCapacityAndLeavesItToTheCaller) {
  LoopOptions options;
  options.inbox_capacity = 2;
  Loop loop(options);
  int ran = 0;
  auto owned = std::make_unique<int>(1);
  ASSERT_TRUE(loop.post([&] { ++ran; }));
  ASSERT_TRUE(loop.post([&] { ++ran; }));
  auto third = [&ran, owned = std::move(owned)] { ran += *owned; };
  ASSERT_FALSE(loop.post(std::move(third)));
  EXPECT_EQ(loop.stats().inbox, 2u);
  EXPECT_EQ(loop.stats().posts_refused, 1);
  loop.run();
  EXPECT_EQ(ran, 2);
  ASSERT_TRUE(loop.post(std::move(third)));
  loop.run();
  EXPECT_EQ(ran, 3);
}

struct FailsToMove {
  FailsToMove() = default;
  FailsToMove(const FailsToMove&) { throw std::runtime_error("no copy"); }
  void operator()() const {}
};

TEST(LoopInbox, HasItsPlaceAgainAfterAFunctionThatCouldNotBeCopied) {
  LoopOptions options;
  options.inbox_capacity = 1;
  Loop loop(options);
  const FailsToMove broken;
  EXPECT_THROW(static_cast<void>(loop.post(broken)), std::runtime_error);
  EXPECT_EQ(loop.stats().inbox, 0u);
  EXPECT_TRUE(loop.post([] {}));
}

TEST(LoopInbox, IsSeenWhenTheLastWorkGuardGoesAtTheSameTime) {
  for (int i = 0; i < 300; ++i) {
    Loop loop;
    bool ran = false;
    auto guard = std::make_optional(asio::make_work_guard(loop.context()));
    std::thread other([&] {
      EXPECT_TRUE(loop.post([&] { ran = true; }));
      guard.reset();
    });
    loop.run();
    other.join();
    if (!ran) loop.run();  // the post came after the end
    ASSERT_TRUE(ran);
  }
}

TEST(LoopErrors, LeaveRunWithoutAHandlerAndTheRestIsRunByTheNextCall) {
  Loop loop;
  int ran = 0;
  const auto fail = [] { throw std::runtime_error("broken"); };
  loop.immediate(fail);
  loop.immediate([&] { ++ran; });
  ASSERT_TRUE(loop.post(fail));
  ASSERT_TRUE(loop.post([&] { ++ran; }));
  asio::post(loop.context(), fail);
  asio::post(loop.context(), [&] { ++ran; });
  for (int i = 0; i < 3; ++i) EXPECT_THROW(loop.run(), std::runtime_error);
  loop.run();
  EXPECT_EQ(ran, 3);
}

asio::awaitable<void> yield_once(bool& back) {
  co_await yield();
  back = true;
}

TEST(LoopErrors, OfAHandlerInWhichACoroutineHasYieldedSpareTheCoroutine) {
  Loop loop;
  bool back = false;
  loop.immediate([&] {
    std::thread([&] {  // begun by Asio's scheduler, as it comes while the loop is in its turn
      asio::post(loop.context(), [&] {
        asio::co_spawn(loop.context(), yield_once(back), kRethrow);
        throw std::runtime_error("broken");
      });
    })
        .join();
  });
  EXPECT_THROW(loop.run(), std::runtime_error);
  loop.run();
  EXPECT_TRUE(back);
  EXPECT_LT(loop.stats().ready_delay.max(), 20s);
}

TEST(LoopErrors, GoToTheirHandlerAndTheLoopGoesOn) {
  std::vector<std::string> told;
  LoopOptions options;
  options.on_error = [&](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& failure) {
      told.emplace_back(failure.what());
    }
  };
  Loop loop(options);
  bool ran = false;
  loop.immediate([] { throw std::runtime_error("thrown"); });
  loop.immediate([&] { ran = true; });
  std::thread([&] { loop.defer_error(std::make_exception_ptr(std::runtime_error("deferred"))); }).join();
  loop.run();
  EXPECT_THAT(told, ElementsAre("deferred", "thrown"));
  EXPECT_TRUE(ran);
}

TEST(LoopErrors, OfTheHandlerOfErrorsLeaveRun) {
  LoopOptions options;
  options.on_error = [](const std::exception_ptr& error) { std::rethrow_exception(error); };
  Loop loop(options);
  loop.immediate([] { throw std::runtime_error("thrown"); });
  EXPECT_THROW(loop.run(), std::runtime_error);
  loop.run();
}

TEST(LoopErrors, ThatNobodyTakesAreBoundedAndCounted) {
  int told = 0;
  LoopOptions options;
  options.on_error = [&](const std::exception_ptr&) { ++told; };
  Loop loop(options);
  for (int i = 0; i < 1'010; ++i) loop.defer_error(std::make_exception_ptr(1));
  loop.run();
  EXPECT_EQ(told, 1'000);
  EXPECT_EQ(loop.stats().errors_dropped, 10);
}

TEST(LoopOptions, ThatMakeNoSenseAreRefusedByName) {
  LoopOptions options;
  options.inbox_capacity = 0;
  try {
    Loop loop(options);
    FAIL();
  } catch (const Exception& refused) {
    EXPECT_EQ(refused.error().code, Errc::InvalidInput);
    EXPECT_THAT(refused.error().message, testing::AllOf(testing::HasSubstr("inbox_capacity"), testing::HasSubstr("0")));
  }
  LoopOptions lag;
  lag.lag_limit = -1s;
  EXPECT_THROW(Loop{lag}, Exception);
}

TEST(LoopHooks, RunOnceATurnUntilTheyAreDroppedAndIdleOnesMayKeepTheLoopAwake) {
  Loop loop;
  int prepared = 0, idled = 0;
  auto prepare = loop.on_prepare([&] { ++prepared; });
  auto idle = loop.on_idle([&] { return ++idled < 10; });
  asio::steady_timer timer(loop.context(), 20ms);
  timer.async_wait([&](boost::system::error_code) {});
  loop.run();
  EXPECT_GE(idled, 10);
  EXPECT_LT(idled, 20) << "it slept while nothing wanted more";
  const int before = prepared;
  prepare.reset();
  idle.reset();
  loop.immediate([] {});
  loop.run();
  EXPECT_EQ(prepared, before);
  std::vector<LoopHook> hooks;
  for (int i = 0; i < 64; ++i) hooks.push_back(loop.on_prepare([] {}));
  EXPECT_THROW(hooks.push_back(loop.on_prepare([] {})), Exception);
  hooks.clear();
  EXPECT_NO_THROW(hooks.push_back(loop.on_prepare([] {})));
}

asio::awaitable<void> echo_once(tcp::acceptor& acceptor) {
  auto socket = co_await acceptor.async_accept(asio::use_awaitable);
  std::array<char, 64> bytes{};
  const auto size = co_await socket.async_read_some(asio::buffer(bytes), asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(bytes, size), asio::use_awaitable);
}

asio::awaitable<std::string> ask(tcp::endpoint where) {
  using namespace asio::experimental::awaitable_operators;
  const auto executor = co_await asio::this_coro::executor;
  tcp::socket socket(executor);
  co_await socket.async_connect(where, asio::use_awaitable);
  const std::string sent = "hello";
  co_await asio::async_write(socket, asio::buffer(sent), asio::use_awaitable);
  std::string answer(64, ' ');
  asio::steady_timer limit(executor, 20s);
  auto raced =
      socket.async_read_some(asio::buffer(answer), asio::use_awaitable) || limit.async_wait(asio::use_awaitable);
  const auto result = co_await std::move(raced);
  answer.resize(std::get<0>(result));
  co_return answer;
}

TEST(LoopAsio, PlainCoroutinesSocketsAndOperatorsWorkOnIt) {
  Loop loop;
  tcp::acceptor acceptor(loop.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  asio::co_spawn(loop.context(), echo_once(acceptor), kRethrow);
  auto answer = asio::co_spawn(loop.context(), ask(acceptor.local_endpoint()), asio::use_future);
  loop.run();
  EXPECT_EQ(answer.get(), "hello");
}

asio::awaitable<int> count_posts(int times) {
  const auto executor = co_await asio::this_coro::executor;
  for (int i = 0; i < times; ++i) co_await asio::post(executor, asio::use_awaitable);
  co_return times;
}

TEST(LoopAsio, CoroutinesThatAreSpawnedByOtherThreadsRunOnTheLoop) {
  Running running;
  std::vector<std::future<int>> counts;
  for (int i = 0; i < 200; ++i) {
    counts.push_back(asio::co_spawn(running.loop.context(), count_posts(i), asio::use_future));
  }
  int sum = 0;
  for (auto& count : counts) sum += count.get();
  EXPECT_EQ(sum, 199 * 100);
}

asio::awaitable<void> wait_for_ever(Event& cancelled) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_at(asio::steady_timer::time_point::max());
  const auto [fault] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (fault) cancelled.set();
}

TEST(LoopAsio, CancellationFromEachPhaseReachesACoroutine) {
  for (const int phase : {0, 1, 2}) {
    Loop loop;
    Event cancelled;
    asio::cancellation_signal signal;
    asio::co_spawn(loop.context(), wait_for_ever(cancelled), asio::bind_cancellation_slot(signal.slot(), kRethrow));
    const auto cancel = [&] { signal.emit(asio::cancellation_type::terminal); };
    loop.immediate([&] {  // the coroutine waits by then
      if (phase == 0) loop.immediate(cancel);
      if (phase == 1) loop.at_close(cancel);
      if (phase == 2 && !loop.post(cancel)) ADD_FAILURE();
    });
    loop.run();
    EXPECT_TRUE(cancelled.wait());
  }
}

asio::awaitable<void> yield_for_ever(std::shared_ptr<int> alive) {
  for (;; ++*alive) co_await yield();
}

TEST(LoopEnd, DestroysWhatWaitsInEveryQueueWithoutRunningIt) {
  auto alive = std::make_shared<int>(0);
  {
    Loop loop;
    asio::co_spawn(loop.context(), yield_for_ever(alive), kRethrow);
    loop.immediate([&loop] { loop.immediate([&loop] { loop.stop(); }); });
    loop.run();
    EXPECT_GT(*alive, 0);
    const auto never = [alive] { FAIL(); };
    loop.immediate(never);
    loop.at_close(never);
    ASSERT_TRUE(loop.post(never));
    asio::post(loop.context(), never);
    EXPECT_GT(alive.use_count(), 4);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

}  // namespace
}  // namespace galley
