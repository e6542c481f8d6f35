#include "contract/support.hpp"

namespace galley::store::contract {

GALLEY_ON_EVERY_BACKEND(Schedule);

TEST_P(Schedule, ADelayedJobIsClaimedWhenItIsDueAndNotBefore) {
  const JobId id = add(a_job().delay(10s));
  clock.advance(10s - 1us);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(state(id), JobState::Scheduled);
  clock.advance(1us);
  EXPECT_EQ(ids(claim()), Ids{id}) << "a claim promotes by itself";
}

TEST_P(Schedule, AStepPromotesWhatIsDueInAllQueues) {
  const Ids all = add({a_job().queue("x").delay(1s), a_job().queue("y").delay(2s), a_job().queue("z").delay(9s)});
  clock.advance(3s);
  const StepAnswer answer = step();
  EXPECT_EQ(answer.promoted, 2);
  EXPECT_FALSE(answer.more);
  EXPECT_EQ(state(all[0]), JobState::Ready);
  EXPECT_EQ(state(all[1]), JobState::Ready);
  EXPECT_EQ(find(all[1]).due_at, std::nullopt);
  EXPECT_EQ(state(all[2]), JobState::Scheduled);
  expect_counts_match_contents();
}

TEST_P(Schedule, AStepPromotesTheEarliestFirstAndAtMostItsLimit) {
  const Ids all = add({a_job().queue("x").delay(3s), a_job().queue("y").delay(1s), a_job().queue("x").delay(2s)});
  clock.advance(5s);
  StepAnswer answer = step(2);
  EXPECT_EQ(answer.promoted, 2);
  EXPECT_TRUE(answer.more);
  EXPECT_EQ(state(all[0]), JobState::Scheduled);
  answer = step(2);
  EXPECT_EQ(answer.promoted, 1);
  EXPECT_FALSE(answer.more);
}

TEST_P(Schedule, AClaimPromotesOnlyInItsQueues) {
  const Ids all = add({a_job().queue("x").delay(1s), a_job().queue("y").delay(1s)});
  clock.advance(2s);
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"x"}).kind("k"))), Ids{all[0]});
  EXPECT_EQ(state(all[1]), JobState::Scheduled);
}

TEST_P(Schedule, AClaimPromotesABoundedNumber) {
  const std::vector<job::NewJob> many(limits::kMaxStep + 1, a_job().delay(1s));
  const auto all = store.enqueue(many).value();
  clock.advance(2s);
  const auto answer = store.claim(ClaimBuilder(worker).kind("k").limit(1)).value();
  EXPECT_EQ(answer.claims.size(), 1U);
  EXPECT_EQ(state(all.back().id), JobState::Scheduled);
  EXPECT_EQ(answer.next_due, Duration(0)) << "one is left that is due";
  EXPECT_EQ(store.claim(ClaimBuilder(worker).kind("k").limit(1)).value().next_due, std::nullopt);
}

TEST_P(Schedule, ARetryWaitsForItsDelay) {
  const JobId id = add(a_job());
  EXPECT_EQ(run_one(JobEvent::Retry, 5s), id);
  EXPECT_EQ(find(id).due_at, clock.wall() + 5s);
  EXPECT_TRUE(claim().empty());
  clock.advance(5s);
  EXPECT_EQ(ids(claim()), Ids{id});
}

TEST_P(Schedule, ARetryWithoutDelayIsThereForTheNextClaim) {
  const JobId id = add(a_job());
  EXPECT_EQ(run_one(JobEvent::Retry, 0s), id);
  EXPECT_EQ(state(id), JobState::Scheduled);
  EXPECT_EQ(find(id).due_at, clock.wall());
  EXPECT_EQ(ids(claim()), Ids{id});
}

TEST_P(Schedule, AClaimSaysWhenTheNextJobOfItsQueuesIsDue) {
  EXPECT_EQ(store.claim(ClaimBuilder(worker).kind("k")).value().next_due, std::nullopt);
  add({a_job().delay(9s), a_job().kind("other").delay(4s), a_job().queue("other").delay(1s)});
  EXPECT_EQ(store.claim(ClaimBuilder(worker).kind("k")).value().next_due, Duration(4s));
  clock.advance(1s);
  EXPECT_EQ(store.claim(ClaimBuilder(worker).kind("k")).value().next_due, Duration(3s));
}

TEST_P(Schedule, APausedQueueSaysWhenItsNextJobIsDueToo) {
  add(a_job().delay(4s));
  ASSERT_TRUE(store.pause("default"));
  EXPECT_EQ(store.claim(ClaimBuilder(worker).kind("k")).value().next_due, Duration(4s));
}

TEST_P(Schedule, AStepSaysWhenTheNextJobIsDue) {
  add(a_job().queue("x").delay(3s));
  EXPECT_EQ(step().next, Duration(3s));
  clock.advance(1s);
  EXPECT_EQ(step().next, Duration(2s));
  add(a_job().queue("y").delay(100s));
  EXPECT_EQ(step().next, Duration(2s));
}

TEST_P(Schedule, DueTimesFollowTheWallClock) {
  const Ids all = add({a_job().at(clock.wall() + 1h), a_job().delay(2h)});
  clock.step_wall(1h);
  EXPECT_EQ(ids(claim()), Ids{all[0]});
  clock.step_wall(-1h);
  clock.advance(1h);
  EXPECT_TRUE(claim().empty());
  clock.advance(1h);
  EXPECT_EQ(ids(claim()), Ids{all[1]});
}

}  // namespace galley::store::contract
