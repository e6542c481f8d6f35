// The pool that this one takes after, andy2046/pool: every behaviour that its tests fix (T), and every defect that was
// found in it (B). docs/worker-pool.md has its names beside ours.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "base/event.hpp"
#include "galley/runtime/typed_pool.hpp"
#include "runtime/pool_options.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using test::Event;
using test::options_of;

/// Adds up what it is given.
struct Sum {
  std::atomic<int> of{0}, count{0}, handlers{0};
  TypedPool<int>::HandlerGenerator generator() {
    return [this](int) -> TypedPool<int>::Handler {
      ++handlers;
      return [this](int& number) -> Result<void> {
        of += number;
        ++count;
        return {};
      };
    };
  }
};

/// Keeps so many workers busy until `go`.
void occupy(TypedPool<int>& pool, int workers, Event& go) {
  Event begun;
  for (int i = 0; i < workers; ++i) {
    ASSERT_EQ(pool.pool().try_submit([&begun, &go] {
      begun.set();
      EXPECT_TRUE(go.wait());
    }),
              Submitted::Accepted);
  }
  ASSERT_TRUE(begun.wait(workers));
}

// ---- its behaviours ---------------------------------------------------------------------------------------------

TEST(OriginalPool, T1FiftyJobsOverThreeDispatchersOfTwoWorkersAllRun) {
  Sum sum;
  TypedPool<int> pool{sum.generator(), options_of(3, 2)};
  for (int i = 1; i <= 50; ++i) ASSERT_EQ(pool.try_submit(i), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(sum.count, 50);
  EXPECT_EQ(sum.of, 1'275);
  EXPECT_EQ(sum.handlers, 3) << "the generator is called once for each dispatcher";
}

TEST(OriginalPool, T2TheSizeIsTheNumberOfDispatchersFromTheBeginning) {
  for (const int size : {1, 2, 3}) {
    Sum sum;
    TypedPool<int> pool{sum.generator(), options_of(size, 2)};
    EXPECT_EQ(pool.size(), size);
  }
}

TEST(OriginalPool, T3ADispatcherLessIsASmallerOpenPool) {
  Sum sum;
  TypedPool<int> pool{sum.generator(), options_of(3, 2)};
  ASSERT_TRUE(pool.resize(pool.size() - 1));
  EXPECT_EQ(pool.size(), 2);
  EXPECT_FALSE(pool.closed());
  ASSERT_TRUE(pool.resize(1));
  EXPECT_FALSE(pool.resize(pool.size() - 1)) << "never below one";
  EXPECT_EQ(pool.size(), 1);
  ASSERT_EQ(pool.try_submit(5), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(sum.of, 5);
}

TEST(OriginalPool, T4NothingButCloseEndsIt) {
  Sum sum;
  TypedPool<int> pool{sum.generator(), options_of(2, 2)};
  ASSERT_TRUE(pool.resize(2));
  EXPECT_TRUE(pool.take_errors().empty());
  ASSERT_EQ(pool.pool().try_submit([] { throw 1; }), Submitted::Accepted);
  while (pool.stats().completed < 1) std::this_thread::yield();
  EXPECT_FALSE(pool.pool().closing());
  EXPECT_EQ(pool.size(), 2);
  EXPECT_EQ(pool.try_submit(1), Submitted::Accepted);
}

TEST(OriginalPool, T5AfterADrainEveryQueuedJobHasRunAndTheSizeIsZero) {
  Sum sum;
  TypedPool<int> pool{sum.generator(), options_of(1, 2)};
  Event go;
  ASSERT_NO_FATAL_FAILURE(occupy(pool, 2, go));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(pool.try_submit(1), Submitted::Accepted);
  Event closing;
  std::thread closer([&] {
    closing.set();
    pool.close(CloseMode::Drain);
  });
  ASSERT_TRUE(closing.wait());
  EXPECT_FALSE(pool.closed()) << "not as long as it drains";
  go.set();
  closer.join();
  EXPECT_EQ(sum.count, 100);
  EXPECT_TRUE(pool.closed());
  EXPECT_EQ(pool.size(), 0);
}

TEST(OriginalPool, T6OneDispatcherAloneRunsItsJobsAndCloses) {
  Sum sum;
  TypedPool<int> pool{sum.generator(), options_of(1, 2)};
  ASSERT_EQ(pool.try_submit(20), Submitted::Accepted);
  ASSERT_EQ(pool.try_submit(22), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(sum.of, 42);
  EXPECT_EQ(pool.stats().completed, 2);
  EXPECT_TRUE(pool.closed());
}

TEST(OriginalPool, T7OneWorkerAloneRunsOneJobAfterTheOther) {
  Sum sum;
  TypedPool<int> pool{sum.generator(), options_of(1, 1)};
  std::atomic<int> at_once{0};
  std::atomic<bool> overlapped{false};
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(pool.pool().try_submit([&] {
      if (++at_once != 1) overlapped = true;
      --at_once;
    }),
              Submitted::Accepted);
  }
  pool.close(CloseMode::Drain);
  EXPECT_FALSE(overlapped);
  EXPECT_EQ(pool.stats().completed, 100);
  EXPECT_EQ(pool.stats().busy, 0);
}

TEST(OriginalPool, T8TenNumbersOverTwoDispatchersOfFiveWorkersGiveFiftyFive) {
  Sum sum;
  TypedPool<int> pool{sum.generator(), options_of(2, 5)};
  for (int i = 1; i <= 10; ++i) ASSERT_EQ(pool.try_submit(i), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(sum.of, 55);
}

TEST(OriginalPool, T9ErrorsAreReadWhileJobsFail) {
  TypedPool<int> pool{[](int) {
                        return [](int& number) -> Result<void> {
                          if (number % 2 == 0) throw std::runtime_error("even");
                          return Error{Errc::InvalidInput, "odd"};
                        };
                      },
                      options_of(2, 2, 10'000)};
  int odd = 0, even = 0;
  const auto read = [&] {
    for (const std::exception_ptr& error : pool.take_errors()) {
      try {
        std::rethrow_exception(error);
      } catch (const Exception& failure) {
        odd += failure.error().message == "odd" ? 1 : 0;
      } catch (const std::runtime_error&) {
        ++even;
      }
    }
  };
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_EQ(pool.submit_for(1min, i), Submitted::Accepted);
    if (i % 10 == 0) read();
  }
  pool.close(CloseMode::Drain);
  read();
  EXPECT_EQ(odd + even + pool.stats().errors_dropped, 2'000);
  EXPECT_EQ(pool.stats().failed, 2'000);
  EXPECT_GT(odd, 0);
  EXPECT_GT(even, 0);
}

// ---- its defects ------------------------------------------------------------------------------------------------

TEST(OriginalPool, B1TheQueueIsBounded) {
  Sum sum;
  TypedPool<int> pool{sum.generator(), options_of(1, 2, 10)};
  Event go;
  ASSERT_NO_FATAL_FAILURE(occupy(pool, 2, go));
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) accepted += pool.try_submit(i) == Submitted::Accepted ? 1 : 0;
  EXPECT_EQ(accepted, 10);
  go.set();
}

TEST(OriginalPool, B2ScalingFiresAfterPeriodsInARowAndGoesDownAgain) {
  Sum sum;
  PoolOptions options = options_of(1, 1);
  options.scaling.max_dispatchers = 2;
  options.scaling.target = 1ms;
  options.scaling.period = 1ms;
  options.scaling.idle = 5ms;
  TypedPool<int> pool{sum.generator(), std::move(options)};
  Event begun, go;
  ASSERT_EQ(pool.pool().try_submit([&] {
    begun.set();
    EXPECT_TRUE(go.wait());
  }),
            Submitted::Accepted);
  ASSERT_TRUE(begun.wait());
  for (int i = 0; i < 16; ++i) ASSERT_EQ(pool.try_submit(1), Submitted::Accepted);
  while (sum.count < 16) std::this_thread::yield();  // only a second dispatcher can have run them
  EXPECT_EQ(sum.handlers, 2);
  go.set();
  while (pool.size() > 1) std::this_thread::yield();
  EXPECT_EQ(pool.size(), 1);
}

TEST(OriginalPool, B3ADispatcherMayGoWhileThePoolCloses) {
  for (int i = 0; i < 100; ++i) {
    Sum sum;
    TypedPool<int> pool{sum.generator(), options_of(3, 1)};
    ASSERT_EQ(pool.try_submit(7), Submitted::Accepted);
    std::thread shrinking([&pool] {
      for (const int size : {2, 1}) {
        const auto resized = pool.resize(size);
        EXPECT_TRUE(resized || resized.error().code == Errc::WrongState);
      }
    });
    pool.close(CloseMode::Drain);
    shrinking.join();
    EXPECT_EQ(sum.of, 7);
    EXPECT_EQ(pool.size(), 0);
  }
}

TEST(OriginalPool, B4AJobThatOutlivesTheCloseMayStillFail) {
  TypedPool<int> pool{[](int) { return [](int&) -> Result<void> { return {}; }; }, options_of(2, 1)};
  Event begun, go;
  ASSERT_EQ(pool.pool().try_submit([&] {
    begun.set();
    EXPECT_TRUE(go.wait());
    throw std::runtime_error("late");
  }),
            Submitted::Accepted);
  ASSERT_TRUE(begun.wait());
  ASSERT_TRUE(pool.resize(1));
  EXPECT_EQ(pool.close(CloseMode::Drain, 1ms).abandoned, 1);
  go.set();
  pool.close(CloseMode::Drain);
  EXPECT_EQ(pool.take_errors().size(), 1U);
}

TEST(OriginalPool, B5SizesAndScalingMeetACloseAtAnyMoment) {
  for (int i = 0; i < 40; ++i) {
    Sum sum;
    PoolOptions options = options_of(1, 1);
    options.scaling.max_dispatchers = 4;
    options.scaling.target = 1ms;
    options.scaling.period = 1ms;
    options.scaling.periods = 1;
    options.scaling.idle = 1ms;
    TypedPool<int> pool{sum.generator(), std::move(options)};
    std::atomic<bool> over{false};
    std::thread reader([&] {
      while (!over) {
        EXPECT_GE(pool.size(), 0);
        EXPECT_GE(pool.stats().workers, 0);
      }
    });
    for (int job = 0; job < 50 * (i % 4); ++job) ASSERT_EQ(pool.submit_for(1min, job), Submitted::Accepted);
    pool.close(CloseMode::Drain);
    EXPECT_EQ(pool.size(), 0);
    over = true;
    reader.join();
    EXPECT_EQ(sum.count, 50 * (i % 4));
  }
}

TEST(OriginalPool, B6OneWorkerKeepsTheOrder) {
  std::vector<int> order;
  TypedPool<int> pool{[&order](int) {
                        return [&order](int& number) -> Result<void> {
                          order.push_back(number);
                          return {};
                        };
                      },
                      options_of(1, 1, 16)};
  for (int i = 0; i < 2'000; ++i) ASSERT_EQ(pool.submit_for(1min, i), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(order.size(), 2'000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(OriginalPool, B7UnreadErrorsThrowingJobsAndLateSubmitsHurtNobody) {
  PoolOptions options = options_of(1, 1, 4);
  options.max_errors = 2;
  TypedPool<int> pool{[](int) { return [](int&) -> Result<void> { throw 7; }; }, std::move(options)};
  for (int i = 0; i < 100; ++i) ASSERT_EQ(pool.submit_for(1min, i), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(pool.stats().completed, 100);
  EXPECT_EQ(pool.stats().errors_dropped, 98);
  EXPECT_EQ(pool.try_submit(1), Submitted::Closed);
  EXPECT_EQ(pool.submit_for(1h, 1), Submitted::Closed);
}

// ---- the typed form itself --------------------------------------------------------------------------------------

TEST(TypedPool, AJobThatIsNotAcceptedIsStillTheCallers) {
  TypedPool<std::string> pool{[](int) { return [](std::string&) -> Result<void> { return {}; }; }, options_of(1, 1, 1)};
  Event begun, go;
  ASSERT_EQ(pool.pool().try_submit([&] {
    begun.set();
    EXPECT_TRUE(go.wait());
  }),
            Submitted::Accepted);
  ASSERT_TRUE(begun.wait());
  std::string job = "a long job that does not fit into a task by itself";
  ASSERT_EQ(pool.try_submit("the one that waits"), Submitted::Accepted);
  EXPECT_EQ(pool.try_submit(std::move(job)), Submitted::Full);
  EXPECT_EQ(pool.submit_for(1ms, std::move(job)), Submitted::Full);
  EXPECT_EQ(job, "a long job that does not fit into a task by itself");  // NOLINT(bugprone-use-after-move)
  go.set();
}

TEST(TypedPool, AnInvalidGeneratorIsAnError) {
  const auto refused = [](TypedPool<int>::HandlerGenerator generator, PoolOptions options, const char* says) {
    try {
      const TypedPool<int> pool{std::move(generator), std::move(options)};
      ADD_FAILURE() << says;
    } catch (const Exception& failure) {
      EXPECT_NE(failure.error().message.find(says), std::string::npos) << failure.error().message;
    }
  };
  const auto nothing = [](int) -> TypedPool<int>::Handler { return nullptr; };
  refused(nullptr, options_of(1, 1), "generator");
  refused(nothing, options_of(1, 1), "no handler");
  PoolOptions both = options_of(1, 1);
  both.make_state = [](int) { return nullptr; };
  refused(nothing, both, "make_state");
}

}  // namespace
}  // namespace galley
