// How a pool grows, shrinks and ends.

#include <gtest/gtest.h>

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include "base/event.hpp"
#include "base/random.hpp"
#include "galley/runtime/worker_pool.hpp"
#include "runtime/pool_options.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using test::Event;
using test::options_of;

TEST(PoolSize, IsWhatWasAskedForAndChangesWithResize) {
  WorkerPool pool{options_of(3, 2)};
  EXPECT_EQ(pool.size(), 3);
  ASSERT_TRUE(pool.resize(2));
  EXPECT_EQ(pool.size(), 2);
  EXPECT_FALSE(pool.closed());
  ASSERT_TRUE(pool.resize(5));
  EXPECT_EQ(pool.size(), 5);
  EXPECT_EQ(pool.stats().workers, 10);
  EXPECT_EQ(pool.resize(0).error().code, Errc::InvalidInput);
  EXPECT_EQ(pool.size(), 5);
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) ASSERT_EQ(pool.try_submit([&ran] { ++ran; }), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(ran, 100);
  EXPECT_EQ(pool.size(), 0);
  EXPECT_TRUE(pool.closed());
  EXPECT_EQ(pool.resize(1).error().code, Errc::WrongState);
}

TEST(PoolSize, ADispatcherWhoseStateCannotBeMadeIsNotThere) {
  auto options = options_of(1, 1);
  options.make_state = [](int dispatcher) -> std::shared_ptr<void> {
    if (dispatcher > 0) throw std::runtime_error("no connection");
    return nullptr;
  };
  WorkerPool pool{options};
  const auto resized = pool.resize(2);
  ASSERT_FALSE(resized);
  EXPECT_EQ(resized.error().code, Errc::Unavailable);
  EXPECT_NE(resized.error().message.find("no connection"), std::string::npos);
  EXPECT_EQ(pool.size(), 1);
  options.dispatchers = 2;
  EXPECT_THROW(WorkerPool{options}, Exception);
}

TEST(PoolSize, ARetiredDispatcherFinishesItsTaskAndTakesNoOther) {
  WorkerPool pool{options_of(2, 1)};
  Event begun, go;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(pool.try_submit([&] {
      begun.set();
      EXPECT_TRUE(go.wait());
    }),
              Submitted::Accepted);
  }
  ASSERT_TRUE(begun.wait(2));
  ASSERT_TRUE(pool.resize(1));
  std::atomic<int> dispatchers_seen{0};
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(pool.try_submit([&](TaskContext& context) { dispatchers_seen += context.dispatcher(); }),
              Submitted::Accepted);
  }
  go.set();
  pool.close(CloseMode::Drain);
  EXPECT_EQ(dispatchers_seen, 0);
  EXPECT_EQ(pool.stats().completed, 52);
}

TEST(PoolScale, GrowsWhenTasksWaitTooLongAndShrinksWhenIdle) {
  PoolOptions options = options_of(1, 1);
  options.scaling.max_dispatchers = 3;
  options.scaling.target = 1ms;
  options.scaling.period = 1ms;
  options.scaling.periods = 2;
  options.scaling.idle = 20ms;
  WorkerPool pool{std::move(options)};
  Event begun, go;
  for (int i = 0; i < 3; ++i) {  // one begins, two wait: only a dispatcher more can begin the next
    ASSERT_EQ(pool.try_submit([&] {
      begun.set();
      EXPECT_TRUE(go.wait());
    }),
              Submitted::Accepted);
  }
  // Tasks that come so fast are not all stamped; these are seen to wait all the same.
  for (int i = 0; i < 8; ++i) ASSERT_EQ(pool.try_submit([] {}), Submitted::Accepted);
  ASSERT_TRUE(begun.wait(3));
  while (pool.size() < 3) std::this_thread::yield();  // counted when all its threads are there
  go.set();
  while (pool.size() > 1) std::this_thread::yield();  // an event: the supervisor takes them away
  EXPECT_EQ(pool.size(), 1);
}

TEST(PoolScale, LooksNoMoreWhileItIsIdleAtItsLeastSize) {
  PoolOptions options = options_of(1, 1);
  options.scaling.max_dispatchers = 2;
  options.scaling.period = 1ms;
  options.scaling.idle = 1h;
  WorkerPool ticks{options};  // above its least size for an hour, so it looks every period: what tells time here
  ASSERT_TRUE(ticks.resize(2));
  const auto wait_for_ticks = [&ticks](int more) {
    const auto until = ticks.stats().scaling_looks + more;
    while (ticks.stats().scaling_looks < until) std::this_thread::yield();
  };
  options.scaling.idle = 1ms;
  WorkerPool pool{options};
  const auto looks = [&pool] { return pool.stats().scaling_looks; };
  for (int round = 1; round <= 3; ++round) {
    const auto before = looks();
    ASSERT_EQ(pool.try_submit([] {}), Submitted::Accepted);
    while (pool.stats().completed < round) std::this_thread::yield();
    const auto idle_from = looks();
    while (looks() <= before) std::this_thread::yield();  // for that task it does
    wait_for_ticks(50);
    EXPECT_LE(looks(), idle_from + 2) << "one that was under way, and one that finds nothing to do";
  }
  const auto before = looks();
  ASSERT_TRUE(pool.resize(2));
  while (pool.size() > 1) std::this_thread::yield();
  EXPECT_GT(looks(), before);
}

TEST(PoolClose, DrainRunsAllThatWasAccepted) {
  WorkerPool pool{options_of(1, 1)};
  std::atomic<int> ran{0};
  for (int i = 0; i < 500; ++i) ASSERT_EQ(pool.try_submit([&ran] { ++ran; }), Submitted::Accepted);
  const PoolClosed closed = pool.close(CloseMode::Drain);
  EXPECT_EQ(ran, 500);
  EXPECT_EQ(closed.discarded, 0);
  EXPECT_EQ(pool.try_submit([] {}), Submitted::Closed);
  EXPECT_EQ(pool.submit_for(1h, [] {}), Submitted::Closed);
  EXPECT_EQ(pool.close(CloseMode::Cancel).discarded, 0);  // again is harmless
}

TEST(PoolClose, DiscardDropsWhatHasNotBegunAndTellsIt) {
  WorkerPool pool{options_of(1, 1)};
  Event begun, go;
  std::atomic<int> ran{0}, dropped{0};
  ASSERT_EQ(pool.try_submit([&] {
    begun.set();
    EXPECT_TRUE(go.wait());
    ++ran;
  }),
            Submitted::Accepted);
  ASSERT_TRUE(begun.wait());
  TaskOptions options;
  options.on_dropped = [&](Dropped why) {
    EXPECT_EQ(why, Dropped::Discarded);
    if (++dropped == 20) go.set();
  };
  for (int i = 0; i < 20; ++i) ASSERT_EQ(pool.try_submit([&ran] { ++ran; }, options), Submitted::Accepted);
  const PoolClosed closed = pool.close(CloseMode::Discard);
  EXPECT_EQ(closed.discarded, 20);
  EXPECT_EQ(closed.abandoned, 0);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(dropped, 20);
}

TEST(PoolClose, CancelAsksWhatRunsToStop) {
  WorkerPool pool{options_of(1, 2)};
  Event begun;
  std::atomic<int> stopped{0};
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(pool.try_submit([&](TaskContext& context) {
      Event asked;
      std::stop_callback callback(context.stop_token(), [&asked] { asked.set(); });
      begun.set();
      if (asked.wait()) ++stopped;
    }),
              Submitted::Accepted);
  }
  ASSERT_TRUE(begun.wait(2));
  pool.close(CloseMode::Cancel);
  EXPECT_EQ(stopped, 2);
}

/// Of a task that asks its pool something from inside its own stop callback.
struct Asker {
  WorkerPool& pool;
  Event begun, answered;
  void operator()(TaskContext& context) {
    const std::stop_callback on_stop(context.stop_token(), [this] {
      EXPECT_EQ(pool.stats().busy, 1);
      static_cast<void>(pool.resize(2));
      static_cast<void>(pool.try_submit([] {}));
      answered.set();
    });
    begun.set();
    EXPECT_TRUE(answered.wait());
  }
};

TEST(PoolClose, AStopCallbackMayCallThePool) {
  auto options = options_of(1, 1);
  options.on_demand = true;
  WorkerPool pool{options};
  Asker asker{pool, {}, {}};
  ASSERT_EQ(pool.try_submit([&asker](TaskContext& context) { asker(context); }), Submitted::Accepted);
  ASSERT_TRUE(asker.begun.wait());
  EXPECT_EQ(pool.close(CloseMode::Cancel).abandoned, 0);
}

TEST(PoolClose, AStopCallbackMayCallThePoolWhenItsTimeIsOver) {
  auto options = options_of(1, 1);
  options.on_demand = true;
  WorkerPool pool{options};
  Asker asker{pool, {}, {}};
  TaskOptions limited;
  limited.run_timeout = 1ms;
  ASSERT_EQ(pool.try_submit([&asker](TaskContext& context) { asker(context); }, limited), Submitted::Accepted);
  EXPECT_TRUE(asker.answered.wait());
  EXPECT_EQ(pool.close(CloseMode::Drain).abandoned, 0);
}

TEST(PoolSize, AStateThatGoesMayCallThePool) {
  std::atomic<int> gone{0};
  WorkerPool* of = nullptr;
  auto options = options_of(2, 1);
  options.make_state = [&](int) {
    return std::shared_ptr<void>(nullptr, [&](void*) {
      EXPECT_GE(of->stats().dispatchers, 0);
      ++gone;
    });
  };
  WorkerPool pool{options};
  of = &pool;
  ASSERT_TRUE(pool.resize(1));
  pool.close(CloseMode::Drain);
  EXPECT_EQ(gone, 2);
}

TEST(PoolClose, ADeadlineEndsTheWaitAndSaysWhatWasAbandoned) {
  WorkerPool pool{options_of(1, 1)};
  Event begun, go;
  ASSERT_EQ(pool.try_submit([&] {
    begun.set();
    EXPECT_TRUE(go.wait());
  }),
            Submitted::Accepted);
  ASSERT_TRUE(begun.wait());
  ASSERT_EQ(pool.try_submit([] {}), Submitted::Accepted);
  const PoolClosed closed = pool.close(CloseMode::Drain, 5ms);
  EXPECT_EQ(closed.abandoned, 1);
  EXPECT_EQ(closed.discarded, 1);
  EXPECT_FALSE(pool.closed());
  EXPECT_TRUE(pool.closing());
  go.set();
  EXPECT_EQ(pool.close(CloseMode::Drain).abandoned, 0);
  EXPECT_TRUE(pool.closed());
}

TEST(PoolClose, ASecondOneWithADeadlineDoesNotWaitForAFirstWithoutOne) {
  WorkerPool pool{options_of(1, 1)};
  Event begun, asked;
  TaskOptions named;
  named.name = "stubborn";
  const auto until_asked = [&](TaskContext& context) {
    const std::stop_callback callback(context.stop_token(), [&asked] { asked.set(); });
    begun.set();
    EXPECT_TRUE(asked.wait());
  };
  ASSERT_EQ(pool.try_submit(until_asked, named), Submitted::Accepted);
  ASSERT_TRUE(begun.wait());
  std::thread first([&pool] { EXPECT_EQ(pool.close(CloseMode::Drain).abandoned, 0); });
  while (!pool.closing()) std::this_thread::yield();
  pool.close(CloseMode::Drain, 1ms);  // it has to come to its deadline for the task to be asked
  first.join();
  EXPECT_TRUE(pool.closed());
}

TEST(PoolClose, TheNamesOfWhatWasAbandonedAreSaid) {
  WorkerPool pool{options_of(1, 2)};
  Event begun, go;
  const auto hold = [&] {
    begun.set();
    EXPECT_TRUE(go.wait());
  };
  TaskOptions named;
  named.name = "thumbnails";
  ASSERT_EQ(pool.try_submit(hold, named), Submitted::Accepted);
  ASSERT_EQ(pool.try_submit(hold), Submitted::Accepted);
  ASSERT_TRUE(begun.wait(2));
  auto tasks = pool.close(CloseMode::Cancel, 0us).tasks;
  ASSERT_EQ(tasks.size(), 2U);
  std::sort(tasks.begin(), tasks.end());
  EXPECT_EQ(tasks[0].substr(0, 13), "a task (pool/");
  EXPECT_EQ(tasks[1].substr(0, 17), "thumbnails (pool/");
  go.set();
}

TEST(PoolClose, OneThatDoesNotBlockIsAnsweredByAThreadOfThePool) {
  Event answered, go;
  PoolClosed early;
  {
    WorkerPool pool{options_of(1, 1)};
    Event begun;
    ASSERT_EQ(pool.try_submit([&] {
      begun.set();
      EXPECT_TRUE(go.wait());
    }),
              Submitted::Accepted);
    ASSERT_TRUE(begun.wait());
    const auto keep = [&](PoolClosed closed) {
      early = std::move(closed);
      answered.set();
    };
    EXPECT_TRUE(pool.close_then(CloseMode::Drain, 1ms, keep));
    ASSERT_TRUE(answered.wait());
    EXPECT_EQ(early.abandoned, 1);
    EXPECT_TRUE(pool.close_then(CloseMode::Drain, std::nullopt, keep));
    go.set();
  }  // the pool is gone when all have been answered
  ASSERT_TRUE(answered.wait(2));
  EXPECT_EQ(early.abandoned, 0);
}

/// While it lives no thread can be started: none has that much room for its stack.
struct NoThreads {
  pthread_attr_t before{};
  NoThreads() {
    pthread_getattr_default_np(&before);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 46U);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before);
    pthread_attr_destroy(&before);
  }
};

TEST(PoolThreads, WhereNoneCanBeStartedThatIsAnError) {
  const auto unavailable = [](const std::function<void()>& what) {
    try {
      what();
    } catch (const Exception& failure) {
      return failure.error().code == Errc::Unavailable;
    }
    return false;
  };
  PoolOptions scaled = options_of(1, 1);
  scaled.scaling.max_dispatchers = 2;
  WorkerPool pool{options_of(1, 1)};
  TaskOptions limited;
  limited.run_timeout = 1s;
  bool ran = false;
  Task task{[&ran] { ran = true; }};
  {
    const NoThreads none;
    EXPECT_TRUE(unavailable([&] { WorkerPool other{scaled}; }));
    EXPECT_TRUE(unavailable([&] { WorkerPool other{options_of(2, 2)}; }));
    EXPECT_TRUE(unavailable([&] { static_cast<void>(pool.try_submit(std::move(task), limited)); }));
    EXPECT_EQ(pool.resize(2).error().code, Errc::Unavailable);
    EXPECT_EQ(pool.size(), 1);
  }
  ASSERT_TRUE(task) << "it was not moved from";
  EXPECT_EQ(pool.try_submit(std::move(task), limited), Submitted::Accepted);
  {
    const NoThreads none;
    EXPECT_EQ(pool.close_then(CloseMode::Drain, std::nullopt, [](PoolClosed) {}).error().code, Errc::Unavailable);
  }
  EXPECT_TRUE(pool.closing());
  pool.close(CloseMode::Drain);
  EXPECT_TRUE(ran);
}

TEST(PoolClose, ThoseWhoWaitForRoomAreToldSo) {
  WorkerPool pool{options_of(1, 1, 1)};
  Event begun, go, waiting;
  ASSERT_EQ(pool.try_submit([&] {
    begun.set();
    EXPECT_TRUE(go.wait());
  }),
            Submitted::Accepted);
  ASSERT_TRUE(begun.wait());
  ASSERT_EQ(pool.try_submit([] {}), Submitted::Accepted);
  std::atomic<int> refused{0};
  pool.submit_then([] {}, {},
                   [&](Submitted answer) {
                     if (answer == Submitted::Closed) ++refused;
                     go.set();
                   });
  std::thread blocked([&] {
    waiting.set();
    if (pool.submit_for(1h, [] {}) == Submitted::Closed) ++refused;
  });
  ASSERT_TRUE(waiting.wait());
  pool.close(CloseMode::Discard);
  blocked.join();
  EXPECT_EQ(refused, 2);
}

/// Submitters, resizes and a close at once, from a seed: what was accepted is run or discarded, each exactly once.
TEST(PoolStress, NothingIsLostOrRunTwiceWhateverComesTogether) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    base::Random random(seed);
    const auto mode = static_cast<CloseMode>(random.bits() % 3);
    auto pool = std::make_unique<WorkerPool>(options_of(1 + static_cast<int>(random.bits() % 3), 2, 8));
    std::atomic<std::int64_t> ran{0}, accepted{0}, dropped{0};
    TaskOptions told;
    told.on_dropped = [&dropped](Dropped) { ++dropped; };
    std::vector<std::thread> threads;
    for (int submitter = 0; submitter < 3; ++submitter) {
      threads.emplace_back([&, submitter] {
        for (int i = 0; i < 400; ++i) {
          Task task{[&ran] { ++ran; }};
          const auto answer = submitter == 0   ? pool->try_submit(std::move(task), told)
                              : submitter == 1 ? pool->submit_for(1ms, std::move(task), told)
                                               : pool->submit_for(1h, std::move(task), told);
          if (answer == Submitted::Accepted) ++accepted;
          if (answer == Submitted::Closed) return;
        }
      });
    }
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) static_cast<void>(pool->resize(1 + i % 4));
    });
    // The one that waits as long as it takes gets all of its 400 in.
    const auto until = static_cast<std::int64_t>(random.bits() % 400);
    while (accepted < until && ran < until) std::this_thread::yield();
    const PoolClosed closed = pool->close(mode);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(ran + dropped, accepted) << "seed " << seed;
    EXPECT_EQ(closed.discarded, dropped) << "seed " << seed;
    if (mode == CloseMode::Drain) {
      EXPECT_EQ(dropped, 0) << "seed " << seed;
    }
    EXPECT_TRUE(pool->closed());
  }
}

}  // namespace
}  // namespace galley
