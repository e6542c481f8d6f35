#include "engine/meter.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "engine/worker_fixture.hpp"

namespace galley::engine {
namespace {

class MeterTest : public testing::Test {
 protected:
  void start(const std::string& kind, Duration waited) {
    job::Claim claim;
    claim.queue = "default";
    claim.kind = kind;
    claim.waited = waited;
    meter_.started(claim);
  }
  void finish(const std::string& kind, job::JobEvent event, std::string outcome, Duration run) {
    store::Finish finish;
    finish.event = event;
    finish.outcome = std::move(outcome);
    finish.report.run_time = run;
    meter_.finished("default", kind, finish);
  }
  std::vector<store::Measured> take() { return meter_.take(clock_.mono()); }

  base::ManualClock clock_;
  Meter meter_{clock_.mono()};
};

TEST_F(MeterTest, SumsByQueueAndKind) {
  start("a", 1ms);
  start("a", 3ms);
  start("b", 5ms);
  finish("a", job::JobEvent::Complete, "completed", 10ms);
  finish("a", job::JobEvent::Retry, "failed", 20ms);
  finish("b", job::JobEvent::Die, "timed_out", 1s);
  finish("b", job::JobEvent::Retry, "snoozed", 2s);
  const auto all = take();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].kind, "a");
  EXPECT_EQ(all[0].completed, 1);
  EXPECT_EQ(all[0].failed, 1);
  EXPECT_EQ(all[0].wait.max(), 3ms);
  EXPECT_EQ(all[0].run.sum(), 30ms);
  EXPECT_EQ(all[1].completed, 0);
  EXPECT_EQ(all[1].failed, 1) << "a snooze is no failure";
  EXPECT_EQ(all[1].run.count(), 2);
  EXPECT_TRUE(take().empty());
}

TEST_F(MeterTest, AReleasedClaimNeverRan) {
  finish("a", job::JobEvent::Release, "", 0us);
  EXPECT_TRUE(take().empty());
}

TEST_F(MeterTest, TellsEveryFiveSecondsAndSoonerWhenThereIsTime) {
  clock_.advance(1h);
  EXPECT_FALSE(meter_.due(clock_.mono(), true)) << "there is nothing to tell";
  start("a", 1ms);
  (void)take();
  start("a", 1ms);
  clock_.advance(999ms);
  EXPECT_FALSE(meter_.due(clock_.mono(), true));
  clock_.advance(1ms);
  EXPECT_TRUE(meter_.due(clock_.mono(), true));
  EXPECT_FALSE(meter_.due(clock_.mono(), false));
  clock_.advance(4s);
  EXPECT_TRUE(meter_.due(clock_.mono(), false));
}

TEST_F(MeterTest, KindsBeyondTheBoundAreNotMeasured) {
  for (std::size_t i = 0; i < limits::kMaxClaimKinds + 10; ++i) start("kind" + std::to_string(i), 1ms);
  start("kind0", 1ms);
  const auto all = take();
  EXPECT_EQ(all.size(), limits::kMaxClaimKinds);
  EXPECT_EQ(all[0].wait.count(), 2);
}

TEST_F(WorkerTest, TellsItsStoreWhatItMeasured) {
  JobOptions once = at_once();
  once.max_attempts = 1;
  for (int i = 0; i < 3; ++i) (void)enqueue("well");
  (void)enqueue("badly", once);
  Worker worker(store, drain());
  worker.handle_bytes("well", [](Attempt&, std::string_view) { return Outcome::done(); });
  worker.handle_bytes("badly", [](Attempt&, std::string_view) { return Outcome::fail("no"); });
  ASSERT_TRUE(worker.pool("q", 2).run());
  std::int64_t completed = 0, failed = 0, waited = 0, ran = 0, enqueued = 0;
  for (const store::Minute& minute : store->minutes(5).value()) {
    completed += minute.measured.completed;
    failed += minute.measured.failed;
    waited += minute.measured.wait.count();
    ran += minute.measured.run.count();
    enqueued += minute.enqueued;
  }
  EXPECT_EQ(enqueued, 4);
  EXPECT_EQ(completed, 3);
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(waited, 4);
  EXPECT_EQ(ran, 4);
}

class DeafStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<void> report(std::span<const store::Measured> measured) override {
    asked += static_cast<int>(measured.size());
    return Error{Errc::Unavailable, "no statistics today", Written::Nothing};
  }
  std::atomic<int> asked = 0;
};

TEST_F(WorkerTest, AReportThatFailsIsDroppedAndTheJobsAreNot) {
  const auto deaf = std::make_shared<DeafStore>(store::open_memory(clock));
  const JobId id = Queue(deaf, "q").enqueue_bytes("k", "").value();
  Worker worker(deaf, drain());
  worker.handle_bytes("k", [](Attempt&, std::string_view) { return Outcome::done(); });
  const auto report = worker.pool("q", 1).run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->completed, 1);
  EXPECT_EQ(deaf->find(id).value().state, JobState::Completed);
  EXPECT_GE(deaf->asked, 1);
}

}  // namespace
}  // namespace galley::engine
