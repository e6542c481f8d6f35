// In which order a loop runs what it is given.

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/system_timer.hpp>
#include <boost/asio/write.hpp>
#include <iostream>
#include <stdexcept>

#include "galley/runtime/loop.hpp"
#include "galley/runtime/yield.hpp"
#include "runtime/rethrow.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using Socket = asio::local::stream_protocol::socket;
using test::kRethrow;
using testing::ElementsAre;
using Words = std::vector<std::string>;

/// A socket with a byte to read.
struct Readable {
  Socket reader, writer;
  char byte = 0;
  explicit Readable(Loop& loop) : reader(loop.context()), writer(loop.context()) {
    asio::local::connect_pair(reader, writer);
  }
  void fill() { asio::write(writer, asio::buffer("x", 1)); }
  template <class F>
  void on_read(F f) {
    reader.async_read_some(asio::buffer(&byte, 1), [f](boost::system::error_code, std::size_t) mutable { f(); });
  }
};

TEST(LoopOrder, IsThatOfNodesPhases) {
  Words order;
  LoopOptions options;
  options.on_error = [&](const std::exception_ptr&) { order.emplace_back("error"); };
  Loop loop(options);
  Readable io(loop);
  asio::steady_timer timer(loop.context());
  timer.expires_after(std::chrono::seconds(0));

  loop.at_close([&] {
    order.emplace_back("closing");
    loop.stop();
  });
  loop.immediate([&] { order.emplace_back("check"); });
  asio::post(loop.context(), [&] { order.emplace_back("posted"); });
  io.on_read([&] { order.emplace_back("poll"); });
  io.fill();
  const auto prepare = loop.on_prepare([&] { order.emplace_back("prepare"); });
  const auto idle = loop.on_idle([&] {
    order.emplace_back("idle");
    return false;
  });
  loop.defer_error(std::make_exception_ptr(std::runtime_error("nobody awaits me")));
  ASSERT_TRUE(loop.post([&] { order.emplace_back("pending"); }));
  timer.async_wait([&](boost::system::error_code) { order.emplace_back("timers"); });
  loop.run();

  for (const auto& word : order) std::cout << word << ' ';
  std::cout << '\n';
  EXPECT_THAT(order,
              ElementsAre("timers", "pending", "error", "idle", "prepare", "poll", "posted", "check", "closing"));
}

TEST(LoopOrder, AnImmediateOfAnIoHandlerRunsBeforeATimerOfTheSameHandler) {
  for (int round = 0; round < 50; ++round) {
    Words order;
    Loop loop;
    Readable io(loop);
    asio::steady_timer timer(loop.context());
    io.on_read([&] {
      order.emplace_back("io");
      timer.expires_after(std::chrono::seconds(0));
      timer.async_wait([&](boost::system::error_code) { order.emplace_back("timer"); });
      loop.immediate([&] {
        order.emplace_back("immediate");
        loop.immediate([&] { order.emplace_back("nested"); });
        loop.at_close([&] { order.emplace_back("close"); });
      });
    });
    io.fill();
    loop.run();
    ASSERT_EQ(order.size(), 5u);
    EXPECT_THAT(Words(order.begin(), order.begin() + 3), ElementsAre("io", "immediate", "close"));
  }
}

TEST(LoopOrder, AnImmediateOfAnImmediateWaitsATurn) {
  Words order;
  Loop loop;
  const auto prepare = loop.on_prepare([&] { order.emplace_back("turn"); });
  loop.immediate([&] {
    order.emplace_back("first");
    loop.immediate([&] { order.emplace_back("third"); });
  });
  loop.immediate([&] { order.emplace_back("second"); });
  loop.run();
  order.resize(5);
  EXPECT_THAT(order, ElementsAre("turn", "first", "second", "turn", "third"));
}

template <class Timer>
void expect_timer_before_io() {
  Words order;
  Loop loop;
  Readable io(loop);
  Timer timer(loop.context());
  loop.immediate([&] {
    timer.expires_after(std::chrono::seconds(-1));
    timer.async_wait([&](boost::system::error_code) { order.emplace_back("timer"); });
    io.on_read([&] { order.emplace_back("io"); });
    io.fill();
  });
  loop.run();
  EXPECT_THAT(order, ElementsAre("timer", "io"));
}

TEST(LoopOrder, ATimerThatIsDueRunsBeforeIoThatIsReady) {
  expect_timer_before_io<asio::steady_timer>();
  expect_timer_before_io<asio::system_timer>();
}

/// Queues itself until it is told to end.
struct Chain {
  Loop& loop;
  const bool& over;
  int& length;
  void operator()() const {
    if (over) return;
    ++length;
    loop.immediate(Chain(*this));
  }
};

TEST(LoopOrder, ImmediatesWithoutEndStarveNeitherIoNorTimersNorPosts) {
  Loop loop;
  Readable io(loop);
  bool over = false;
  int length = 0;
  loop.immediate(Chain{loop, over, length});
  asio::steady_timer timer(loop.context());
  timer.expires_after(std::chrono::milliseconds(2));
  timer.async_wait([&](boost::system::error_code) { io.fill(); });
  io.on_read([&] { ASSERT_TRUE(loop.post([&] { asio::post(loop.context(), [&] { over = true; }); })); });
  loop.run();
  EXPECT_GT(length, 1);
}

asio::awaitable<void> steps(std::string name, Words& order) {
  for (int i = 1; i <= 3; ++i) {
    order.push_back(name + std::to_string(i));
    co_await yield();
  }
}

TEST(LoopOrder, CoroutinesThatYieldTakeTurns) {
  Words order;
  Loop loop;
  asio::co_spawn(loop.context(), steps("a", order), kRethrow);
  asio::co_spawn(loop.context(), steps("b", order), kRethrow);
  loop.run();
  EXPECT_THAT(order, ElementsAre("a1", "b1", "a2", "b2", "a3", "b3"));
}

TEST(LoopOrder, CoroutinesYieldOnAPlainContextToo) {
  Words order;
  asio::io_context context;
  asio::co_spawn(context, steps("a", order), kRethrow);
  asio::co_spawn(context, steps("b", order), kRethrow);
  context.run();
  EXPECT_THAT(order, ElementsAre("a1", "b1", "a2", "b2", "a3", "b3"));
}

TEST(LoopOrder, ADispatchInsideEveryPhaseIsInline) {
  Words order;
  Loop loop;
  const auto here = [&](const std::string& phase) {
    asio::dispatch(loop.context(), [&order, phase] { order.push_back(phase); });
    order.push_back("after " + phase);
  };
  loop.immediate([&] { here("check"); });
  loop.at_close([&] { here("closing"); });
  ASSERT_TRUE(loop.post([&] { here("pending"); }));
  loop.run();
  EXPECT_THAT(order, ElementsAre("pending", "after pending", "check", "after check", "closing", "after closing"));
}

}  // namespace
}  // namespace galley
