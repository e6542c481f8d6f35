// Coroutine handlers that are asked to stop, and those that take a slot and no thread.

#include "engine/coroutine_fixture.hpp"

#include <boost/asio/as_tuple.hpp>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <thread>

#include "engine/worker_fixture.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::engine {
namespace {

int threads_of_this_process() {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

class CoroutineStop : public RunningWorkerTest {
 protected:
  Gate gate;
};

/// Waits at the gate, and saves a checkpoint when that is cancelled.
struct SavesOnItsWay {
  Gate* gate;
  Awaitable<void> operator()(Attempt& attempt, std::string_view) const {
    try {
      co_await gate->wait();
    } catch (const boost::system::system_error&) {
      EXPECT_TRUE(attempt.stop_requested());
      EXPECT_TRUE(attempt.save_checkpoint("half"));
      throw;
    }
  }
};

TEST_F(CoroutineStop, ATimeOutEndsWhatItAwaits) {
  JobOptions resumable = at_once();
  resumable.resumable = true;
  resumable.timeout = 20ms;
  resumable.max_pauses = 2;
  const JobId paused = enqueue("waits", resumable);
  JobOptions once;
  once.timeout = 20ms;
  once.max_attempts = 1;
  const JobId failed = enqueue("waits", once);
  Worker worker(store, drain());
  worker.handle("waits", WaitAt{&gate}).pool("q", 2);
  EXPECT_EQ(worker.run().value().dead, 2);
  EXPECT_NE(find(failed).error.find("timed out after 20ms"), std::string::npos) << find(failed).error;
  EXPECT_EQ(attempts(failed).front().report.error_class, "timeout");
  EXPECT_GE(find(paused).counters.pauses, 2) << "and then it was given up";
}

TEST_F(CoroutineStop, ACancelledJobEndsCancelled) {
  const JobId id = enqueue("waits");
  Worker worker(store, drain());
  worker.handle("waits", WaitAt{&gate}).pool("q", 1);
  start(worker);
  ASSERT_TRUE(gate.came.wait());
  ASSERT_EQ(store->cancel(std::array{id}).value().front(), store::Operated::Requested);
  EXPECT_EQ(join().failed, 0);
  EXPECT_EQ(find(id).state, JobState::Cancelled);
}

TEST_F(CoroutineStop, AShutdownGivesWayWithACheckpointAndWithoutATry) {
  constexpr int kJobs = 20;
  std::vector<JobId> ids;
  for (int i = 0; i < kJobs; ++i) ids.push_back(enqueue("waits"));
  WorkerOptions options;
  options.shutdown_grace = 0s;
  Worker worker(store, options);
  worker.handle("waits", SavesOnItsWay{&gate}).pool("q", kJobs);
  start(worker);
  ASSERT_TRUE(gate.came.wait(kJobs));
  worker.stop();
  EXPECT_EQ(join().completed, 0);
  for (const JobId id : ids) {
    EXPECT_EQ(find(id).state, JobState::Ready);
    EXPECT_EQ(find(id).checkpoint, "half");
    EXPECT_EQ(find(id).counters.errors, 0);
  }
}

/// Says that a claim is no longer held, as if another worker had it by now.
class LosingStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::vector<store::Renewed>> renew(std::span<const store::Renewal> renewals, Duration lease) override {
    auto answers = ForwardingStore::renew(renewals, lease);
    for (store::Renewed& answer : *answers) answer.held = false;
    return answers;
  }
};

struct TellsAndWaits {
  Gate* gate;
  Awaitable<void> operator()(Attempt& attempt, std::string_view) const {
    attempt.progress("so far");  // so that it is renewed
    co_await gate->wait();
  }
};

TEST_F(CoroutineStop, OneWhoseClaimWasLostIsCancelledAndItsEndIsDropped) {
  store = std::make_shared<LosingStore>(store::open_memory(clock));
  const JobId id = enqueue("waits");
  WorkerOptions options;
  options.shutdown_grace = 1h;
  Worker worker(store, options);
  worker.handle("waits", TellsAndWaits{&gate}).pool("q", 1);
  start(worker);
  ASSERT_TRUE(gate.came.wait());
  worker.stop();
  EXPECT_EQ(join().failed, 0) << "it ended long before the grace";
  EXPECT_EQ(find(id).state, JobState::Running) << "nothing was told of its end";
}

/// Waits for a stop, and then goes on as its payload says.
Awaitable<std::optional<Outcome>> after_the_stop(Attempt&, std::string_view payload) {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  EXPECT_EQ(error, asio::error::operation_aborted);
  if (payload == "done") co_return Outcome::done();
  if (payload == "wrong") throw std::runtime_error("it went wrong");
  co_return std::nullopt;
}

TEST_F(CoroutineStop, WhatItSaysAfterACancellationStandsAndSilenceIsAnEarlyStop) {
  JobOptions once;
  once.timeout = 20ms;
  once.max_attempts = 1;
  const JobId done = enqueue("k", once, "q", "done");
  const JobId wrong = enqueue("k", once, "q", "wrong");
  const JobId silent = enqueue("k", once, "q", "silent");
  Worker worker(store, drain());
  worker.handle("k", after_the_stop).pool("q", 3);
  EXPECT_EQ(worker.run().value().completed, 1);
  EXPECT_EQ(find(done).state, JobState::Completed);
  EXPECT_EQ(find(wrong).state, JobState::Dead);
  EXPECT_NE(find(wrong).error.find("it went wrong"), std::string::npos) << find(wrong).error;
  EXPECT_EQ(find(silent).state, JobState::Dead);
  EXPECT_EQ(find(silent).error, "timed out after 20ms");
}

/// Blocks the loop until it is reported as stuck.
struct Blocks {
  test::Event* reported;
  Awaitable<void> operator()(Attempt&, std::string_view) const {
    EXPECT_TRUE(reported->wait());
    wait_for_log("job.stuck");  // it is counted before its stack is taken
    co_return;
  }
};

TEST_F(CoroutineStop, OneThatHoldsUpTheLoopIsReportedWithTheLoopsStack) {
  JobOptions options = at_once();
  options.timeout = 300ms;  // the loop's thread has begun it by then
  options.grace = 1ms;
  enqueue("blocks", options);
  test::Event reported;
  WorkerOptions wanted = drain();
  wanted.pulse_every = 10ms;
  wanted.stack_signal = SIGUSR2;
  wanted.log_level = "error";
  wanted.on_pulse = [&](const WorkerPulse& pulse) {
    if (pulse.stuck == 1) reported.set();
  };
  testing::internal::CaptureStderr();
  Worker worker(store, wanted);
  worker.handle("blocks", Blocks{&reported}).pool("q", 1);
  ASSERT_TRUE(worker.run());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("job.stuck"), std::string::npos) << log;
  EXPECT_NE(log.find("of its loop: blocks (job 1): "), std::string::npos) << log;
  EXPECT_NE(log.find(" < "), std::string::npos) << "its frames: " << log;
}

// ---- many of them -----------------------------------------------------------------------------------------------

constexpr int kMany = 9'998;

class ManyCoroutines : public CoroutineStop, public testing::WithParamInterface<const char*> {
 protected:
  ManyCoroutines() {
    if (std::string(GetParam()) == "memory") return;
    store::SqliteOptions options;
    options.path = dir_.file("jobs.db");
    options.durability = store::Durability::Normal;
    options.clock = &clock;
    store = store::open_sqlite(options).value();
  }
  Result<std::vector<JobId>> enqueue_many(const std::string& kind) {
    return Queue(store, "q").enqueue_json_all(kind, std::vector<Item>(kMany, Item{"{}", {}}));
  }

 private:
  test::TempDir dir_;
};

TEST_P(ManyCoroutines, TenThousandWaitInAFewThreadsAndADrinkPassesAmongThem) {
  ASSERT_TRUE(enqueue_many("waits"));
  Worker worker(store, drain());
  test::Event drunk;
  worker.handle("waits", WaitAt{&gate}).handle("open", Open{&gate}).handle("drink", [&](Attempt&, std::string_view) {
    drunk.set();
  });
  worker.pool("q", kMany + 2);
  const int before = threads_of_this_process();
  start(worker);
  ASSERT_TRUE(gate.came.wait(kMany));
  EXPECT_LE(threads_of_this_process(), before + 4) << "run(), the watchdog, the loop, and one of the store's";
  enqueue("drink");
  EXPECT_TRUE(drunk.wait());
  EXPECT_LE(threads_of_this_process(), before + 5) << "and one for the drink";
  enqueue("open");
  EXPECT_EQ(join().completed, kMany + 2);
  EXPECT_EQ(gate.waiting(), 0U);
}

TEST_P(ManyCoroutines, AllGiveWayAtAShutdown) {
  ASSERT_TRUE(enqueue_many("waits"));
  WorkerOptions options;
  options.shutdown_grace = 0s;
  Worker worker(store, options);
  worker.handle("waits", WaitAt{&gate}).pool("q", kMany);
  start(worker);
  ASSERT_TRUE(gate.came.wait(kMany));
  worker.stop();
  EXPECT_EQ(join().completed, 0);
  const store::QueueStats stats = store->queues().value().front();
  EXPECT_EQ(stats.count[static_cast<std::size_t>(JobState::Ready)], kMany);
}

TEST_P(ManyCoroutines, BriefOnesAreDrained) {
  ASSERT_TRUE(enqueue_many("brief"));
  Worker worker(store, drain());
  worker.handle("brief", Nothing{}).pool("q", 10);
  EXPECT_EQ(worker.run().value().completed, kMany);
}

INSTANTIATE_TEST_SUITE_P(Stores, ManyCoroutines, testing::Values("memory", "sqlite"),
                         [](const auto& which) { return std::string(which.param); });

}  // namespace
}  // namespace galley::engine
