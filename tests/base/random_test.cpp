#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace galley::base {

TEST(Random, RepeatsItselfFromTheSameSeedOnly) {
  Random one(7);
  Random same(7);
  Random other(8);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.bits(), same.bits());
  EXPECT_NE(one.bits(), other.bits());
}

TEST(Random, DrawsUnitsEvenlyFromZeroToBelowOne) {
  Random random(1);
  double sum = 0;
  double least = 1;
  double most = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double unit = random.unit();
    sum += unit;
    least = std::min(least, unit);
    most = std::max(most, unit);
  }
  EXPECT_GE(least, 0.0);
  EXPECT_LT(least, 0.001);
  EXPECT_LT(most, 1.0);
  EXPECT_GT(most, 0.999);
  EXPECT_NEAR(sum / kDraws, 0.5, 0.01);  // ten standard deviations
}

TEST(Random, DiffersFromRunToRunWhenTheSystemSeedsIt) {
  EXPECT_NE(Random::seeded_by_system().bits(), Random::seeded_by_system().bits());
}

TEST(RandomToken, Is32HexCharactersAndNeverTheSame) {
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string token = random_token();
    EXPECT_EQ(token.size(), 32U);
    EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos) << token;
    EXPECT_TRUE(seen.insert(token).second) << token;
  }
}

}  // namespace galley::base
