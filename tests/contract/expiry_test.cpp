// Jobs that waited too long, and jobs whose deadline comes.
#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

GALLEY_ON_EVERY_BACKEND(Expiry);

TEST_P(Expiry, AJobThatWaitedTooLongExpiresAtItsTimeAndNotBefore) {
  const JobId id = add(a_job().expires(10s));
  EXPECT_EQ(find(id).expires_at, clock.wall() + 10s);
  clock.advance(10s - 1us);
  EXPECT_EQ(step().expired, 0);
  EXPECT_EQ(state(id), JobState::Ready);
  clock.advance(1us);
  EXPECT_EQ(step().expired, 1);
  const job::JobRecord job = find(id);
  EXPECT_EQ(job.state, JobState::Expired);
  EXPECT_EQ(job.finished_at, clock.wall());
  EXPECT_EQ(job.error_class, "expired");
  EXPECT_EQ(job.error, "waited too long: it had not started by 2026-01-01T00:00:10.000Z");
  EXPECT_EQ(step().expired, 0) << "once";
  expect_counts_match_contents();
}

TEST_P(Expiry, CountsFromTheDueTime) {
  const JobId delayed = add(a_job().delay(1h).expires(10s));
  const JobId late = add(a_job().at(clock.wall() - 1h).expires(10s));
  EXPECT_EQ(find(delayed).expires_at, clock.wall() + 1h + 10s);
  EXPECT_EQ(find(late).expires_at, clock.wall() + 10s) << "a time that has passed is due now";
  clock.advance(1h + 9s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_EQ(state(late), JobState::Expired);
  EXPECT_EQ(state(delayed), JobState::Ready);
  clock.advance(1s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_EQ(state(delayed), JobState::Expired);
}

TEST_P(Expiry, EndsWithTheFirstStart) {
  const JobId id = add(a_job().expires(10s));
  EXPECT_EQ(run_one(JobEvent::Retry, 1h), id);
  clock.advance(1h);
  EXPECT_EQ(step().expired, 0);
  EXPECT_EQ(claim_one().id.job, id);
}

TEST_P(Expiry, AReleasedClaimHasNotStarted) {
  const JobId id = add(a_job().expires(10s));
  EXPECT_EQ(run_one(JobEvent::Release), id);
  clock.advance(10s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_EQ(state(id), JobState::Expired);
}

TEST_P(Expiry, TheDeadlineCountsFromTheEnqueueAndThroughAllTries) {
  const JobId waits = add(a_job().kind("other").delay(1h).deadline(10s));
  const JobId tried = add(a_job().deadline(10s));
  EXPECT_EQ(find(tried).deadline_at, clock.wall() + 10s);
  EXPECT_EQ(run_one(JobEvent::Retry, 1h), tried);
  clock.advance(10s);
  EXPECT_EQ(step().expired, 2);
  EXPECT_EQ(state(waits), JobState::Expired);
  EXPECT_EQ(state(tried), JobState::Expired);
  EXPECT_EQ(find(tried).error, "its deadline has passed");
  EXPECT_EQ(attempts(tried).size(), 1U) << "its attempts stay";
}

TEST_P(Expiry, AClaimTellsTheTimeThatIsLeft) {
  add({a_job().deadline(10s), a_job()});
  clock.advance(4s);
  const auto claims = claim();
  EXPECT_EQ(claims.at(0).deadline, 6s);
  EXPECT_EQ(claims.at(1).deadline, std::nullopt);
}

TEST_P(Expiry, AClaimTakesNoneThatIsOverAndFillsItsSlotsWithOthers) {
  add({a_job().expires(10s), a_job().priority(5).deadline(10s), a_job().expires(10s)});
  const Ids good = add({a_job(), a_job().expires(11s)});
  clock.advance(10s);
  EXPECT_EQ(ids(claim(2)), good);
  EXPECT_EQ(list({.state = JobState::Expired}).size(), 3U);
  expect_counts_match_contents();
}

TEST_P(Expiry, AClaimExpiresWithoutTakingAnything) {
  const JobId id = add(a_job().expires(10s));
  clock.advance(10s);
  EXPECT_TRUE(claim(ClaimBuilder(worker).kind("other")).empty());
  EXPECT_EQ(state(id), JobState::Expired);
}

TEST_P(Expiry, ACommandLeavesAllOfItsLanes) {
  const JobId id = add(a_job().command("p").expires(1s));
  clock.advance(1s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_EQ(state(id), JobState::Expired);
  EXPECT_TRUE(claim(ClaimBuilder(worker).any_command(5)).empty());
  EXPECT_TRUE(claim(ClaimBuilder(worker).commands(5, {"p"})).empty());
}

TEST_P(Expiry, AStepEndsThoseFirstThatAreOverLongestAndNoMoreThanItsLimit) {
  const Ids all = add({a_job().expires(3s), a_job().expires(1s), a_job().deadline(2s)});
  clock.advance(5s);
  const StepAnswer first = step(2);
  EXPECT_EQ(first.expired, 2);
  EXPECT_TRUE(first.more);
  EXPECT_EQ(state(all[0]), JobState::Ready);
  EXPECT_EQ(state(all[1]), JobState::Expired);
  EXPECT_EQ(state(all[2]), JobState::Expired);
  EXPECT_EQ(step(2).expired, 1);
}

TEST_P(Expiry, AStepKnowsWhenTheNextOneIsOver) {
  EXPECT_EQ(step().next, limits::kSafetyLook);
  add(a_job().expires(3s));
  EXPECT_EQ(step().next, 3s);
  clock.advance(1s);
  add(a_job().deadline(1s));
  EXPECT_EQ(step().next, 1s);
}

TEST_P(Expiry, WhatIsOverDoesNotBecomeDue) {
  const JobId id = add(a_job().delay(5s).deadline(5s));
  clock.advance(5s);
  const StepAnswer answer = step();
  EXPECT_EQ(answer.expired, 1);
  EXPECT_EQ(answer.promoted, 0);
  EXPECT_EQ(state(id), JobState::Expired);
}

TEST_P(Expiry, ARunningJobIsLeftToItsWorker) {
  const JobId id = add(a_job().deadline(10s));
  const job::Claim claim = claim_one();
  clock.advance(20s);
  EXPECT_EQ(step().expired, 0);
  EXPECT_EQ(state(id), JobState::Running);
  Finish end = a_finish(claim, JobEvent::Expire);
  end.outcome = "expired";
  end.report.error = "its deadline has passed";
  end.report.error_class = "expired";
  EXPECT_EQ(finish(end), FinishAnswer::Finished);
  EXPECT_EQ(state(id), JobState::Expired);
  EXPECT_EQ(find(id).error_class, "expired");
  EXPECT_EQ(attempts(id).at(0).outcome, "expired");
  expect_counts_match_contents();
}

TEST_P(Expiry, ARunningJobMayCompleteAfterItsDeadline) {
  const JobId id = add(a_job().deadline(10s));
  const job::Claim claim = claim_one();
  clock.advance(20s);
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(state(id), JobState::Completed);
}

TEST_P(Expiry, WhatIsPutBackBehindItsDeadlineExpires) {
  for (const JobEvent event : {JobEvent::Retry, JobEvent::Pause, JobEvent::Release}) {
    const JobId id = add(a_job().deadline(10s));
    const job::Claim claim = claim_one();
    clock.advance(10s);
    EXPECT_EQ(finish(claim, event, event == JobEvent::Retry ? 1h : 0s), FinishAnswer::Finished);
    EXPECT_EQ(step().expired, 1) << name(event);
    EXPECT_EQ(state(id), JobState::Expired) << name(event);
  }
}

TEST_P(Expiry, AJobWhoseWorkerDiedExpiresAtItsDeadlineAndNotForItsWait) {
  const Ids all = add({a_job().deadline(40s), a_job().expires(1s)});
  EXPECT_EQ(claim().size(), 2U);
  clock.advance(limits::kLease + 1us);
  EXPECT_EQ(step().recovered, 2);
  clock.advance(10s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_EQ(state(all[0]), JobState::Expired);
  EXPECT_EQ(state(all[1]), JobState::Ready);
}

TEST_P(Expiry, ARetryByAPersonClearsBoth) {
  const Ids all = add({a_job().expires(10s).deadline(1h), a_job().delay(1h).deadline(2h)});
  clock.advance(10s);
  EXPECT_EQ(step().expired, 1);
  for (const JobId id : all) {
    EXPECT_EQ(retry(id), Operated::Done);
    EXPECT_EQ(find(id).expires_at, std::nullopt);
    EXPECT_EQ(find(id).deadline_at, std::nullopt);
  }
  clock.advance(10h);
  EXPECT_EQ(step().expired, 0);
  EXPECT_EQ(claim().size(), 2U);
}

TEST_P(Expiry, CancelEraseAndAlterTakeItsTimeWithThem) {
  const Ids all = add({a_job().expires(10s), a_job().expires(10s), a_job().expires(10s)});
  EXPECT_EQ(cancel(all[0]), Operated::Done);
  EXPECT_EQ(erase(all[1]), Operated::Done);
  ASSERT_EQ(store.alter(std::span(&all[2], 1), {"other", 3}).value().at(0), Operated::Done);
  clock.advance(10s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_EQ(state(all[0]), JobState::Cancelled);
  EXPECT_EQ(state(all[2]), JobState::Expired);
  expect_counts_match_contents();
}

TEST_P(Expiry, GivesUpTheUniqueKey) {
  const JobId first = add(a_job().unique("u").expires(1s));
  clock.advance(1s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_NE(add(a_job().unique("u")), first);
}

TEST_P(Expiry, AReplacedJobCountsFromItsReplacement) {
  const JobId id = add(a_job().unique("u").expires(10s).deadline(20s));
  clock.advance(5s);
  EXPECT_EQ(add(a_job().unique("u", UniqueUntil::Finish, OnConflict::Replace).expires(10s)), id);
  EXPECT_EQ(find(id).expires_at, clock.wall() + 10s);
  EXPECT_EQ(find(id).deadline_at, std::nullopt);
  clock.advance(9s);
  EXPECT_EQ(step().expired, 0);
  clock.advance(1s);
  EXPECT_EQ(step().expired, 1);
}

TEST_P(Expiry, FailsItsBatchAndLetsTheCallbackGo) {
  const BatchId batch = store.open_batch("b", "").value();
  job::NewJob member = a_job().expires(10s);
  member.batch = batch;
  job::NewJob callback = a_job().kind("done").expires(1h);
  callback.awaits = batch;
  callback.trigger = job::Trigger::Failure;
  add(member);
  const JobId then = add(callback);
  EXPECT_EQ(state(then), JobState::Blocked);
  clock.advance(10s);
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).kind("done"))), Ids{then}) << "in the same call";
  EXPECT_EQ(store.find_batch(batch).value().failed, 1);
}

TEST_P(Expiry, ABlockedJobExpiresToo) {
  const BatchId batch = store.open_batch("b", "").value();
  job::NewJob callback = a_job().expires(10s);
  callback.awaits = batch;
  const JobId id = add(callback);
  clock.advance(10s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_EQ(state(id), JobState::Expired);
}

TEST_P(Expiry, ACallbackThatIsOverTogetherWithItsBatchEndsOnce) {
  const BatchId batch = store.open_batch("b", "").value();
  job::NewJob member = a_job().deadline(10s);
  member.batch = batch;
  job::NewJob callback = a_job().deadline(10s);
  callback.awaits = batch;
  add(member);
  const JobId then = add(callback);
  EXPECT_TRUE(store.seal_batch(batch));
  clock.advance(10s);
  EXPECT_GE(step().expired, 1);
  EXPECT_TRUE(is_ended(state(then)));
  EXPECT_EQ(step().expired, 0);
  expect_counts_match_contents();
}

TEST_P(Expiry, RingsForThoseWhoWaitForTheEnd) {
  add(a_job().expires(1s));
  const auto bell = store.bell();
  clock.advance(1s);
  EXPECT_TRUE(claim(1).empty());
  EXPECT_EQ(bell->wait(Duration{0}), Ring::Changed);
}

// A job that is over never runs, though no step may have said so yet (perhaps because no worker lives): what is
// enqueued in its stead must not be taken for it, or it would be lost with it.

TEST_P(Expiry, GivesTheUniqueKeyUpAtItsTimeBeforeAnyStep) {
  const JobId old = add(a_job().unique("u").expires(10s));
  clock.advance(10s - 1us);
  EXPECT_EQ(add(a_job().unique("u")), old);
  clock.advance(1us);
  const JobId fresh = add(a_job().unique("u"));
  EXPECT_NE(fresh, old);
  EXPECT_EQ(state(old), JobState::Expired);
  EXPECT_EQ(find(fresh).unique.key, "u");
  expect_counts_match_contents();
}

TEST_P(Expiry, IsNoConflictAndNothingToReplace) {
  for (const OnConflict action : {OnConflict::Error, OnConflict::Replace}) {
    const JobId old = add(a_job().unique("u", UniqueUntil::Finish, action).deadline(10s));
    clock.advance(10s);
    EXPECT_GT(add(a_job().unique("u", UniqueUntil::Finish, action).deadline(5s)), old) << name(action);
    EXPECT_EQ(state(old), JobState::Expired);
    clock.advance(5s);
  }
  EXPECT_EQ(step().expired, 1);
  expect_counts_match_contents();
}

TEST_P(Expiry, LeavesARunningHolderItsKeyUntilItIsStopped) {
  const JobId old = add(a_job().unique("u").deadline(10s));
  EXPECT_EQ(run_one(JobEvent::Retry), old);
  const job::Claim claim = claim_one();
  clock.advance(10s);
  EXPECT_EQ(add(a_job().unique("u")), old);
  EXPECT_EQ(finish(claim, JobEvent::Expire), FinishAnswer::Finished);
  EXPECT_NE(add(a_job().unique("u")), old);
}

TEST_P(Expiry, OfAGroupOpensTheNextOne) {
  const Group group{"g", 10, 1'000, 1min};
  const JobId old = add(a_job().group(group).deadline(10s));
  clock.advance(10s);
  const JobId fresh = add(a_job().group(group).deadline(10s));
  EXPECT_NE(fresh, old);
  EXPECT_EQ(state(old), JobState::Expired);
  EXPECT_EQ(find(old).members, 1);
  EXPECT_EQ(add(a_job().group(group)), fresh);
  expect_counts_match_contents();
}

}  // namespace galley::store::contract
