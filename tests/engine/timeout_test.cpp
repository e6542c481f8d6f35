// Time-outs by kind, handlers that do not end after a stop, and the stacks by which they are reported.

#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "engine/attempt.hpp"
#include "engine/running.hpp"
#include "engine/worker_fixture.hpp"
#include "runtime/stack_taker.hpp"

namespace galley::engine {
namespace {

constexpr base::Mono kNow{1h};
using enum Action::Kind;
using Kinds = std::vector<Action::Kind>;

job::Claim a_claim(JobId id, Duration timeout, job::Content content = job::Content::Bytes) {
  job::Claim claim;
  claim.id = {id, 1};
  claim.kind = "k";
  claim.content = content;
  claim.policy.timeout = timeout;
  claim.policy.grace = 2s;
  return claim;
}

Kinds kinds(const std::vector<Action>& actions) {
  Kinds all;
  for (const Action& action : actions) all.push_back(action.kind);
  return all;
}

TEST(RunningTimeouts, OfTheKindIsForJobsThatHaveNone) {
  RunningSet running(1h, {{"k", 3s}});
  EXPECT_EQ(running.add(1, a_claim(1, 0s), kNow, kNow), kNow + 3s);
  EXPECT_EQ(running.add(2, a_claim(2, 5s), kNow, kNow), kNow + 5s);
  EXPECT_TRUE(running.due(kNow + 3s - 1us).empty());
  EXPECT_EQ(kinds(running.due(kNow + 3s)), Kinds{Stop});
  EXPECT_EQ(running.all().at(1).rules.policy.timeout, 3s) << "what its error names";
}

TEST(RunningTimeouts, AHandlerIsStuckOnceWhenItsGraceIsOver) {
  RunningSet running(1h);
  (void)running.add(1, a_claim(1, 1s), kNow, kNow);
  EXPECT_EQ(kinds(running.due(kNow + 1s)), Kinds{Stop});
  EXPECT_EQ(running.next_deadline(), kNow + 3s);
  EXPECT_TRUE(running.due(kNow + 3s - 1us).empty());
  EXPECT_EQ(running.stuck(), 0);
  EXPECT_EQ(kinds(running.due(kNow + 3s)), Kinds{Stuck});
  EXPECT_EQ(running.stuck(), 1);
  EXPECT_TRUE(running.due(kNow + 30min).empty()) << "it is said once";
  ASSERT_TRUE(running.remove(1));
  EXPECT_EQ(running.stuck(), 0);
}

TEST(RunningTimeouts, ACommandIsStuckFiveSecondsAfterItsKill) {
  RunningSet running(1h);
  (void)running.add(1, a_claim(1, 1s, job::Content::Command), kNow, kNow);
  EXPECT_EQ(kinds(running.due(kNow + 1s)), Kinds{Stop});
  EXPECT_EQ(kinds(running.due(kNow + 3s)), Kinds{Kill});
  EXPECT_EQ(kinds(running.due(kNow + 8s)), Kinds{Stuck});
}

class WorkerTimeout : public WorkerTest {};

TEST_F(WorkerTimeout, OfAKindPausesAResumableJobAndIsAnErrorForOthers) {
  JobOptions resumable = at_once();
  resumable.resumable = true;
  const JobId paused = enqueue("long", resumable);
  JobOptions once = at_once();
  once.max_attempts = 1;
  const JobId failed = enqueue("other", once);
  const auto worker = make_worker(store, drain(), clock);
  worker->timeout("long", 1ms).timeout("other", 2ms).pool("q", 2);
  worker->handle("long", [](Attempt& attempt, std::string_view) {
    if (attempt.number() == 1) wait_for_stop(attempt);
  });
  worker->handle("other", [](Attempt& attempt, std::string_view) { wait_for_stop(attempt); });
  ASSERT_TRUE(worker->run());
  EXPECT_EQ(find(paused).state, JobState::Completed);
  EXPECT_EQ(find(paused).counters.pauses, 1);
  EXPECT_EQ(find(failed).state, JobState::Dead);
  EXPECT_NE(find(failed).error.find("timed out after 2ms"), std::string::npos) << find(failed).error;
}

TEST_F(WorkerTimeout, OfAKindMustBeOne) {
  const auto worker = make_worker(store, {}, clock);
  EXPECT_THROW(worker->timeout("a b", 1s), Exception);
  EXPECT_THROW(worker->timeout("k", 0s), Exception);
  EXPECT_THROW(worker->timeout("k", 367 * 24h), Exception);
}

TEST_F(WorkerTimeout, OneThatNoThreadHasBegunHasNoStack) {
  RunningAttempt attempt(a_claim(1, 1s), {}, clock, [] {});
  runtime::StackTaker stacks(SIGUSR2);
  EXPECT_EQ(attempt.stack(stacks), "no thread has begun it");
  attempt.enter();
  EXPECT_NE(attempt.stack(stacks).find(" < "), std::string::npos) << attempt.stack(stacks);
  attempt.leave();
  EXPECT_EQ(attempt.stack(stacks), "it has just ended");
}

TEST_F(WorkerTimeout, AStuckHandlerIsCountedUntilItEndsAndItsStackIsLogged) {
  JobOptions options = at_once();
  options.timeout = 300ms;  // a thread has begun it by then
  options.grace = 1ms;
  const JobId id = enqueue("stuck", options);
  Event reported;
  std::atomic<int> after = -1;
  WorkerOptions wanted = drain();
  wanted.pulse_every = 10ms;
  wanted.stack_signal = SIGUSR2;
  wanted.log_level = "error";
  wanted.on_pulse = [&](const WorkerPulse& pulse) {
    after = pulse.stuck;
    if (pulse.stuck == 1) reported.set();
  };
  testing::internal::CaptureStderr();
  const auto worker = make_worker(store, wanted, clock);
  worker->pool("q", 1).handle("stuck", [&](Attempt&, std::string_view) {
    EXPECT_TRUE(reported.wait());
    wait_for_log("job.stuck");  // it is counted before its stack is taken
  });
  ASSERT_TRUE(worker->run());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("job.stuck"), std::string::npos) << log;
  EXPECT_NE(log.find("stuck_slots=1"), std::string::npos) << log;
  EXPECT_NE(log.find(" < "), std::string::npos) << "the frames of its thread: " << log;
  EXPECT_EQ(find(id).state, JobState::Completed) << "it never looked at the stop";
}

}  // namespace
}  // namespace galley::engine
