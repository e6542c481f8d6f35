#include <algorithm>

#include "contract/support.hpp"
#include "job/schedule.hpp"

namespace galley::store::contract {

namespace {

/// every("@every 10s").misfire(Misfire::All): schedule "s" of a_job(), changed where it is said.
class ScheduleBuilder {
 public:
  explicit ScheduleBuilder(std::string expression) {
    made_.name = "s";
    made_.rule.expression = std::move(expression);
    made_.job = a_job();
  }
  ScheduleBuilder& name(std::string value) { return made_.name = std::move(value), *this; }
  ScheduleBuilder& zone(std::string value) { return made_.rule.zone = std::move(value), *this; }
  ScheduleBuilder& misfire(Misfire value) { return made_.rule.misfire = value, *this; }
  ScheduleBuilder& overlap(Overlap value) { return made_.rule.overlap = value, *this; }
  ScheduleBuilder& jitter(Duration value) { return made_.rule.jitter = value, *this; }
  ScheduleBuilder& spread(Duration value) { return made_.rule.spread = value, *this; }
  ScheduleBuilder& job(const job::NewJob& value) { return made_.job = value, *this; }

  operator store::Schedule() const { return made_; }  // NOLINT(google-explicit-constructor): that is what it is for

 private:
  store::Schedule made_;
};
ScheduleBuilder every(std::string expression) { return ScheduleBuilder(std::move(expression)); }

}  // namespace

class Recurring : public Contract {
 protected:
  void put(const store::Schedule& schedule) {
    const auto done = store.put_schedule(schedule);
    ASSERT_TRUE(done) << done.error().message;
  }
  ScheduleStats stats(const std::string& name = "s") {
    for (ScheduleStats& one : store.schedules().value()) {
      if (one.schedule.name == name) return std::move(one);
    }
    ADD_FAILURE() << "there is no schedule " << name;
    return {};
  }
  /// What a claim of nothing finds out.
  std::optional<Duration> next_due() { return store.claim(ClaimBuilder(worker).limit(0)).value().next_due; }
};
INSTANTIATE_TEST_SUITE_P(Every, Recurring, testing::ValuesIn(backends()), backend_name);

TEST_P(Recurring, AClaimEnqueuesTheJobOfATickAndGetsIt) {
  put(every("@every 10s").job(a_job().payload("[1]").priority(2)));
  clock.advance(10s - 1us);
  EXPECT_TRUE(claim().empty());
  clock.advance(1us);
  const auto claims = claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].payload, "[1]");
  EXPECT_EQ(claims[0].priority, 2);
  EXPECT_EQ(claims[0].waited, 0s);
  EXPECT_TRUE(claim().empty()) << "a tick has one job";
  EXPECT_EQ(stats().last_job, claims[0].id.job);
}

TEST_P(Recurring, AStepTicksInAllQueues) {
  put(every("@every 10s").name("x").job(a_job().queue("x")));
  put(every("@every 20s").name("y").job(a_job().queue("y")));
  clock.advance(20s);
  const StepAnswer answer = step();
  EXPECT_EQ(answer.ticked, 3);
  EXPECT_FALSE(answer.more);
  EXPECT_EQ(answer.next, Duration(limits::kSafetyLook));
  EXPECT_EQ(list({.queue = "x"}).size(), 2U);
  EXPECT_EQ(list({.queue = "y"}).size(), 1U);
  EXPECT_EQ(step().ticked, 0);
  expect_counts_match_contents();
}

TEST_P(Recurring, AClaimTicksOnlyInItsQueues) {
  put(every("@every 10s").job(a_job().queue("x")));
  clock.advance(10s);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(stats().enqueued, 0);
  EXPECT_EQ(claim(ClaimBuilder(worker).queues({"x"}).kind("k")).size(), 1U);
}

TEST_P(Recurring, AClaimAndAStepSayWhenTheNextTickIs) {
  EXPECT_EQ(next_due(), std::nullopt);
  put(every("@every 3s"));
  EXPECT_EQ(next_due(), Duration(3s));
  clock.advance(1s);
  EXPECT_EQ(next_due(), Duration(2s));
  EXPECT_EQ(step().next, Duration(2s));
  add(a_job().delay(1s));
  EXPECT_EQ(next_due(), Duration(1s));
  ASSERT_TRUE(store.remove_schedule("s"));
  clock.advance(1s);
  (void)claim();
  EXPECT_EQ(next_due(), std::nullopt);
}

TEST_P(Recurring, APutRingsTheBell) {
  const auto bell = store.bell();
  (void)bell->wait(0s);
  put(every("@every 3s"));
  EXPECT_EQ(bell->wait(30s), Ring::Changed) << "a worker that sleeps does not know of the tick";
}

TEST_P(Recurring, AScheduleIsKeptAsItWasPut) {
  job::NewJob job = a_job().queue("q").kind("x").key("tenant").priority(-3).tags({"red", "two words"});
  job.headers = {{"tenant", "a: b"}};
  job.expires = 90s;
  job.unique = {"u", UniqueUntil::Start, OnConflict::Replace};
  job.policy.timeout = 17s;
  job.policy.backoff = {Backoff::Kind::List, 1s, 1h, {1s, 2s}};
  job.redacted = true;
  put(every("0 3 * * *")
          .zone("Europe/Berlin")
          .misfire(Misfire::All)
          .overlap(Overlap::Skip)
          .jitter(1s)
          .spread(2s)
          .job(job));
  const ScheduleStats found = stats();
  EXPECT_EQ(found.schedule.rule.expression, "0 3 * * *");
  EXPECT_EQ(found.schedule.rule.zone, "Europe/Berlin");
  EXPECT_EQ(found.schedule.rule.misfire, Misfire::All);
  EXPECT_EQ(found.schedule.rule.overlap, Overlap::Skip);
  EXPECT_EQ(found.schedule.rule.jitter, Duration(1s));
  EXPECT_EQ(found.schedule.rule.spread, Duration(2s));
  EXPECT_FALSE(found.paused);
  EXPECT_EQ(found.next_at, clock.wall() + 2h) << "three in Berlin's winter";
  EXPECT_EQ(found.last_at, std::nullopt);
  EXPECT_EQ(found.last_job, std::nullopt);
  clock.advance(2h + 3s);
  EXPECT_EQ(step().ticked, 1);
  const job::JobRecord made = list().at(0);
  EXPECT_EQ(made.queue, "q");
  EXPECT_EQ(made.kind, "x");
  EXPECT_EQ(made.key, "tenant");
  EXPECT_EQ(made.tags, job.tags);
  EXPECT_EQ(made.headers, job.headers);
  EXPECT_EQ(made.unique.key, "u");
  EXPECT_EQ(made.policy.timeout, Duration(17s));
  EXPECT_EQ(made.policy.backoff.list, job.policy.backoff.list);
  EXPECT_TRUE(made.redacted);
  EXPECT_EQ(stats().last_at, found.next_at);
  EXPECT_EQ(stats().next_at, *found.next_at + 24h);
}

TEST_P(Recurring, SchedulesAreListedByName) {
  for (const char* name : {"b", "a", "c"}) put(every("@daily").name(name));
  std::string names;
  for (const auto& one : store.schedules().value()) names += one.schedule.name;
  EXPECT_EQ(names, "abc");
}

TEST_P(Recurring, PuttingTheSameAgainLeavesTheNextTick) {
  put(every("@every 10s"));
  clock.advance(6s);
  put(every("@every 10s").misfire(Misfire::All).job(a_job().payload("[2]")));
  EXPECT_EQ(next_due(), Duration(4s));
  clock.advance(4s);
  EXPECT_EQ(claim_one().payload, "[2]") << "the job of a tick is what stands there then";
}

TEST_P(Recurring, AChangedRuleCountsFromNowAndWhatPassedWasTheFormerOnes) {
  put(every("@every 10s"));
  clock.advance(12s);
  put(every("@every 5s").job(a_job().payload("[2]")));
  EXPECT_EQ(claim_one().payload, "{}");
  EXPECT_EQ(next_due(), Duration(5s));
  EXPECT_EQ(stats().enqueued, 1);
  EXPECT_EQ(stats().last_at, std::nullopt);
  clock.advance(5s);
  EXPECT_EQ(claim_one().payload, "[2]");
  EXPECT_EQ(stats().enqueued, 2);
}

TEST_P(Recurring, AnotherQueueTakesTheTicksFromThenOn) {
  put(every("@every 10s"));
  put(every("@every 10s").job(a_job().queue("x")));
  clock.advance(10s);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(next_due(), std::nullopt);
  EXPECT_EQ(claim(ClaimBuilder(worker).queues({"x"}).kind("k")).size(), 1U);
}

TEST_P(Recurring, RemovingLeavesTheJobs) {
  put(every("@every 10s"));
  clock.advance(10s);
  (void)step();
  ASSERT_TRUE(store.remove_schedule("s"));
  EXPECT_TRUE(store.schedules()->empty());
  EXPECT_EQ(claim().size(), 1U);
  clock.advance(10s);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(refusal(store.remove_schedule("s")), Errc::NotFound);
  EXPECT_EQ(refusal(store.pause_schedule("s", true)), Errc::NotFound);
}

TEST_P(Recurring, APausedScheduleSkipsItsTicks) {
  put(every("@every 10s").misfire(Misfire::All));
  clock.advance(10s);
  ASSERT_TRUE(store.pause_schedule("s", true));
  EXPECT_EQ(claim().size(), 1U) << "of the tick that passed before the pause";
  EXPECT_TRUE(stats().paused);
  clock.advance(20s);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(stats().skipped, 2);
  clock.advance(15s);
  ASSERT_TRUE(store.pause_schedule("s", false));
  EXPECT_TRUE(claim().empty()) << "nobody looked, but the tick passed in the pause";
  EXPECT_EQ(stats().skipped, 3);
  clock.advance(5s);
  EXPECT_EQ(claim().size(), 1U);
  EXPECT_EQ(stats().enqueued, 2);
}

TEST_P(Recurring, APausedQueueIsFilledByTicks) {
  put(every("@every 10s"));
  ASSERT_TRUE(store.pause("default"));
  clock.advance(10s);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(stats().enqueued, 1);
  EXPECT_EQ(list().size(), 1U);
}

TEST_P(Recurring, MissedTicksAreSkippedMadeUpForOnceOrAllRunAsTheRuleSays) {
  put(every("@hourly").name("skip").misfire(Misfire::Skip).job(a_job().queue("skip")));
  put(every("@hourly").name("once").misfire(Misfire::Once).job(a_job().queue("once")));
  put(every("@hourly").name("all").misfire(Misfire::All).job(a_job().queue("all")));
  clock.advance(5h + 30min);
  EXPECT_EQ(step().ticked, 6);
  EXPECT_EQ(list({.queue = "skip"}).size(), 0U);
  EXPECT_EQ(list({.queue = "once"}).size(), 1U);
  EXPECT_EQ(list({.queue = "all"}).size(), 5U);
  EXPECT_EQ(stats("skip").skipped, 5);
  EXPECT_EQ(stats("once").skipped, 4);
  EXPECT_EQ(stats("all").skipped, 0);
}

TEST_P(Recurring, OverlapSkipWaitsUntilTheJobHasEnded) {
  put(every("@every 10s").overlap(Overlap::Skip));
  clock.advance(10s);
  const auto first = claim_one();
  clock.advance(10s);
  EXPECT_TRUE(claim().empty()) << "it runs";
  EXPECT_EQ(finish(first, JobEvent::Retry, 1h), FinishAnswer::Finished);
  clock.advance(10s);
  EXPECT_TRUE(claim().empty()) << "it waits for its next try";
  EXPECT_EQ(stats().skipped, 2);
  EXPECT_EQ(cancel(first.id.job), Operated::Done);
  clock.advance(10s);
  EXPECT_EQ(claim().size(), 1U);
}

TEST_P(Recurring, OverlapSkipDoesNotWaitForAJobThatIsGone) {
  put(every("@every 10s").overlap(Overlap::Skip));
  clock.advance(10s);
  (void)step();
  EXPECT_EQ(erase(*stats().last_job), Operated::Done);
  clock.advance(10s);
  EXPECT_EQ(claim().size(), 1U);
}

TEST_P(Recurring, ATickWhoseUniqueKeyIsHeldIsSkipped) {
  put(every("@every 10s").job(a_job().unique("u")));
  clock.advance(10s);
  const auto first = claim_one();
  clock.advance(10s);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(stats().enqueued, 1);
  EXPECT_EQ(stats().skipped, 1);
  EXPECT_EQ(stats().last_job, first.id.job);
  put(every("@every 10s").job(a_job().unique("u", UniqueUntil::Finish, OnConflict::Error)));
  clock.advance(10s);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(stats().skipped, 2);
}

TEST_P(Recurring, ATickReplacesTheWaitingHolderOfItsUniqueKey) {
  put(every("@every 10s").job(a_job().unique("u", UniqueUntil::Start, OnConflict::Replace)));
  clock.advance(30s);
  EXPECT_EQ(step().ticked, 3);
  EXPECT_EQ(list().size(), 1U);
  EXPECT_EQ(stats().enqueued, 3);
}

TEST_P(Recurring, ATickOfABatchThatHasEndedIsSkipped) {
  const BatchId batch = store.open_batch("b", "").value();
  job::NewJob job = a_job();
  job.batch = batch;
  put(every("@every 10s").job(job));
  clock.advance(10s);
  const auto first = claim_one();
  ASSERT_TRUE(store.seal_batch(batch));
  EXPECT_EQ(finish(first, JobEvent::Complete), FinishAnswer::Finished);
  clock.advance(10s);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(stats().enqueued, 1);
  EXPECT_EQ(stats().skipped, 1);
}

TEST_P(Recurring, SpreadAndJitterMoveTheJobAndNotTheTick) {
  const store::Schedule schedule = every("@every 1h").spread(10min).jitter(10s);
  put(schedule);
  const Time tick = *stats().next_at;
  const Time due = job::due_at(job::timetable_from("s", schedule.rule).value(), tick);
  ASSERT_GT(due, tick);
  clock.advance(1h);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(find(*stats().last_job).due_at, due);
  EXPECT_EQ(stats().next_at, tick + 1h);
  EXPECT_EQ(next_due(), due - clock.wall());
  clock.advance(due - clock.wall());
  EXPECT_EQ(claim().size(), 1U);
}

TEST_P(Recurring, NothingTicksTwiceWhenTheCalendarIsSteppedBack) {
  put(every("@hourly"));
  clock.advance(1h);
  EXPECT_EQ(claim().size(), 1U);
  clock.step_wall(-30min);
  clock.advance(30min);
  EXPECT_TRUE(claim().empty());
  clock.advance(1h);
  EXPECT_EQ(claim().size(), 1U);
}

TEST_P(Recurring, ManySchedulesOfOneSecondAreServedInBoundedSteps) {
  constexpr std::size_t kMany = 25;
  for (std::size_t i = 0; i < kMany; ++i) {
    put(every("*/10 * * * * *").name("s" + std::to_string(i)).job(a_job().queue("q" + std::to_string(i % 3))));
  }
  clock.advance(10s);
  StepAnswer answer = step(10);
  EXPECT_EQ(answer.ticked, 10);
  EXPECT_TRUE(answer.more);
  EXPECT_EQ(answer.next, Duration(0));
  EXPECT_EQ(step(10).ticked, 10);
  answer = step(10);
  EXPECT_EQ(answer.ticked, 5);
  EXPECT_FALSE(answer.more);
  EXPECT_EQ(list().size(), kMany);
}

TEST_P(Recurring, TheJobsOfMissedTicksAreBoundedToo) {
  for (const char* name : {"a", "b", "c"}) put(every("* * * * * *").name(name).misfire(Misfire::All));
  clock.advance(10min);
  EXPECT_EQ(step(1'000).ticked, 1'200) << "no further schedule after a thousand jobs";
  const StepAnswer answer = step(1'000);
  EXPECT_EQ(answer.ticked, 600);
  EXPECT_FALSE(answer.more);
}

TEST_P(Recurring, TheWalkThroughMissedTicksIsBoundedToo) {
  for (const char* name : {"a", "b", "c"}) put(every("* * * * * *").name(name).misfire(Misfire::Skip));
  clock.advance(24h);
  EXPECT_TRUE(step().more);
  EXPECT_EQ(stats("a").skipped, limits::kMaxCountedTicks - 61);
  EXPECT_EQ(stats("b").skipped, 0);
}

TEST_P(Recurring, RefusesWhatIsNoSchedule) {
  EXPECT_REFUSED(store.put_schedule(every("@daily").name("")));
  EXPECT_REFUSED(store.put_schedule(every("@daily").name("two words")));
  EXPECT_REFUSED(store.put_schedule(every("often")));
  EXPECT_REFUSED(store.put_schedule(every("@daily").zone("Nowhere/Land")));
  EXPECT_REFUSED(store.put_schedule(every("@daily").jitter(-1s)));
  EXPECT_REFUSED(store.put_schedule(every("@daily").job(a_job().kind(""))));
  EXPECT_REFUSED(store.put_schedule(every("@daily").job(a_job().delay(1s))));
  EXPECT_REFUSED(store.put_schedule(every("@daily").job(a_job().at(clock.wall()))));
  EXPECT_REFUSED(store.put_schedule(every("@daily").job(a_job().token("t"))));
  EXPECT_REFUSED(store.put_schedule(every("@daily").job(a_job().group({"g", 2, 100, 1s}))));
  job::NewJob callback = a_job();
  callback.awaits = 1;
  EXPECT_REFUSED(store.put_schedule(every("@daily").job(callback)));
  EXPECT_TRUE(store.schedules()->empty());
}

}  // namespace galley::store::contract
