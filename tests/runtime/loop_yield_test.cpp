// Long work in pieces, and the budget that yields where it was forgotten.

#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/ticks.hpp"
#include "galley/runtime/named_executor.hpp"
#include "galley/runtime/yield.hpp"
#include "runtime/rethrow.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using test::kRethrow;
using testing::ElementsAre;

void run(asio::awaitable<void> work) {
  Loop loop;
  std::exception_ptr failure;
  asio::co_spawn(loop.context(), std::move(work), [&](std::exception_ptr thrown) { failure = std::move(thrown); });
  loop.run();
  if (failure) std::rethrow_exception(failure);
}

void work_for(std::chrono::nanoseconds time) {
  const auto end = base::mono_ns() + time.count();
  while (base::mono_ns() < end) {
  }
}

asio::awaitable<void> chunks_of(std::vector<int>& items, std::size_t chunk, std::vector<std::size_t>& sizes, int& sum) {
  const auto add = [&](std::span<int> part) {
    sizes.push_back(part.size());
    sum = std::accumulate(part.begin(), part.end(), sum);
  };
  co_await for_each_chunk(items, chunk, add);
}

TEST(ForEachChunk, CallsWithEachPartInOrderAndTheRestAtTheEnd) {
  std::vector<int> items(2'500);
  std::iota(items.begin(), items.end(), 1);
  std::vector<std::size_t> sizes;
  int sum = 0;
  run(chunks_of(items, 1'000, sizes, sum));
  EXPECT_THAT(sizes, ElementsAre(1'000, 1'000, 500));
  EXPECT_EQ(sum, 2'500 * 2'501 / 2);
  items.clear();
  run(chunks_of(items, 1'000, sizes, sum));
  EXPECT_EQ(sizes.size(), 3u);
  EXPECT_THROW(run(chunks_of(items, 0, sizes, sum)), Exception);
}

asio::awaitable<void> count_turns(int& others, const bool& over) {
  while (!over) {
    ++others;
    co_await yield();
  }
}

asio::awaitable<void> chunks_beside(const std::vector<int>& items, int& others, std::vector<int>& seen, bool& over) {
  const auto look = [&](std::span<const int>) { seen.push_back(others); };
  co_await for_each_chunk(items, 10, look);
  over = true;
}

TEST(ForEachChunk, LetsOthersRunBetweenTheParts) {
  Loop loop;
  const std::vector<int> items(40);
  std::vector<int> seen;
  int others = 0;
  bool over = false;
  asio::co_spawn(loop.context(), count_turns(others, over), kRethrow);
  asio::co_spawn(loop.context(), chunks_beside(items, others, seen, over), kRethrow);
  loop.run();
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4));
}

asio::awaitable<void> failing_chunks(int& calls) {
  const std::vector<int> items(40);
  const auto fail = [&](std::span<const int>) {
    if (++calls == 2) throw std::runtime_error("the second");
  };
  co_await for_each_chunk(items, 10, fail);
}

TEST(ForEachChunk, EndsWithWhatItsFunctionThrows) {
  int calls = 0;
  EXPECT_THROW(run(failing_chunks(calls)), std::runtime_error);
  EXPECT_EQ(calls, 2);
}

TEST(ForEachChunk, IsCancelledBetweenTwoParts) {
  Loop loop;
  asio::cancellation_signal signal;
  const std::vector<int> items(1'000);
  int others = 0;
  std::vector<int> seen;
  bool over = true;
  std::exception_ptr failure;
  asio::co_spawn(
      loop.context(), chunks_beside(items, others, seen, over),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown) { failure = std::move(thrown); }));
  loop.immediate([&] { loop.immediate([&] { signal.emit(asio::cancellation_type::terminal); }); });
  loop.run();
  EXPECT_TRUE(failure);
  EXPECT_LT(seen.size(), 10u);
  EXPECT_GT(seen.size(), 0u);
}

TEST(NeedYield, IsTrueAfterHalfAMillisecondOfOneHandler) {
  EXPECT_FALSE(need_yield());
  Loop loop;
  std::vector<bool> needed;
  for (int i = 0; i < 2; ++i) {
    loop.immediate([&] {
      needed.push_back(need_yield());
      work_for(std::chrono::milliseconds(1));
      needed.push_back(need_yield());
    });
  }
  loop.run();
  ASSERT_EQ(needed.size(), 4u);
  EXPECT_TRUE(needed[1]);
  EXPECT_TRUE(needed[3]);
}

int spent_until_used_up() {
  int spent = 0;
  while (spent < 1'000 && spend_budget()) ++spent;
  return spent;
}

asio::awaitable<void> spend_twice(std::vector<int>& spent) {
  spent.push_back(spent_until_used_up());
  spent.push_back(spent_until_used_up());
  co_await yield();
  spent.push_back(spent_until_used_up());
}

TEST(Budget, IsTheSameForEachHandlerAndAfterEachYield) {
  std::vector<int> spent;
  run(spend_twice(spent));
  EXPECT_THAT(spent, ElementsAre(kBudget, 0, kBudget));
  Loop loop;
  std::vector<int> of_each;
  for (int i = 0; i < 2; ++i) loop.immediate([&] { of_each.push_back(spent_until_used_up()); });
  loop.run();
  EXPECT_THAT(of_each, ElementsAre(kBudget, kBudget));
}

TEST(Budget, HasNoEndOutsideOfALoop) { EXPECT_EQ(spent_until_used_up(), 1'000); }

/// Completes at once, always, as a channel does that is never empty.
asio::awaitable<int> always_ready(int value) {
  if (!spend_budget()) co_await yield();
  co_return value;
}

asio::awaitable<void> forget_to_yield(const bool& over, long& taken) {
  while (!over) taken += co_await always_ready(1);
}

TEST(Budget, KeepsReadyOperationsFromStarvingTheirLoop) {
  Loop loop;
  bool over = false;
  long taken = 0;
  asio::co_spawn(loop.context(), forget_to_yield(over, taken), kRethrow);
  loop.immediate([&] { loop.immediate([&] { over = true; }); });
  loop.run();
  EXPECT_GE(taken, kBudget);
  EXPECT_LE(taken, 4 * kBudget);
}

std::vector<std::string> tasks_after_yield;

asio::awaitable<void> yield_in_a_task() {
  co_await yield();
  const TaskInfo* const task = current_task();
  tasks_after_yield.push_back(task == nullptr ? "none" : task->name);
}

TEST(Yield, ComesBackInTheTaskThatYielded) {
  Loop loop;
  asio::co_spawn(named_executor(loop.get_executor(), "cleaner"), yield_in_a_task(), kRethrow);
  const asio::any_io_executor strand = asio::make_strand(loop.get_executor());
  asio::co_spawn(named_executor(strand, "sweeper"), yield_in_a_task(), kRethrow);
  loop.run();
  EXPECT_THAT(tasks_after_yield, ElementsAre("cleaner", "sweeper"));
  EXPECT_EQ(current_task(), nullptr);

  tasks_after_yield.clear();
  asio::io_context plain;
  asio::co_spawn(named_executor(plain.get_executor(), "polisher"), yield_in_a_task(), kRethrow);
  plain.run();
  EXPECT_THAT(tasks_after_yield, ElementsAre("polisher"));
  tasks_after_yield.clear();
}

asio::awaitable<void> spawn_on(asio::any_io_executor executor) {
  asio::co_spawn(executor, yield_in_a_task(), kRethrow);  // runs at once, inside this task, until it yields
  co_return;
}

TEST(Yield, ForgetsATaskThatOnlyStartedTheOneThatYielded) {
  Loop loop;
  asio::co_spawn(named_executor(loop.get_executor(), "a parent with a long name, which is on the heap"),
                 spawn_on(loop.get_executor()), kRethrow);
  loop.run();
  EXPECT_THAT(tasks_after_yield, ElementsAre("none"));
  tasks_after_yield.clear();
}

}  // namespace
}  // namespace galley
