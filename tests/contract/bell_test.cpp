#include <future>
#include <thread>

#include "contract/support.hpp"

namespace galley::store::contract {

namespace {
constexpr Duration kLong = std::chrono::minutes(1);  // nobody waits for it: a bell that is not rung fails the test
constexpr Duration kShort = std::chrono::milliseconds(20);
}  // namespace

GALLEY_ON_EVERY_BACKEND(RingBell);

TEST_P(RingBell, AnEnqueueWakesAThreadThatWaits) {
  const auto bell = store.bell();
  std::promise<void> started;
  auto waiting = std::async(std::launch::async, [&] {
    started.set_value();
    return bell->wait(kLong);
  });
  started.get_future().wait();
  add(a_job());
  EXPECT_EQ(waiting.get(), Ring::Changed);
}

TEST_P(RingBell, WhatChangedBeforeTheWaitRingsToo) {
  const auto bell = store.bell();
  add(a_job());
  EXPECT_EQ(bell->wait(kLong), Ring::Changed);
}

TEST_P(RingBell, AQuietStoreTimesOut) {
  add(a_job());
  const auto bell = store.bell();
  EXPECT_EQ(bell->wait(kShort), Ring::TimedOut);
  EXPECT_EQ(bell->wait(Duration(0)), Ring::TimedOut);
}

TEST_P(RingBell, ManyChangesBeforeAWaitRingOnce) {
  const auto bell = store.bell();
  add(a_job());
  add(a_job());
  add(a_job());
  EXPECT_EQ(bell->wait(kLong), Ring::Changed);
  EXPECT_EQ(bell->wait(kShort), Ring::TimedOut);
}

TEST_P(RingBell, AnInterruptWakesTheNextWaitOnce) {
  const auto bell = store.bell();
  bell->interrupt();
  bell->interrupt();
  EXPECT_EQ(bell->wait(kLong), Ring::Interrupted);
  EXPECT_EQ(bell->wait(kShort), Ring::TimedOut);
}

TEST_P(RingBell, AnInterruptWakesAThreadThatWaits) {
  const auto bell = store.bell();
  std::promise<void> started;
  auto waiting = std::async(std::launch::async, [&] {
    started.set_value();
    return bell->wait(kLong);
  });
  started.get_future().wait();
  bell->interrupt();
  EXPECT_EQ(waiting.get(), Ring::Interrupted);
}

TEST_P(RingBell, AnInterruptOfOneBellLeavesTheOthersAlone) {
  const auto one = store.bell(), other = store.bell();
  one->interrupt();
  EXPECT_EQ(other->wait(kShort), Ring::TimedOut);
  EXPECT_EQ(one->wait(kLong), Ring::Interrupted);
}

TEST_P(RingBell, EveryBellRings) {
  const auto one = store.bell(), other = store.bell();
  add(a_job());
  EXPECT_EQ(one->wait(kLong), Ring::Changed);
  EXPECT_EQ(other->wait(kLong), Ring::Changed);
}

TEST_P(RingBell, WhateverMayBringWorkRings) {
  const Ids all = add({a_job(), a_job()});
  const auto bell = store.bell();
  const auto expect_ring = [&](const char* what) { EXPECT_EQ(bell->wait(kLong), Ring::Changed) << what; };
  add(a_job().delay(1h));
  expect_ring("an earlier due time");
  (void)finish(claim_one(), JobEvent::Release);
  (void)bell->wait(kShort);
  (void)finish(claim_one(), JobEvent::Pause);
  expect_ring("a job put back");
  EXPECT_EQ(cancel(all[1]), Operated::Done);
  (void)bell->wait(kShort);
  EXPECT_EQ(retry(all[1]), Operated::Done);
  expect_ring("a revived job");
  ASSERT_TRUE(store.pause("default"));
  expect_ring("a pause");
  ASSERT_TRUE(store.resume("default"));
  expect_ring("a resume");
  (void)claim(ClaimBuilder(worker).kind("k").lease(1s).limit(1));
  (void)bell->wait(kShort);
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1);
  expect_ring("a recovered job");
  const auto claims = claim(1);
  (void)bell->wait(kShort);
  EXPECT_EQ(cancel(claims.at(0).id.job), Operated::Requested);
  expect_ring("the cancel of a running job");
  ASSERT_TRUE(store.leave(worker));
  expect_ring("a worker that left");
}

TEST_P(RingBell, AnIdleClaimDoesNotRing) {
  const auto bell = store.bell();
  EXPECT_TRUE(claim().empty());
  (void)step();
  EXPECT_EQ(bell->wait(kShort), Ring::TimedOut) << "or idle workers would wake each other for ever";
}

}  // namespace galley::store::contract
