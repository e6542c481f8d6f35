#include "job/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/expect.hpp"
#include "base/limits.hpp"
#include "base/random.hpp"
#include "base/zone_names.hpp"

namespace galley::job {

using namespace std::chrono_literals;
using test::at;
using test::refusal;

constexpr Time kNoon = Time(std::chrono::sys_days(std::chrono::year(2026) / 6 / 1) + 12h);

ScheduleRule rule(std::string expression, Misfire misfire = Misfire::Once, Overlap overlap = Overlap::Allow) {
  ScheduleRule made;
  made.expression = std::move(expression);
  made.misfire = misfire;
  made.overlap = overlap;
  return made;
}
Timetable table(const ScheduleRule& given, std::string_view schedule = "nightly") {
  return timetable_from(schedule, given).value();
}
TickPlan plan(const ScheduleRule& given, Time last, Time now) {
  return plan_ticks(table(given), {.anchor = last, .last = last}, now);
}

TEST(PlanTicks, HasNothingToDoBeforeTheFirstTick) {
  const TickPlan found = plan(rule("0 13 * * *"), kNoon, kNoon + 1h - 1us);
  EXPECT_EQ(found.ticks, std::vector<Time>{});
  EXPECT_EQ(found.skipped, 0);
  EXPECT_EQ(found.last, kNoon);
  EXPECT_EQ(found.next, kNoon + 1h);
}

TEST(PlanTicks, DecidesOnATickExactlyOnce) {
  for (const Misfire misfire : {Misfire::Skip, Misfire::Once, Misfire::All}) {
    const TickPlan first = plan(rule("0 13 * * *", misfire), kNoon, kNoon + 1h);
    EXPECT_EQ(first.ticks, std::vector{kNoon + 1h});
    EXPECT_EQ(first.last, kNoon + 1h);
    EXPECT_EQ(first.next, kNoon + 25h);
    const TickPlan again = plan(rule("0 13 * * *", misfire), first.last, kNoon + 1h);
    EXPECT_EQ(again.ticks, std::vector<Time>{});
    EXPECT_EQ(again.skipped, 0);
    EXPECT_EQ(again.last, first.last);
    EXPECT_EQ(again.next, first.next);
  }
}

TEST(PlanTicks, SkipsWhatIsLaterThanTheGrace) {
  const TickPlan just = plan(rule("0 13 * * *", Misfire::Skip), kNoon, kNoon + 1h + limits::kMisfireGrace);
  EXPECT_EQ(just.ticks, std::vector{kNoon + 1h});
  EXPECT_EQ(just.skipped, 0);
  const TickPlan late = plan(rule("0 13 * * *", Misfire::Skip), kNoon, kNoon + 1h + limits::kMisfireGrace + 1us);
  EXPECT_EQ(late.ticks, std::vector<Time>{});
  EXPECT_EQ(late.skipped, 1);
  EXPECT_EQ(late.last, kNoon + 1h) << "a skipped tick is decided on";
  const TickPlan some = plan(rule("*/20 * * * * *", Misfire::Skip), kNoon, kNoon + 5min);
  EXPECT_EQ(some.ticks, (std::vector{kNoon + 4min, kNoon + 4min + 20s, kNoon + 4min + 40s, kNoon + 5min}));
  EXPECT_EQ(some.skipped, 11);
}

TEST(PlanTicks, RunsOneJobForAllMissedOnes) {
  const TickPlan missed = plan(rule("0 * * * *", Misfire::Once), kNoon, kNoon + 5h + 30min);
  EXPECT_EQ(missed.ticks, std::vector{kNoon + 5h});
  EXPECT_EQ(missed.skipped, 4);
  const TickPlan in_time = plan(rule("0 * * * *", Misfire::Once), kNoon, kNoon + 5h + 1s);
  EXPECT_EQ(in_time.ticks, std::vector{kNoon + 5h}) << "the tick in time stands for the missed ones";
  const TickPlan seconds = plan(rule("* * * * * *", Misfire::Once), kNoon, kNoon + 5s);
  EXPECT_EQ(seconds.ticks.size(), 5U) << "nothing was missed";
}

TEST(PlanTicks, RunsAllMissedOnesWhereTheRuleSaysSo) {
  const TickPlan missed = plan(rule("0 * * * *", Misfire::All), kNoon, kNoon + 3h + 30min);
  EXPECT_EQ(missed.ticks, (std::vector{kNoon + 1h, kNoon + 2h, kNoon + 3h}));
  EXPECT_EQ(missed.skipped, 0);
}

TEST(PlanTicks, DropsTheOldestBeyondTheCatchUpBound) {
  constexpr auto kMost = static_cast<int>(limits::kMaxCatchUp);
  const TickPlan exact = plan(rule("* * * * *", Misfire::All), kNoon, kNoon + kMost * 1min);
  EXPECT_EQ(exact.ticks.size(), limits::kMaxCatchUp);
  EXPECT_EQ(exact.skipped, 0);
  const TickPlan more = plan(rule("* * * * *", Misfire::All), kNoon, kNoon + (kMost + 7) * 1min);
  EXPECT_EQ(more.ticks.size(), limits::kMaxCatchUp);
  EXPECT_EQ(more.skipped, 7);
  EXPECT_EQ(more.ticks.front(), kNoon + 8min);
  EXPECT_EQ(more.ticks.back(), kNoon + (kMost + 7) * 1min);
}

TEST(PlanTicks, CostsLittleAfterYearsOfMissedSeconds) {
  for (const Misfire misfire : {Misfire::Skip, Misfire::Once, Misfire::All}) {
    for (const std::string expression : {"* * * * * *", "@every 1s"}) {
      const Time now = kNoon + 24h * 3'650 + 300ms;
      const TickPlan found = plan(rule(expression, misfire), kNoon, now);
      ASSERT_FALSE(found.ticks.empty()) << expression;
      EXPECT_LE(found.ticks.size(), limits::kMaxCatchUp);
      EXPECT_TRUE(std::is_sorted(found.ticks.begin(), found.ticks.end()));
      EXPECT_EQ(found.ticks.back(), now - 300ms);
      EXPECT_EQ(found.ticks.size(), misfire == Misfire::All ? limits::kMaxCatchUp : 60U);
      EXPECT_EQ(found.skipped + static_cast<std::int64_t>(found.ticks.size()), limits::kMaxCountedTicks);
      EXPECT_EQ(found.last, now - 300ms);
      EXPECT_EQ(found.next, now + 700ms);
    }
  }
}

TEST(PlanTicks, TurnsRoundAtTheCountingBoundWithoutLosingTicks) {
  const Duration bound = std::chrono::seconds(limits::kMaxCountedTicks);
  for (const Duration length : {bound - 1s, bound, bound + 1s}) {
    const TickPlan found = plan(rule("* * * * * *", Misfire::All), kNoon, kNoon + length);
    ASSERT_EQ(found.ticks.size(), limits::kMaxCatchUp);
    for (std::size_t i = 0; i < found.ticks.size(); ++i) {
      EXPECT_EQ(found.ticks[i], kNoon + length - std::chrono::seconds(limits::kMaxCatchUp - 1 - i));
    }
    EXPECT_EQ(found.next, kNoon + length + 1s);
  }
}

TEST(PlanTicks, SkipsATickWhileAnEarlierJobHasNotEnded) {
  TickState state{.anchor = kNoon, .last = kNoon, .busy = true};
  const Timetable skip = table(rule("0 * * * *", Misfire::All, Overlap::Skip));
  const TickPlan busy = plan_ticks(skip, state, kNoon + 3h);
  EXPECT_EQ(busy.ticks, std::vector<Time>{});
  EXPECT_EQ(busy.skipped, 3);
  EXPECT_EQ(busy.last, kNoon + 3h);
  const Timetable allow = table(rule("0 * * * *", Misfire::All, Overlap::Allow));
  EXPECT_EQ(plan_ticks(allow, state, kNoon + 3h).ticks.size(), 3U);
  state.busy = false;
  const TickPlan idle = plan_ticks(skip, state, kNoon + 3h);
  EXPECT_EQ(idle.ticks, std::vector{kNoon + 3h}) << "one job, for the next would already overlap with it";
  EXPECT_EQ(idle.skipped, 2);
}

TEST(PlanTicks, LetsTicksPassWhilePaused) {
  const TickState state{.anchor = kNoon, .last = kNoon, .paused = true};
  const TickPlan paused = plan_ticks(table(rule("0 * * * *", Misfire::All)), state, kNoon + 3h);
  EXPECT_EQ(paused.ticks, std::vector<Time>{});
  EXPECT_EQ(paused.skipped, 3);
  EXPECT_EQ(paused.last, kNoon + 3h);
  EXPECT_EQ(paused.next, kNoon + 4h);
}

TEST(PlanTicks, TicksNothingTwiceWhenTheCalendarIsSteppedBack) {
  const TickPlan back = plan(rule("0 * * * *"), kNoon, kNoon - 5h);
  EXPECT_EQ(back.ticks, std::vector<Time>{});
  EXPECT_EQ(back.last, kNoon);
  EXPECT_EQ(back.next, kNoon + 1h);
}

TEST(PlanTicks, CountsPeriodsFromTheAnchor) {
  const Time anchor = kNoon + 123ms;
  const Timetable every = table(rule("@every 90s", Misfire::All));
  const TickPlan found = plan_ticks(every, {.anchor = anchor, .last = anchor + 90s}, anchor + 280s);
  EXPECT_EQ(found.ticks, (std::vector{anchor + 180s, anchor + 270s}));
  EXPECT_EQ(found.next, anchor + 360s);
}

TEST(PlanTicks, UsesTheZone) {
  ScheduleRule berlin = rule("0 3 * * *");
  berlin.zone = "Europe/Berlin";
  EXPECT_EQ(plan(berlin, kNoon, kNoon).next, at(2026, 6, 2, 1));
}

TEST(PlanTicks, HandsEachTickOutOnceHoweverTheLooksFall) {
  base::Random random(4);
  const Timetable all = table(rule("*/7 * * * * *", Misfire::All));
  TickState state{.anchor = kNoon, .last = kNoon};
  std::vector<Time> seen;
  for (Time now = kNoon; now < kNoon + 2h; now += Duration(static_cast<std::int64_t>(random.unit() * 3e7))) {
    const TickPlan found = plan_ticks(all, state, now);
    seen.insert(seen.end(), found.ticks.begin(), found.ticks.end());
    state.last = found.last;
    ASSERT_TRUE(found.next && *found.next > now);
  }
  ASSERT_GT(seen.size(), 900U);
  // The seconds 0, 7 ... 56 of each minute.
  Time expected = kNoon;
  for (const Time tick : seen) {
    expected += (expected - kNoon) % 1min == 56s ? 4s : 7s;
    ASSERT_EQ(tick, expected);
  }
}

TEST(DueAt, IsTheTickWithoutSpreadAndJitter) { EXPECT_EQ(due_at(table(rule("@daily")), kNoon), kNoon); }

TEST(DueAt, MovesAllTicksOfAScheduleByTheSameShareOfItsSpread) {
  ScheduleRule spread = rule("@daily");
  spread.spread = 10min;
  std::set<Duration> shares;
  for (int n = 0; n < 1'000; ++n) {
    const Timetable one = table(spread, "schedule-" + std::to_string(n));
    const Duration share = due_at(one, kNoon) - kNoon;
    EXPECT_GE(share, 0s);
    EXPECT_LT(share, 10min);
    EXPECT_EQ(due_at(one, kNoon + 24h), kNoon + 24h + share);
    shares.insert(share);
  }
  EXPECT_GT(shares.size(), 990U);
  // Of 1,000 shares about 100 fall into each minute; the chance that an even spread misses by 50 is under 10^-6.
  for (auto minute = 0min; minute < 10min; minute += 1min) {
    const auto inside =
        std::distance(shares.lower_bound(Duration(minute)), shares.lower_bound(Duration(minute + 1min)));
    EXPECT_NEAR(static_cast<double>(inside), 100, 50) << minute.count();
  }
}

TEST(DueAt, MovesEachTickByAShareOfTheJitterOfItsOwn) {
  ScheduleRule jitter = rule("@hourly");
  jitter.jitter = 60s;
  const Timetable one = table(jitter);
  std::set<Duration> shares;
  double sum = 0;
  for (int hour = 0; hour < 1'000; ++hour) {
    const Time tick = kNoon + hour * 1h;
    const Duration share = due_at(one, tick) - tick;
    EXPECT_GE(share, 0s);
    EXPECT_LT(share, 60s);
    EXPECT_EQ(due_at(table(jitter), tick), tick + share) << "every worker computes the same";
    shares.insert(share);
    sum += static_cast<double>(share.count()) / 1e6;
  }
  EXPECT_GT(shares.size(), 990U);
  EXPECT_NEAR(sum / 1'000, 30, 3);
}

TEST(DueAt, StaysTheSameInEveryVersion) {
  ScheduleRule both = rule("@daily");
  both.spread = 10min;
  EXPECT_EQ(due_at(table(both, "a"), kNoon) - kNoon, 49983736us);
  both.jitter = 60s;
  EXPECT_EQ(due_at(table(both, "nightly"), kNoon) - kNoon, 283951473us);
}

TEST(ScheduleRule, IsCheckedWithFieldValueAndWhatIsAllowed) {
  EXPECT_TRUE(validate(rule("@daily")).has_value());
  EXPECT_NE(refusal(validate(rule("0 25 * * *"))).find("hour: \"25\""), std::string::npos);
  ScheduleRule bad = rule("@daily");
  bad.zone = "Mars/Base";
  EXPECT_NE(refusal(validate(bad)).find("zone: \"Mars/Base\""), std::string::npos);
  bad = rule("@daily");
  bad.jitter = -1us;
  EXPECT_EQ(refusal(validate(bad)), "jitter: -1us is not allowed; allowed is 0 (none) to 7 days");
  bad = rule("@daily");
  bad.spread = limits::kMaxSpread;
  EXPECT_TRUE(validate(bad).has_value());
  bad.spread += 1us;
  EXPECT_EQ(refusal(validate(bad)), "spread: 604800000001us is not allowed; allowed is 0 (none) to 7 days");
  bad = rule("@daily", static_cast<Misfire>(3));
  EXPECT_EQ(refusal(validate(bad)), "misfire: 3 is not allowed; allowed is skip, once or all");
  bad = rule("@daily", Misfire::Skip, static_cast<Overlap>(2));
  EXPECT_EQ(refusal(validate(bad)), "overlap: 2 is not allowed; allowed is allow or skip");
}

TEST(ScheduleRule, HasNamesForItsChoices) {
  for (const Misfire misfire : {Misfire::Skip, Misfire::Once, Misfire::All}) {
    EXPECT_EQ(misfire_from(name(misfire)), misfire);
  }
  for (const Overlap overlap : {Overlap::Allow, Overlap::Skip}) EXPECT_EQ(overlap_from(name(overlap)), overlap);
  EXPECT_EQ(name(Misfire::Once), "once");
  EXPECT_EQ(name(Overlap::Skip), "skip");
  EXPECT_EQ(misfire_from("Skip"), std::nullopt);
  EXPECT_EQ(overlap_from(""), std::nullopt);
}

}  // namespace galley::job
