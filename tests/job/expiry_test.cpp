#include "job/expiry.hpp"

#include <gtest/gtest.h>

namespace galley::job {
namespace {

using namespace std::chrono_literals;

constexpr Time kSoon{10s};
constexpr Time kLater{20s};

TEST(Expiry, TheSoonerOfBothCountsUntilTheFirstStart) {
  EXPECT_EQ(over_at(false, {}, {}), std::nullopt);
  EXPECT_EQ(over_at(false, kSoon, {}), kSoon);
  EXPECT_EQ(over_at(false, {}, kLater), kLater);
  EXPECT_EQ(over_at(false, kSoon, kLater), kSoon);
  EXPECT_EQ(over_at(false, kLater, kSoon), kSoon);
}

TEST(Expiry, OnlyTheDeadlineCountsAfterIt) {
  EXPECT_EQ(over_at(true, kSoon, {}), std::nullopt);
  EXPECT_EQ(over_at(true, kSoon, kLater), kLater);
}

TEST(Expiry, SaysWhichOfBothItWas) {
  EXPECT_EQ(why_over(false, kSoon, kLater), "waited too long: it had not started by 1970-01-01T00:00:10.000Z");
  EXPECT_EQ(why_over(false, kLater, kSoon), "its deadline has passed");
  EXPECT_EQ(why_over(false, kSoon, kSoon), "its deadline has passed") << "which is final";
  EXPECT_EQ(why_over(true, kSoon, kLater), "its deadline has passed");
}

}  // namespace
}  // namespace galley::job
