#include "base/patience.hpp"

#include <gtest/gtest.h>

namespace galley::base {
namespace {

/// How many sleeps begin at once before the next look.
int sleeps_before_a_look(Patience& patience) {
  int sleeps = 0;
  while (!patience.looks()) ++sleeps;
  return sleeps;
}

TEST(Patience, LooksAsLongAsThatPays) {
  Patience patience;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(patience.looks());
    patience.paid();
  }
}

TEST(Patience, SleepsTwiceAsOftenAfterEachLookInVainAndAtMost64Times) {
  Patience patience;
  for (const int expected : {1, 2, 4, 8, 16, 32, 64, 64}) {
    patience.was_in_vain();
    EXPECT_EQ(sleeps_before_a_look(patience), expected);
  }
}

TEST(Patience, OneLookThatPaidMakesItPatientAgain) {
  Patience patience;
  for (int i = 0; i < 10; ++i) patience.was_in_vain();
  EXPECT_EQ(sleeps_before_a_look(patience), 64);
  patience.paid();
  EXPECT_TRUE(patience.looks());
  patience.was_in_vain();
  EXPECT_EQ(sleeps_before_a_look(patience), 1);
}

}  // namespace
}  // namespace galley::base
