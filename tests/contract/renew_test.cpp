#include "contract/support.hpp"

namespace galley::store::contract {

class Renew : public Contract {
 protected:
  Renewed renew(const job::ClaimId& claim, Duration lease = 30s) {
    const Renewal renewal{claim, std::nullopt, std::nullopt};
    return store.renew(std::span(&renewal, 1), lease).value().at(0);
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Renew, testing::ValuesIn(backends()), backend_name);

TEST_P(Renew, ARenewedClaimOutlivesItsFirstLease) {
  const JobId id = add(a_job());
  const auto claims = claim(ClaimBuilder(worker).kind("k").lease(10s));
  for (int i = 0; i < 5; ++i) {
    clock.advance(8s);
    EXPECT_TRUE(renew(claims.at(0).id, 10s).held);
    EXPECT_EQ(step().recovered, 0);
  }
  EXPECT_EQ(state(id), JobState::Running);
  clock.advance(10s);
  EXPECT_EQ(step().recovered, 0) << "a lease holds up to its last microsecond";
  clock.advance(1us);
  EXPECT_EQ(step().recovered, 1);
}

TEST_P(Renew, ARenewalMayAlsoShortenTheLease) {
  add(a_job());
  const auto claims = claim(ClaimBuilder(worker).kind("k").lease(1h));
  EXPECT_TRUE(renew(claims.at(0).id, 1s).held);
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1);
}

TEST_P(Renew, ALostClaimIsToldSoAndChangesNothing) {
  const JobId id = add(a_job());
  const job::Claim first = claim_one();
  EXPECT_EQ(finish(first, JobEvent::Pause), FinishAnswer::Finished);
  EXPECT_FALSE(renew(first.id).held);
  (void)claim(ClaimBuilder(worker).kind("k").lease(1s));
  const Renewal late{first.id, "stale", "stale"};
  EXPECT_FALSE(store.renew(std::span(&late, 1), 1h).value().at(0).held);
  EXPECT_EQ(find(id).progress, "");
  EXPECT_EQ(find(id).checkpoint, "");
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1) << "a stale renewal must not extend the new claim's lease";
}

TEST_P(Renew, NoLateWordOfAWorkerThatSleptThroughItsLeaseIsTaken) {
  const JobId id = add(a_job());
  const job::Claim slept = claim(ClaimBuilder(worker).kind("k").lease(1s)).at(0);
  const Renewal in_time{slept.id, "40%", "page 4"};
  ASSERT_TRUE(store.renew(std::span(&in_time, 1), 1s).value().at(0).held);
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1);
  const Renewal late{slept.id, "90%", "page 9"};
  Finish end = a_finish(slept, JobEvent::Complete);
  end.checkpoint = "page 10";
  end.result = "late";
  const auto refused_in = [&](JobState state) {
    EXPECT_FALSE(store.renew(std::span(&late, 1), 1h).value().at(0).held);
    EXPECT_NE(finish(end), FinishAnswer::Finished);
    const job::JobRecord job = find(id);
    EXPECT_EQ(job.state, state);
    EXPECT_EQ(job.progress, "40%") << name(state);
    EXPECT_EQ(job.checkpoint, "page 4") << name(state);
    EXPECT_EQ(job.result, "") << name(state);
  };
  refused_in(JobState::Ready);
  const job::Claim successor = claim_one();
  EXPECT_EQ(successor.checkpoint, "page 4");
  refused_in(JobState::Running);
  EXPECT_EQ(finish(successor, JobEvent::Retry, 1h), FinishAnswer::Finished);
  refused_in(JobState::Scheduled);
}

TEST_P(Renew, SavesProgressAndCheckpoint) {
  const JobId id = add(a_job());
  const job::Claim claim = claim_one();
  Renewal renewal{claim.id, "40%", "page 4"};
  ASSERT_TRUE(store.renew(std::span(&renewal, 1), 30s));
  EXPECT_EQ(find(id).progress, "40%");
  EXPECT_EQ(find(id).checkpoint, "page 4");
  renewal = {claim.id, std::nullopt, std::nullopt};
  ASSERT_TRUE(store.renew(std::span(&renewal, 1), 30s));
  EXPECT_EQ(find(id).progress, "40%");
  EXPECT_EQ(find(id).checkpoint, "page 4");
  EXPECT_EQ(finish(claim, JobEvent::Pause), FinishAnswer::Finished);
  EXPECT_EQ(claim_one().checkpoint, "page 4") << "the next attempt goes on from it";
}

TEST_P(Renew, ACheckpointThatHasMovedOnLetsPausesAndCrashesStartAnew) {
  const JobId id = add(a_job().max_crashes(2));
  const auto renewed_with = [&](const char* checkpoint) {
    const Renewal renewal{claim_one().id, std::nullopt, checkpoint};
    EXPECT_TRUE(store.renew(std::span(&renewal, 1), 1s).value().at(0).held);
    return find(id).counters;
  };
  const auto crash = [&] {
    clock.advance(2s);
    return step();
  };
  (void)run_one(JobEvent::Pause);
  (void)claim(ClaimBuilder(worker).kind("k").lease(1s));
  EXPECT_EQ(crash().recovered, 1);
  job::Counters counters = renewed_with("page 1");
  EXPECT_EQ(counters, (job::Counters{.attempts = 2, .errors = 0, .pauses = 0, .snoozes = 0, .crashes = 0}));
  EXPECT_EQ(crash().recovered, 1) << "the first crash since it got on";
  counters = renewed_with("page 1");
  EXPECT_EQ(counters.crashes, 1) << "it is where it was";
  EXPECT_EQ(crash().quarantined, 1);
  EXPECT_EQ(state(id), JobState::Dead);
}

TEST_P(Renew, ASavedCheckpointSurvivesTheWorkersDeath) {
  add(a_job());
  const Renewal renewal{claim_one().id, std::nullopt, "page 4"};
  ASSERT_TRUE(store.renew(std::span(&renewal, 1), 1s));
  clock.advance(2s);
  EXPECT_EQ(step().recovered, 1);
  EXPECT_EQ(claim_one().checkpoint, "page 4");
}

TEST_P(Renew, ProgressIsKeptWhenTheAttemptIsOver) {
  const JobId id = add(a_job());
  const job::Claim claim = claim_one();
  const Renewal renewal{claim.id, "100%", std::nullopt};
  ASSERT_TRUE(store.renew(std::span(&renewal, 1), 30s));
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(find(id).progress, "100%");
}

TEST_P(Renew, BringsTheWishToCancel) {
  const JobId id = add(a_job());
  const job::Claim claim = claim_one();
  EXPECT_FALSE(renew(claim.id).cancel_requested);
  EXPECT_EQ(cancel(id), Operated::Requested);
  EXPECT_TRUE(renew(claim.id).cancel_requested);
  EXPECT_TRUE(renew(claim.id).held);
}

TEST_P(Renew, BringsTheQueuesPause) {
  add(a_job());
  const job::Claim claim = claim_one();
  ASSERT_TRUE(store.pause("other"));
  EXPECT_FALSE(renew(claim.id).queue_paused);
  ASSERT_TRUE(store.pause("default"));
  EXPECT_TRUE(renew(claim.id).queue_paused);
  ASSERT_TRUE(store.resume("default"));
  EXPECT_FALSE(renew(claim.id).queue_paused);
}

TEST_P(Renew, AnswersItemByItem) {
  add({a_job(), a_job()});
  const auto claims = claim();
  EXPECT_EQ(finish(claims[0], JobEvent::Complete), FinishAnswer::Finished);
  const std::vector<Renewal> batch{{claims[0].id, "x", {}}, {claims[1].id, "y", {}}, {{999, 1}, "z", {}}};
  const auto answer = store.renew(batch, 30s).value();
  ASSERT_EQ(answer.size(), 3U);
  EXPECT_FALSE(answer[0].held);
  EXPECT_TRUE(answer[1].held);
  EXPECT_FALSE(answer[2].held);
  EXPECT_EQ(find(claims[1].id.job).progress, "y");
  EXPECT_EQ(find(claims[0].id.job).progress, "");
}

}  // namespace galley::store::contract
