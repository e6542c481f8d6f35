#include "runtime/task_ring.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace galley::runtime {
namespace {

using namespace std::chrono_literals;

TaskRing::Push push(TaskRing& ring, const base::Clock& clock) {
  Task task = [] {};
  return ring.push(task, clock);
}

TEST(TaskRing, HoldsExactlyItsCapacityAndAsManyAgainOnceTheyAreTaken) {
  const base::ManualClock clock;
  TaskRing ring(5);
  TaskRing::Popped popped;
  for (int round = 0; round < 40; ++round) {  // the cells are 32: several laps
    for (int i = 0; i < 5; ++i) ASSERT_EQ(push(ring, clock), TaskRing::Push::Done) << round;
    ASSERT_EQ(push(ring, clock), TaskRing::Push::Full) << round;
    ASSERT_TRUE(ring.pop(popped));
    ASSERT_EQ(push(ring, clock), TaskRing::Push::Done) << "room for one";
    ASSERT_EQ(push(ring, clock), TaskRing::Push::Full) << round;
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(ring.pop(popped));
    ASSERT_FALSE(ring.pop(popped));
  }
}

/// Numbers of those that were stamped, of so many that come so far apart.
std::vector<int> stamped(TaskRing& ring, base::ManualClock& clock, int count, Duration apart) {
  std::vector<int> numbers;
  TaskRing::Popped popped;
  for (int i = 0; i < count; ++i) {
    clock.advance(apart);
    EXPECT_EQ(push(ring, clock), TaskRing::Push::Done);
    EXPECT_TRUE(ring.pop(popped));
    if (popped.pushed_at) {
      EXPECT_EQ(*popped.pushed_at, clock.mono());
      numbers.push_back(i);
    }
  }
  return numbers;
}

TEST(TaskRing, StampsEachTaskThatComesSlowlyAndEvery32ndOfThoseThatComeFast) {
  base::ManualClock clock;
  TaskRing ring(64);
  EXPECT_EQ(stamped(ring, clock, 4, 1ms), (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(stamped(ring, clock, 96, 0us), (std::vector{0, 28, 60, 92})) << "of all, those that 32 divides";
  EXPECT_EQ(stamped(ring, clock, 32, 1ms).front(), 28) << "the last one that was chosen while they came fast";
  EXPECT_EQ(stamped(ring, clock, 4, 1ms), (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(stamped(ring, clock, 68, 8us).size(), 9U) << "64 us apart, once it has seen how they come";
}

TEST(TaskRing, KnowsHowLongTheOldestHasWaitedWhereOneOfTheFirst32IsStamped) {
  base::ManualClock clock;
  TaskRing ring(64);
  EXPECT_EQ(ring.oldest(), std::nullopt);
  const base::Mono first = clock.mono();
  ASSERT_EQ(push(ring, clock), TaskRing::Push::Done);
  clock.advance(1s);
  ASSERT_EQ(push(ring, clock), TaskRing::Push::Done);
  EXPECT_EQ(ring.oldest(), first);
}

}  // namespace
}  // namespace galley::runtime
