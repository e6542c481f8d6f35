#include <algorithm>

#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

GALLEY_ON_EVERY_BACKEND(Enqueue);

TEST_P(Enqueue, IdsGrowInTheOrderOfTheBatchAndAcrossBatches) {
  Ids all = add({a_job(), a_job().queue("other"), a_job()});
  const Ids more = add({a_job(), a_job()});
  all.insert(all.end(), more.begin(), more.end());
  EXPECT_EQ(all.size(), 5U);
  EXPECT_GT(all.front(), 0);
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end(), std::greater_equal<>{}), all.end());
}

TEST_P(Enqueue, AnIdIsNeverUsedAgain) {
  const JobId first = add(a_job());
  EXPECT_EQ(erase(first), Operated::Done);
  EXPECT_GT(add(a_job()), first);
}

TEST_P(Enqueue, AJobIsKeptWithAllThatItWasGiven) {
  job::Policy policy;
  policy.timeout = 90s;
  policy.grace = 7s;
  policy.on_timeout = OnTimeout::Dead;
  policy.max_attempts = 4;
  policy.max_pauses = 5;
  policy.max_crashes = 6;
  policy.backoff = {.kind = Backoff::Kind::List, .base = 1s, .cap = 1h, .list = {1s, 10s, 60s}};
  policy.resumable = true;
  const std::string payload("bytes\0with\nall \xff kinds", 22);
  const JobId id =
      add(a_job().queue("q.1").kind("resize/v2").key("tenant 7").bytes(payload).priority(-3).policy(policy));

  job::JobRecord expected;
  expected.id = id;
  expected.state = JobState::Ready;
  expected.queue = "q.1";
  expected.kind = "resize/v2";
  expected.key = "tenant 7";
  expected.content = job::Content::Bytes;
  expected.payload = payload;
  expected.priority = -3;
  expected.policy = policy;
  expected.enqueued_at = clock.wall();
  EXPECT_EQ(to_text(find(id)), to_text(expected));
}

TEST_P(Enqueue, ACommandKeepsItsProgram) {
  const JobId id = add(a_job().kind("convert").command("/usr/bin/convert"));
  EXPECT_EQ(find(id).content, job::Content::Command);
  EXPECT_EQ(find(id).program, "/usr/bin/convert");
  EXPECT_EQ(find(id).kind, "convert");
}

TEST_P(Enqueue, TheSameTokenGivesTheSameJobAndEnqueuesNothing) {
  const JobId first = add(a_job().token("order-1"));
  const job::NewJob again = a_job().token("order-1").queue("other").payload("[1]");
  const auto answer = store.enqueue(std::span(&again, 1)).value();
  EXPECT_EQ(answer.at(0).id, first);
  EXPECT_TRUE(answer.at(0).existed);
  EXPECT_EQ(ids(list()), Ids{first});
  EXPECT_EQ(find(first).payload, "{}");
}

TEST_P(Enqueue, ATokenTwiceInOneBatchIsOneJob) {
  const std::vector<job::NewJob> batch{a_job().token("t"), a_job(), a_job().token("t")};
  const auto answer = store.enqueue(batch).value();
  EXPECT_FALSE(answer.at(0).existed);
  EXPECT_FALSE(answer.at(1).existed);
  EXPECT_TRUE(answer.at(2).existed);
  EXPECT_EQ(answer.at(2).id, answer.at(0).id);
  EXPECT_EQ(list().size(), 2U);
}

TEST_P(Enqueue, ATokenHoldsAsLongAsItsJobIsOnRecord) {
  const JobId first = add(a_job().token("t"));
  EXPECT_EQ(run_one(), first);
  EXPECT_EQ(add(a_job().token("t")), first) << "an ended job still has its token";
  EXPECT_EQ(erase(first), Operated::Done);
  EXPECT_GT(add(a_job().token("t")), first);
}

TEST_P(Enqueue, JobsWithoutATokenAreNeverTheSame) { EXPECT_NE(add(a_job()), add(a_job())); }

TEST_P(Enqueue, ADelayOrALaterTimeMakesItScheduled) {
  const Time noon = clock.wall() + 12h;
  const Ids all = add({a_job().delay(3s), a_job().at(noon)});
  EXPECT_EQ(state(all[0]), JobState::Scheduled);
  EXPECT_EQ(find(all[0]).due_at, clock.wall() + 3s);
  EXPECT_EQ(state(all[1]), JobState::Scheduled);
  EXPECT_EQ(find(all[1]).due_at, noon);
}

TEST_P(Enqueue, ATimeThatHasComeMakesItReadyAtOnce) {
  const Ids all = add({a_job().at(clock.wall()), a_job().at(clock.wall() - 1h), a_job().delay(0s)});
  for (const JobId id : all) {
    EXPECT_EQ(state(id), JobState::Ready);
    EXPECT_EQ(find(id).due_at, std::nullopt);
  }
}

}  // namespace galley::store::contract
