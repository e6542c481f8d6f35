#include "job/run_times.hpp"

#include <gtest/gtest.h>

namespace galley::job {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RunTimes, KnowsNothingAtFirst) {
  const RunTimes times;
  EXPECT_FALSE(times.known());
  EXPECT_EQ(times.runs(), 0u);
  EXPECT_EQ(times.mean(), Duration(0));
  EXPECT_EQ(times.p99(), Duration(0));
  EXPECT_EQ(times.longest(), Duration(0));
}

TEST(RunTimes, IsKnownFromEightRunsOn) {
  RunTimes times;
  for (int i = 0; i < 7; ++i) times.add(milliseconds(1));
  EXPECT_FALSE(times.known());
  times.add(milliseconds(1));
  EXPECT_TRUE(times.known());
}

TEST(RunTimes, TakesTheP99ByNearestRankButNeverTheLongestOfAKnownKind) {
  RunTimes times;
  for (int i = 1; i <= 7; ++i) times.add(milliseconds(i));
  EXPECT_EQ(times.p99(), milliseconds(7));
  times.add(milliseconds(8));
  EXPECT_EQ(times.p99(), milliseconds(7));
  EXPECT_EQ(times.longest(), milliseconds(8));
  for (int i = 9; i <= 256; ++i) times.add(milliseconds(i));
  EXPECT_EQ(times.p99(), milliseconds(254));
  EXPECT_EQ(times.longest(), milliseconds(256));
  EXPECT_EQ(times.mean(), Duration(128'500));
}

TEST(RunTimes, KeepsTheLastOnesOnly) {
  RunTimes times;
  for (int i = 0; i < 300; ++i) times.add(seconds(1));
  for (int i = 0; i < 256; ++i) times.add(milliseconds(2));
  EXPECT_EQ(times.runs(), 256u);
  EXPECT_EQ(times.mean(), milliseconds(2));
  EXPECT_EQ(times.longest(), milliseconds(2));
}

TEST(RunTimes, SeesAKindTurnLongWithinFiveRuns) {
  RunTimes times;
  for (int i = 0; i < 1'000; ++i) times.add(milliseconds(1));
  times.add(seconds(1));
  times.add(seconds(1));
  EXPECT_EQ(times.p99(), milliseconds(1));
  times.add(seconds(1));
  EXPECT_EQ(times.p99(), seconds(1));
  EXPECT_EQ(times.lately(), milliseconds(1));
  times.add(seconds(1));
  times.add(seconds(1));
  EXPECT_EQ(times.lately(), seconds(1));
}

TEST(RunTimes, TakesNonsenseWithoutOverflow) {
  RunTimes times;
  for (int i = 0; i < 600; ++i) times.add(Duration::max());
  EXPECT_GT(times.mean(), std::chrono::hours(1));
  times.add(Duration(-5));
  EXPECT_GT(times.p99(), std::chrono::hours(1));
}

}  // namespace galley::job
