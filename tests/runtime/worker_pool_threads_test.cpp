// A pool whose threads are started as tasks come.

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>

#include "base/event.hpp"
#include "galley/runtime/worker_pool.hpp"
#include "runtime/pool_options.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using test::Event;

PoolOptions on_demand(int dispatchers, int workers, std::atomic<int>& threads) {
  PoolOptions options = test::options_of(dispatchers, workers);
  options.on_demand = true;
  options.tracer.on_start = [&threads](int, int) { ++threads; };
  return options;
}

TEST(PoolOnDemand, StartsAThreadForEachTaskThatRunsAndNoMore) {
  std::atomic<int> threads{0};
  WorkerPool pool{on_demand(2, 2, threads)};
  EXPECT_EQ(pool.stats().workers, 4);
  EXPECT_EQ(threads, 0);
  for (int tasks = 1; tasks <= 4; ++tasks) {  // each of them waits until all of them run
    const auto all = std::make_shared<std::latch>(tasks + 1);
    for (int i = 0; i < tasks; ++i) {
      ASSERT_EQ(pool.try_submit([all] { all->arrive_and_wait(); }), Submitted::Accepted);
    }
    all->arrive_and_wait();
    EXPECT_GE(threads, tasks);
  }
  Event go_on;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(pool.try_submit([&go_on] { EXPECT_TRUE(go_on.wait()); }), Submitted::Accepted);
  }
  go_on.set();
  pool.close(CloseMode::Drain);
  EXPECT_EQ(threads, 4) << "as many as there are workers";
  EXPECT_EQ(pool.stats().completed, 1 + 2 + 3 + 4 + 10);
}

TEST(PoolOnDemand, KeepsOneThreadForTasksThatComeOneAfterTheOther) {
  std::atomic<int> threads{0};
  WorkerPool pool{on_demand(1, 8, threads)};
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(pool.try_submit([] {}), Submitted::Accepted);
    while (pool.stats().completed <= i || pool.stats().busy > 0) std::this_thread::yield();
  }
  EXPECT_LE(threads, 4) << "one, but for submits between the end of a task and its thread's next look";
}

TEST(PoolOnDemand, ShrinksToThreadsThatServeAll) {
  std::atomic<int> threads{0};
  std::atomic<int> ran{0};
  WorkerPool pool{on_demand(2, 1, threads)};
  const auto both = std::make_shared<std::latch>(3);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(pool.try_submit([both] { both->arrive_and_wait(); }), Submitted::Accepted);
  }
  both->arrive_and_wait();
  ASSERT_TRUE(pool.resize(1));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(pool.try_submit([&ran] { ++ran; }), Submitted::Accepted);
  ASSERT_TRUE(pool.resize(3));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(pool.try_submit([&ran] { ++ran; }), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(ran, 200);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // theirs start threads in their own way
TEST(PoolOnDemand, GivesATaskBackForWhichNoThreadCouldBeStarted) {
  std::atomic<int> threads{0};
  std::atomic<int> ran{0};
  WorkerPool pool{on_demand(1, 2, threads)};
  pthread_attr_t before;
  ASSERT_EQ(::pthread_getattr_default_np(&before), 0);
  pthread_attr_t endless = before;  // no address space has room for such a stack
  ASSERT_EQ(::pthread_attr_setstacksize(&endless, std::size_t{1} << 50U), 0);
  ASSERT_EQ(::pthread_setattr_default_np(&endless), 0);
  Task task([&ran] { ++ran; });
  EXPECT_EQ(pool.try_submit(std::move(task)), Submitted::NoThread);
  ASSERT_EQ(::pthread_setattr_default_np(&before), 0);
  ::pthread_attr_destroy(&before);
  EXPECT_TRUE(task) << "it is still the caller's";
  EXPECT_EQ(pool.try_submit(std::move(task)), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(threads, 1) << "the refused one is not counted";
}
#endif

}  // namespace
}  // namespace galley
