// Bounds on what waits: of a queue in jobs, of the store in bytes.
#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

class Limit : public Contract {
 protected:
  Enqueued put(const job::NewJob& job) { return store.enqueue(std::span(&job, 1)).value().at(0); }
  void bound(std::optional<std::int64_t> most, const std::string& queue = "default") {
    EXPECT_TRUE(store.set_max_waiting(queue, most));
  }
  bool is_full(const job::NewJob& job = a_job()) { return put(job).refused == Errc::QueueFull; }
};
INSTANTIATE_TEST_SUITE_P(Every, Limit, testing::ValuesIn(backends()), backend_name);

TEST_P(Limit, AFullQueueRefusesAndSaysWhatToDo) {
  bound(2);
  add({a_job(), a_job()});
  const Enqueued answer = put(a_job());
  EXPECT_EQ(answer.refused, Errc::QueueFull);
  EXPECT_EQ(answer.id, 0);
  EXPECT_EQ(answer.reason,
            "queue \"default\" is full: 2 jobs wait in it, and its bound (max_waiting) is 2; try again later, let the "
            "enqueue wait for room, or raise the bound");
  EXPECT_EQ(list().size(), 2U);
  EXPECT_NE(add(a_job().queue("other")), 0) << "others are not concerned";
}

TEST_P(Limit, OfABatchAsManyAreInAsThereIsRoomFor) {
  bound(3);
  const std::vector<job::NewJob> jobs{a_job(), a_job().queue("other"), a_job(), a_job(),
                                      a_job(), a_job().queue("other")};
  const auto answer = store.enqueue(jobs).value();
  for (const std::size_t in : {0U, 1U, 2U, 3U, 5U}) EXPECT_EQ(answer.at(in).refused, std::nullopt) << in;
  EXPECT_EQ(answer.at(4).refused, Errc::QueueFull);
  EXPECT_EQ(list().size(), 5U);
}

TEST_P(Limit, CountsReadyScheduledAndBlockedOfAllKinds) {
  const BatchId batch = store.open_batch("b", "").value();
  job::NewJob callback = a_job().kind("callback");
  callback.awaits = batch;
  add({a_job(), a_job().kind("z").delay(1h), callback, a_job().command("p")});
  bound(5);
  EXPECT_FALSE(is_full());
  EXPECT_TRUE(is_full());
  EXPECT_TRUE(is_full(a_job().delay(1h)));
  EXPECT_TRUE(is_full(a_job().kind("new")));
}

TEST_P(Limit, EveryWayOutMakesRoom) {
  bound(1);
  const auto next = [this] { return add(a_job()); };
  (void)next();
  EXPECT_TRUE(is_full());
  const job::Claim claim = claim_one();
  EXPECT_EQ(cancel(next()), Operated::Done);
  EXPECT_EQ(erase(next()), Operated::Done);
  const JobId moved = next();
  ASSERT_EQ(store.alter(std::span(&moved, 1), {"other", {}}).value().at(0), Operated::Done);
  const JobId expiring = add(a_job().expires(1s));
  clock.advance(1s);
  EXPECT_EQ(step().expired, 1);
  EXPECT_EQ(state(expiring), JobState::Expired);
  EXPECT_FALSE(is_full());
  EXPECT_TRUE(is_full());
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_TRUE(is_full()) << "a running job does not wait";
}

TEST_P(Limit, WhatIsPutBackRetriedOrBecomesDueIsNeverRefused) {
  bound(1);
  add(a_job());
  const job::Claim claim = claim_one();
  add(a_job());
  EXPECT_EQ(finish(claim, JobEvent::Retry, 1s), FinishAnswer::Finished);
  clock.advance(1s);
  EXPECT_EQ(step().promoted, 1);
  const JobId dead = run_one(JobEvent::Die);
  EXPECT_EQ(retry(dead), Operated::Done);
  EXPECT_EQ(list({.state = JobState::Ready}).size(), 2U);
  EXPECT_TRUE(is_full());
  EXPECT_EQ(this->claim().size(), 2U);
  EXPECT_FALSE(is_full());
}

TEST_P(Limit, CrashedJobsCountAgain) {
  bound(2);
  add({a_job(), a_job()});
  EXPECT_EQ(claim().size(), 2U);
  add({a_job(), a_job()});
  clock.advance(limits::kLease + 1us);
  EXPECT_EQ(step().recovered, 2);
  EXPECT_TRUE(is_full());
  EXPECT_EQ(claim(2).size(), 2U);
  EXPECT_TRUE(is_full());
  EXPECT_EQ(claim(1).size(), 1U);
  EXPECT_FALSE(is_full());
}

TEST_P(Limit, WhatIsThereAlreadyIsAnsweredWithItsId) {
  bound(3);
  Group group;
  group.key = "g";
  const JobId token = add(a_job().token("t"));
  const JobId unique = add(a_job().unique("u"));
  const JobId gathers = add(a_job().group(group));
  EXPECT_TRUE(is_full());
  EXPECT_EQ(add(a_job().token("t")), token);
  EXPECT_EQ(add(a_job().unique("u")), unique);
  EXPECT_TRUE(put(a_job().unique("u", UniqueUntil::Finish, OnConflict::Replace).payload("[2]")).replaced);
  EXPECT_EQ(put(a_job().unique("u", UniqueUntil::Finish, OnConflict::Error)).refused, Errc::Conflict);
  EXPECT_EQ(add(a_job().group(group)), gathers);
  EXPECT_TRUE(is_full());
}

TEST_P(Limit, ARefusedJobLeavesNothingBehind) {
  bound(0);
  EXPECT_TRUE(is_full(a_job().token("t").unique("u").tags({"red"})));
  Group group;
  group.key = "g";
  EXPECT_TRUE(is_full(a_job().group(group)));
  bound(std::nullopt);
  EXPECT_FALSE(put(a_job().token("t").unique("u")).existed);
  EXPECT_FALSE(put(a_job().group(group)).existed);
  EXPECT_TRUE(list({.tag = "red"}).empty());
}

TEST_P(Limit, OfAFullQueueNoGroupIsClosed) {
  Group group;
  group.key = "g";
  group.max_jobs = 2;
  group.max_bytes = 10;
  const JobId open = add(a_job().payload("[1]").group(group));
  bound(1);
  EXPECT_TRUE(is_full(a_job().payload("[1,2,3,4]").group(group))) << "it would open another one";
  EXPECT_EQ(state(open), JobState::Scheduled);
  EXPECT_EQ(add(a_job().payload("[2]").group(group)), open);
}

TEST_P(Limit, MayBeLoweredRaisedAndTakenAway) {
  add({a_job(), a_job(), a_job()});
  bound(1);
  EXPECT_EQ(list().size(), 3U) << "what is there stays";
  EXPECT_TRUE(is_full());
  bound(4);
  EXPECT_FALSE(is_full());
  EXPECT_TRUE(is_full());
  bound(std::nullopt);
  EXPECT_FALSE(is_full());
  bound(5);
  EXPECT_TRUE(is_full()) << "all are counted anew";
}

TEST_P(Limit, IsShownWithItsQueueEvenWithoutJobs) {
  bound(7, "empty");
  auto queues = store.queues().value();
  ASSERT_EQ(queues.size(), 1U);
  EXPECT_EQ(queues.at(0).queue, "empty");
  EXPECT_EQ(queues.at(0).max_waiting, 7);
  bound(std::nullopt, "empty");
  EXPECT_TRUE(store.queues().value().empty());
}

TEST_P(Limit, IsCheckedAndIdempotent) {
  EXPECT_REFUSED(store.set_max_waiting("", 1));
  EXPECT_REFUSED(store.set_max_waiting("a b", 1));
  EXPECT_REFUSED(store.set_max_waiting("default", -1));
  EXPECT_REFUSED(store.set_max_bytes(-1));
  bound(1);
  add(a_job());
  bound(1);
  EXPECT_TRUE(is_full());
  bound(std::nullopt);
  bound(std::nullopt);
  EXPECT_FALSE(is_full());
}

TEST_P(Limit, APausedQueueIsBoundedToo) {
  EXPECT_TRUE(store.pause("default"));
  bound(1);
  add(a_job());
  EXPECT_TRUE(is_full());
  EXPECT_TRUE(claim().empty());
  EXPECT_TRUE(store.resume("default"));
  EXPECT_EQ(claim().size(), 1U);
  EXPECT_FALSE(is_full());
}

TEST_P(Limit, ATickIntoAFullQueueIsSkipped) {
  bound(1);
  Schedule schedule;
  schedule.name = "s";
  schedule.rule.expression = "@every 10s";
  schedule.job = a_job();
  ASSERT_TRUE(store.put_schedule(schedule));
  add(a_job());
  clock.advance(10s);
  EXPECT_EQ(step().ticked, 0);
  EXPECT_EQ(store.schedules().value().at(0).skipped, 1);
  EXPECT_EQ(claim().size(), 1U);
  clock.advance(10s);
  EXPECT_EQ(step().ticked, 1);
}

TEST_P(Limit, ARefusalRingsNoBellAndAClaimThatMakesRoomDoes) {
  bound(1);
  const auto bell = store.bell();
  add(a_job());
  EXPECT_EQ(bell->wait(Duration{0}), Ring::Changed);
  EXPECT_TRUE(is_full());
  EXPECT_EQ(bell->wait(Duration{0}), Ring::TimedOut) << "or waiting callers would wake each other for ever";
  EXPECT_EQ(claim(1).size(), 1U);
  EXPECT_EQ(bell->wait(Duration{0}), Ring::Changed);
  add(a_job().queue("other"));
  EXPECT_EQ(bell->wait(Duration{0}), Ring::Changed);
  EXPECT_EQ(claim(ClaimBuilder(worker).queues({"other"}).kind("k")).size(), 1U);
  EXPECT_EQ(bell->wait(Duration{0}), Ring::TimedOut) << "a queue without a bound has always room";
}

TEST_P(Limit, AFullStoreRefusesEveryQueueAndLetsTheRestGoOn) {
  add({a_job(), a_job().delay(1s), a_job().kind("dies")});
  const Ids dead = ids(claim(ClaimBuilder(worker).kind("dies")));
  ASSERT_TRUE(store.set_max_bytes(0));
  for (const char* queue : {"default", "other"}) {
    const Enqueued answer = put(a_job().queue(queue));
    EXPECT_EQ(answer.refused, Errc::QueueFull);
    EXPECT_NE(answer.reason.find("max_bytes"), std::string::npos) << answer.reason;
  }
  clock.advance(1s);
  EXPECT_EQ(step().promoted, 1);
  for (const job::Claim& one : claim()) {
    Finish end = a_finish(one, JobEvent::Complete);
    end.result = std::string(1'000, 'r');
    EXPECT_EQ(finish(end), FinishAnswer::Finished);
  }
  Schedule schedule;
  schedule.name = "s";
  schedule.rule.expression = "@every 10s";
  schedule.job = a_job();
  ASSERT_TRUE(store.put_schedule(schedule));
  clock.advance(10s);
  EXPECT_EQ(step().ticked, 1) << "its tick would be lost for ever";
  ASSERT_TRUE(store.set_max_bytes(std::nullopt));
  EXPECT_FALSE(is_full());
}

TEST_P(Limit, AStoreFillsUpAndHasRoomAgainWhenJobsAreDeleted) {
  add(a_job());  // all tables have their first page
  const std::int64_t before = store.info().value().bytes;
  ASSERT_TRUE(store.set_max_bytes(before + (2 << 20)));
  const std::string payload(100'000, 'x');
  Ids in;
  while (in.size() < 100) {
    const Enqueued answer = put(a_job().bytes(payload));
    if (answer.refused) break;
    in.push_back(answer.id);
  }
  EXPECT_GE(in.size(), 15U);
  EXPECT_LE(in.size(), 21U);
  EXPECT_TRUE(is_full(a_job().bytes(payload)));
  ASSERT_TRUE(store.erase(in));
  EXPECT_FALSE(is_full(a_job().bytes(payload)));
}

}  // namespace galley::store::contract
