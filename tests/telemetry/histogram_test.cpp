#include "telemetry/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/expect.hpp"
#include "base/random.hpp"
#include "base/rubbish.hpp"

namespace galley::telemetry {
namespace {

using namespace std::chrono_literals;
using test::refusal;

constexpr Duration kTop{std::int64_t{1} << 42};

Histogram of(std::initializer_list<Duration> durations) {
  Histogram histogram;
  for (const Duration duration : durations) histogram.add(duration);
  return histogram;
}

/// Durations of every size, log-uniform from 1 us to 2^42 us.
std::vector<std::int64_t> all_sizes(std::uint64_t seed, std::size_t count) {
  base::Random random(seed);
  std::vector<std::int64_t> durations;
  for (std::size_t i = 0; i < count; ++i) {
    const int bits = 1 + static_cast<int>(random.bits() % 42);
    durations.push_back(static_cast<std::int64_t>(random.bits() >> (64 - bits)));
  }
  return durations;
}

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.count(), 0);
  EXPECT_EQ(empty.sum(), 0us);
  EXPECT_EQ(empty.max(), 0us);
  EXPECT_EQ(empty.quantile(0), 0us);
  EXPECT_EQ(empty.quantile(1), 0us);
  EXPECT_EQ(empty.count_within(1h), 0);
}

TEST(Histogram, CountsAndSumsAndKeepsTheLongestExactly) {
  Histogram histogram = of({3us, 1s, 20ms});
  histogram.add(5min, 1000);
  histogram.add(7h, 0);
  EXPECT_EQ(histogram.count(), 1003);
  EXPECT_EQ(histogram.sum(), 3us + 1s + 20ms + 5000min);
  EXPECT_EQ(histogram.max(), 5min);
}

TEST(Histogram, IsExactBelow32Microseconds) {
  for (int us = 0; us < 32; ++us) {
    const Histogram histogram = of({Duration(us), 1s});
    EXPECT_EQ(histogram.quantile(0.5), Duration(us));
    EXPECT_EQ(histogram.count_within(Duration(us)), 1);
    EXPECT_EQ(histogram.count_within(Duration(us - 1)), 0);
  }
}

TEST(Histogram, AQuantileIsNeverShorterThanTheTrueOneAndAtMostASixteenthLonger) {
  const std::uint64_t seed = test::Rubbish({""}).seed();
  SCOPED_TRACE("GALLEY_SEED=" + std::to_string(seed));
  std::vector<std::int64_t> durations = all_sizes(seed, 5'000);
  Histogram histogram;
  for (const std::int64_t us : durations) histogram.add(Duration(us));
  std::sort(durations.begin(), durations.end());
  for (int permille = 0; permille <= 1000; ++permille) {
    const std::size_t rank =
        std::max<std::size_t>(1, (static_cast<std::size_t>(permille) * durations.size() + 999) / 1000);
    const std::int64_t exact = durations[rank - 1];
    const std::int64_t told = histogram.quantile(permille / 1000.0).count();
    EXPECT_GE(told, exact) << permille;
    EXPECT_LE(told, exact + exact / 16) << permille;
  }
  EXPECT_EQ(histogram.quantile(1).count(), durations.back());
}

TEST(Histogram, CountsWithinAnEdgeWhatIsSurelyWithinIt) {
  std::vector<std::int64_t> durations = all_sizes(7, 5'000);
  Histogram histogram;
  for (const std::int64_t us : durations) histogram.add(Duration(us));
  for (const std::int64_t edge : all_sizes(8, 500)) {
    const auto within = [&](std::int64_t bound) {
      return std::count_if(durations.begin(), durations.end(), [&](std::int64_t us) { return us <= bound; });
    };
    const std::int64_t told = histogram.count_within(Duration(edge));
    EXPECT_LE(told, within(edge)) << edge;
    EXPECT_GE(told, within(edge - edge / 16 - 1)) << edge;
  }
  EXPECT_EQ(histogram.count_within(kTop), 5'000);
}

TEST(Histogram, TakesWhatIsOutsideItsRange) {
  const Histogram histogram = of({Duration(-5), kTop, 10 * kTop});
  EXPECT_EQ(histogram.count(), 3);
  EXPECT_EQ(histogram.quantile(0), 0us);
  EXPECT_EQ(histogram.quantile(1), 10 * kTop);
  EXPECT_EQ(histogram.count_within(5 * kTop), 1);
  EXPECT_EQ(histogram.count_within(10 * kTop), 3);
  EXPECT_EQ(histogram.sum(), 11 * kTop);
}

TEST(Histogram, StopsAtTheLargestNumber) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  Histogram histogram;
  histogram.add(Duration::max(), kMost);
  histogram.add(1s, kMost);
  histogram.merge(histogram);
  EXPECT_EQ(histogram.count(), kMost);
  EXPECT_EQ(histogram.sum(), Duration::max());
  const auto back = Histogram::decode(histogram.encode());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, histogram);
}

TEST(Histogram, MergedIsAsIfAllHadBeenAddedToOne) {
  Histogram whole;
  Histogram parts[3];
  const std::vector<std::int64_t> durations = all_sizes(3, 3'000);
  for (std::size_t i = 0; i < durations.size(); ++i) {
    whole.add(Duration(durations[i]));
    parts[i % 3].add(Duration(durations[i]));
  }
  EXPECT_NE(parts[0], whole);
  parts[2].merge(parts[0]);
  parts[2].merge(Histogram());
  parts[1].merge(parts[2]);
  EXPECT_EQ(parts[1], whole);
  EXPECT_EQ(parts[1].encode(), whole.encode());
}

TEST(Histogram, MergesWithItself) {
  Histogram histogram = of({1s, 2s});
  histogram.merge(histogram);
  EXPECT_EQ(histogram.count(), 4);
  EXPECT_EQ(histogram.sum(), 6s);
}

TEST(Histogram, ComesBackFromItsBytes) {
  Histogram histogram;
  std::vector<Histogram> all{histogram};
  for (const std::int64_t us : all_sizes(11, 2'000)) {
    histogram.add(Duration(us), 1 + us % 1'000);
    if (us % 10 == 0) all.push_back(histogram);
  }
  for (const Histogram& one : all) {
    const auto back = Histogram::decode(one.encode());
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, one);
  }
}

TEST(Histogram, KeepsItsFormat) {
  EXPECT_EQ(Histogram().encode(), std::string("\x01\0\0\0", 4));
  Histogram histogram;
  histogram.add(2us, 300);
  histogram.add(3us);
  histogram.add(100us);  // the bucket 57: 100..103 us
  EXPECT_EQ(histogram.encode(), std::string("\x01\xbf\x05\x64\x03\x02\xac\x02\x00\x01\x35\x01", 12));
}

TEST(Histogram, HasFewBytesWhereDurationsAreAlikeAndNeverMoreThanItsBound) {
  Histogram alike;
  for (int ms = 20; ms < 200; ++ms) alike.add(std::chrono::milliseconds(ms), 100);
  EXPECT_LT(alike.encode().size(), 200U);
  Histogram full;
  for (int bucket = 0; bucket < 32; ++bucket) full.add(Duration(bucket), std::int64_t{1} << 62);
  for (int bits = 5; bits < 42; ++bits) {
    for (std::int64_t step = 16; step < 32; ++step) full.add(Duration(step << (bits - 4)), std::int64_t{1} << 62);
  }
  const std::string bytes = full.encode();
  EXPECT_EQ(bytes.size(), Histogram::kMaxBytes - 3);  // its maximum of 42 bits needs 6 bytes, and its sum 9
  EXPECT_EQ(Histogram::decode(bytes).value(), full);
}

TEST(Histogram, RefusesBytesThatAreNotIts) {
  const std::string good = of({2us, 3us, 100us}).encode();
  EXPECT_NE(refusal(Histogram::decode("")).find("version"), std::string::npos);
  EXPECT_NE(refusal(Histogram::decode("\x02" + good.substr(1))).find("version"), std::string::npos);
  EXPECT_NE(refusal(Histogram::decode(good + '\0')).find("follows"), std::string::npos);
  for (std::size_t size = 1; size < good.size(); ++size) refusal(Histogram::decode(good.substr(0, size)));
  refusal(Histogram::decode(std::string("\x01\x80\x00\x00\x00", 5)));          // a number with a needless byte
  refusal(Histogram::decode(std::string("\x01\x05\x05\x01\x05\x00", 6)));      // an empty bucket
  refusal(Histogram::decode(std::string("\x01\x05\x06\x01\x05\x01", 6)));      // not its maximum
  refusal(Histogram::decode(std::string("\x01\x04\x05\x01\x05\x01", 6)));      // a sum below its maximum
  refusal(Histogram::decode(std::string("\x01\x05\x00\x00", 4)));              // a sum of nothing
  refusal(Histogram::decode(std::string("\x01\x05\x05\x01\xf0\x04\x01", 7)));  // bucket 624
  refusal(Histogram::decode("\x01" + std::string(9, '\xff') + "\x01\x05\x01\x05\x01"));  // a number over 63 bits
  EXPECT_TRUE(Histogram::decode(std::string("\x01\x05\x05\x01\x05\x01", 6)));
}

TEST(Histogram, SurvivesRubbish) {
  Histogram wide;
  for (const std::int64_t us : all_sizes(5, 30)) wide.add(Duration(us));
  test::expect_survives(
      {of({5us}).encode(), of({2us, 3us, 1s}).encode(), wide.encode(), Histogram().encode()},
      [](const std::string& bytes) { return Histogram::decode(bytes); },
      [](const Histogram& histogram) {
        EXPECT_LE(histogram.encode().size(), Histogram::kMaxBytes);
        EXPECT_EQ(Histogram::decode(histogram.encode()).value(), histogram);
        EXPECT_EQ(histogram.quantile(1), histogram.max());
      });
}

}  // namespace
}  // namespace galley::telemetry
