#include <algorithm>

#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

GALLEY_ON_EVERY_BACKEND(TakeClaim);

TEST_P(TakeClaim, HandsOutAllThatTheAttemptNeeds) {
  job::Policy policy;
  policy.timeout = 30s;
  policy.backoff = {.kind = Backoff::Kind::Fixed, .base = 5s, .cap = 1h, .list = {}};
  const JobId id = add(a_job().key("a").payload("[1,2]").priority(2).policy(policy));
  const Time enqueued = clock.wall();
  clock.advance(2s);

  job::Claim expected;
  const job::Claim claim = claim_one();
  expected.id = {id, claim.id.epoch};
  expected.queue = "default";
  expected.kind = "k";
  expected.key = "a";
  expected.payload = "[1,2]";
  expected.priority = 2;
  expected.policy = policy;
  expected.enqueued_at = enqueued;
  expected.waited = 2s;
  expected.waited = 2s;
  EXPECT_EQ(to_text(claim), to_text(expected));
  EXPECT_EQ(state(id), JobState::Running);
  EXPECT_EQ(find(id).worker, "host:1");
  EXPECT_EQ(find(id).started_at, clock.wall());
}

TEST_P(TakeClaim, AJobIsClaimedOnce) {
  add({a_job(), a_job()});
  EXPECT_EQ(claim(1).size(), 1U);
  EXPECT_EQ(claim(1).size(), 1U);
  EXPECT_EQ(claim(1).size(), 0U);
}

TEST_P(TakeClaim, EpochsGrowWithEachClaim) {
  add({a_job(), a_job(), a_job()});
  std::int64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    for (const job::Claim& claim : claim(2)) {
      EXPECT_GT(claim.id.epoch, last);
      last = claim.id.epoch;
      EXPECT_EQ(finish(claim, JobEvent::Pause), FinishAnswer::Finished);
    }
  }
}

TEST_P(TakeClaim, TakesOnlyTheKindsThatAreNamed) {
  const Ids all = add({a_job().kind("a"), a_job().kind("b"), a_job().kind("c")});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).kind("a").kind("c"))), (Ids{all[0], all[2]}));
  EXPECT_EQ(state(all[1]), JobState::Ready);
  EXPECT_EQ(find(all[1]).counters, job::Counters{}) << "a job that nobody serves loses no try";
}

TEST_P(TakeClaim, TakesAtMostTheMaximumOfEachKind) {
  const Ids all = add({a_job().kind("a"), a_job().kind("a"), a_job().kind("a"), a_job().kind("b"), a_job().kind("b")});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).kind("a", 2).kind("b", 1))), (Ids{all[0], all[1], all[3]}));
  EXPECT_TRUE(claim(ClaimBuilder(worker).kind("a", 0).kind("b", 0)).empty());
}

TEST_P(TakeClaim, TheMaximumOfAKindCountsOverAllQueues) {
  const Ids all = add({a_job().queue("x"), a_job().queue("x"), a_job().queue("y"), a_job().queue("y")});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"x", "y"}).kind("k", 3))), (Ids{all[0], all[1], all[2]}));
}

TEST_P(TakeClaim, TakesAtMostItsLimitInAll) {
  add({a_job().kind("a"), a_job().kind("b"), a_job().kind("a"), a_job().kind("b")});
  EXPECT_EQ(claim(ClaimBuilder(worker).kind("a").kind("b").limit(3)).size(), 3U);
}

TEST_P(TakeClaim, ALimitOfZeroTakesNothingAndStillAnswers) {
  add({a_job(), a_job().delay(4s)});
  const auto answer = store.claim(ClaimBuilder(worker).kind("k").limit(0)).value();
  EXPECT_TRUE(answer.claims.empty());
  EXPECT_EQ(answer.next_due, Duration(4s));
}

TEST_P(TakeClaim, CommandsAreClaimedOnlyAsCommands) {
  const Ids all = add({a_job().kind("convert").command("convert"), a_job().kind("convert")});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).kind("convert"))), Ids{all[1]});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).any_command(9))), Ids{all[0]});
}

TEST_P(TakeClaim, OnlyTheListedProgramsAreTaken) {
  const Ids all = add({a_job().command("a"), a_job().command("b"), a_job().command("/bin/a"), a_job().command("a")});
  EXPECT_TRUE(claim(ClaimBuilder(worker).commands(9, {})).empty());
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).commands(9, {"a", "nothing"}))), (Ids{all[0], all[3]}));
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).commands(9, {"/bin/a", "b"}))), (Ids{all[1], all[2]}));
}

TEST_P(TakeClaim, TheMaximumOfCommandsCountsOverAllPrograms) {
  const Ids all = add({a_job().command("a"), a_job().command("b"), a_job().command("c"), a_job()});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).commands(2, {"c", "b", "a"}).kind("k"))), (Ids{all[0], all[1], all[3]}));
  EXPECT_TRUE(claim(ClaimBuilder(worker).any_command(0)).empty());
}

TEST_P(TakeClaim, AnAllowanceOfAnyProgramTakesAllOfThemInOrder) {
  const Ids all = add({a_job().command("b"), a_job().command("a"), a_job().command("b").priority(1)});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).any_command(9))), (Ids{all[2], all[0], all[1]}));
}

TEST_P(TakeClaim, SeveralRequestsAreAnsweredInOrderInOneStep) {
  const Ids all = add({a_job().queue("x"), a_job().queue("x"), a_job().queue("y")});
  const std::vector<ClaimRequest> requests{ClaimBuilder(worker).queues({"x"}).kind("k", 1),
                                           ClaimBuilder(worker).queues({"x", "y"}).kind("k")};
  const auto answer = store.finish_and_claim({}, requests).value();
  ASSERT_EQ(answer.claimed.size(), 2U);
  EXPECT_EQ(ids(answer.claimed[0].claims), Ids{all[0]});
  EXPECT_EQ(ids(answer.claimed[1].claims), (Ids{all[1], all[2]}));
}

TEST_P(TakeClaim, AFinishFreesItsJobForTheClaimOfTheSameCall) {
  const JobId id = add(a_job());
  const Finish pause = a_finish(claim_one(), JobEvent::Pause);
  const ClaimRequest request = ClaimBuilder(worker).kind("k");
  const auto answer = store.finish_and_claim(std::span(&pause, 1), std::span(&request, 1)).value();
  EXPECT_EQ(answer.finished, std::vector{FinishAnswer::Finished});
  EXPECT_EQ(ids(answer.claimed.at(0).claims), Ids{id});
  EXPECT_EQ(answer.claimed.at(0).claims.at(0).counters.pauses, 1);
}

TEST_P(TakeClaim, AQueueThatNobodyFilledHasNothing) {
  EXPECT_TRUE(claim(ClaimBuilder(worker).queues({"nowhere"}).kind("k")).empty());
  EXPECT_TRUE(store.queues().value().empty()) << "asking for a queue must not make one";
}

TEST_P(TakeClaim, AnUnknownWorkerSpoilsTheWholeCallBeforeAnyWrite) {
  const JobId id = add(a_job());
  const job::Claim claim = claim_one();
  const JobId other = add(a_job());
  const Finish done = a_finish(claim, JobEvent::Complete);
  const std::vector<ClaimRequest> requests{ClaimBuilder(worker).kind("k"), ClaimBuilder(worker + 1'000).kind("k")};
  EXPECT_EQ(refusal(store.finish_and_claim(std::span(&done, 1), requests)), Errc::NotFound);
  EXPECT_EQ(state(id), JobState::Running);
  EXPECT_EQ(state(other), JobState::Ready);
}

TEST_P(TakeClaim, AWorkerThatLeftClaimsNothing) {
  add(a_job());
  ASSERT_TRUE(store.leave(worker));
  EXPECT_EQ(refusal(store.claim(ClaimBuilder(worker).kind("k"))), Errc::NotFound);
}

}  // namespace galley::store::contract
