#include "galley/schedule.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "galley/galley.hpp"
#include "galley/testkit.hpp"
#include "store/store.hpp"

namespace galley::engine {
namespace {

using namespace std::chrono_literals;

/// Names what it has seen, and marks it.
class Marking : public Middleware {
 public:
  Result<void> on_enqueue(Draft& draft) override {
    ++seen;
    draft.options.headers.emplace_back("traceparent", draft.queue + "/" + draft.kind);
    return {};
  }
  int seen = 0;
};

class ScheduleTest : public testing::Test {
 protected:
  /// Of the only schedule.
  store::ScheduleStats kept() { return store->schedules().value().at(0); }

  testkit::Clock clock;
  StorePtr store = testkit::memory_store(clock);
};

TEST_F(ScheduleTest, KeepsTheRuleTheJobAndItsOptions) {
  const Schedule nightly{.name = "nightly",
                         .cron = "0 3 * * *",
                         .zone = "Europe/Berlin",
                         .misfire = Misfire::Skip,
                         .overlap = Overlap::Skip,
                         .jitter = 5s,
                         .spread = 10min};
  const std::vector<int> args{1, 2};
  ASSERT_TRUE(put_schedule(store, nightly, "q", "report", args, priority(3), tag("red")));
  const store::ScheduleStats stats = kept();
  EXPECT_EQ(stats.schedule.name, "nightly");
  EXPECT_EQ(stats.schedule.rule,
            (job::ScheduleRule{"0 3 * * *", "Europe/Berlin", Misfire::Skip, Overlap::Skip, 5s, 10min}));
  EXPECT_EQ(stats.schedule.job.queue, "q");
  EXPECT_EQ(stats.schedule.job.kind, "report");
  EXPECT_EQ(stats.schedule.job.payload, "[1,2]");
  EXPECT_EQ(stats.schedule.job.priority, 3);
  EXPECT_EQ(stats.schedule.job.tags, std::vector<std::string>{"red"});
  const ScheduleInfo info = schedules(store).value().at(0);
  EXPECT_EQ(info.schedule.name, "nightly");
  EXPECT_EQ(info.schedule.cron, nightly.cron);
  EXPECT_EQ(info.schedule.zone, nightly.zone);
  EXPECT_EQ(info.schedule.misfire, nightly.misfire);
  EXPECT_EQ(info.schedule.overlap, nightly.overlap);
  EXPECT_EQ(info.schedule.jitter, nightly.jitter);
  EXPECT_EQ(info.schedule.spread, nightly.spread);
  EXPECT_EQ(info.queue, "q");
  EXPECT_EQ(info.kind, "report");
  EXPECT_EQ(info.next_at, stats.next_at);
  EXPECT_EQ(info.enqueued, 0);
}

TEST_F(ScheduleTest, TicksRunOnAWorker) {
  const Schedule often{.name = "often", .cron = "@every 10s"};
  ASSERT_TRUE(put_schedule_json(store, often, "q", "k", "7"));
  std::vector<std::string> seen;
  testkit::Drain drain{store, clock};
  drain.worker().handle("k", [&](Attempt&, std::string_view payload) { seen.emplace_back(payload); });
  EXPECT_EQ(drain.run().value().completed, 0);
  clock.advance(10s);
  EXPECT_EQ(drain.run().value().completed, 1);
  EXPECT_EQ(seen, std::vector<std::string>{"7"});
  const ScheduleInfo info = schedules(store).value().at(0);
  EXPECT_EQ(info.enqueued, 1);
  EXPECT_EQ(info.last_job, 1);
}

TEST_F(ScheduleTest, MiddlewareSeesTheJobOnceWhenItIsPut) {
  const auto marking = std::make_shared<Marking>();
  use(store, marking);
  const Schedule often{.name = "often", .cron = "@every 10s"};
  ASSERT_TRUE(put_schedule_bytes(store, often, "q", "k", "\xff"));
  clock.advance(10s);
  EXPECT_EQ(store->step(10).value().ticked, 1);
  EXPECT_EQ(marking->seen, 1);
  const job::JobRecord job = store->find(1).value();
  EXPECT_EQ(job.headers, (std::vector<Header>{{"traceparent", "q/k"}}));
  EXPECT_EQ(job.payload, "\xff");
}

TEST_F(ScheduleTest, ACommandIsKeptToo) {
  const Schedule often{.name = "often", .cron = "@every 10s"};
  Command command;
  command.argv = {"/bin/true"};
  ASSERT_TRUE(put_schedule_command(store, often, "q", command));
  EXPECT_EQ(kept().schedule.job.kind, "true");
  EXPECT_EQ(kept().schedule.job.program, "/bin/true");
}

TEST_F(ScheduleTest, PausesResumesAndRemoves) {
  const Schedule often{.name = "often", .cron = "@every 10s"};
  ASSERT_TRUE(put_schedule_json(store, often, "q", "k", "1"));
  ASSERT_TRUE(pause_schedule(store, "often"));
  EXPECT_TRUE(schedules(store).value().at(0).paused);
  ASSERT_TRUE(resume_schedule(store, "often"));
  EXPECT_FALSE(schedules(store).value().at(0).paused);
  ASSERT_TRUE(remove_schedule(store, "often"));
  EXPECT_TRUE(schedules(store)->empty());
  EXPECT_EQ(remove_schedule(store, "often").error().code, Errc::NotFound);
}

TEST_F(ScheduleTest, RefusesWhatIsWrongAndSaysWhat) {
  const auto refused = [&](const Schedule& schedule, const JobOptions& options = {}, std::string json = "1") {
    const auto done = put_schedule_json(store, schedule, "q", "k", std::move(json), options);
    EXPECT_EQ(done.error().code, Errc::InvalidInput);
    return done.error().message;
  };
  const Schedule fine{.name = "s", .cron = "@daily"};
  EXPECT_NE(refused({.name = "a b", .cron = "@daily"}).find("schedule"), std::string::npos);
  EXPECT_NE(refused({.name = "s", .cron = "61 * * * *"}).find("61"), std::string::npos);
  EXPECT_NE(refused({.name = "s", .cron = "@daily", .zone = "Moon"}).find("Moon"), std::string::npos);
  JobOptions options;
  options.delay = 1s;
  EXPECT_NE(refused(fine, options).find("delay"), std::string::npos);
  EXPECT_NE(refused(fine, {}, "{").find("JSON"), std::string::npos);
  EXPECT_TRUE(schedules(store)->empty());
}

TEST(NextTicks, AreThoseOfTheExpressionInItsZone) {
  const Time begin = Time(std::chrono::sys_days(std::chrono::year(2026) / 3 / 28));
  const Schedule nightly{.name = "n", .cron = "30 2 * * *", .zone = "Europe/Berlin"};
  // On the 29th the clocks go from 02:00 to 03:00: it runs at the first moment behind the gap.
  EXPECT_EQ(next_ticks(nightly, begin, 3).value(),
            (std::vector<Time>{begin + 1h + 30min, begin + 25h, begin + 48h + 30min}));
  const Schedule every{.name = "e", .cron = "@every 90s"};
  EXPECT_EQ(next_ticks(every, begin, 2).value(), (std::vector<Time>{begin + 90s, begin + 180s}));
  const Schedule bad{.name = "b", .cron = "often"};
  EXPECT_EQ(next_ticks(bad, begin, 2).error().code, Errc::InvalidInput);
}

}  // namespace
}  // namespace galley::engine
