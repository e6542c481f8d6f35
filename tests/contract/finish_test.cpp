#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

GALLEY_ON_EVERY_BACKEND(FinishClaim);

TEST_P(FinishClaim, EachEventBringsTheJobToItsState) {
  const std::vector<std::pair<JobEvent, JobState>> cases{
      {JobEvent::Complete, JobState::Completed}, {JobEvent::Retry, JobState::Scheduled},
      {JobEvent::Pause, JobState::Ready},        {JobEvent::Release, JobState::Ready},
      {JobEvent::Die, JobState::Dead},           {JobEvent::Discard, JobState::Discarded},
      {JobEvent::Cancel, JobState::Cancelled},
  };
  for (const auto& [event, to] : cases) {
    const JobId id = add(a_job().kind(std::string(name(event))));
    clock.advance(1s);
    const auto claims = claim(ClaimBuilder(worker).kind(std::string(name(event))));
    EXPECT_EQ(finish(claims.at(0), event, 10s), FinishAnswer::Finished);
    const auto job = find(id);
    EXPECT_EQ(job.state, to);
    EXPECT_EQ(job.finished_at, is_ended(to) ? std::optional(clock.wall()) : std::nullopt);
    EXPECT_EQ(job.due_at, event == JobEvent::Retry ? std::optional(clock.wall() + 10s) : std::nullopt);
    EXPECT_EQ(job.worker, "");
  }
  expect_counts_match_contents();
}

TEST_P(FinishClaim, TheCountersAreThoseOfTheFinish) {
  const JobId id = add(a_job());
  Finish finish_it = a_finish(claim_one(), JobEvent::Retry);
  finish_it.counters = {.attempts = 1, .errors = 2, .pauses = 3, .snoozes = 4, .crashes = 5};
  EXPECT_EQ(finish(finish_it), FinishAnswer::Finished);
  EXPECT_EQ(find(id).counters, finish_it.counters);
  EXPECT_EQ(claim_one().counters, finish_it.counters);
}

TEST_P(FinishClaim, TheErrorOfTheLastFailureIsKeptUntilItCompletes) {
  const JobId id = add(a_job());
  Finish failed = a_finish(claim_one(), JobEvent::Retry);
  failed.report.error = "no such file";
  EXPECT_EQ(finish(failed), FinishAnswer::Finished);
  EXPECT_EQ(find(id).error, "no such file");
  EXPECT_EQ(run_one(JobEvent::Pause), id);
  EXPECT_EQ(find(id).error, "no such file") << "an end without an error says nothing of the last one";
  EXPECT_EQ(run_one(), id);
  EXPECT_EQ(find(id).error, "");
}

TEST_P(FinishClaim, AResultIsKeptWithACompletedJob) {
  const JobId id = add(a_job());
  Finish done = a_finish(claim_one(), JobEvent::Complete);
  done.result = std::string("\0bytes", 6);
  EXPECT_EQ(finish(done), FinishAnswer::Finished);
  EXPECT_EQ(find(id).result, done.result);
}

TEST_P(FinishClaim, ACheckpointIsKeptUntilItIsReplacedOrTheJobEnds) {
  const JobId id = add(a_job());
  Finish pause = a_finish(claim_one(), JobEvent::Pause);
  pause.checkpoint = "page 7";
  EXPECT_EQ(finish(pause), FinishAnswer::Finished);
  EXPECT_EQ(find(id).checkpoint, "page 7");

  const job::Claim second = claim_one();
  EXPECT_EQ(second.checkpoint, "page 7");
  EXPECT_EQ(finish(second, JobEvent::Retry), FinishAnswer::Finished);
  EXPECT_EQ(find(id).checkpoint, "page 7") << "none given: it stays";

  Finish done = a_finish(claim_one(), JobEvent::Complete);
  done.checkpoint = "page 9";
  EXPECT_EQ(finish(done), FinishAnswer::Finished);
  EXPECT_EQ(find(id).checkpoint, "");
}

TEST_P(FinishClaim, ARepeatedFinishIsAlreadyFinishedAndChangesNothing) {
  const JobId id = add(a_job());
  const job::Claim claim = claim_one();
  EXPECT_EQ(finish(claim, JobEvent::Retry), FinishAnswer::Finished);
  const std::string before = to_text(find(id));
  EXPECT_EQ(finish(claim, JobEvent::Retry), FinishAnswer::AlreadyFinished);
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::AlreadyFinished);
  EXPECT_EQ(to_text(find(id)), before);
  EXPECT_EQ(attempts(id).size(), 1U);
}

TEST_P(FinishClaim, AReleaseIsAFinishThatMayBeRepeatedToo) {
  add(a_job());
  const job::Claim claim = claim_one();
  EXPECT_EQ(finish(claim, JobEvent::Release), FinishAnswer::Finished);
  EXPECT_EQ(finish(claim, JobEvent::Release), FinishAnswer::AlreadyFinished);
}

TEST_P(FinishClaim, AStaleClaimIsFencedAndChangesNothing) {
  const JobId id = add(a_job());
  const job::Claim first = claim_one();
  EXPECT_EQ(finish(first, JobEvent::Pause), FinishAnswer::Finished);
  const job::Claim second = claim_one();
  EXPECT_EQ(finish(first, JobEvent::Complete), FinishAnswer::AlreadyFinished);
  EXPECT_EQ(state(id), JobState::Running) << "the old attempt must not settle the new one";
  EXPECT_EQ(finish(second, JobEvent::Pause), FinishAnswer::Finished);
  EXPECT_EQ(finish(first, JobEvent::Complete), FinishAnswer::LeaseLost) << "a later finish has replaced it";
  EXPECT_EQ(state(id), JobState::Ready);
}

TEST_P(FinishClaim, AClaimThatWasNeverGivenIsLost) {
  const JobId id = add(a_job());
  job::Claim claim;
  claim.id = {id, 0};
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::LeaseLost);
  claim.id = {id, 77};
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::LeaseLost);
  claim.id = {id + 1'000, 1};
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::LeaseLost);
  EXPECT_EQ(state(id), JobState::Ready);
}

TEST_P(FinishClaim, ABatchAnswersItemByItemAndNoItemSpoilsAnother) {
  const Ids all = add({a_job(), a_job(), a_job()});
  const auto claims = claim();
  EXPECT_EQ(finish(claims[0], JobEvent::Complete), FinishAnswer::Finished);
  const Finish repeated = a_finish(claims[0], JobEvent::Complete);
  Finish unknown = repeated;
  unknown.claim = {all[1], claims[1].id.epoch + 100};
  const Finish good = a_finish(claims[1], JobEvent::Die);
  const std::vector<Finish> batch{repeated, unknown, good, good, a_finish(claims[2], JobEvent::Release)};
  using enum FinishAnswer;
  EXPECT_EQ(store.finish(batch).value(),
            (std::vector{AlreadyFinished, LeaseLost, Finished, AlreadyFinished, Finished}));
  EXPECT_EQ(state(all[0]), JobState::Completed);
  EXPECT_EQ(state(all[1]), JobState::Dead);
  EXPECT_EQ(state(all[2]), JobState::Ready);
}

TEST_P(FinishClaim, AReleasedClaimNeverHappened) {
  const JobId id = add(a_job());
  clock.advance(1s);
  EXPECT_EQ(run_one(JobEvent::Retry), id);
  const auto before = find(id);
  clock.advance(1s);
  Finish release = a_finish(claim_one(), JobEvent::Release);
  release.counters = {.attempts = 9, .errors = 9, .pauses = 9, .snoozes = 9, .crashes = 9};
  EXPECT_EQ(finish(release), FinishAnswer::Finished);
  EXPECT_EQ(find(id).counters, before.counters);
  EXPECT_EQ(find(id).started_at, before.started_at);
  EXPECT_EQ(attempts(id).size(), 1U);
}

TEST_P(FinishClaim, ALapsedLeaseThatNobodyHasRecoveredIsStillHeld) {
  const JobId id = add(a_job());
  const auto claims = claim(ClaimBuilder(worker).kind("k").lease(1s));
  clock.advance(1min);
  EXPECT_EQ(finish(claims.at(0), JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(state(id), JobState::Completed);
}

TEST_P(FinishClaim, ARecoveredClaimIsLost) {
  const JobId id = add(a_job());
  const auto claims = claim(ClaimBuilder(worker).kind("k").lease(1s));
  clock.advance(1min);
  EXPECT_EQ(step().recovered, 1);
  EXPECT_EQ(finish(claims.at(0), JobEvent::Complete), FinishAnswer::LeaseLost);
  EXPECT_EQ(state(id), JobState::Ready);
}

TEST_P(FinishClaim, AnErasedJobsClaimIsLost) {
  const JobId id = add(a_job());
  const job::Claim claim = claim_one();
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(erase(id), Operated::Done);
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::LeaseLost);
}

TEST_P(FinishClaim, ACancelWinsOverAnotherTry) {
  for (const JobEvent event : {JobEvent::Retry, JobEvent::Pause, JobEvent::Die, JobEvent::Release}) {
    const JobId id = add(a_job());
    const job::Claim claim = claim_one();
    EXPECT_EQ(cancel(id), Operated::Requested);
    EXPECT_EQ(finish(claim, event, 5s), FinishAnswer::Finished);
    const auto job = find(id);
    EXPECT_EQ(job.state, JobState::Cancelled) << "after " << name(event);
    EXPECT_EQ(job.finished_at, clock.wall());
    EXPECT_EQ(job.due_at, std::nullopt);
    EXPECT_FALSE(job.cancel_requested);
  }
  expect_counts_match_contents();
}

TEST_P(FinishClaim, ACancelThatCameTooLateChangesNothing) {
  const Ids all = add({a_job(), a_job()});
  const auto claims = claim();
  EXPECT_EQ(cancel(all[0]), Operated::Requested);
  EXPECT_EQ(cancel(all[1]), Operated::Requested);
  EXPECT_EQ(finish(claims[0], JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(finish(claims[1], JobEvent::Discard), FinishAnswer::Finished);
  EXPECT_EQ(state(all[0]), JobState::Completed);
  EXPECT_EQ(state(all[1]), JobState::Discarded);
}

}  // namespace galley::store::contract
