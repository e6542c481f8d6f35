#include "load/plan.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace galley::load {
namespace {

using namespace std::chrono_literals;

std::vector<Moment> moments(std::string_view rate, std::optional<Duration> duration,
                            std::optional<std::uint64_t> seed = std::nullopt) {
  Plan plan(stretches_from(rate, duration).value(), seed);
  std::vector<Moment> all;
  while (const auto moment = plan.next()) all.push_back(*moment);
  return all;
}

TEST(Plan, AConstantRateIsEvenlySpacedFromTheBeginning) {
  const auto all = moments("1000", 30s);
  ASSERT_EQ(all.size(), 30'000U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(all[i].count()), 1e6 * static_cast<double>(i), 100) << i;
  }
}

TEST(Plan, StepsFollowEachOtherWithoutAGap) {
  const auto all = moments("100:1s,500:2s", std::nullopt);
  ASSERT_EQ(all.size(), 1'100U);
  EXPECT_EQ(all[100], 1s);
  EXPECT_NEAR(static_cast<double>((all[101] - all[100]).count()), 2e6, 100);
}

TEST(Plan, ARampPlansHalfOfItsTopRateAndGrowsWithTheSquareOfTime) {
  const auto all = moments("0..1000:10s", std::nullopt);
  ASSERT_EQ(all.size(), 5'000U);
  for (const std::size_t i : {0U, 50U, 1'250U, 4'999U}) {  // N(t) = 50 t^2
    EXPECT_NEAR(static_cast<double>(all[i].count()), 1e9 * std::sqrt(static_cast<double>(i) / 50), 1e3) << i;
  }
}

TEST(Plan, ARampDownMirrorsARampUp) {
  const auto all = moments("1000..0:10s", std::nullopt);
  ASSERT_EQ(all.size(), 5'000U);
  EXPECT_EQ(all.front(), 0s);
  EXPECT_NEAR(static_cast<double>(all[3'750].count()), 5e9, 1e3);  // three quarters in the first half
}

TEST(Plan, AStretchOfZeroIsAPause) {
  const auto all = moments("10:1s,0:5s,10:1s", std::nullopt);
  ASSERT_EQ(all.size(), 20U);
  EXPECT_EQ(all[9], 900ms);
  EXPECT_EQ(all[10], 6s);
}

TEST(Plan, PoissonHasItsMeanAndItsSpreadAndIsRepeatable) {
  const auto all = moments("1000", 100s, 7);
  EXPECT_NEAR(static_cast<double>(all.size()), 100'000, 5 * std::sqrt(100'000));
  double sum = 0, squares = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const double gap = static_cast<double>((all[i] - all[i - 1]).count()) / 1e6;
    ASSERT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
  }
  const double mean = sum / static_cast<double>(all.size() - 1);
  const double variance = squares / static_cast<double>(all.size() - 1) - mean * mean;
  EXPECT_NEAR(std::sqrt(variance) / mean, 1, 0.03);  // an exponential's deviation is its mean
  EXPECT_EQ(moments("1000", 100s, 7), all);
  EXPECT_NE(moments("1000", 100s, 8), all);
}

TEST(Plan, APoissonRampKeepsItsShape) {
  const auto all = moments("0..2000:100s", std::nullopt, 3);
  const auto half = std::count_if(all.begin(), all.end(), [](Moment moment) { return moment < 50s; });
  EXPECT_NEAR(static_cast<double>(all.size()), 100'000, 5 * std::sqrt(100'000));
  EXPECT_NEAR(static_cast<double>(half), 25'000, 5 * std::sqrt(25'000));
}

TEST(Plan, TheLastPartTakesWhatIsLeftOfTheDuration) {
  const auto stretches = stretches_from("100:10s,500", 1min).value();
  EXPECT_EQ(stretches.back().length, 50s);
}

TEST(Plan, BadTextIsRefusedByName) {
  const auto refused = [](std::string_view rate, std::optional<Duration> duration, const char* part) {
    const auto stretches = stretches_from(rate, duration);
    ASSERT_FALSE(stretches) << rate;
    EXPECT_EQ(stretches.error().code, Errc::InvalidInput);
    EXPECT_NE(stretches.error().message.find(part), std::string::npos) << stretches.error().message;
  };
  refused("", 1s, "not a number");
  refused("fast", 1s, "\"fast\"");
  refused("-1", 1s, "\"-1\"");
  refused("nan", 1s, "\"nan\"");
  refused("1e3", 1s, "\"1e3\"");
  refused("1000001", 1s, "1000000");
  refused("1..", 1s, "\"\"");
  refused("100", std::nullopt, "--duration");
  refused("100,200:1s", 3s, "only the last part");
  refused("100:0s", std::nullopt, "more than 0");
  refused("100:1x", std::nullopt, "1x");
  refused("100:1s", 2s, "leave one of them out");
  refused("100:3s,50", 2s, "all of the duration");
  refused("0", 1s, "not one request");
  refused("1000000", 24h, "1000000000");
  refused("1", 24h * 8, "7 days");
}

}  // namespace
}  // namespace galley::load
