#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

class Operate : public Contract {
 protected:
  std::uint64_t signals() { return store.finish_and_claim({}, {}).value().signals; }
  /// One job in each state that a test can bring about, in the order of the enumeration.
  std::vector<std::pair<JobState, JobId>> one_of_each() {
    std::vector<std::pair<JobState, JobId>> all;
    for (const auto& [event, to] :
         std::vector<std::pair<JobEvent, JobState>>{{JobEvent::Complete, JobState::Completed},
                                                    {JobEvent::Die, JobState::Dead},
                                                    {JobEvent::Cancel, JobState::Cancelled},
                                                    {JobEvent::Discard, JobState::Discarded}}) {
      add(a_job());
      all.emplace_back(to, run_one(event));
    }
    add(a_job());
    all.emplace_back(JobState::Running, claim_one().id.job);
    all.emplace_back(JobState::Ready, add(a_job()));
    all.emplace_back(JobState::Scheduled, add(a_job().delay(1h)));
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Operate, testing::ValuesIn(backends()), backend_name);

TEST_P(Operate, RetryRevivesWhatHasEndedBadlyOrWaits) {
  for (const auto& [before, id] : one_of_each()) {
    const bool allowed = before == JobState::Dead || before == JobState::Cancelled || before == JobState::Discarded ||
                         before == JobState::Scheduled;
    const std::string old = to_text(find(id));
    EXPECT_EQ(retry(id), allowed ? Operated::Done : Operated::WrongState) << name(before);
    EXPECT_EQ(state(id), allowed ? JobState::Ready : before);
    if (!allowed) {
      EXPECT_EQ(to_text(find(id)), old);
    }
  }
  expect_counts_match_contents();
}

TEST_P(Operate, ARevivedJobStartsItsTriesAnewButNumbersItsAttemptsOn) {
  const JobId id = add(a_job());
  Finish die = a_finish(claim_one(), JobEvent::Die);
  die.counters = {.attempts = 9, .errors = 5, .pauses = 1, .snoozes = 1, .crashes = 2};
  die.report.error = "boom";
  EXPECT_EQ(finish(die), FinishAnswer::Finished);
  EXPECT_EQ(retry(id), Operated::Done);
  const auto job = find(id);
  EXPECT_EQ(job.counters, (job::Counters{.attempts = 9, .errors = 0, .pauses = 0, .snoozes = 0, .crashes = 0}));
  EXPECT_EQ(job.finished_at, std::nullopt);
  EXPECT_EQ(job.due_at, std::nullopt);
  EXPECT_EQ(attempts(id).size(), 1U);
  EXPECT_EQ(ids(claim()), Ids{id});
}

TEST_P(Operate, CancelEndsWhatWaitsAndAsksWhatRuns) {
  for (const auto& [before, id] : one_of_each()) {
    const std::string old = to_text(find(id));
    if (is_ended(before)) {
      EXPECT_EQ(cancel(id), Operated::WrongState) << name(before);
      EXPECT_EQ(to_text(find(id)), old);
    } else if (before == JobState::Running) {
      EXPECT_EQ(cancel(id), Operated::Requested);
      EXPECT_EQ(state(id), JobState::Running);
      EXPECT_TRUE(find(id).cancel_requested);
    } else {
      EXPECT_EQ(cancel(id), Operated::Done);
      EXPECT_EQ(state(id), JobState::Cancelled);
      EXPECT_EQ(find(id).finished_at, clock.wall());
      EXPECT_EQ(find(id).due_at, std::nullopt);
    }
  }
  EXPECT_TRUE(claim().empty());
  expect_counts_match_contents();
}

TEST_P(Operate, ACancelledJobDropsItsCheckpoint) {
  const JobId id = add(a_job());
  Finish pause = a_finish(claim_one(), JobEvent::Pause);
  pause.checkpoint = "page 7";
  EXPECT_EQ(finish(pause), FinishAnswer::Finished);
  EXPECT_EQ(cancel(id), Operated::Done);
  EXPECT_EQ(find(id).checkpoint, "");
  EXPECT_EQ(retry(id), Operated::Done);
  EXPECT_EQ(claim_one().checkpoint, "");
}

TEST_P(Operate, EraseRemovesAllButWhatRuns) {
  for (const auto& [before, id] : one_of_each()) {
    const bool allowed = before != JobState::Running;
    EXPECT_EQ(erase(id), allowed ? Operated::Done : Operated::WrongState) << name(before);
    EXPECT_EQ(store.find(id).has_value(), !allowed);
    EXPECT_EQ(store.attempts(id).has_value(), !allowed);
  }
  EXPECT_EQ(list().size(), 1U);
  expect_counts_match_contents();
}

TEST_P(Operate, AnErasedJobIsNeitherClaimedNorPromoted) {
  const Ids all = add({a_job(), a_job().delay(1s)});
  EXPECT_EQ(erase(all[0]), Operated::Done);
  EXPECT_EQ(erase(all[1]), Operated::Done);
  clock.advance(2s);
  EXPECT_EQ(step().promoted, 0);
  EXPECT_TRUE(claim().empty());
}

TEST_P(Operate, AnswersItemByItem) {
  const Ids all = add({a_job(), a_job().delay(1h)});
  const Ids asked{all[0], 999, all[1], all[0]};
  using enum Operated;
  EXPECT_EQ(store.cancel(asked).value(), (std::vector{Done, NotFound, Done, WrongState}));
  EXPECT_EQ(store.retry(asked).value(), (std::vector{Done, NotFound, Done, WrongState}));
  EXPECT_EQ(store.erase(asked).value(), (std::vector{Done, NotFound, Done, NotFound}));
  EXPECT_TRUE(store.erase({}).value().empty());
}

TEST_P(Operate, APausedQueueHandsOutNothingNew) {
  const Ids all = add({a_job(), a_job(), a_job().queue("other")});
  const job::Claim running = claim_one();
  ASSERT_TRUE(store.pause("default"));
  ASSERT_TRUE(store.pause("default"));
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"default", "other"}).kind("k"))), Ids{all[2]});
  EXPECT_EQ(finish(running, JobEvent::Complete), FinishAnswer::Finished) << "what runs goes on";
  ASSERT_TRUE(store.resume("default"));
  EXPECT_EQ(ids(claim()), Ids{all[1]});
}

TEST_P(Operate, APausedQueueStillTakesJobsAndMakesThemReady) {
  ASSERT_TRUE(store.pause("default"));
  const JobId id = add(a_job().delay(1s));
  clock.advance(2s);
  EXPECT_EQ(step().promoted, 1);
  EXPECT_EQ(state(id), JobState::Ready);
}

TEST_P(Operate, AQueueMayBePausedBeforeItHasJobs) {
  ASSERT_TRUE(store.pause("later"));
  auto queues = store.queues().value();
  ASSERT_EQ(queues.size(), 1U);
  EXPECT_EQ(queues[0].queue, "later");
  EXPECT_TRUE(queues[0].paused);
  add(a_job().queue("later"));
  EXPECT_TRUE(claim(ClaimBuilder(worker).queues({"later"}).kind("k")).empty());
  ASSERT_TRUE(store.resume("later"));
  ASSERT_TRUE(store.resume("never-paused"));
  queues = store.queues().value();
  ASSERT_EQ(queues.size(), 1U);
  EXPECT_FALSE(queues[0].paused);
}

TEST_P(Operate, NewsForWorkersRaiseTheSignals) {
  const Ids all = add({a_job(), a_job()});
  (void)claim(1);
  std::uint64_t last = signals();
  const auto expect_news = [&](bool news, const char* what) {
    const std::uint64_t now = signals();
    EXPECT_EQ(now > last, news) << what;
    EXPECT_GE(now, last);
    last = now;
  };
  expect_news(false, "nothing");
  (void)cancel(all[0]);
  expect_news(true, "cancel of a running job");
  (void)cancel(all[1]);
  expect_news(false, "cancel of a waiting job");
  ASSERT_TRUE(store.pause("default"));
  expect_news(true, "pause");
  ASSERT_TRUE(store.resume("default"));
  expect_news(true, "resume");
}

}  // namespace galley::store::contract
