#include "store/lane_rules.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace galley::store {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kNow = 1'000'000'000;

LimitRule rate(int jobs, Duration period, int burst) { return {0, jobs, period, burst}; }

TEST(Turns, OfAHeavierLaneGrowSlower) {
  std::int64_t light = 0, heavy = 0, time = 0;
  take_turn(light, time, 1);
  for (int i = 0; i < 4; ++i) take_turn(heavy, time, 4);
  EXPECT_EQ(light, heavy);
}

TEST(Turns, OfALaneThatFellBehindDoNotCatchUp) {
  std::int64_t turn = 0, time = 50 * kTurnCost;
  take_turn(turn, time, 1);
  EXPECT_EQ(turn, 51 * kTurnCost);
  EXPECT_EQ(time, 50 * kTurnCost);
}

TEST(Turns, AreRememberedForAMinute) {
  EXPECT_EQ(turn_again(7, 5, kKeepTurn), 7);
  EXPECT_EQ(turn_again(7, 5, kKeepTurn + 1us), 5);
  EXPECT_EQ(turn_again(3, 5, 0us), 5);
}

TEST(Turns, GiveWayToPriority) { EXPECT_LT(standing_of(900'000 * kTurnCost, 1), standing_of(0, 0)); }

TEST(LaneText, IsSortedAndReadBack) {
  EXPECT_EQ(text_of({"smtp", "api"}), "api,smtp");
  EXPECT_EQ(limits_from("api,smtp"), (std::vector<std::string>{"api", "smtp"}));
  EXPECT_EQ(text_of({}), "");
  EXPECT_TRUE(limits_from("").empty());
}

TEST(Rates, ABurstAtOnceAndThenOneAnInterval) {
  const LimitRule rule = rate(1, 10s, 3);
  Use use;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(room_in(rule, use, kNow).jobs, 3 - i);
    count_start(rule, use, kNow);
  }
  const Room full = room_in(rule, use, kNow);
  EXPECT_EQ(full.jobs, 0);
  EXPECT_EQ(full.until_us, kNow + 10'000'000);
  EXPECT_EQ(room_in(rule, use, *full.until_us - 1).jobs, 0);
  EXPECT_EQ(room_in(rule, use, *full.until_us).jobs, 1);
}

TEST(Rates, AreNeverExceededOverTime) {
  const LimitRule rule = rate(3, 1s, 2);  // 333,333.3 us, which is rounded up
  Use use;
  int starts = 0;
  for (std::int64_t now = kNow; now < kNow + 100'000'000; now += 1'000) {
    while (room_in(rule, use, now).jobs > 0) count_start(rule, use, now), ++starts;
  }
  EXPECT_LE(starts, 301);
  EXPECT_GE(starts, 299);
}

TEST(Rates, AStartThatNeverRanIsGivenBack) {
  const LimitRule rule = rate(1, 1h, 1);
  Use use;
  count_start(rule, use, kNow);
  count_end(rule, use, Duration{0});
  EXPECT_EQ(room_in(rule, use, kNow).jobs, 1);
  EXPECT_TRUE(is_nothing(rule, use, kNow));
  count_start(rule, use, kNow);
  count_end(rule, use, std::nullopt);
  EXPECT_EQ(room_in(rule, use, kNow).jobs, 0);
  EXPECT_FALSE(is_nothing(rule, use, kNow));
}

TEST(Rates, AStartThatIsGivenBackLateLetsNoMoreStartThanTheRate) {
  const LimitRule rule = rate(1, 10s, 1);
  Use use;
  count_start(rule, use, kNow);
  count_start(rule, use, kNow + 20'000'000);
  count_end(rule, use, 25s);
  EXPECT_EQ(room_in(rule, use, kNow + 25'000'000).jobs, 0) << "the second one started five seconds ago";
  EXPECT_EQ(room_in(rule, use, kNow + 30'000'000).jobs, 1);

  const LimitRule burst = rate(1, 10s, 2);
  use = {};
  count_start(burst, use, kNow);
  count_start(burst, use, kNow + 5'000'000);
  count_end(burst, use, 7s);
  count_start(burst, use, kNow + 7'000'000);
  EXPECT_EQ(room_in(burst, use, kNow + 14'999'999).jobs, 0) << "two in the last ten seconds, of a burst of two";
  EXPECT_EQ(room_in(burst, use, kNow + 17'000'000).jobs, 1);
}

TEST(Rates, AClockThatIsSteppedBackStopsThemForABurstAtMost) {
  const LimitRule rule = rate(1, 1s, 5);
  Use use;
  count_start(rule, use, kNow + 3'600'000'000);
  const Room room = room_in(rule, use, kNow);
  EXPECT_EQ(room.jobs, 0);
  EXPECT_LE(*room.until_us, kNow + 5'000'000);
}

TEST(Rates, TheLargestRuleDoesNotOverflow) {
  const LimitRule rule = rate(1, limits::kMaxLimitPeriod, limits::kMaxLimitJobs);
  const std::int64_t now = std::int64_t{4'000'000'000} * 1'000'000;
  EXPECT_EQ(tokens_in(rule, Use{0, std::numeric_limits<std::int64_t>::max()}, now), 0);
  EXPECT_EQ(tokens_in(rule, Use{}, now), limits::kMaxLimitJobs);
}

TEST(Running, IsBoundedTogetherWithARate) {
  const LimitRule rule{2, 1, 1s, 9};
  Use use;
  EXPECT_EQ(room_in(rule, use, kNow).jobs, 2);
  count_start(rule, use, kNow);
  count_start(rule, use, kNow);
  EXPECT_EQ(room_in(rule, use, kNow).jobs, 0);
  EXPECT_EQ(room_in(rule, use, kNow).until_us, std::nullopt) << "an end of a claim is what it waits for";
}

TEST(Learning, ForgetsByAnEighth) {
  Duration expected{0};
  telemetry::Histogram runs;
  learn(expected, runs);
  EXPECT_EQ(expected, 0us);
  runs.add(8s, 3);
  learn(expected, runs);
  EXPECT_EQ(expected, 8s);
  telemetry::Histogram shorter;
  shorter.add(0s, 1);
  learn(expected, shorter);
  EXPECT_EQ(expected, 7s);
}

}  // namespace
}  // namespace galley::store
