#include "contract/support.hpp"

namespace galley::store::contract {

GALLEY_ON_EVERY_BACKEND(Prune);

TEST_P(Prune, CompletedJobsGoWhenTheyAreOlderThanTheyAreKept) {
  const JobId id = add(a_job().token("t"));
  EXPECT_EQ(run_one(), id);
  clock.advance(limits::kKeepCompleted);
  EXPECT_EQ(step().pruned, 0);
  clock.advance(1us);
  EXPECT_EQ(step().pruned, 1);
  EXPECT_EQ(refusal(store.find(id)), Errc::NotFound);
  EXPECT_EQ(refusal(store.attempts(id)), Errc::NotFound);
  EXPECT_GT(add(a_job().token("t")), id) << "its token is free again";
  expect_counts_match_contents();
}

TEST_P(Prune, OtherEndedJobsAreKeptForAPerson) {
  for (const JobEvent event : {JobEvent::Die, JobEvent::Discard, JobEvent::Cancel}) {
    add(a_job());
    (void)run_one(event);
  }
  clock.advance(1'000h);
  EXPECT_EQ(step().pruned, 0);
  EXPECT_EQ(list().size(), 3U);
}

TEST_P(Prune, AStepPrunesAtMostItsLimit) {
  add({a_job(), a_job(), a_job()});
  Ids all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(run_one());
    clock.advance(1s);
  }
  clock.advance(2h);
  const StepAnswer first = step(2);
  EXPECT_EQ(first.pruned, 2);
  EXPECT_TRUE(first.more);
  EXPECT_EQ(ids(list()), Ids{all[2]}) << "the oldest go first";
  const StepAnswer second = step(2);
  EXPECT_EQ(second.pruned, 1);
  EXPECT_FALSE(second.more);
}

TEST_P(Prune, AQueueKeepsABoundedNumberOfCompletedJobs) {
  constexpr std::int64_t kExtra = 3;
  const std::vector<job::NewJob> batch(limits::kMaxClaimBatch, a_job());
  JobId first = 0;
  for (std::int64_t done = 0; done < limits::kKeepCompletedJobs + kExtra; done += limits::kMaxClaimBatch) {
    const auto left = static_cast<std::size_t>(limits::kKeepCompletedJobs + kExtra - done);
    const auto added = store.enqueue(std::span(batch).first(std::min(left, batch.size()))).value();
    if (first == 0) first = added.front().id;
    std::vector<Finish> finishes;
    for (const auto& one : claim()) finishes.push_back(a_finish(one, JobEvent::Complete));
    ASSERT_EQ(store.finish(finishes).value().size(), added.size());
  }
  const JobId elsewhere = add(a_job().queue("other"));
  (void)finish(claim(ClaimBuilder(worker).queues({"other"}).kind("k")).at(0), JobEvent::Complete);
  EXPECT_EQ(step().pruned, kExtra);
  EXPECT_EQ(store.queues().value().at(0).count[static_cast<int>(JobState::Completed)], limits::kKeepCompletedJobs);
  EXPECT_EQ(refusal(store.find(first + kExtra - 1)), Errc::NotFound);
  EXPECT_EQ(state(first + kExtra), JobState::Completed);
  EXPECT_EQ(state(elsewhere), JobState::Completed);
  EXPECT_EQ(step().pruned, 0);
}

}  // namespace galley::store::contract
