// What a pool does with tasks: bounds, order, classes, limits, errors.

#include "galley/runtime/worker_pool.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <future>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.hpp"
#include "base/event.hpp"
#include "runtime/pool_options.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using test::Event;
using test::options_of;

/// A task that holds its worker until it is let go.
struct Held {
  Event begun, go;
  void hold(WorkerPool& pool, int times = 1) {
    for (int i = 0; i < times; ++i) {
      ASSERT_EQ(pool.try_submit([this] {
        begun.set();
        EXPECT_TRUE(go.wait());
      }),
                Submitted::Accepted);
    }
    ASSERT_TRUE(begun.wait(times));
  }
};

TEST(WorkerPool, RunsEveryTaskOnce) {
  std::array<std::atomic<int>, 5'000> runs{};
  {
    WorkerPool pool{options_of(2, 3, 64)};
    for (auto& run : runs) {
      ASSERT_EQ(pool.submit_for(1min, [&run] { ++run; }), Submitted::Accepted);
    }
    EXPECT_EQ(pool.close(CloseMode::Drain).discarded, 0);
    EXPECT_EQ(pool.stats().completed, 5'000);
  }
  EXPECT_TRUE(std::all_of(runs.begin(), runs.end(), [](const auto& run) { return run == 1; }));
}

TEST(WorkerPool, TheBoundIsHardAndARefusedTaskStaysTheCallers) {
  WorkerPool pool{options_of(1, 2, 10)};
  Held held;
  held.hold(pool, 2);
  int accepted = 0;
  int ran = 0;
  for (int i = 0; i < 20'000; ++i) accepted += pool.try_submit([] {}) == Submitted::Accepted ? 1 : 0;
  EXPECT_EQ(accepted, 10);
  Task mine{[&ran] { ++ran; }};
  EXPECT_EQ(pool.try_submit(std::move(mine)), Submitted::Full);
  TaskOptions limited;
  limited.queue_timeout = 1h;
  EXPECT_EQ(pool.try_submit(std::move(mine), limited), Submitted::Full);
  EXPECT_EQ(pool.submit_for(1ms, std::move(mine), limited), Submitted::Full);
  ASSERT_TRUE(mine);  // NOLINT(bugprone-use-after-move): not accepted, not moved from
  EXPECT_EQ(pool.stats().queued[1], 10);
  EXPECT_EQ(pool.stats().refused, 19'993);
  held.go.set();
  EXPECT_EQ(pool.submit_for(1min, std::move(mine)), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(ran, 1);
}

TEST(WorkerPool, WhoWaitsAndIsAcceptedCountsAsRefusedNowhere) {
  WorkerPool pool{options_of(1, 1, 1)};
  Held held;
  held.hold(pool);
  ASSERT_EQ(pool.try_submit([] {}), Submitted::Accepted);
  std::thread waiting([&pool] { EXPECT_EQ(pool.submit_for(1min, [] {}), Submitted::Accepted); });
  while (pool.stats().waiting_for_room == 0) std::this_thread::yield();
  held.go.set();
  waiting.join();
  EXPECT_EQ(pool.stats().refused, 0);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(pool.submit_for(1min, [] {}), Submitted::Closed);
  EXPECT_EQ(pool.stats().refused, 1);
}

TEST(WorkerPool, WhoWaitsForRoomMayBeWithdrawn) {
  WorkerPool pool{options_of(1, 1, 1)};
  Held held;
  held.hold(pool);
  ASSERT_EQ(pool.try_submit([] {}), Submitted::Accepted);
  const auto alive = std::make_shared<int>(0);
  bool ran = false, told = false;
  TaskOptions limited;
  limited.on_dropped = [&told](Dropped) { told = true; };
  const auto ticket = pool.submit_then([alive, &ran] { ran = true; }, limited, [&told](Submitted) { told = true; });
  EXPECT_NE(ticket, 0U);
  EXPECT_TRUE(pool.withdraw(ticket));
  EXPECT_FALSE(pool.withdraw(ticket));
  EXPECT_EQ(alive.use_count(), 1);
  held.go.set();
  pool.close(CloseMode::Drain);
  EXPECT_FALSE(ran);
  EXPECT_FALSE(told);
}

TEST(WorkerPool, OneWorkerKeepsTheOrder) {
  WorkerPool pool{options_of(1, 1, 100)};
  std::vector<int> order;
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_EQ(pool.submit_for(1min, [&order, i] { order.push_back(i); }), Submitted::Accepted);
  }
  pool.close(CloseMode::Drain);
  EXPECT_EQ(order.size(), 2'000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(WorkerPool, BulkTakesWhatFits) {
  WorkerPool pool{options_of(1, 1, 10)};
  Held held;
  held.hold(pool);
  std::atomic<int> ran{0};
  std::vector<Task> tasks;
  for (int i = 0; i < 15; ++i) tasks.emplace_back([&ran] { ++ran; });
  EXPECT_EQ(pool.try_submit_bulk(tasks), 10U);
  EXPECT_FALSE(tasks[9]);
  EXPECT_TRUE(tasks[10]);
  held.go.set();
  pool.close(CloseMode::Drain);
  EXPECT_EQ(ran, 10);
}

TEST(WorkerPool, ThoseWhoWaitForRoomComeInTheirOrderAndBeforeOthers) {
  WorkerPool pool{options_of(1, 1, 1)};
  Held held;
  held.hold(pool);
  std::vector<int> order;
  ASSERT_EQ(pool.try_submit([&order] { order.push_back(0); }), Submitted::Accepted);
  Event accepted;
  for (int i = 1; i <= 3; ++i) {
    pool.submit_then([&order, i] { order.push_back(i); }, {},
                     [&accepted](Submitted answer) {
                       EXPECT_EQ(answer, Submitted::Accepted);
                       accepted.set();
                     });
  }
  EXPECT_EQ(pool.try_submit([] {}), Submitted::Full);
  held.go.set();
  ASSERT_TRUE(accepted.wait(3));
  pool.close(CloseMode::Drain);
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
}

TEST(WorkerPool, ASubmitFromInsideATaskNeverWaits) {
  WorkerPool pool{options_of(1, 2, 1)};
  Event ran;
  const std::function<void(int)> fan_out = [&](int depth) {
    for (int i = 0; depth > 0 && i < 3; ++i) {
      EXPECT_EQ(pool.submit_for(1h, [&fan_out, depth] { fan_out(depth - 1); }), Submitted::Accepted);
    }
    ran.set();
  };
  ASSERT_EQ(pool.try_submit([&] { fan_out(5); }), Submitted::Accepted);
  EXPECT_TRUE(ran.wait(1 + 3 + 9 + 27 + 81 + 243));
}

/// Returns when the task is asked to stop; false: it is not within a minute.
bool wait_for_stop(TaskContext& context) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  const std::stop_token stop = context.stop_token();
  never.wait_for(lock, stop, 1min, [] { return false; });
  return stop.stop_requested();
}

TEST(WorkerPool, ATaskThatIsRunWithinAnotherHasTimeLimitsOfItsOwn) {
  WorkerPool pool{options_of(1, 1, 1)};
  Event over;
  TaskOptions brief;
  brief.run_timeout = 1ms;
  const auto outer = [&](TaskContext& context) {
    const std::stop_token mine = context.stop_token();
    EXPECT_EQ(pool.try_submit([] {}), Submitted::Accepted) << "now it is full";
    const auto inner = [](TaskContext& within) { EXPECT_TRUE(wait_for_stop(within)); };
    EXPECT_EQ(pool.submit_for(1h, inner, brief), Submitted::Accepted);
    EXPECT_FALSE(mine.stop_requested());
    EXPECT_FALSE(context.stop_token().stop_requested());
    over.set();
  };
  ASSERT_EQ(pool.try_submit(outer), Submitted::Accepted);
  EXPECT_TRUE(over.wait());
}

TEST(WorkerPool, ATaskHasItsTimeLimitAgainWhenOneWithinItHasEnded) {
  WorkerPool pool{options_of(1, 1, 1)};
  Event over;
  const auto outer = [&](TaskContext& context) {
    EXPECT_EQ(pool.try_submit([] {}), Submitted::Accepted) << "now it is full";
    EXPECT_EQ(pool.submit_for(1h, [] {}), Submitted::Accepted);
    EXPECT_TRUE(wait_for_stop(context));
    over.set();
  };
  TaskOptions brief;
  brief.run_timeout = 20ms;
  ASSERT_EQ(pool.try_submit(outer, brief), Submitted::Accepted);
  EXPECT_TRUE(over.wait());
}

TEST(WorkerPool, ClassesShareEightToFourToOneAndEachHasItsOwnBound) {
  WorkerPool pool{options_of(1, 1, 130)};
  Held held;
  held.hold(pool);
  std::string order;
  for (const auto& [task_class, letter] :
       {std::pair(TaskClass::Low, 'l'), std::pair(TaskClass::Normal, 'n'), std::pair(TaskClass::High, 'h')}) {
    TaskOptions options;
    options.task_class = task_class;
    for (int i = 0; i < 130; ++i) {
      ASSERT_EQ(pool.try_submit([&order, letter = letter] { order += letter; }, options), Submitted::Accepted);
    }
    EXPECT_EQ(pool.try_submit([] {}, options), Submitted::Full);
  }
  held.go.set();
  pool.close(CloseMode::Drain);
  ASSERT_EQ(order.size(), 390U);
  const std::string first = order.substr(0, 130);
  EXPECT_NEAR(static_cast<double>(std::count(first.begin(), first.end(), 'h')), 80, 8);
  EXPECT_NEAR(static_cast<double>(std::count(first.begin(), first.end(), 'n')), 40, 4);
  EXPECT_NEAR(static_cast<double>(std::count(first.begin(), first.end(), 'l')), 10, 1);
}

/// A flood of the classes above: each of its tasks submits the next one, so that none of them is ever empty.
TEST(WorkerPool, TheLowClassWaitsForAtMostTwelveOthersEachTimeAndTheNormalOneForThree) {
  WorkerPool pool{options_of(1, 1, 100)};
  Held held;
  held.hold(pool);
  constexpr int kLow = 20;
  int others = 0;                   // one worker: no two at once
  int behind = 0, most_behind = 0;  // begun since one of the normal class has
  std::vector<int> before_low;
  std::function<void(TaskClass)> flood = [&](TaskClass task_class) {
    TaskOptions options;
    options.task_class = task_class;
    const auto next = [&, task_class] {
      ++others;
      behind = task_class == TaskClass::Normal ? 0 : behind + 1;
      most_behind = std::max(most_behind, behind);
      if (before_low.size() < kLow && others < 1'000) flood(task_class);
    };
    ASSERT_EQ(pool.try_submit(next, options), Submitted::Accepted);
  };
  for (int i = 0; i < 50; ++i) {
    flood(TaskClass::High);
    flood(TaskClass::Normal);
  }
  TaskOptions low;
  low.task_class = TaskClass::Low;
  const auto one_low = [&] {
    before_low.push_back(others);
    most_behind = std::max(most_behind, ++behind);
  };
  for (int i = 0; i < kLow; ++i) ASSERT_EQ(pool.try_submit(one_low, low), Submitted::Accepted);
  held.go.set();
  while (pool.stats().queued[2] > 0) std::this_thread::yield();  // a close refuses what the flood submits
  pool.close(CloseMode::Drain);
  EXPECT_LE(most_behind, 3);
  ASSERT_EQ(before_low.size(), static_cast<std::size_t>(kLow));
  for (int n = 1; n <= kLow; ++n) EXPECT_LE(before_low[static_cast<std::size_t>(n - 1)], 12 * n) << n;
}

/// Each bound is one that holds however busy the machine is. One worker, so that times of running add up.
TEST(WorkerPool, TellsHowLongTasksWaitedAndRan) {
  const base::SystemClock clock;
  const auto work_for = [&clock](Duration time) {
    for (const auto until = clock.mono() + time; clock.mono() < until;) {
    }
  };
  WorkerPool pool{options_of(1, 1, 1'000)};
  EXPECT_EQ(pool.stats().wait_p99, 0us) << "nothing was measured yet";
  EXPECT_EQ(pool.stats().run_p99, 0us);
  Held held;
  held.hold(pool);
  // At least every 32nd task is measured, so 25 of these. From the 600th on 128 take long: 4 of the 25.
  const auto began = clock.mono();
  base::Mono at_500th;
  for (int i = 0; i < 800; ++i) {
    const auto task = [&, i] {
      if (i == 500) at_500th = clock.mono();
      if (i >= 600 && i < 728) work_for(1ms);
    };
    ASSERT_EQ(pool.try_submit(task), Submitted::Accepted);
  }
  const auto submitted = clock.mono();
  work_for(5ms);
  const auto went_on = clock.mono();
  held.go.set();
  pool.close(CloseMode::Drain);
  const auto ended = clock.mono();
  const PoolStats stats = pool.stats();
  EXPECT_GE(stats.wait_p50, went_on - submitted);
  EXPECT_LE(stats.wait_p50, at_500th - began) << "more than half had begun by then";
  EXPECT_GE(stats.wait_p99, went_on - submitted + 128ms) << "those behind the long ones";
  EXPECT_LE(stats.wait_p99, ended - began);
  EXPECT_GE(stats.run_p99, 1ms);
  EXPECT_LE(stats.run_p99, ended - went_on);
  EXPECT_LE(10 * stats.run_p50, ended - went_on) << "half of 25 tasks ran for longer, one after the other";
}

TEST(WorkerPool, ATaskThatWaitedTooLongIsDroppedAndSaysSo) {
  WorkerPool pool{options_of(1, 1)};
  Held held;
  held.hold(pool);
  std::vector<Dropped> dropped;
  TaskOptions options;
  options.queue_timeout = 1us;
  options.on_dropped = [&dropped](Dropped why) { dropped.push_back(why); };
  bool ran = false;
  ASSERT_EQ(pool.try_submit([&ran] { ran = true; }, options), Submitted::Accepted);
  std::this_thread::yield();
  held.go.set();
  pool.close(CloseMode::Drain);
  EXPECT_FALSE(ran);
  EXPECT_EQ(dropped, std::vector{Dropped::QueueTimeout});
  EXPECT_EQ(pool.stats().timed_out, 1);
}

TEST(WorkerPool, ARunTimeoutAsksThatTaskAloneToStop) {
  WorkerPool pool{options_of(1, 1)};
  TaskOptions options;
  options.run_timeout = 5ms;
  Event stopped;
  const auto wait_for_stop = [&stopped](TaskContext& context) {
    std::stop_callback callback(context.stop_token(), [&stopped] { stopped.set(); });
    EXPECT_TRUE(stopped.wait());
  };
  ASSERT_EQ(pool.try_submit(wait_for_stop, options), Submitted::Accepted);
  ASSERT_TRUE(stopped.wait());
  std::promise<bool> next;
  ASSERT_EQ(pool.try_submit([&next](TaskContext& context) { next.set_value(context.stop_token().stop_requested()); }),
            Submitted::Accepted);
  EXPECT_FALSE(next.get_future().get());
}

TEST(WorkerPool, TheLongestLimitsNeverCome) {
  WorkerPool pool{options_of(1, 1, 1)};
  Held held;
  held.hold(pool);
  TaskOptions limited;
  limited.queue_timeout = Duration::max();
  limited.run_timeout = Duration::max();
  std::atomic<int> dropped{0};
  std::atomic<bool> stopped{true};
  limited.on_dropped = [&](Dropped) { ++dropped; };
  const auto look = [&](TaskContext& context) {
    std::this_thread::sleep_for(5ms);  // lint: allow(sleep) because the supervisor has time to find it overdue
    stopped = context.stop_token().stop_requested();
  };
  ASSERT_EQ(pool.try_submit(look, limited), Submitted::Accepted);
  std::thread waiter([&] { EXPECT_EQ(pool.submit_for(Duration::max(), [] {}), Submitted::Accepted); });
  while (pool.stats().waiting_for_room == 0 && pool.stats().refused == 0) std::this_thread::yield();
  held.go.set();
  waiter.join();
  pool.close(CloseMode::Drain);
  EXPECT_EQ(dropped, 0);
  EXPECT_FALSE(stopped);
}

TEST(WorkerPool, WhatATaskThrowsIsKeptUpToABound) {
  PoolOptions options = options_of(1, 2);
  options.max_errors = 3;
  WorkerPool pool{std::move(options)};
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(pool.try_submit([i] { throw std::runtime_error(std::to_string(i)); }), Submitted::Accepted);
  }
  pool.close(CloseMode::Drain);
  EXPECT_EQ(pool.stats().failed, 10);
  EXPECT_EQ(pool.stats().errors_dropped, 7);
  EXPECT_EQ(pool.take_errors().size(), 3U);
  EXPECT_TRUE(pool.take_errors().empty());
}

TEST(WorkerPool, ADispatchersWorkersShareTheStateThatWasMadeForIt) {
  std::atomic<int> made{0};
  PoolOptions options = options_of(2, 5);
  options.make_state = [&made](int dispatcher) {
    ++made;
    return std::make_shared<std::atomic<int>>(dispatcher * 0);
  };
  std::atomic<int> sum{0};
  std::mutex mutex;
  std::set<void*> states;
  WorkerPool pool{std::move(options)};
  for (int i = 1; i <= 10; ++i) {
    ASSERT_EQ(pool.try_submit([&, i](TaskContext& context) {
      sum += i;
      const std::lock_guard lock(mutex);
      states.insert(context.state());
      EXPECT_LT(context.worker(), 5);
      EXPECT_LT(context.dispatcher(), 2);
    }),
              Submitted::Accepted);
  }
  pool.close(CloseMode::Drain);
  EXPECT_EQ(sum, 55);
  EXPECT_EQ(made, 2);
  EXPECT_LE(states.size(), 2U);
}

TEST(WorkerPool, ThreadsHaveNamesAndTracersSeeEveryStep) {
  PoolOptions options = options_of(1, 1);
  options.name = "a-rather-long-name";
  std::string seen;
  options.tracer.on_start = [&seen](int, int) { seen += "start "; };
  options.tracer.on_run = [&seen](TaskContext&) { seen += "run "; };
  options.tracer.on_ran = [&seen](TaskContext&, const std::exception_ptr& error) {
    seen += error ? "failed " : "ran ";
  };
  options.tracer.on_close = [&seen](int, int) { seen += "close"; };
  WorkerPool pool{std::move(options)};
  std::promise<std::string> name;
  ASSERT_EQ(pool.try_submit([&name] {
    char text[16] = {};
    pthread_getname_np(pthread_self(), text, sizeof text);
    name.set_value(text);
  }),
            Submitted::Accepted);
  EXPECT_EQ(name.get_future().get(), "a-rather-lo/0/0");
  ASSERT_EQ(pool.try_submit([] { throw 1; }), Submitted::Accepted);
  pool.close(CloseMode::Drain);
  EXPECT_EQ(seen, "start run ran run failed close");
}

/// Those on which this thread may run.
std::vector<int> cpus_of_this_thread() {
  cpu_set_t set;
  EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  std::vector<int> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

void bind_this_thread(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<unsigned>(cpu), &set);
  ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
}

TEST(WorkerPool, ItsThreadsRunOnTheCpusThatWereAskedForAndOnNoOther) {
  const std::vector<int> there = cpus_of_this_thread();
  if (there.size() < 2) GTEST_SKIP() << "with one cpu all are bound to it";
  bind_this_thread({there.front()});  // that its maker is bound binds no pool
  for (const int cpu : {there.front(), there.back()}) {
    PoolOptions options = options_of(1, 2);
    options.cpus = {cpu};
    WorkerPool pool{options};
    std::latch both(2);
    std::vector<int> seen[2];
    for (auto& cpus : seen) {
      const auto look = [&] {
        both.arrive_and_wait();  // so that each worker runs one
        cpus = cpus_of_this_thread();
      };
      ASSERT_EQ(pool.try_submit(look), Submitted::Accepted);
    }
    pool.close(CloseMode::Drain);
    for (const auto& cpus : seen) EXPECT_EQ(cpus, std::vector{cpu});
  }
  EXPECT_EQ(cpus_of_this_thread(), std::vector{there.front()}) << "making a pool has changed this thread";
  bind_this_thread(there);
}

TEST(WorkerPool, AnInvalidOptionIsAnErrorThatNamesIt) {
  const auto refused = [](const std::function<void(PoolOptions&)>& change, const char* name) {
    PoolOptions options;
    change(options);
    try {
      WorkerPool pool{std::move(options)};
      ADD_FAILURE() << name << " was accepted";
    } catch (const Exception& failure) {
      EXPECT_EQ(failure.error().code, Errc::InvalidInput);
      EXPECT_NE(failure.error().message.find(name), std::string::npos) << failure.error().message;
    }
  };
  refused([](PoolOptions& o) { o.dispatchers = 0; }, "dispatchers 0");
  refused([](PoolOptions& o) { o.dispatchers = 1'001; }, "dispatchers 1001");
  refused([](PoolOptions& o) { o.workers = -1; }, "workers -1");
  refused([](PoolOptions& o) { o.capacity = 0; }, "capacity 0");
  refused([](PoolOptions& o) { o.capacity = 10'000'001; }, "capacity 10000001");
  refused([](PoolOptions& o) { o.workers = 1'001; }, "workers 1001");
  refused([](PoolOptions& o) { o.max_waiting = 0; }, "max_waiting 0");
  refused([](PoolOptions& o) { o.cpus = {-1}; }, "cpus -1");
  refused([](PoolOptions& o) { o.cpus = {1'023}; }, "cpus 1023 is not allowed: ");
  refused([](PoolOptions& o) { o.cpus = {5'000}; }, "cpus 5000");
  refused([](PoolOptions& o) { o.scaling.max_dispatchers = 1, o.dispatchers = 2; }, "scaling.max_dispatchers 1");
  refused([](PoolOptions& o) { o.scaling.max_dispatchers = 2, o.scaling.period = 0us; }, "scaling.period");
  refused([](PoolOptions& o) { o.scaling.max_dispatchers = 2, o.scaling.target = -1us; }, "scaling.target");
  refused([](PoolOptions& o) { o.scaling.max_dispatchers = 2, o.scaling.idle = 2h; }, "scaling.idle");
  refused([](PoolOptions& o) { o.scaling.max_dispatchers = 2, o.scaling.periods = 0; }, "scaling.periods 0");
}

}  // namespace
}  // namespace galley
