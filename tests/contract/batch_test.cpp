// When callbacks run, and how the jobs of a batch are counted.

#include "contract/batch_support.hpp"

namespace galley::store::contract {

class Batch : public BatchContract {};
INSTANTIATE_TEST_SUITE_P(Every, Batch, testing::ValuesIn(backends()), backend_name);

TEST_P(Batch, CallbacksWaitUntilAllJobsOfASealedBatchHaveCompleted) {
  const BatchId id = open_with_callbacks();
  add({in_batch(id), in_batch(id)});
  seal(id);
  run_one();
  EXPECT_EQ(callback_states(), "blocked blocked blocked");
  EXPECT_TRUE(claim(ClaimBuilder(worker).kind("callback")).empty());
  EXPECT_EQ(counted(id), "2=1+0, sealed");
  run_one();
  EXPECT_EQ(counted(id), "2=2+0, sealed, finished");
  EXPECT_EQ(callback_states(), "ready cancelled ready");
  EXPECT_EQ(find(callbacks[1]).error, "batch " + std::to_string(id) + " has succeeded");
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).kind("callback"))), (Ids{callbacks[0], callbacks[2]}));
  expect_counts_match_contents();
}

TEST_P(Batch, AnOpenBatchNeitherSucceedsNorFinishes) {
  const BatchId id = open_with_callbacks();
  add(in_batch(id));
  run_one();
  EXPECT_EQ(callback_states(), "blocked blocked blocked");
  seal(id);
  EXPECT_EQ(callback_states(), "ready cancelled ready");
  seal(id);
  EXPECT_EQ(callback_states(), "ready cancelled ready") << "sealing it again does nothing";
}

TEST_P(Batch, AnEmptyOneSucceedsWhenItIsSealed) {
  const BatchId id = open_with_callbacks();
  seal(id);
  EXPECT_EQ(counted(id), "0=0+0, sealed, finished");
  EXPECT_EQ(callback_states(), "ready cancelled ready");
}

TEST_P(Batch, TheFirstFailureComesAtOnceEvenWhileItIsOpen) {
  const BatchId id = open_with_callbacks();
  add({in_batch(id), in_batch(id), in_batch(id)});
  run_one(JobEvent::Die);
  EXPECT_EQ(callback_states(), "blocked ready blocked");
  seal(id);
  run_one(JobEvent::Discard);
  EXPECT_EQ(counted(id), "3=0+2, sealed, failed");
  run_one();
  EXPECT_EQ(counted(id), "3=1+2, sealed, failed, finished");
  EXPECT_EQ(callback_states(), "blocked ready ready") << "a person may still retry what failed";
}

TEST_P(Batch, EveryEndButCompletionIsAFailure) {
  const BatchId id = open();
  const Ids all = add({in_batch(id), in_batch(id), in_batch(id), in_batch(id)});
  run_one(JobEvent::Die);
  run_one(JobEvent::Discard);
  const job::Claim running = claim_one();
  EXPECT_EQ(cancel(running.id.job), Operated::Requested);
  EXPECT_EQ(counted(id), "4=0+2, failed") << "it still runs";
  finish(running, JobEvent::Retry);
  EXPECT_EQ(cancel(all[3]), Operated::Done);
  EXPECT_EQ(counted(id), "4=0+4, failed");
}

TEST_P(Batch, ARetriedJobIsPendingAgainAndItsCompletionMakesTheBatchSucceed) {
  const BatchId id = open_with_callbacks();
  add({in_batch(id), in_batch(id)});
  seal(id);
  const JobId dead = run_one(JobEvent::Die);
  run_one();
  EXPECT_EQ(callback_states(), "blocked ready ready");
  const Time finished = store.find_batch(id)->finished_at.value();
  clock.advance(1min);
  EXPECT_EQ(retry(dead), Operated::Done);
  EXPECT_EQ(counted(id), "2=1+0, sealed, failed, finished");
  run_one();
  EXPECT_EQ(counted(id), "2=2+0, sealed, failed, finished");
  EXPECT_EQ(callback_states(), "ready ready ready");
  EXPECT_EQ(store.find_batch(id)->finished_at, finished) << "for the first time";
}

TEST_P(Batch, RetriesOfAScheduledJobAndRepeatedFinishesCountNothing) {
  const BatchId id = open();
  add(in_batch(id));
  const job::Claim first = claim_one();
  finish(first, JobEvent::Retry, 1h);
  EXPECT_EQ(retry(first.id.job), Operated::Done);
  EXPECT_EQ(counted(id), "1=0+0");
  const job::Claim second = claim_one();
  EXPECT_EQ(finish(first, JobEvent::Complete), FinishAnswer::AlreadyFinished);
  EXPECT_EQ(finish(second, JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(finish(second, JobEvent::Complete), FinishAnswer::AlreadyFinished);
  EXPECT_EQ(cancel(second.id.job), Operated::WrongState);
  EXPECT_EQ(counted(id), "1=1+0");
}

TEST_P(Batch, AJobWhoseWorkersDieFailsOnceWhenItIsQuarantined) {
  const BatchId id = open_with_callbacks();
  add(in_batch(id, a_job().max_crashes(2)));
  seal(id);
  for (int crash = 0; crash < 2; ++crash) {
    EXPECT_EQ(counted(id), "1=0+0, sealed");
    claim_one();
    clock.advance(limits::kLease + 1s);
    step();
  }
  EXPECT_EQ(counted(id), "1=0+1, sealed, failed, finished");
  EXPECT_EQ(callback_states(), "blocked ready ready");
}

TEST_P(Batch, PrunedCompletedJobsStayCounted) {
  const BatchId id = open_with_callbacks();
  add({in_batch(id), in_batch(id)});
  run_one();
  clock.advance(limits::kKeepForBatch);
  EXPECT_EQ(step().pruned, 0) << "it is kept for what joins the results";
  clock.advance(1s);
  EXPECT_EQ(step().pruned, 1) << "but not for ever";
  EXPECT_EQ(counted(id), "2=1+0");
  seal(id);
  run_one();
  EXPECT_EQ(callback_states(), "ready cancelled ready");
}

TEST_P(Batch, CompletedJobsAreKeptUntilItsCallbackHasReadThem) {
  const BatchId id = open();
  const JobId after = add(callback(id, Trigger::Finished, a_job()));
  const Ids parts = add({in_batch(id), in_batch(id)});
  const JobId other = add(a_job());
  seal(id);
  run_one();
  clock.advance(limits::kKeepCompleted * 5);
  EXPECT_EQ(step().pruned, 0) << "a part takes hours";
  run_one();
  run_one();
  EXPECT_EQ(find(other).state, JobState::Completed);
  clock.advance(limits::kKeepCompleted + 1s);
  EXPECT_EQ(step().pruned, 1) << "the one of no batch";
  const job::Claim joining = claim_one();
  ASSERT_EQ(joining.id.job, after);
  finish(joining, JobEvent::Die);
  EXPECT_EQ(step().pruned, 0) << "a person may retry it";
  EXPECT_EQ(retry(after), Operated::Done);
  run_one();
  EXPECT_EQ(step().pruned, 2) << "the parts, whose batch ended long ago";
  EXPECT_EQ(find(after).state, JobState::Completed);
}

TEST_P(Batch, DeletingACompletedJobChangesNothing) {
  const BatchId id = open_with_callbacks();
  add({in_batch(id), in_batch(id)});
  seal(id);
  EXPECT_EQ(erase(run_one()), Operated::Done);
  EXPECT_EQ(counted(id), "2=1+0, sealed");
  run_one();
  EXPECT_EQ(callback_states(), "ready cancelled ready");
}

TEST_P(Batch, DeletingAWaitingJobCancelsWhatWaitsForSuccessAndSaysWhy) {
  const BatchId id = open_with_callbacks();
  const Ids all = add({in_batch(id), in_batch(id)});
  seal(id);
  EXPECT_EQ(erase(all[1]), Operated::Done);
  EXPECT_EQ(counted(id), "1=0+0, 1 lost, sealed");
  EXPECT_EQ(callback_states(), "cancelled blocked blocked");
  const auto cancelled = find(callbacks[0]);
  EXPECT_EQ(cancelled.error,
            "batch " + std::to_string(id) + " cannot succeed: a job of it was deleted before it had completed");
  EXPECT_EQ(cancelled.error_class, "batch");
  run_one();
  EXPECT_EQ(counted(id), "1=1+0, 1 lost, sealed, finished");
  EXPECT_EQ(callback_states(), "cancelled cancelled ready");
  EXPECT_EQ(find(callbacks[1]).error, "batch " + std::to_string(id) + " has finished without a failed job");
}

TEST_P(Batch, DeletingAFailedJobMakesSuccessImpossibleAndTheLastPendingOneFinishesIt) {
  const BatchId id = open_with_callbacks();
  const Ids all = add({in_batch(id), in_batch(id)});
  seal(id);
  EXPECT_EQ(erase(run_one(JobEvent::Die)), Operated::Done);
  EXPECT_EQ(counted(id), "1=0+0, 1 lost, sealed, failed");
  EXPECT_EQ(callback_states(), "cancelled ready blocked");
  EXPECT_EQ(erase(all[1]), Operated::Done);
  EXPECT_EQ(counted(id), "0=0+0, 2 lost, sealed, failed, finished");
  EXPECT_EQ(callback_states(), "cancelled ready ready");
}

TEST_P(Batch, DeletingTheLastWaitingJobFinishesItWithoutSuccess) {
  const BatchId id = open_with_callbacks();
  const Ids all = add({in_batch(id), in_batch(id)});
  seal(id);
  EXPECT_EQ(run_one(), all[0]);
  EXPECT_EQ(erase(all[1]), Operated::Done);
  EXPECT_EQ(counted(id), "1=1+0, 1 lost, sealed, finished");
  EXPECT_EQ(callback_states(), "cancelled cancelled ready");
}

TEST_P(Batch, ACallbackWhoseTriggerHasComeTrueIsReadyAtOnce) {
  const BatchId good = open();
  seal(good);
  EXPECT_EQ(state(add(callback(good, Trigger::Success))), JobState::Ready);
  EXPECT_EQ(state(add(callback(good, Trigger::Finished))), JobState::Ready);
  const BatchId bad = open();
  add(in_batch(bad));
  const JobId dead = run_one(JobEvent::Die);
  EXPECT_EQ(retry(dead), Operated::Done);
  EXPECT_EQ(state(add(callback(bad, Trigger::Failure))), JobState::Ready) << "it has failed, whatever came then";
  EXPECT_EQ(state(add(callback(bad, Trigger::Success))), JobState::Blocked);
  expect_counts_match_contents();
}

TEST_P(Batch, ACallbackMayBeAJobOfAnotherBatch) {
  const BatchId inner = open("inner");
  const BatchId outer = open("outer");
  add(in_batch(inner));
  const JobId nested = add(in_batch(outer, callback(inner, Trigger::Success)));
  const JobId unneeded = add(in_batch(outer, callback(inner, Trigger::Failure)));
  const JobId last = add(callback(outer, Trigger::Finished));
  seal(inner);
  seal(outer);
  run_one();
  EXPECT_EQ(state(nested), JobState::Ready);
  EXPECT_EQ(state(unneeded), JobState::Cancelled);
  EXPECT_EQ(counted(outer), "2=0+1, sealed, failed");
  EXPECT_EQ(state(last), JobState::Blocked);
  finish(claim(ClaimBuilder(worker).kind("callback")).at(0), JobEvent::Complete);
  EXPECT_EQ(state(last), JobState::Ready);
}

TEST_P(Batch, ABlockedCallbackCanBeCancelledRetriedAndDeleted) {
  const BatchId id = open_with_callbacks();
  add(in_batch(id));
  seal(id);
  EXPECT_EQ(retry(callbacks[0]), Operated::WrongState);
  EXPECT_EQ(cancel(callbacks[0]), Operated::Done);
  EXPECT_EQ(retry(callbacks[0]), Operated::Done);
  EXPECT_EQ(state(callbacks[0]), JobState::Ready) << "a person wants it to run";
  EXPECT_EQ(erase(callbacks[1]), Operated::Done);
  const auto taken = claim(ClaimBuilder(worker).kind("callback"));
  ASSERT_EQ(ids(taken), Ids{callbacks[0]});
  run_one();
  EXPECT_EQ(state(callbacks[0]), JobState::Running) << "its trigger finds that it waits no more";
  EXPECT_EQ(store.find_batch(id)->callbacks, (Ids{callbacks[0], callbacks[2]}));
  expect_counts_match_contents();
}

TEST_P(Batch, ItsJobsAndCallbacksSayWhatTheyBelongTo) {
  const BatchId id = open_with_callbacks();
  const JobId member = add(in_batch(id));
  EXPECT_EQ(find(member).batch, id);
  EXPECT_EQ(find(member).awaits, 0);
  EXPECT_EQ(claim_one().batch, id);
  const auto waiting = find(callbacks[1]);
  EXPECT_EQ(waiting.awaits, id);
  EXPECT_EQ(waiting.trigger, Trigger::Failure);
  EXPECT_EQ(waiting.batch, 0);
  const auto stats = store.find_batch(id).value();
  EXPECT_EQ(stats.name, "nightly");
  EXPECT_EQ(stats.opened_at, clock.wall());
  EXPECT_EQ(stats.callbacks, callbacks);
}

TEST_P(Batch, AReplacedCallbackStaysBlockedAndInItsPlace) {
  const BatchId id = open();
  job::NewJob first = callback(id, Trigger::Success);
  first.unique.key = "publish";
  const JobId waiting = add(first);
  job::NewJob second = a_job().kind("callback").payload("[2]");
  second.unique = {"publish", UniqueUntil::Finish, OnConflict::Replace};
  EXPECT_EQ(add(second), waiting);
  EXPECT_EQ(state(waiting), JobState::Blocked);
  EXPECT_EQ(find(waiting).awaits, id);
  EXPECT_EQ(find(waiting).payload, "[2]");
  seal(id);
  EXPECT_EQ(state(waiting), JobState::Ready);
}

}  // namespace galley::store::contract
