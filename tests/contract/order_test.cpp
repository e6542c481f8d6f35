#include "contract/support.hpp"

namespace galley::store::contract {

GALLEY_ON_EVERY_BACKEND(Order);

TEST_P(Order, FirstInIsFirstOut) {
  const Ids first = add({a_job(), a_job()});
  const JobId second = add(a_job());
  EXPECT_EQ(ids(claim()), (Ids{first[0], first[1], second}));
}

TEST_P(Order, AHigherPriorityRunsSooner) {
  const Ids all = add({a_job(), a_job().priority(-10), a_job().priority(10), a_job().priority(1)});
  EXPECT_EQ(ids(claim()), (Ids{all[2], all[3], all[0], all[1]}));
}

TEST_P(Order, OneStepOfPriorityIsAHeadStartOfOneHour) {
  const JobId waiting = add(a_job());
  clock.advance(1h - 1us);
  const JobId urgent = add(a_job().priority(1));
  EXPECT_EQ(ids(claim()), (Ids{urgent, waiting}));
}

TEST_P(Order, NothingStarvesBehindAHigherPriority) {
  const JobId waiting = add(a_job());
  clock.advance(1h + 1us);
  const JobId urgent = add(a_job().priority(1));
  EXPECT_EQ(ids(claim()), (Ids{waiting, urgent}));
}

TEST_P(Order, JobsWithTheSameRankRunByTheirIds) {
  const JobId first = add(a_job());
  clock.advance(1h);
  const JobId same_rank = add(a_job().priority(1));
  EXPECT_EQ(ids(claim()), (Ids{first, same_rank}));
}

TEST_P(Order, HoldsOverAllKindsOfARequest) {
  const Ids all = add({a_job().kind("b"), a_job().kind("a"), a_job().kind("b"), a_job().kind("a").priority(1)});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).kind("a").kind("b"))), (Ids{all[3], all[0], all[1], all[2]}));
}

TEST_P(Order, AKeyDoesNotChangeIt) {
  const Ids all = add({a_job().key("b"), a_job().key("a"), a_job()});
  EXPECT_EQ(ids(claim()), all);
}

TEST_P(Order, QueuesAreEmptiedInTheOrderOfTheRequest) {
  const Ids all = add({a_job().queue("x"), a_job().queue("y"), a_job().queue("x").priority(-5)});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"y", "x"}).kind("k"))), (Ids{all[1], all[0], all[2]}));
}

TEST_P(Order, AWallClockSetBackDoesNotLetLaterJobsOvertake) {
  const JobId first = add(a_job());
  clock.step_wall(-3h);
  const JobId second = add(a_job());
  EXPECT_EQ(ids(claim()), (Ids{first, second}));
}

TEST_P(Order, APausedJobGoesBehindAllThatIsReady) {
  const Ids all = add({a_job(), a_job()});
  EXPECT_EQ(run_one(JobEvent::Pause), all[0]);
  EXPECT_EQ(ids(claim()), (Ids{all[1], all[0]}));
}

TEST_P(Order, APausedJobKeepsTheHeadStartOfItsPriority) {
  const Ids all = add({a_job().priority(1), a_job()});
  EXPECT_EQ(run_one(JobEvent::Pause), all[0]);
  EXPECT_EQ(ids(claim()), all);
}

TEST_P(Order, AReleasedJobKeepsItsPlace) {
  const Ids all = add({a_job(), a_job()});
  EXPECT_EQ(run_one(JobEvent::Release), all[0]);
  EXPECT_EQ(ids(claim()), all);
}

TEST_P(Order, ARecoveredJobGoesBehindAllThatIsReady) {
  const JobId lost = add(a_job());
  (void)claim(ClaimBuilder(worker).kind("k").lease(1s));
  const JobId other = add(a_job());
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1);
  EXPECT_EQ(ids(claim()), (Ids{other, lost}));
}

TEST_P(Order, ARevivedJobGoesBehindAllThatIsReady) {
  const JobId dead = add(a_job());
  EXPECT_EQ(run_one(JobEvent::Die), dead);
  const JobId other = add(a_job());
  EXPECT_EQ(retry(dead), Operated::Done);
  EXPECT_EQ(ids(claim()), (Ids{other, dead}));
}

TEST_P(Order, DueJobsFollowThoseThatWereReadyAndRunByTheirDueTimes) {
  const Ids due = add({a_job().delay(3s), a_job().delay(1s), a_job().delay(3s)});
  const JobId ready = add(a_job());
  clock.advance(5s);
  EXPECT_EQ(ids(claim()), (Ids{ready, due[1], due[0], due[2]}));
}

}  // namespace galley::store::contract
