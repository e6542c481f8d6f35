#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "engine/worker_fixture.hpp"

namespace galley {

namespace engine {
struct Doubled {
  int value = 0;
};
}  // namespace engine

template <>
struct Codec<engine::Doubled> {
  static std::string encode(const engine::Doubled& args) { return std::to_string(args.value); }
  static Result<engine::Doubled> decode(std::string_view text) {
    if (text == "null") return Error{Errc::InvalidInput, "value is null", Written::Nothing};
    return engine::Doubled{std::stoi(std::string(text)) * 2};
  }
};

namespace engine {
namespace {

TEST_F(WorkerTest, RunsTypedHandlersAndCountsThem) {
  Queue queue(store, "q");
  const JobId id = queue.enqueue("double", Doubled{21}).value();
  Worker worker(store, drain());
  worker.handle<Doubled>("double", [](Attempt& attempt, const Doubled& args) {
    static_cast<void>(attempt.result(std::to_string(args.value)));
  });
  const auto report = worker.pool("q", 1).run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->completed, 1);
  EXPECT_EQ(find(id).state, JobState::Completed);
  EXPECT_EQ(find(id).result, "42");
}

TEST_F(WorkerTest, ABadPayloadIsAFailedAttempt) {
  Queue queue(store, "q");
  JobOptions once = at_once();
  once.max_attempts = 1;
  const JobId id = queue.enqueue_json("double", "null", once).value();
  Worker worker(store, drain());
  worker.handle<Doubled>("double", [](Attempt&, const Doubled&) {});
  EXPECT_EQ(worker.pool("q", 1).run().value().dead, 1);
  EXPECT_EQ(find(id).error, "value is null");
}

TEST_F(WorkerTest, GivesTheHandlerItsBytesAndItsAttempt) {
  const std::string bytes("\0\xff any", 6);
  JobOptions options;
  options.key = "tenant";
  const JobId id = enqueue("k", options, "q", bytes);
  std::string seen;
  Worker worker(store, drain());
  worker.handle("k", [&](Attempt& attempt, std::string_view payload) {
    seen = payload;
    EXPECT_EQ(attempt.id(), id);
    EXPECT_EQ(attempt.number(), 1);
    EXPECT_EQ(attempt.queue(), "q");
    EXPECT_EQ(attempt.kind(), "k");
    EXPECT_EQ(attempt.key(), "tenant");
    EXPECT_FALSE(attempt.time_left().has_value());
    EXPECT_FALSE(attempt.stop_requested());
  });
  EXPECT_EQ(worker.pool("q", 1).run().value().completed, 1);
  EXPECT_EQ(seen, bytes);
}

TEST_F(WorkerTest, AnExceptionIsKeptAndTheJobTriedAgain) {
  const JobId id = enqueue("k", at_once());
  int runs = 0;
  Worker worker(store, drain());
  worker.handle("k", [&](Attempt& attempt, std::string_view) {
    attempt.log("run " + std::to_string(attempt.number()));
    if (++runs == 1) throw std::runtime_error("the disk is on fire");
    if (runs == 2) throw 42;
  });
  const WorkerReport report = worker.pool("q", 1).run().value();
  EXPECT_EQ(report.failed, 2);
  EXPECT_EQ(report.completed, 1);
  const auto tries = attempts(id);
  ASSERT_EQ(tries.size(), 3U);
  EXPECT_EQ(tries[0].outcome, "failed");
  EXPECT_EQ(tries[0].report.error, "the disk is on fire");
  EXPECT_EQ(tries[0].report.log, "run 1\n");
  EXPECT_EQ(tries[1].report.error, "unknown exception");
}

TEST_F(WorkerTest, AJobOutOfTriesIsDead) {
  JobOptions twice = at_once();
  twice.max_attempts = 2;
  const JobId id = enqueue("k", twice);
  Worker worker(store, drain());
  worker.handle("k", [](Attempt&, std::string_view) { return Outcome::fail("never"); });
  const WorkerReport report = worker.pool("q", 1).run().value();
  EXPECT_EQ(report.failed, 2);
  EXPECT_EQ(report.dead, 1);
  EXPECT_EQ(find(id).state, JobState::Dead);
  EXPECT_EQ(find(id).error, "never");
}

TEST_F(WorkerTest, ADiscardedJobIsNotTriedAgain) {
  const JobId id = enqueue("k", at_once());
  Worker worker(store, drain());
  worker.handle("k", [](Attempt&, std::string_view) { return Outcome::discard("pointless"); });
  EXPECT_EQ(worker.pool("q", 1).run().value().completed, 0);
  EXPECT_EQ(find(id).state, JobState::Discarded);
  EXPECT_EQ(attempts(id).size(), 1U);
}

TEST_F(WorkerTest, ASnoozeUsesNoTry) {
  JobOptions once = at_once();
  once.max_attempts = 1;
  const JobId id = enqueue("k", once);
  int runs = 0;
  Worker worker(store, drain());
  worker.handle("k", [&](Attempt&, std::string_view) { return ++runs < 4 ? Outcome::snooze(1ms) : Outcome::done(); });
  EXPECT_EQ(worker.pool("q", 1).run().value().completed, 1);
  EXPECT_EQ(find(id).counters.snoozes, 3);
  EXPECT_EQ(find(id).counters.errors, 0);
}

TEST_F(WorkerTest, APausedJobGoesOnFromItsCheckpoint) {
  const JobId id = enqueue("k");
  std::vector<std::string> seen;
  Worker worker(store, drain());
  worker.handle("k", [&](Attempt& attempt, std::string_view) {
    seen.push_back(attempt.checkpoint());
    EXPECT_TRUE(attempt.save_checkpoint(attempt.checkpoint() + "x").has_value());
    return attempt.checkpoint().size() < 2 ? Outcome::pause() : Outcome::done();
  });
  EXPECT_EQ(worker.pool("q", 1).run().value().completed, 1);
  EXPECT_EQ(seen, (std::vector<std::string>{"", "x", "xx"}));
  EXPECT_EQ(find(id).counters.attempts, 3);
  EXPECT_EQ(find(id).counters.pauses, 0) << "it gets on";
}

TEST_F(WorkerTest, RefusesWhatIsTooLargeToKeep) {
  enqueue("k");
  Worker worker(store, drain());
  worker.handle("k", [](Attempt& attempt, std::string_view) {
    EXPECT_TRUE(attempt.save_checkpoint(std::string(limits::kMaxCheckpointBytes + 1, 'x')).has_error());
    EXPECT_TRUE(attempt.result(std::string(limits::kMaxResultBytes + 1, 'x')).has_error());
  });
  EXPECT_EQ(worker.pool("q", 1).run().value().completed, 1);
}

TEST_F(WorkerTest, NeverRunsMoreThanItsSlots) {
  for (int i = 0; i < 300; ++i) enqueue("k");
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  Worker worker(store, drain());
  worker.handle("k", [&](Attempt&, std::string_view) {
    const int mine = ++now;
    int before = most;
    while (before < mine && !most.compare_exchange_weak(before, mine)) {
    }
    std::this_thread::yield();
    --now;
  });
  EXPECT_EQ(worker.pool("q", 4).run().value().completed, 300);
  EXPECT_LE(most, 4);
}

TEST_F(WorkerTest, ADedicatedPoolDoesNotWaitBehindLongWork) {
  for (int i = 0; i < 3; ++i) enqueue("long", {}, "slow");
  for (int i = 0; i < 20; ++i) enqueue("short", {}, "fast");
  Event short_ones;
  Worker worker(store, drain());
  worker.handle("long", [&](Attempt&, std::string_view) { EXPECT_TRUE(short_ones.wait(20)); });
  worker.handle("short", [&](Attempt&, std::string_view) { short_ones.set(); });
  EXPECT_EQ(worker.pool("fast", 1).pool("slow", 1).run().value().completed, 23);
}

TEST_F(WorkerTest, StrictQueuesAreEmptiedInTheirOrder) {
  for (int i = 0; i < 3; ++i) enqueue("k", {}, "b");
  for (int i = 0; i < 3; ++i) enqueue("k", {}, "a");
  std::string order;
  Worker worker(store, drain());
  worker.handle("k", [&](Attempt& attempt, std::string_view) { order += attempt.queue(); });
  EXPECT_EQ(worker.pool("p", 1, "a,b").run().value().completed, 6);
  EXPECT_EQ(order, "aaabbb");
}

TEST_F(WorkerTest, WeightedQueuesShareASlotByWeight) {
  for (int i = 0; i < 12; ++i) {
    enqueue("k", {}, "a");
    enqueue("k", {}, "b");
  }
  std::string order;
  Worker worker(store, drain());
  worker.handle("k", [&](Attempt& attempt, std::string_view) { order += attempt.queue(); });
  EXPECT_EQ(worker.pool("p", 1, "a*3,b*1").run().value().completed, 24);
  EXPECT_EQ(std::count(order.begin(), order.begin() + 8, 'a'), 6) << order;
}

TEST_F(WorkerTest, DrainsWithoutWhatNobodyHereServes) {
  enqueue("k");
  const JobId foreign = enqueue("foreign");
  const JobId paused = enqueue("k", {}, "paused");
  ASSERT_TRUE(store->pause("paused").has_value());
  Worker worker(store, drain());
  worker.handle("k", [](Attempt&, std::string_view) {});
  EXPECT_EQ(worker.pool("p", 1, "q,paused").run().value().completed, 1);
  EXPECT_EQ(find(foreign).state, JobState::Ready);
  EXPECT_EQ(find(paused).state, JobState::Ready);
}

TEST_F(WorkerTest, DrainsScheduledJobsToo) {
  JobOptions later;
  later.delay = 30ms;
  enqueue("k", later);
  Worker worker(store, drain());
  worker.handle("k", [](Attempt&, std::string_view) {});
  EXPECT_EQ(worker.pool("q", 1).run().value().completed, 1);
}

TEST_F(WorkerTest, BadOptionsAndPoolsAreRefused) {
  Worker worker(store);
  EXPECT_THROW(worker.pool("no name", 1), Exception);
  EXPECT_THROW(worker.pool("p", 0), Exception);
  EXPECT_THROW(worker.pool("p", limits::kMaxSlots + 1), Exception);
  worker.pool("p", 1);
  EXPECT_THROW(worker.pool("p", 1), Exception);
  EXPECT_THROW(worker.handle("", [](Attempt&, std::string_view) {}), Exception);
  worker.handle("k", [](Attempt&, std::string_view) {});
  EXPECT_THROW(worker.handle("k", [](Attempt&, std::string_view) {}), Exception);

  WorkerOptions short_lease;
  short_lease.lease = 1ms;
  EXPECT_EQ(Worker(store, short_lease).run().error().code, Errc::InvalidInput);
  WorkerOptions chatty;
  chatty.log_level = "chatty";
  EXPECT_EQ(Worker(store, chatty).run().error().code, Errc::InvalidInput);
}

TEST_F(WorkerTest, AStoppedWorkerLeavesNoWorkerBehind) {
  Worker worker(store, drain());
  worker.handle("k", [this](Attempt&, std::string_view) { EXPECT_EQ(store->workers().value().size(), 1U); });
  enqueue("k");
  EXPECT_EQ(worker.pool("q", 1).run().value().completed, 1);
  EXPECT_TRUE(store->workers().value().empty());
}

}  // namespace
}  // namespace engine
}  // namespace galley
