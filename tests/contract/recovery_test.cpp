#include <algorithm>

#include "contract/support.hpp"

namespace galley::store::contract {

class Recovery : public Contract {
 protected:
  WorkerId join() { return store.join({"host:2", "default=9"}).value(); }
  std::vector<job::Claim> claim_by(WorkerId who, Duration lease = 30s, int limit = 1'000) {
    return claim(ClaimBuilder(who).kind("k").lease(lease).limit(limit));
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Recovery, testing::ValuesIn(backends()), backend_name);

TEST_P(Recovery, AClaimWhoseLeaseIsOverIsPutBackOnce) {
  const JobId id = add(a_job());
  (void)claim_by(worker, 10s);
  clock.advance(10s);
  EXPECT_EQ(step().recovered, 0);
  clock.advance(1us);
  EXPECT_EQ(step().recovered, 1);
  EXPECT_EQ(step().recovered, 0);
  const auto job = find(id);
  EXPECT_EQ(job.state, JobState::Ready);
  EXPECT_EQ(job.worker, "");
  EXPECT_EQ(job.counters, (job::Counters{.attempts = 1, .errors = 0, .pauses = 0, .snoozes = 0, .crashes = 1}));
  EXPECT_EQ(claim_one().id.job, id);
}

TEST_P(Recovery, AWorkerThatLeftLosesItsClaimsAtOnce) {
  const Ids all = add({a_job(), a_job(), a_job()});
  const WorkerId gone = join();
  (void)claim_by(gone, 1h, 2);
  const auto kept = claim_by(worker);
  ASSERT_TRUE(store.leave(gone));
  const StepAnswer answer = step();
  EXPECT_EQ(answer.recovered, 2);
  EXPECT_EQ(answer.dead_workers, std::vector{gone});
  EXPECT_EQ(state(all[0]), JobState::Ready);
  EXPECT_EQ(state(all[1]), JobState::Ready);
  EXPECT_EQ(state(all[2]), JobState::Running);
  EXPECT_EQ(finish(kept.at(0), JobEvent::Complete), FinishAnswer::Finished);
}

TEST_P(Recovery, AWorkerThatLeftWithNothingIsNotReportedDead) {
  const WorkerId gone = join();
  ASSERT_TRUE(store.leave(gone));
  add(a_job().delay(1s));
  clock.advance(2s);
  const StepAnswer answer = step();
  EXPECT_EQ(answer.promoted, 1);
  EXPECT_TRUE(answer.dead_workers.empty());
}

TEST_P(Recovery, AWorkerIsListedUntilItLeaves) {
  clock.advance(5s);
  const WorkerId second = join();
  auto workers = store.workers().value();
  ASSERT_EQ(workers.size(), 2U);
  EXPECT_EQ(workers[0].id, worker);
  EXPECT_EQ(workers[1].id, second);
  EXPECT_EQ(workers[1].card.name, "host:2");
  EXPECT_EQ(workers[1].card.pools, "default=9");
  EXPECT_EQ(workers[1].started_at, clock.wall());
  ASSERT_TRUE(store.leave(second));
  ASSERT_TRUE(store.leave(second)) << "repeating it is harmless";
  ASSERT_TRUE(store.leave(123'456)) << "and so is one who never came";
  workers = store.workers().value();
  ASSERT_EQ(workers.size(), 1U);
  EXPECT_EQ(workers[0].id, worker);
}

TEST_P(Recovery, AWorkersIdIsNeverUsedAgain) {
  const WorkerId first = join();
  ASSERT_TRUE(store.leave(first));
  (void)step();
  EXPECT_GT(join(), first);
}

TEST_P(Recovery, AClaimFinishedBeforeItsWorkerIsMissedIsNotRecovered) {
  const JobId id = add(a_job());
  const WorkerId gone = join();
  const auto claims = claim_by(gone);
  ASSERT_TRUE(store.leave(gone));
  EXPECT_EQ(finish(claims.at(0), JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(step().recovered, 0);
  EXPECT_EQ(state(id), JobState::Completed);
}

TEST_P(Recovery, TheOldestClaimsAreRecoveredFirstAndAtMostTheLimit) {
  const Ids all = add({a_job(), a_job(), a_job(), a_job(), a_job()});
  const WorkerId gone = join();
  const auto first = claim_by(worker, 1s, 2);
  (void)claim_by(gone, 1h, 2);
  (void)claim_by(worker, 1s, 1);
  EXPECT_EQ(finish(first.at(0), JobEvent::Release), FinishAnswer::Finished);
  EXPECT_EQ(ids(claim_by(worker, 1s, 1)), Ids{all[0]}) << "now it has the youngest claim";
  ASSERT_TRUE(store.leave(gone));
  clock.advance(2s);

  StepAnswer answer = step(2);
  EXPECT_EQ(answer.recovered, 2);
  EXPECT_TRUE(answer.more);
  EXPECT_EQ(state(all[1]), JobState::Ready);
  EXPECT_EQ(state(all[2]), JobState::Ready);
  answer = step(2);
  EXPECT_EQ(answer.recovered, 2);
  EXPECT_EQ(state(all[0]), JobState::Running);
  answer = step(2);
  EXPECT_EQ(answer.recovered, 1);
  EXPECT_FALSE(answer.more);
  EXPECT_EQ(ids(claim()), (Ids{all[1], all[2], all[3], all[4], all[0]}));
}

TEST_P(Recovery, AJobThatKillsItsWorkersIsQuarantined) {
  const JobId id = add(a_job().max_crashes(2));
  const auto claim_and_save = [&] {
    const Renewal renewal{claim_by(worker, 1s).at(0).id, std::nullopt, "page 1"};
    ASSERT_TRUE(store.renew(std::span(&renewal, 1), 1s));
  };
  claim_and_save();
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1);
  claim_and_save();
  clock.advance(2s);
  const StepAnswer answer = step();
  EXPECT_EQ(answer.recovered, 0);
  EXPECT_EQ(answer.quarantined, 1);
  const auto job = find(id);
  EXPECT_EQ(job.state, JobState::Dead);
  EXPECT_EQ(job.error, "quarantined: 2 workers died while they ran it");
  EXPECT_EQ(job.finished_at, clock.wall());
  EXPECT_EQ(job.checkpoint, "");
  EXPECT_EQ(job.counters, (job::Counters{.attempts = 2, .errors = 0, .pauses = 0, .snoozes = 0, .crashes = 2}));
  expect_counts_match_contents();
}

TEST_P(Recovery, ACancelledJobIsNotRunAgain) {
  const JobId id = add(a_job());
  (void)claim_by(worker, 1s);
  EXPECT_EQ(cancel(id), Operated::Requested);
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1);
  EXPECT_EQ(state(id), JobState::Cancelled);
  EXPECT_FALSE(find(id).cancel_requested);
  EXPECT_TRUE(claim().empty());
}

TEST_P(Recovery, ACrashIsKeptAsAnAttempt) {
  const JobId id = add(a_job());
  clock.advance(1s);
  (void)claim_by(worker, 1s);
  const Time started = clock.wall();
  clock.advance(4s);
  (void)step();
  const auto records = attempts(id);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].attempt, 1);
  EXPECT_EQ(records[0].outcome, "crashed");
  EXPECT_EQ(records[0].worker, "host:1");
  EXPECT_EQ(records[0].started_at, started);
  EXPECT_EQ(records[0].ended_at, clock.wall());
  EXPECT_EQ(records[0].report.run_time, Duration(4s));
}

TEST_P(Recovery, AReleasedClaimIsNoCrash) {
  const JobId id = add(a_job());
  const auto claims = claim_by(worker, 1s);
  EXPECT_EQ(finish(claims.at(0), JobEvent::Release), FinishAnswer::Finished);
  clock.advance(1h);
  EXPECT_EQ(step().recovered, 0);
  EXPECT_EQ(find(id).counters, job::Counters{});
}

TEST_P(Recovery, AStepOfTheWallClockEndsNoLease) {
  add(a_job());
  (void)claim_by(worker, 10s);
  clock.step_wall(24h);
  EXPECT_EQ(step().recovered, 0);
  clock.step_wall(-48h);
  clock.advance(9s);
  EXPECT_EQ(step().recovered, 0);
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1);
}

TEST_P(Recovery, AStepSaysWhenTheNextLeaseEnds) {
  EXPECT_EQ(step().next, Duration(5s));
  add({a_job(), a_job()});
  (void)claim_by(worker, 1h, 1);
  EXPECT_EQ(step().next, Duration(5s));
  (void)claim_by(worker, 3s, 1);
  clock.advance(1s);
  const Duration next = step().next;
  EXPECT_GE(next, Duration(2s));
  EXPECT_LE(next, Duration(2s + 1ms));
  clock.advance(next);
  EXPECT_EQ(step().recovered, 1) << "a step at the said time finds it";
}

}  // namespace galley::store::contract
