// Background work that somebody owns: names, cancellation, errors, bounds, and what is left at the end.

#include "galley/runtime/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <thread>

#include "galley/runtime/named_executor.hpp"
#include "runtime/coroutines.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::for_ever;
using test::text_of;
using test::turns;

std::string current_name() { return current_task() == nullptr ? "nobody" : current_task()->name; }

asio::awaitable<void> throw_text(const char* text) {
  co_await turns(1);
  throw std::runtime_error(text);
}

asio::awaitable<void> set_flag(bool& flag) {
  flag = true;
  co_return;
}

/// A group on a context that the test runs, and the errors that came of it.
struct Fixture {
  asio::io_context context{1};
  std::vector<std::string> errors;
  TaskGroup group;

  explicit Fixture(std::size_t max_tasks = 100) : group(context.get_executor(), sink(), options_of(max_tasks)) {}
  TaskGroup::OnError sink() {
    return [this](const TaskInfo& task, const std::exception_ptr& error) {
      errors.push_back(task.name + ": " + text_of(error) + " in " + current_name());
    };
  }
  static TaskGroupOptions options_of(std::size_t max_tasks) {
    TaskGroupOptions options;
    options.name = "of the test";
    options.max_tasks = max_tasks;
    return options;
  }
};

asio::awaitable<void> note_joined(TaskGroup& group, std::string& log) {
  try {
    co_await group.join();
    log += "joined";
  } catch (const boost::system::system_error&) {
    log += "cancelled";
  }
}

TEST(TaskGroup, RunsWhatIsSpawnedAndJoinsWhenTheLastHasEnded) {
  Fixture f;
  std::string log;
  ASSERT_TRUE(f.group.spawn("a", turns(3)));
  ASSERT_TRUE(f.group.spawn("b", turns(50)));
  EXPECT_EQ(f.group.size(), 2U);
  asio::co_spawn(f.context, note_joined(f.group, log), [](const std::exception_ptr&) {});
  while (f.group.size() == 2) f.context.run_one();
  EXPECT_EQ(log, "");
  f.context.run();
  EXPECT_EQ(log, "joined");
  EXPECT_TRUE(f.group.empty());
  EXPECT_TRUE(f.errors.empty());
}

TEST(TaskGroup, NeverBeginsInsideSpawn) {
  Fixture f;
  bool begun = false;
  bool begun_inside = false;
  asio::post(f.context, [&] {
    ASSERT_TRUE(f.group.spawn("a", set_flag(begun)));
    begun_inside = begun;
  });
  f.context.run();
  EXPECT_FALSE(begun_inside);
  EXPECT_TRUE(begun);
}

TEST(TaskGroup, AnErrorIsReportedOnceWithItsTaskAndDisturbsNobody) {
  Fixture f;
  ASSERT_TRUE(f.group.spawn("bad", throw_text("no such file")));
  ASSERT_TRUE(f.group.spawn("good", turns(20)));
  f.context.run();
  EXPECT_EQ(f.errors, std::vector<std::string>{"bad: no such file in bad"});
  EXPECT_TRUE(f.group.empty());
}

TEST(TaskGroup, CancelEndsAllAndIsNoError) {
  Fixture f;
  std::string log;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(f.group.spawn("sleeper", for_ever()));
  asio::co_spawn(f.context, note_joined(f.group, log), [](const std::exception_ptr&) {});
  f.context.poll();
  EXPECT_EQ(f.group.size(), 10U);
  f.group.cancel();
  f.group.cancel();
  f.context.run();
  EXPECT_EQ(log, "joined");
  EXPECT_TRUE(f.errors.empty());
}

TEST(TaskGroup, CancelBeforeTheFirstStepMeansItNeverBegins) {
  Fixture f;
  bool begun = false;
  ASSERT_TRUE(f.group.spawn("a", set_flag(begun)));
  f.group.cancel();
  f.context.run();
  EXPECT_FALSE(begun);
  EXPECT_TRUE(f.group.empty());
  EXPECT_TRUE(f.errors.empty());
}

asio::awaitable<void> cancel_own(TaskGroup& group, bool& after) {
  group.cancel();
  after = true;
  co_return;
}

TEST(TaskGroup, ATaskMayCancelItsOwnGroup) {
  Fixture f;
  bool after = false;
  ASSERT_TRUE(f.group.spawn("a", cancel_own(f.group, after)));
  f.context.run();
  EXPECT_TRUE(after);
  EXPECT_TRUE(f.group.empty());
}

asio::awaitable<void> abort_by_itself() {
  co_await turns(1);
  throw boost::system::system_error(asio::error::operation_aborted, "its own");
}

TEST(TaskGroup, AnAbortThatNobodyAskedForIsAnError) {
  Fixture f;
  ASSERT_TRUE(f.group.spawn("a", abort_by_itself()));
  f.context.run();
  EXPECT_EQ(f.errors, std::vector<std::string>{"a: cancelled in a"});
}

TEST(TaskGroup, TheBoundIsHardAndRefusedWorkNeverBegins) {
  Fixture f(2);
  bool begun = false;
  ASSERT_TRUE(f.group.spawn("a", for_ever()));
  ASSERT_TRUE(f.group.spawn("b", turns(1)));
  const auto refused = f.group.spawn("c", set_flag(begun));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::QueueFull);
  EXPECT_EQ(refused.error().message, "task 'c' was not started: group 'of the test' has 2 tasks, its max_tasks");
  f.context.poll();
  EXPECT_FALSE(begun);
  EXPECT_TRUE(f.group.spawn("c", set_flag(begun)));  // b has made room
  f.group.cancel();
  f.context.run();
}

asio::awaitable<void> spawn_many(TaskGroup& group, int times, int& started, std::optional<Errc>& refused) {
  for (int i = 0; i < times; ++i) {
    const auto spawned = co_await group.spawn_when_room("child", turns(5));
    if (!spawned) {
      refused = spawned.error().code;
      co_return;
    }
    ++started;
  }
}

TEST(TaskGroup, SpawnWhenRoomWaitsForRoom) {
  Fixture f(3);
  int started = 0;
  std::optional<Errc> refused;
  asio::co_spawn(f.context, spawn_many(f.group, 50, started, refused), [](const std::exception_ptr& e) {
    if (e) std::rethrow_exception(e);
  });
  while (f.context.run_one() != 0) ASSERT_LE(f.group.size(), 3U);
  EXPECT_EQ(started, 50);
  EXPECT_FALSE(refused);
}

TEST(TaskGroup, CloseRefusesWhoWaitsForRoom) {
  Fixture f(1);
  int started = 0;
  std::optional<Errc> refused;
  ASSERT_TRUE(f.group.spawn("a", for_ever()));
  asio::co_spawn(f.context, spawn_many(f.group, 1, started, refused), [](const std::exception_ptr& e) {
    if (e) std::rethrow_exception(e);
  });
  f.context.poll();
  EXPECT_FALSE(refused);
  f.group.close();
  f.context.poll();
  EXPECT_EQ(refused, Errc::WrongState);
  EXPECT_EQ(f.group.spawn("b", turns(1)).error().message, "task 'b' was not started: group 'of the test' is closed");
  EXPECT_EQ(f.group.size(), 1U);  // a goes on
  f.group.cancel();
  f.context.run();
}

TEST(TaskGroup, ListsWhatRunsWithSpawnSitesInTheirOrder) {
  Fixture f;
  ASSERT_TRUE(f.group.spawn("first", for_ever()));
  const int line = __LINE__ - 1;
  ASSERT_TRUE(f.group.spawn("over", turns(1)));
  ASSERT_TRUE(f.group.spawn("second", for_ever()));
  f.context.poll();
  const auto running = f.group.running();
  ASSERT_EQ(running.size(), 2U);
  EXPECT_EQ(running[0].info.name, "first");
  EXPECT_EQ(running[0].info.spawned_at.line(), static_cast<unsigned>(line));
  EXPECT_NE(std::string(running[0].info.spawned_at.file_name()).find("task_group_test.cpp"), std::string::npos);
  EXPECT_EQ(running[1].info.name, "second");
  EXPECT_GE(running[0].age, running[1].age);
  f.group.cancel();
  f.context.run();
}

TEST(TaskGroup, CancellingAJoinLeavesTheTasksAlone) {
  Fixture f;
  std::string log;
  asio::cancellation_signal signal;
  ASSERT_TRUE(f.group.spawn("a", for_ever()));
  asio::co_spawn(f.context, note_joined(f.group, log),
                 asio::bind_cancellation_slot(signal.slot(), [](const std::exception_ptr&) {}));
  f.context.poll();
  signal.emit(asio::cancellation_type::terminal);
  f.context.poll();
  EXPECT_EQ(log, "cancelled");
  EXPECT_EQ(f.group.size(), 1U);
  f.group.cancel();
  f.context.run();
}

asio::awaitable<void> stop_in_two_steps(TaskGroup& group, std::vector<std::string>& left) {
  group.close();
  const std::vector<RunningTask> late = co_await group.join_for(1ms);
  for (const auto& task : late) left.push_back(task.info.name);
  group.cancel();
  const std::vector<RunningTask> none = co_await group.join_for(1h);
  left.push_back(std::to_string(none.size()));
}

TEST(TaskGroup, JoinForSaysWhatIsLeft) {
  Fixture f;
  std::vector<std::string> left;
  ASSERT_TRUE(f.group.spawn("stuck", for_ever()));
  ASSERT_TRUE(f.group.spawn("over", turns(1)));
  const test::Started stop(f.context, stop_in_two_steps(f.group, left));
  f.context.run();
  EXPECT_EQ(left, (std::vector<std::string>{"stuck", "0"}));
}

TEST(TaskGroup, AContextThatIsDestroyedTakesItsTasksAlong) {
  auto context = std::make_unique<asio::io_context>(1);
  int errors = 0;
  TaskGroup group(context->get_executor(), [&](const TaskInfo&, const std::exception_ptr&) { ++errors; });
  std::string log;
  ASSERT_TRUE(group.spawn("waits", for_ever()));
  ASSERT_TRUE(group.spawn("joins", note_joined(group, log)));  // never: it would wait for itself
  context->poll();
  EXPECT_EQ(group.size(), 2U);
  context.reset();
  EXPECT_TRUE(group.empty());
  EXPECT_EQ(errors, 0);
}

TEST(TaskGroup, MayBeUsedFromManyThreads) {
  asio::io_context context(1);
  std::atomic<int> ran{0};
  TaskGroup group(context.get_executor(), [](const TaskInfo&, const std::exception_ptr&) { ADD_FAILURE(); });
  {
    auto work = asio::make_work_guard(context);
    std::thread runner([&] { context.run(); });
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&group, &ran] {
        for (int i = 0; i < 200; ++i) {
          ran += group.spawn("counted", turns(2)).has_value() ? 1 : 0;
          static_cast<void>(group.running().size());
        }
      });
    }
    for (auto& thread : threads) thread.join();
    group.cancel();
    work.reset();
    runner.join();
  }
  EXPECT_EQ(ran, 600);
  EXPECT_TRUE(group.empty());
}

TEST(TaskGroup, InvalidOptionsAreErrorsThatNameThem) {
  asio::io_context context(1);
  const auto ignore = [](const TaskInfo&, const std::exception_ptr&) {};
  try {
    TaskGroup group(context.get_executor(), ignore, Fixture::options_of(0));
    FAIL();
  } catch (const Exception& failure) {
    EXPECT_STREQ(failure.what(), "max_tasks is 0; allowed are 1 to 10000000");
  }
  EXPECT_THROW(TaskGroup(context.get_executor(), nullptr), Exception);
}

using TaskGroupDeathTest = testing::Test;

TEST(TaskGroupDeathTest, DestroyedWithATaskIsABrokenInvariant) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        asio::io_context context(1);
        TaskGroup group(context.get_executor(), [](const TaskInfo&, const std::exception_ptr&) {});
        static_cast<void>(group.spawn("a", turns(1)));
      },
      "broken invariant: empty");
}

// --- names

asio::awaitable<void> note_names(asio::thread_pool& elsewhere, std::vector<std::string>& names) {
  names.push_back(current_name());
  co_await turns(1);
  names.push_back(current_name());
  asio::steady_timer own(co_await asio::this_coro::executor, 1ms);  // of the task's executor
  co_await own.async_wait(asio::use_awaitable);
  names.push_back(current_name());
  asio::steady_timer other(elsewhere, 1ms);  // of another one
  co_await other.async_wait(asio::use_awaitable);
  names.push_back(current_name());
  co_await asio::co_spawn(co_await asio::this_coro::executor, turns(1), asio::use_awaitable);
  names.push_back(current_name());
}

asio::awaitable<void> note_name_in_turn(std::vector<std::string>& names, int times) {
  for (int i = 0; i < times; ++i) {
    names.push_back(current_name());
    co_await turns(1);
  }
}

TEST(NamedExecutor, NamesEveryResumptionWhateverItWaitedFor) {
  asio::thread_pool elsewhere(1);
  Fixture f;
  std::vector<std::string> names;
  ASSERT_TRUE(f.group.spawn("named", note_names(elsewhere, names)));
  while (!f.group.empty()) {
    f.context.run_one();
    EXPECT_EQ(current_task(), nullptr);  // between two handlers nobody runs
  }
  elsewhere.join();  // its thread lets go of the context a moment after it has told of the timer
  EXPECT_EQ(names, std::vector<std::string>(5, "named"));
}

TEST(NamedExecutor, KeepsTasksThatTakeTurnsApart) {
  Fixture f;
  std::vector<std::string> names;
  ASSERT_TRUE(f.group.spawn("a", note_name_in_turn(names, 3)));
  ASSERT_TRUE(f.group.spawn("b", note_name_in_turn(names, 3)));
  f.context.run();
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "a", "b", "a", "b"}));
}

TEST(NamedExecutor, NamesAPlainCoroutineOnAnyExecutor) {
  asio::io_context context(1);
  std::vector<std::string> names;
  const asio::any_io_executor strand = asio::make_strand(context);
  asio::co_spawn(named_executor(strand, "on a strand"), note_name_in_turn(names, 2), [](const std::exception_ptr&) {});
  asio::co_spawn(named_executor(context.get_executor(), "plain"), note_name_in_turn(names, 1),
                 [](const std::exception_ptr&) {});
  context.run();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"on a strand", "on a strand", "plain"}));
}

TEST(NamedExecutor, IsEqualToItsCopiesAlone) {
  asio::io_context context(1);
  const asio::any_io_executor a = named_executor(context.get_executor(), "a");
  const asio::any_io_executor copy = a;
  EXPECT_TRUE(a == copy);
  EXPECT_FALSE(a == named_executor(context.get_executor(), "a"));
  EXPECT_FALSE(a == asio::any_io_executor(context.get_executor()));
  EXPECT_EQ(&asio::query(a, asio::execution::context), &context);
}

}  // namespace
}  // namespace galley
