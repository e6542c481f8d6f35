#include "galley/runtime/too_busy.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "galley/error.hpp"

namespace galley::test {
namespace {

using namespace std::chrono_literals;
using Nanos = std::chrono::nanoseconds;

TooBusyOptions seeded() {
  TooBusyOptions options;
  options.seed = 1;
  return options;
}

double ms(Nanos duration) { return static_cast<double>(duration.count()) / 1e6; }

/// Ticks that are all late by as much, until the smoothed lag is that too.
void settle(TooBusy& too_busy, Nanos lag) {
  for (int i = 0; i < 200; ++i) too_busy.tick(i * (500ms + lag));
}

std::string refusal_of(const TooBusyOptions& options) {
  try {
    const TooBusy too_busy(options);
    return "none";
  } catch (const Exception& failure) {
    return failure.what();
  }
}

TEST(TooBusy, RefusesNoneAtMaxLagAndAllAtTwiceThat) {
  for (const auto& [lag, share] : std::vector<std::pair<Nanos, double>>{
           {0ms, 0}, {70ms, 0}, {71ms, 1.0 / 70}, {105ms, 0.5}, {140ms, 1}, {500ms, 1}}) {
    TooBusy too_busy(seeded());
    settle(too_busy, lag);
    EXPECT_NEAR(too_busy.share(), share, 1e-6) << ms(lag);
    EXPECT_NEAR(ms(too_busy.lag()), ms(lag), 1e-5);
  }
}

TEST(TooBusy, DrawsAsOftenAsItsShareSays) {
  TooBusy too_busy(seeded());
  settle(too_busy, 105ms);
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) refused += too_busy() ? 1 : 0;
  EXPECT_NEAR(refused, 5'000, 200);
  settle(too_busy, 70ms);
  for (int i = 0; i < 1'000; ++i) EXPECT_FALSE(too_busy());
  settle(too_busy, 140ms + 1us);
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(too_busy());
}

TEST(TooBusy, SmoothsByAThird) {
  TooBusy too_busy(seeded());
  too_busy.tick(0ms);
  too_busy.tick(800ms);  // 300 late
  EXPECT_NEAR(ms(too_busy.lag()), 100, 1e-5);
  too_busy.tick(1'300ms);
  EXPECT_NEAR(ms(too_busy.lag()), 100 * 2 / 3.0, 1e-5);
  too_busy.tick(1'700ms);  // early is no lag below 0
  EXPECT_NEAR(ms(too_busy.lag()), 100 * 4 / 9.0, 1e-5);
}

TEST(TooBusy, ShedsForTwoSecondsAfterAStallOfOne) {
  TooBusy too_busy(seeded());
  too_busy.tick(0ms);
  too_busy.tick(1'500ms);  // a second late
  Nanos now = 1'500ms;
  std::vector<double> lags;
  while (too_busy.share() > 0) {
    lags.push_back(ms(too_busy.lag()));
    now += 500ms;
    too_busy.tick(now);
  }
  EXPECT_EQ(now - 1'500ms, 2s);
  ASSERT_EQ(lags.size(), 4u);
  EXPECT_NEAR(lags[0], 333.33, 0.01);
  EXPECT_NEAR(lags[1], 222.22, 0.01);
  EXPECT_NEAR(lags[2], 148.15, 0.01);
  EXPECT_NEAR(lags[3], 98.77, 0.01);
}

TEST(TooBusy, ABlockedLoopIsNoticedAtItsSecondTick) {
  // Each turn takes 120 ms: a tick comes at the end of the turn in which it was due, up to 120 ms late.
  TooBusy too_busy(seeded());
  too_busy.tick(0ms);
  too_busy.tick(600ms);
  EXPECT_NEAR(ms(too_busy.lag()), 33.33, 0.01);
  EXPECT_EQ(too_busy.share(), 0);
  too_busy.tick(1'200ms);
  too_busy.tick(1'800ms);
  EXPECT_NEAR(ms(too_busy.lag()), 70.37, 0.01);
  EXPECT_NEAR(too_busy.share(), 0.37 / 70, 1e-4);
}

TEST(TooBusy, CallsOnLagAboveItsThreshold) {
  TooBusyOptions options = seeded();
  std::vector<double> seen;
  options.on_lag = [&](Nanos lag) { seen.push_back(ms(lag)); };
  TooBusy plain(options);
  plain.tick(0ms);
  plain.tick(710ms);  // 210 late: 70, which is not above
  EXPECT_TRUE(seen.empty());
  plain.tick(1'420ms);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_NEAR(seen[0], 116.67, 0.01);
  options.on_lag_above = 69ms;
  TooBusy lower(options);
  lower.tick(0ms);
  lower.tick(710ms);
  EXPECT_EQ(seen.size(), 2u);
}

TEST(TooBusy, ANewIntervalForgetsTheLag) {
  TooBusy too_busy(seeded());
  settle(too_busy, 500ms);
  too_busy.set_interval(100ms);
  EXPECT_EQ(too_busy.interval(), Duration(100ms));
  EXPECT_EQ(too_busy.lag(), 0ns);
  too_busy.tick(199s + 400ms);  // 400 ms after the last one: 300 late
  EXPECT_NEAR(ms(too_busy.lag()), 100, 1e-5);
  EXPECT_THROW(too_busy.set_interval(15ms), Exception);
}

TEST(TooBusy, RefusesOptionsByName) {
  TooBusyOptions options;
  options.max_lag = 9ms;
  EXPECT_EQ(refusal_of(options), "max_lag 9ms is not allowed: 10ms..1h");
  options = {};
  options.interval = 15ms;
  EXPECT_EQ(refusal_of(options), "interval 15ms is not allowed: 16ms..1h");
  options = {};
  options.smoothing_factor = 0;
  EXPECT_EQ(refusal_of(options), "smoothing_factor 0.000000 is not allowed: above 0, at most 1");
  options.smoothing_factor = 1;
  options.on_lag_above = -1ms;
  EXPECT_EQ(refusal_of(options), "on_lag_above -1ms is not allowed: 0 or more");
  options.on_lag_above = 0ms;
  options.max_lag = 10ms;
  options.interval = 16ms;
  EXPECT_EQ(refusal_of(options), "none");
}

}  // namespace
}  // namespace galley::test
