#include "runtime/stall_rules.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace galley::runtime {
namespace {

using What = StallStep::What;
constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kStart = 5'000 * kMs;

TEST(StallRules, ReportAHandlerAtTheThresholdAndAtTwiceAndFourTimesIt) {
  StallRules rules{25 * kMs};
  const Beat beat{kStart, 7};
  std::vector<std::int64_t> reported_ms;
  std::int64_t now = kStart + 9 * kMs;
  EXPECT_EQ(rules.look(beat, now).what, What::Begun);
  for (; now < kStart + 400 * kMs;) {
    const StallStep step = rules.look(beat, now);
    if (step.what == What::Stalled) reported_ms.push_back(step.lasted_ns / kMs);
    ASSERT_GT(step.look_at_ns, now);
    now = step.look_at_ns;
  }
  EXPECT_EQ(reported_ms, (std::vector<std::int64_t>{25, 50, 100}));
}

TEST(StallRules, LookAgainExactlyWhenTheThresholdIsOver) {
  StallRules rules{25 * kMs};
  EXPECT_EQ(rules.look({}, kStart).look_at_ns, kStart + 25 * kMs / 2) << "half a threshold while nothing runs";
  const StallStep step = rules.look({kStart + kMs, 1}, kStart + 12 * kMs);
  EXPECT_EQ(step.look_at_ns, kStart + 26 * kMs);
}

TEST(StallRules, ReportOnceWhereTheWatcherItselfCameLate) {
  StallRules rules{25 * kMs};
  const StallStep step = rules.look({kStart, 1}, kStart + 70 * kMs);
  EXPECT_EQ(step.what, What::Stalled);
  EXPECT_EQ(step.lasted_ns, 70 * kMs);
  EXPECT_EQ(rules.look({kStart, 1}, kStart + 71 * kMs).what, What::Nothing) << "until four times the threshold";
  EXPECT_EQ(rules.look({kStart, 1}, kStart + 100 * kMs).what, What::Stalled);
  EXPECT_EQ(rules.look({kStart, 1}, kStart + 200 * kMs).what, What::Stalled);
  EXPECT_EQ(rules.look({kStart, 1}, kStart + 900 * kMs).what, What::Nothing) << "three reports in all";
}

TEST(StallRules, KnowAnotherHandlerThatBeganInTheSameNanosecond) {
  StallRules rules{25 * kMs};
  EXPECT_EQ(rules.look({kStart, 1}, kStart + 10 * kMs).what, What::Begun);
  EXPECT_EQ(rules.look({kStart, 2}, kStart + 12 * kMs).what, What::Begun);
}

TEST(StallRules, ManyShortHandlersAreNoStall) {
  StallRules rules{25 * kMs};
  for (std::uint64_t at = 0; at < 1'000; ++at) {
    const std::int64_t now = kStart + static_cast<std::int64_t>(at) * 12 * kMs;
    EXPECT_EQ(rules.look({now - kMs, at}, now).what, What::Begun);
  }
}

TEST(StallRules, TellTheWholeLengthWhenItHasEnded) {
  StallRules rules{25 * kMs};
  ASSERT_EQ(rules.look({kStart, 1}, kStart + 30 * kMs).what, What::Stalled);
  const StallStep slept = rules.look({0, 1}, kStart + 33 * kMs);
  EXPECT_EQ(slept.what, What::Ended);
  EXPECT_EQ(slept.lasted_ns, 33 * kMs);
  EXPECT_EQ(rules.look({0, 1}, kStart + 34 * kMs).what, What::Nothing) << "told once";

  ASSERT_EQ(rules.look({kStart + 40 * kMs, 2}, kStart + 70 * kMs).what, What::Stalled);
  const StallStep next = rules.look({kStart + 71 * kMs, 3}, kStart + 72 * kMs);
  EXPECT_EQ(next.what, What::Ended);
  EXPECT_EQ(next.lasted_ns, 31 * kMs) << "when the next one began";
  EXPECT_EQ(rules.look({kStart + 71 * kMs, 3}, kStart + 72 * kMs).what, What::Begun);
}

TEST(StallRules, AreQuietAfterASecondInWhichNothingRan) {
  StallRules rules{25 * kMs};
  EXPECT_FALSE(rules.look({0, 1}, kStart).quiet);
  EXPECT_FALSE(rules.look({0, 1}, kStart + 999 * kMs).quiet);
  EXPECT_TRUE(rules.look({0, 1}, kStart + 1'000 * kMs).quiet);
  EXPECT_FALSE(rules.look({0, 2}, kStart + 1'001 * kMs).quiet) << "one ran between the looks";
  EXPECT_TRUE(rules.look({0, 2}, kStart + 2'001 * kMs).quiet);
}

TEST(ReportLimit, LetsSoManyPassInAnyMinuteAndCountsTheOthers) {
  ReportLimit limit{2};
  EXPECT_TRUE(limit.take(kStart));
  EXPECT_TRUE(limit.take(kStart + 30'000 * kMs));
  EXPECT_FALSE(limit.take(kStart + 59'999 * kMs));
  EXPECT_TRUE(limit.take(kStart + 60'000 * kMs));
  EXPECT_FALSE(limit.take(kStart + 60'001 * kMs));
  EXPECT_EQ(limit.suppressed(), 2);
  EXPECT_EQ(limit.suppressed(), 0);
}

TEST(SeenStacks, CountEachAndForgetTheOneThatWasNotSeenForLongest) {
  SeenStacks seen;
  EXPECT_EQ(seen.count(1), 1);
  EXPECT_EQ(seen.count(2), 1);
  EXPECT_EQ(seen.count(1), 2);
  for (std::uint64_t hash = 100; hash < 163; ++hash) EXPECT_EQ(seen.count(hash), 1);
  EXPECT_EQ(seen.count(1), 3) << "64 are kept";
  EXPECT_EQ(seen.count(2), 1);
}

}  // namespace
}  // namespace galley::runtime
