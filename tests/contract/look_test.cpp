#include <algorithm>

#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

class Look : public Contract {
 protected:
  Finish retried(const std::string& error) {
    Finish finish = a_finish(claim_one(), JobEvent::Retry);
    finish.report.error = error;
    return finish;
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Look, testing::ValuesIn(backends()), backend_name);

TEST_P(Look, AJobThatIsNotThereIsNotFound) {
  EXPECT_EQ(refusal(store.find(1)), Errc::NotFound);
  EXPECT_EQ(refusal(store.attempts(1)), Errc::NotFound);
  EXPECT_EQ(store.states(Ids{1}).value(), (std::vector<std::optional<JobState>>{std::nullopt}));
}

TEST_P(Look, AnEmptyStoreHasNothing) {
  EXPECT_TRUE(list().empty());
  EXPECT_TRUE(store.lanes().value().empty());
  EXPECT_TRUE(store.queues().value().empty());
  EXPECT_TRUE(store.states({}).value().empty());
}

TEST_P(Look, StatesAnswersForEachIdInOrder) {
  const Ids all = add({a_job(), a_job(), a_job().delay(1s)});
  EXPECT_EQ(run_one(), all[0]);
  (void)claim_one();
  const Ids asked{all[2], 999, all[0], all[1], all[0]};
  EXPECT_EQ(store.states(asked).value(),
            (std::vector<std::optional<JobState>>{JobState::Scheduled, std::nullopt, JobState::Completed,
                                                  JobState::Running, JobState::Completed}));
}

TEST_P(Look, AnAttemptIsKeptWithItsReport) {
  const JobId id = add(a_job());
  const Time started = clock.wall();
  Finish failed = retried("exit code 3");
  failed.outcome = "failed";
  failed.report.exit_code = 3;
  failed.report.signal = 9;
  failed.report.out = std::string("out\0put", 7);
  failed.report.err = "err";
  failed.report.log = "log";
  failed.report.run_time = 1234us;
  clock.advance(2s);
  EXPECT_EQ(finish(failed), FinishAnswer::Finished);
  job::AttemptRecord expected;
  expected.attempt = 1;
  expected.outcome = "failed";
  expected.started_at = started;
  expected.ended_at = clock.wall();
  expected.worker = "host:1";
  expected.report = failed.report;
  EXPECT_EQ(to_text(attempts(id)), to_text(std::vector{expected}));
}

TEST_P(Look, AJobThatNeverRanHasNoAttempts) { EXPECT_TRUE(attempts(add(a_job())).empty()); }

TEST_P(Look, ASilentlyCompletedAttemptIsShownFromTheJobItself) {
  const JobId id = add(a_job());
  EXPECT_EQ(finish(retried("x")), FinishAnswer::Finished);
  clock.advance(1s);
  const Time started = clock.wall();
  const job::Claim claim = claim_one();
  clock.advance(2s);
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::Finished);
  const auto records = attempts(id);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].attempt, 2);
  EXPECT_EQ(records[1].outcome, "completed");
  EXPECT_EQ(records[1].started_at, started);
  EXPECT_EQ(records[1].ended_at, clock.wall());
  EXPECT_EQ(records[1].report.run_time, Duration(2s));
}

TEST_P(Look, ACompletedAttemptThatSaidSomethingIsKeptWhole) {
  const JobId id = add(a_job());
  Finish done = a_finish(claim_one(), JobEvent::Complete);
  done.report.exit_code = 0;
  done.report.out = "3 pages";
  EXPECT_EQ(finish(done), FinishAnswer::Finished);
  const auto records = attempts(id);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].report.out, "3 pages");
  EXPECT_EQ(records[0].report.exit_code, 0);
}

TEST_P(Look, OnlyTheLastAttemptsAreKept) {
  const JobId id = add(a_job());
  for (int i = 0; i < limits::kMaxKeptAttempts + 5; ++i) EXPECT_EQ(run_one(JobEvent::Pause), id);
  auto records = attempts(id);
  ASSERT_EQ(records.size(), static_cast<std::size_t>(limits::kMaxKeptAttempts));
  EXPECT_EQ(records.front().attempt, 6);
  EXPECT_EQ(records.back().attempt, limits::kMaxKeptAttempts + 5);
  EXPECT_EQ(run_one(), id);
  records = attempts(id);
  EXPECT_EQ(records.size(), static_cast<std::size_t>(limits::kMaxKeptAttempts));
  EXPECT_EQ(records.back().attempt, limits::kMaxKeptAttempts + 6);
}

TEST_P(Look, QueuesAreListedByNameWithWhatTheyHold) {
  add({a_job().queue("b"), a_job().queue("a").kind("x"), a_job().queue("a").kind("y").delay(1s)});
  const auto queues = store.queues().value();
  ASSERT_EQ(queues.size(), 2U);
  EXPECT_EQ(queues[0].queue, "a");
  EXPECT_EQ(queues[0].count[static_cast<int>(JobState::Ready)], 1);
  EXPECT_EQ(queues[0].count[static_cast<int>(JobState::Scheduled)], 1);
  EXPECT_EQ(queues[1].queue, "b");
  const auto lanes = store.lanes().value();
  ASSERT_EQ(lanes.size(), 3U);
  EXPECT_EQ(lanes[0].kind, "x");
  EXPECT_EQ(lanes[1].kind, "y");
  EXPECT_EQ(lanes[2].queue, "b");
  expect_counts_match_contents();
}

TEST_P(Look, CommandsOfOneKindAreCountedTogether) {
  add({a_job().kind("sh").command("sh"), a_job().kind("sh").command("/bin/sh"), a_job().kind("sh")});
  const auto lanes = store.lanes().value();
  ASSERT_EQ(lanes.size(), 1U);
  EXPECT_EQ(lanes[0].count[static_cast<int>(JobState::Ready)], 3);
}

TEST_P(Look, AQueueWithoutJobsIsForgotten) {
  EXPECT_EQ(erase(add(a_job())), Operated::Done);
  EXPECT_TRUE(store.queues().value().empty());
  EXPECT_TRUE(store.lanes().value().empty());
}

TEST_P(Look, OldestReadyIsTheWaitOfTheJobThatRunsNext) {
  add(a_job());
  clock.advance(10s);
  add(a_job().kind("urgent").priority(5));
  clock.advance(2s);
  add(a_job().kind("urgent").command("ls").priority(-5));
  EXPECT_EQ(store.queues().value().at(0).oldest_ready, Duration(2s));
  (void)claim(ClaimBuilder(worker).kind("urgent"));
  EXPECT_EQ(store.queues().value().at(0).oldest_ready, Duration(12s));
  (void)claim();
  (void)claim(ClaimBuilder(worker).any_command(1));
  EXPECT_EQ(store.queues().value().at(0).oldest_ready, std::nullopt);
}

TEST_P(Look, OldestReadyIsNeverNegative) {
  add(a_job());
  clock.step_wall(-1h);
  EXPECT_EQ(store.queues().value().at(0).oldest_ready, Duration(0));
}

TEST_P(Look, AListGoesByStateThenByTheOrderOfItsState) {
  const auto by = [&](JobEvent event, const char* queue, const char* kind) {
    const JobId id = add(a_job().queue(queue).kind(kind));
    const auto claims = claim(ClaimBuilder(worker).queues({queue}).kind(kind));
    EXPECT_EQ(finish(claims.at(0), event), FinishAnswer::Finished);
    clock.advance(1s);
    return id;
  };
  const Ids ended{by(JobEvent::Discard, "a", "k"),  by(JobEvent::Cancel, "a", "k"),   by(JobEvent::Die, "a", "k"),
                  by(JobEvent::Complete, "b", "k"), by(JobEvent::Complete, "a", "y"), by(JobEvent::Complete, "a", "x"),
                  by(JobEvent::Complete, "a", "y")};
  const Ids ready = add({a_job().queue("b"), a_job().queue("a").kind("y"), a_job().queue("a").kind("x"),
                         a_job().queue("a").kind("x").priority(1)});
  const Ids scheduled = add({a_job().queue("b").delay(1s), a_job().queue("a").kind("y").delay(3s),
                             a_job().queue("a").kind("z").delay(2s), a_job().queue("a").kind("a").delay(3s)});
  const Ids running = add({a_job().queue("z").kind("b"), a_job().queue("z").kind("a")});
  (void)claim(ClaimBuilder(worker).queues({"z"}).kind("a"));
  (void)claim(ClaimBuilder(worker).queues({"z"}).kind("b"));

  const Ids expected{running[0],   running[1],   ready[3],     ready[2],     ready[1], ready[0],
                     scheduled[2], scheduled[1], scheduled[3], scheduled[0], ended[5], ended[4],
                     ended[6],     ended[3],     ended[2],     ended[1],     ended[0]};
  EXPECT_EQ(ids(list()), expected);
  for (const std::size_t page : {1U, 2U, 3U, 5U, 17U, 18U}) EXPECT_EQ(ids(list({}, page)), expected) << "by " << page;
}

TEST_P(Look, AListKeepsToItsFilter) {
  for (int i = 0; i < 3; ++i) {
    for (const char* queue : {"a", "b"}) {
      for (const char* kind : {"x", "y"}) {
        add({a_job().queue(queue).kind(kind), a_job().queue(queue).kind(kind).delay(1s + i * 1ms),
             a_job().queue(queue).kind(kind).command("ls")});
        const auto claims = claim(ClaimBuilder(worker).queues({queue}).kind(kind, i + 1).limit(i));
        for (const auto& claim : claims) (void)finish(claim, i == 1 ? JobEvent::Complete : JobEvent::Die);
      }
    }
  }
  (void)claim(ClaimBuilder(worker).queues({"b", "a"}).kind("y", 3));
  const auto all = list();
  EXPECT_EQ(all.size(), 36U);
  const auto none = [](auto value) { return std::optional<decltype(value)>{}; };
  for (const auto& queue : {none(std::string()), std::optional<std::string>("a"), std::optional<std::string>("no")}) {
    for (const auto& kind : {none(std::string()), std::optional<std::string>("y"), std::optional<std::string>("no")}) {
      for (int state = -1; state < kJobStates; ++state) {
        Filter filter{queue, kind, {}};
        if (state >= 0) filter.state = static_cast<JobState>(state);
        Ids expected;
        for (const auto& job : all) {
          const bool fits = (!queue || job.queue == *queue) && (!kind || job.kind == *kind);
          if (fits && (!filter.state || job.state == *filter.state)) expected.push_back(job.id);
        }
        EXPECT_EQ(ids(list(filter, 2)), expected);
        EXPECT_EQ(ids(list(filter)), expected);
      }
    }
  }
}

TEST_P(Look, AListShowsJobsAsFindDoes) {
  add({a_job().key("t").priority(1), a_job().delay(1s), a_job().command("ls")});
  const Renewal renewal{claim_one().id, "half", "page 2"};
  ASSERT_TRUE(store.renew(std::span(&renewal, 1), 30s));
  add(a_job());
  for (const auto& job : list()) EXPECT_EQ(to_text(job), to_text(find(job.id)));
}

TEST_P(Look, ACursorOutlivesTheJobItPointsAt) {
  const Ids all = add({a_job(), a_job(), a_job(), a_job()});
  const Page first = store.list({}, "", 2).value();
  EXPECT_EQ(ids(first.jobs), (Ids{all[0], all[1]}));
  EXPECT_EQ(erase(all[1]), Operated::Done);
  EXPECT_EQ(ids(store.list({}, first.next, 2).value().jobs), (Ids{all[2], all[3]}));
}

}  // namespace galley::store::contract
