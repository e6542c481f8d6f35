#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/expect.hpp"
#include "base/random.hpp"
#include "base/rubbish.hpp"
#include "job/settle.hpp"
#include "job/validate.hpp"

namespace galley::job {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::refusal;

namespace {

Backoff exponential(Duration base, Duration cap) { return {Backoff::Kind::Exponential, base, cap, {}}; }
Backoff fixed(Duration base) { return {Backoff::Kind::Fixed, base, 1h, {}}; }
Backoff list(std::vector<Duration> entries) { return {Backoff::Kind::List, 1s, 1h, std::move(entries)}; }

/// The largest number below 1, which is the most that a jitter is drawn from.
const double kAlmostOne = std::nextafter(1.0, 0.0);

/// What validate says to a job with it.
Result<void> validated(const Backoff& backoff) {
  NewJob job;
  job.kind = "k";
  job.policy.backoff = backoff;
  return validate(job);
}

}  // namespace

TEST(Backoff, DoublesUpToTheCap) {
  const Backoff backoff = exponential(1s, 10s);
  const std::vector<Duration> whole{1s, 2s, 4s, 8s, 10s, 10s};
  for (std::size_t n = 1; n <= whole.size(); ++n) {
    EXPECT_EQ(backoff_delay(backoff, static_cast<int>(n), 0.0), whole[n - 1] / 2);
    EXPECT_NEAR(static_cast<double>(backoff_delay(backoff, static_cast<int>(n), kAlmostOne).count()),
                static_cast<double>(whole[n - 1].count()), 1.0);
  }
}

TEST(Backoff, JittersEvenlyOverTheUpperHalf) {
  base::Random random(1);
  double sum = 0;
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const Duration delay = backoff_delay(exponential(4s, 1h), 1, random.unit());
    EXPECT_GE(delay, 2s);
    EXPECT_LE(delay, 4s);
    sum += static_cast<double>(delay.count());
  }
  EXPECT_NEAR(sum / kDraws, 3e6, 5e4);  // twelve standard deviations
}

TEST(Backoff, SaturatesAtTheCapHoweverManyErrors) {
  for (const int n : {23, 62, 63, 64, 65, 1'000, std::numeric_limits<int>::max()}) {
    EXPECT_EQ(backoff_delay(exponential(1s, 1h), n, 0.0), 30min) << n;
  }
  for (const int n : {50, 62, 63, 64, 65, 1'000, std::numeric_limits<int>::max()}) {
    EXPECT_EQ(backoff_delay(exponential(1us, limits::kMaxDelay), n, 0.0), limits::kMaxDelay / 2) << n;
  }
}

TEST(Backoff, StaysZeroWhenItsBaseIsZero) {
  for (const int n : {1, 2, 1'000}) EXPECT_EQ(backoff_delay(exponential(0s, 1h), n, kAlmostOne), 0s);
}

TEST(Backoff, IsAlwaysTheSameWhenFixed) {
  for (const int n : {1, 2, 1'000}) {
    EXPECT_EQ(backoff_delay(fixed(10s), n, 0.0), 10s);
    EXPECT_EQ(backoff_delay(fixed(10s), n, kAlmostOne), 10s);
  }
}

TEST(Backoff, FollowsItsListAndStaysAtTheLastEntry) {
  const Backoff backoff = list({1s, 10s, 1min});
  EXPECT_EQ(backoff_delay(backoff, 1, kAlmostOne), 1s);
  EXPECT_EQ(backoff_delay(backoff, 2, kAlmostOne), 10s);
  EXPECT_EQ(backoff_delay(backoff, 3, kAlmostOne), 1min);
  EXPECT_EQ(backoff_delay(backoff, 4, kAlmostOne), 1min);
  EXPECT_EQ(backoff_delay(backoff, 1'000, kAlmostOne), 1min);
}

TEST(Backoff, TakesNoErrorsAsTheFirst) {
  EXPECT_EQ(backoff_delay(exponential(2s, 1h), 0, 0.0), 1s);
  EXPECT_EQ(backoff_delay(exponential(2s, 1h), std::numeric_limits<int>::min(), 0.0), 1s);
  EXPECT_EQ(backoff_delay(list({3s, 4s}), 0, 0.0), 3s);
}

TEST(Backoff, NeverLeavesTheAllowedDelaysWhateverItHolds) {
  for (const Duration odd : {Duration::min(), Duration(-1), Duration(0), Duration::max()}) {
    for (const Backoff& backoff :
         {exponential(odd, odd), exponential(1s, odd), exponential(odd, 1s), fixed(odd), list({odd}), list({})}) {
      for (const double random01 : {0.0, 0.5, kAlmostOne, 1.0, 7.0, -7.0}) {
        for (const int n : {1, 64}) {
          EXPECT_GE(backoff_delay(backoff, n, random01), 0s);
          EXPECT_LE(backoff_delay(backoff, n, random01), limits::kMaxDelay);
        }
      }
    }
  }
}

TEST(BackoffText, IsWhatPeopleWrite) {
  EXPECT_EQ(to_text(Backoff{}), "exponential:1s..1h");
  EXPECT_EQ(to_text(exponential(0s, 90min)), "exponential:0s..90m");
  EXPECT_EQ(to_text(fixed(10s)), "fixed:10s");
  EXPECT_EQ(to_text(list({1s, 10s, 1min, 1500ms, 1us})), "list:1s,10s,1m,1500ms,1us");
}

TEST(BackoffText, IsReadBackWithoutLoss) {
  base::Random random(1);
  const auto any = [&] {
    const double scale = std::pow(10.0, static_cast<double>(random.bits() % 15));
    return Duration(static_cast<std::int64_t>(random.unit() * scale));
  };
  for (int i = 0; i < 5'000; ++i) {
    const Duration base = any();
    const Backoff grows = backoff_from(to_text(exponential(base, base + any()))).value();
    EXPECT_EQ(grows.kind, Backoff::Kind::Exponential);
    EXPECT_EQ(grows.base, base);
    const Backoff stays = backoff_from(to_text(fixed(base))).value();
    EXPECT_EQ(stays.kind, Backoff::Kind::Fixed);
    EXPECT_EQ(stays.base, base);
    const std::vector<Duration> entries{any(), any(), any()};
    const Backoff follows = backoff_from(to_text(list(entries))).value();
    EXPECT_EQ(follows.kind, Backoff::Kind::List);
    EXPECT_EQ(follows.list, entries);
  }
}

TEST(BackoffText, ReadsTheCapWithTheBase) {
  const Backoff backoff = backoff_from("exponential:1.5s..1h30m").value();
  EXPECT_EQ(backoff.base, 1500ms);
  EXPECT_EQ(backoff.cap, 90min);
}

TEST(BackoffText, TakesExponentialAloneAsTheDefault) {
  EXPECT_EQ(to_text(backoff_from("exponential").value()), to_text(Backoff{}));
}

TEST(BackoffText, RefusesOtherForms) {
  for (const std::string& bad : {""s,
                                 ":"s,
                                 "10s,1m"s,
                                 "10s"s,
                                 "fixed"s,
                                 "fixed:"s,
                                 "list"s,
                                 "list:"s,
                                 "list:1s,"s,
                                 "list:,1s"s,
                                 "list:1s,,2s"s,
                                 "fixed:1s..2s"s,
                                 "fixed:1s,2s"s,
                                 "exponential:"s,
                                 "exponential:1s"s,
                                 "exponential:1s.."s,
                                 "exponential:..1s"s,
                                 "exponential:1s...2s"s,
                                 "exponential:1h..1s"s,
                                 "linear:1s"s,
                                 "Fixed:1s"s,
                                 " fixed:1s"s,
                                 "fixed:-1s"s,
                                 "fixed:3661d"s,
                                 "exponential:1s..3661d"s,
                                 "exponential\0"s}) {
    EXPECT_NE(refusal(backoff_from(bad)), "") << base::quoted(bad);
  }
}

TEST(BackoffText, SaysWhatIsAllowedInstead) {
  EXPECT_EQ(refusal(backoff_from("10s,1m")),
            "backoff: \"10s,1m\" names no kind; allowed is exponential:1s..1h, fixed:10s or list:1s,10s,1m");
  EXPECT_EQ(refusal(backoff_from("exponential:1h..1s")),
            "backoff: \"exponential:1h..1s\" has a cap below its base; allowed is exponential:1s..1h, fixed:10s or "
            "list:1s,10s,1m");
}

TEST(BackoffText, BoundsTheList) {
  std::string text = "list:1s";
  for (std::size_t i = 1; i < limits::kMaxBackoffList; ++i) text += ",1s";
  EXPECT_EQ(backoff_from(text).value().list.size(), limits::kMaxBackoffList);
  EXPECT_NE(refusal(backoff_from(text + ",1s")).find("more than 100 entries"), std::string::npos);
}

TEST(BackoffText, SurvivesRubbish) {
  test::expect_survives(
      {"exponential", "exponential:1s..1h", "fixed:10s", "list:1s,10s,1m"},
      [](const std::string& text) { return backoff_from(text); },
      [](const Backoff& backoff) {
        EXPECT_TRUE(validated(backoff).has_value());
        EXPECT_EQ(to_text(backoff_from(to_text(backoff)).value()), to_text(backoff));
      });
}

}  // namespace galley::job
