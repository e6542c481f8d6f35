// What a person changes about jobs that do not run: now instead of later, another queue, another priority.

#include "contract/support.hpp"

namespace galley::store::contract {

class Alter : public Contract {
 protected:
  Operated run_now(JobId id) { return store.run_now(std::span(&id, 1)).value().at(0); }
  Operated alter(JobId id, const Alteration& change) { return store.alter(std::span(&id, 1), change).value().at(0); }
  static Alteration to_queue(std::string queue) { return {std::move(queue), std::nullopt}; }
  static Alteration to_priority(int priority) { return {std::nullopt, priority}; }
  /// One job in each state that a test can bring about.
  std::vector<std::pair<JobId, JobState>> one_of_each() {
    std::vector<std::pair<JobId, JobState>> jobs;
    for (const JobEvent event : {JobEvent::Complete, JobEvent::Die, JobEvent::Discard, JobEvent::Cancel}) {
      const JobId id = add(a_job());
      (void)run_one(event);
      jobs.emplace_back(id, state(id));
    }
    jobs.emplace_back(add(a_job().delay(10s)), JobState::Scheduled);
    jobs.emplace_back(add(a_job()), JobState::Ready);
    return jobs;
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Alter, testing::ValuesIn(backends()), backend_name);

TEST_P(Alter, AScheduledJobThatIsRunNowIsReadyBehindWhatIsReady) {
  const Ids all = add({a_job().delay(1h), a_job()});
  EXPECT_EQ(run_now(all[0]), Operated::Done);
  EXPECT_EQ(state(all[0]), JobState::Ready);
  EXPECT_EQ(find(all[0]).due_at, std::nullopt);
  EXPECT_EQ(run_now(all[0]), Operated::WrongState);
  EXPECT_EQ(ids(claim()), (Ids{all[1], all[0]}));
  expect_counts_match_contents();
}

TEST_P(Alter, OnlyAScheduledJobIsRunNow) {
  for (const auto& [id, state] : one_of_each()) {
    EXPECT_EQ(run_now(id), state == JobState::Scheduled ? Operated::Done : Operated::WrongState);
  }
  (void)claim_one();
  EXPECT_EQ(run_now(999), Operated::NotFound);
}

TEST_P(Alter, ARunNowKeepsWhatTheJobHasBehindIt) {
  const JobId id = add(a_job());
  Finish failed = a_finish(claim_one(), JobEvent::Retry, 1h);
  failed.report.error = "x";
  EXPECT_EQ(finish(failed), FinishAnswer::Finished);
  EXPECT_EQ(run_now(id), Operated::Done);
  EXPECT_EQ(find(id).counters.errors, 1) << "unlike a retry, which starts anew";
}

TEST_P(Alter, ARunNowRingsTheBell) {
  const JobId id = add(a_job().delay(1h));
  const auto bell = store.bell();
  EXPECT_EQ(run_now(id), Operated::Done);
  EXPECT_EQ(bell->wait(10s), Ring::Changed);
}

TEST_P(Alter, AJobMovesToAnotherQueueInEveryStateButRunning) {
  for (const auto& [id, state] : one_of_each()) {
    const job::JobRecord before = find(id);
    EXPECT_EQ(alter(id, to_queue("other")), Operated::Done) << name(state);
    const job::JobRecord after = find(id);
    EXPECT_EQ(after.queue, "other");
    EXPECT_EQ(after.state, state);
    EXPECT_EQ(after.due_at, before.due_at);
    EXPECT_EQ(after.finished_at, before.finished_at);
    EXPECT_EQ(after.priority, before.priority);
  }
  const auto queues = store.queues().value();
  ASSERT_EQ(queues.size(), 1U);
  EXPECT_EQ(queues[0].queue, "other");
  expect_counts_match_contents();
}

TEST_P(Alter, AMovedJobIsClaimedFromItsNewQueueOnly) {
  const Ids all = add({a_job(), a_job().queue("other"), a_job().delay(1s), a_job().kind("sh").command("ls")});
  for (const JobId id : {all[0], all[2], all[3]}) EXPECT_EQ(alter(id, to_queue("other")), Operated::Done);
  clock.advance(2s);
  EXPECT_TRUE(claim(ClaimBuilder(worker).kind("k").any_command(9)).empty());
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"other"}).kind("k"))), (Ids{all[1], all[0], all[2]}));
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"other"}).commands(9, {"ls"}))), (Ids{all[3]}));
}

TEST_P(Alter, AReadyJobStandsBehindEverythingOfItsNewPriority) {
  const Ids all = add({a_job(), a_job().priority(2), a_job(), a_job().priority(-1)});
  EXPECT_EQ(alter(all[0], to_priority(2)), Operated::Done);
  EXPECT_EQ(alter(all[3], to_priority(0)), Operated::Done);
  EXPECT_EQ(find(all[0]).priority, 2);
  const auto claims = claim();
  EXPECT_EQ(ids(claims), (Ids{all[1], all[0], all[2], all[3]}));
  EXPECT_EQ(claims[1].priority, 2);
}

TEST_P(Alter, ANewPriorityCountsWhenAScheduledJobIsDueAndWhenADeadOneIsRetried) {
  const JobId dead = add(a_job());
  (void)run_one(JobEvent::Die);
  const JobId scheduled = add(a_job().delay(1s));
  EXPECT_EQ(alter(dead, to_priority(3)), Operated::Done);
  EXPECT_EQ(alter(scheduled, to_priority(2)), Operated::Done);
  const JobId ready = add(a_job().priority(1));
  EXPECT_EQ(retry(dead), Operated::Done);
  clock.advance(2s);
  EXPECT_EQ(ids(claim()), (Ids{dead, scheduled, ready}));
}

TEST_P(Alter, ABlockedJobGoesOnWaitingInItsNewQueue) {
  const BatchId batch = store.open_batch("b", "").value();
  job::NewJob job = a_job();
  job.batch = batch;
  job::NewJob callback = a_job();
  callback.awaits = batch;
  const Ids all = add({job, callback});
  EXPECT_EQ(alter(all[1], {"other", 2}), Operated::Done);
  EXPECT_EQ(state(all[1]), JobState::Blocked);
  EXPECT_EQ(run_now(all[1]), Operated::WrongState);
  ASSERT_TRUE(store.seal_batch(batch));
  EXPECT_EQ(run_one(), all[0]);
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"other"}).kind("k"))), (Ids{all[1]}));
  expect_counts_match_contents();
}

TEST_P(Alter, ARunningJobIsLeftAlone) {
  const JobId id = add(a_job());
  const job::Claim held = claim_one();
  EXPECT_EQ(alter(id, {"other", 3}), Operated::WrongState);
  EXPECT_EQ(run_now(id), Operated::WrongState);
  EXPECT_EQ(find(id).queue, "default");
  EXPECT_EQ(finish(held, JobEvent::Complete), FinishAnswer::Finished);
}

TEST_P(Alter, ItsAnswersAreItemByItem) {
  const JobId id = add(a_job());
  const Ids asked{id, 999, id};
  EXPECT_EQ(store.alter(asked, to_priority(1)).value(),
            (std::vector<Operated>{Operated::Done, Operated::NotFound, Operated::Done}));
}

TEST_P(Alter, WhatIsNoQueueNoPriorityOrNothingIsRefused) {
  const Ids one{add(a_job())};
  EXPECT_REFUSED(store.alter(one, {}));
  EXPECT_REFUSED(store.alter(one, to_queue("a b")));
  EXPECT_REFUSED(store.alter(one, to_queue("")));
  EXPECT_REFUSED(store.alter(one, to_priority(limits::kMaxPriority + 1)));
  EXPECT_REFUSED(store.alter(one, {"fine", -limits::kMaxPriority - 1}));
  EXPECT_REFUSED(store.alter(Ids(limits::kMaxPage + 1, 1), to_priority(1)));
  EXPECT_REFUSED(store.run_now(Ids(limits::kMaxPage + 1, 1)));
  EXPECT_EQ(find(one[0]).queue, "default");
}

TEST_P(Alter, AGroupThatIsAlteredTakesNoMoreMembers) {
  job::NewJob job = a_job();
  job.group.key = "g";
  const JobId first = add(job);
  EXPECT_EQ(alter(first, to_priority(1)), Operated::Done);
  EXPECT_EQ(state(first), JobState::Scheduled);
  EXPECT_NE(add(job), first);
}

TEST_P(Alter, AGroupThatIsRunNowTakesNoMoreMembers) {
  job::NewJob job = a_job();
  job.group.key = "g";
  const JobId first = add(job);
  EXPECT_EQ(run_now(first), Operated::Done);
  EXPECT_NE(add(job), first);
  EXPECT_EQ(ids(claim()), (Ids{first}));
}

}  // namespace galley::store::contract
