// Many connections to one file, as many processes have them, and schedules that tick: each tick has exactly one job.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/clock.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

using namespace std::chrono_literals;

constexpr int kConnections = 6;
constexpr int kSchedules = 5;
constexpr int kSeconds = 60;

/// Claims and steps until told to end; one more look then, so that no tick is left.
void serve(const SqliteOptions& options, const std::atomic<bool>& end, int number) {
  const auto store = open_sqlite(options).value();
  ClaimRequest request;
  request.worker = store->join({"w" + std::to_string(number), ""}).value();
  request.queues = {"q0", "q1"};
  request.limit = 0;
  for (bool last = false; !last;) {
    last = end;
    ASSERT_TRUE(store->claim(request));
    ASSERT_TRUE(store->step(limits::kMaxStep));
  }
}

TEST(SqliteTicks, AreServedOnceByManyConnections) {
  const test::TempDir dir;
  base::ManualClock clock;
  const SqliteOptions options{dir.file("ticks.db"), Durability::Normal, false, &clock};
  const auto store = open_sqlite(options).value();
  for (int i = 0; i < kSchedules; ++i) {
    Schedule schedule;
    schedule.name = "s" + std::to_string(i);
    schedule.rule.expression = "* * * * * *";
    schedule.rule.misfire = Misfire::All;
    schedule.job.queue = "q" + std::to_string(i % 3);  // one of them is served by steps alone
    schedule.job.kind = schedule.name;
    ASSERT_TRUE(store->put_schedule(schedule));
  }
  std::atomic<bool> end = false;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kConnections; ++i) threads.emplace_back([&, i] { serve(options, end, i); });
    for (int second = 0; second < kSeconds; ++second) {
      clock.advance(1s);
      // Until somebody has served it: what is under test is that the others do not serve it again.
      for (bool served = false; !served;) {
        served = true;
        for (const ScheduleStats& one : store->schedules().value()) served = served && one.next_at > clock.wall();
      }
    }
    end = true;
  }
  for (const ScheduleStats& one : store->schedules().value()) {
    EXPECT_EQ(one.enqueued, kSeconds) << one.schedule.name;
    EXPECT_EQ(one.skipped, 0) << one.schedule.name;
    Filter filter;
    filter.kind = one.schedule.job.kind;
    EXPECT_EQ(store->list(filter, "", limits::kMaxPage)->jobs.size(), static_cast<std::size_t>(kSeconds))
        << one.schedule.name;
  }
}

}  // namespace
}  // namespace galley::store::sqlite
