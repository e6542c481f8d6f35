#include "telemetry/hdr_histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.hpp"

namespace galley::telemetry {
namespace {

using namespace std::chrono_literals;

TEST(HdrHistogram, AnEmptyOneHasOnlyZeros) {
  const HdrHistogram none;
  EXPECT_EQ(none.count(), 0);
  EXPECT_EQ(none.quantile(0.99), 0ns);
  EXPECT_EQ(none.mean(), 0ns);
  HdrHistogram merged;
  merged.merge(none);
  EXPECT_EQ(merged.max(), 0ns);
}

TEST(HdrHistogram, QuantilesAreAtMostOneIn128AboveTheTrueOnes) {
  base::Random random(20260101);
  std::vector<std::chrono::nanoseconds> all;
  HdrHistogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    const auto time = std::chrono::nanoseconds(random.bits() >> (24 + random.bits() % 38));
    all.push_back(time);
    histogram.add(time);
  }
  std::sort(all.begin(), all.end());
  for (const double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto wanted = std::max<std::size_t>(1, static_cast<std::size_t>(q * 20'000));
    const auto truth = all[wanted - 1];
    EXPECT_GE(histogram.quantile(q), truth) << q;
    EXPECT_LE(histogram.quantile(q).count(), truth.count() + truth.count() / 128 + 1) << q;
  }
  EXPECT_EQ(histogram.max(), all.back());
}

TEST(HdrHistogram, WhatIsTooLongCountsInTheLastBucketAndKeepsItsMaximum) {
  HdrHistogram histogram;
  histogram.add(1s);
  histogram.add(5h);
  histogram.add(-3s);
  EXPECT_EQ(histogram.quantile(1), 5h);
  EXPECT_EQ(histogram.quantile(0), 0ns);
  EXPECT_EQ(histogram.count(), 3);
}

TEST(HdrHistogram, MergedIsAsIfAddedToOne) {
  HdrHistogram one, two, both;
  for (int i = 1; i < 300; ++i) {
    const auto time = std::chrono::microseconds(i * i);
    (i % 3 == 0 ? one : two).add(time);
    both.add(time);
  }
  one.merge(two);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.mean(), both.mean());
  for (const double q : {0.1, 0.5, 0.99}) EXPECT_EQ(one.quantile(q), both.quantile(q));
}

}  // namespace
}  // namespace galley::telemetry
