// Channel, semaphore and the others on a Loop: what is always ready starves nobody, and tasks keep their names.

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <vector>

#include "galley/runtime/channel.hpp"
#include "galley/runtime/for_each_limit.hpp"
#include "galley/runtime/loop.hpp"
#include "galley/runtime/semaphore.hpp"
#include "galley/runtime/task_group.hpp"
#include "galley/runtime/with_timeout.hpp"
#include "galley/runtime/yield.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Runs the work on a loop until others have had three turns; how often it got round meanwhile.
long rounds_in_three_turns(asio::awaitable<void> (*work)(const bool& over, long& rounds)) {
  Loop loop;
  bool over = false;
  long rounds = 0;
  asio::co_spawn(loop.context(), work(over, rounds), [](const std::exception_ptr& error) { EXPECT_FALSE(error); });
  loop.immediate([&] { loop.immediate([&] { loop.immediate([&] { over = true; }); }); });
  loop.run();
  return rounds;
}

asio::awaitable<void> send_and_receive(const bool& over, long& rounds) {
  Channel<int> channel(1);
  while (!over) {
    EXPECT_EQ(co_await channel.send(1), Sent::Accepted);
    EXPECT_EQ(co_await channel.receive(), 1);
    ++rounds;
  }
}

asio::awaitable<void> acquire_again(const bool& over, long& rounds) {
  Semaphore semaphore(1);
  while (!over) {
    const Permit permit = co_await semaphore.acquire();
    ++rounds;
  }
}

asio::awaitable<void> acquire_in_time(const bool& over, long& rounds) {
  Semaphore semaphore(1);
  while (!over) {
    const Result<Permit> permit = co_await semaphore.acquire_for(1h);
    ++rounds;
  }
}

asio::awaitable<void> count(const bool& over, long& rounds) {
  if (!over) ++rounds;
  co_return;
}

asio::awaitable<void> items_that_never_wait(const bool& over, long& rounds) {
  const std::vector<int> items(100'000);
  const auto f = [&](int) { return count(over, rounds); };
  static_cast<void>(co_await for_each_limit(items, 3, f));
}

TEST(Starvation, WhatIsAlwaysReadyLeavesTheLoopToOthers) {
  for (const auto work : {send_and_receive, acquire_again, acquire_in_time, items_that_never_wait}) {
    const long rounds = rounds_in_three_turns(work);
    EXPECT_GE(rounds, kBudget / 2);
    EXPECT_LE(rounds, 20 * kBudget);
  }
}

asio::awaitable<void> note_names(Semaphore& semaphore, Channel<int>& channel, std::vector<std::string>& names) {
  const auto note = [&names] { names.push_back(current_task() == nullptr ? "nobody" : current_task()->name); };
  note();
  co_await yield();
  note();
  {
    const Permit permit = co_await semaphore.acquire();  // waits
    note();
  }
  static_cast<void>(co_await channel.receive());  // waits
  note();
  const auto child = [](const std::vector<std::string>&) -> asio::awaitable<void> { co_await yield(); };
  auto limited = with_timeout(child(names), 1h);
  static_cast<void>(co_await std::move(limited));
  note();
}

asio::awaitable<void> release_later(Permit permit, Channel<int>& channel) {
  for (int i = 0; i < 5; ++i) co_await yield();
  permit.release();
  for (int i = 0; i < 5; ++i) co_await yield();
  static_cast<void>(co_await channel.send(1));
}

TEST(TaskGroup, OnALoopATaskKeepsItsNameThroughEveryWait) {
  Loop loop;
  std::vector<std::string> names;
  Semaphore semaphore(1);
  Channel<int> channel(0);
  TaskGroup group(loop.get_executor(), [](const TaskInfo&, const std::exception_ptr&) { ADD_FAILURE(); });
  ASSERT_TRUE(group.spawn("other", release_later(*semaphore.try_acquire(), channel)));
  ASSERT_TRUE(group.spawn("named", note_names(semaphore, channel, names)));
  loop.run();
  EXPECT_EQ(names, std::vector<std::string>(5, "named"));
  EXPECT_TRUE(group.empty());
}

asio::awaitable<void> wait_for_value(Channel<int>& channel) { static_cast<void>(co_await channel.receive()); }

asio::awaitable<void> cancel_from_check_phase(Loop& loop, TaskGroup& group, bool& joined) {
  co_await yield();
  loop.immediate([&group] { group.cancel(); });
  co_await group.join();
  joined = true;
}

TEST(TaskGroup, OnALoopCancelsFromEveryPhase) {
  Loop loop;
  Channel<int> channel(1);
  bool joined = false;
  TaskGroup group(loop.get_executor(), [](const TaskInfo&, const std::exception_ptr&) { ADD_FAILURE(); });
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(group.spawn("waits", wait_for_value(channel)));
  asio::co_spawn(loop.context(), cancel_from_check_phase(loop, group, joined),
                 [](const std::exception_ptr& error) { EXPECT_FALSE(error); });
  loop.run();
  EXPECT_TRUE(joined);
  EXPECT_TRUE(group.empty());
}

// What g++ 12 would destroy twice does not compile: for_each_limit and Channel::send ask these.
struct Aggregate {
  std::string text;
};
struct WithConstructor {
  std::string text;
  WithConstructor() {}
};
[[maybe_unused]] const auto owns = [text = std::string()] { return text; };
[[maybe_unused]] const auto borrows = [](const std::string& text) { return text; };
static_assert(!detail::kSafeTemporary<decltype(owns)>);
static_assert(detail::kSafeTemporary<decltype(owns)&>);
static_assert(detail::kSafeTemporary<decltype(borrows)>);
static_assert(!detail::kSafeToSend<Aggregate>);
static_assert(detail::kSafeToSend<WithConstructor> && detail::kSafeToSend<std::string> && detail::kSafeToSend<int>);

}  // namespace
}  // namespace galley
