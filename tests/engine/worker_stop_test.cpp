// Workers that are told to stop, jobs that are, and stores that fail meanwhile.
#include <atomic>
#include <thread>

#include "engine/worker_fixture.hpp"

namespace galley::engine {
namespace {

class WorkerStop : public RunningWorkerTest {
 protected:
  Event started;
};

TEST_F(WorkerStop, AStoppedWorkerLetsItsJobsEndWithinTheGrace) {
  const JobId id = enqueue("k");
  const JobId next = enqueue("k");
  Event go_on;
  Worker worker(store);
  worker.pool("q", 1).handle("k", [&](Attempt& attempt, std::string_view) {
    started.set();
    EXPECT_TRUE(go_on.wait());
    EXPECT_FALSE(attempt.stop_requested());
  });
  start(worker);
  ASSERT_TRUE(started.wait());
  worker.stop();
  worker.stop();
  go_on.set();
  EXPECT_EQ(join().completed, 1);
  EXPECT_EQ(find(id).state, JobState::Completed);
  EXPECT_EQ(find(next).state, JobState::Ready) << "nothing is claimed after the stop";
}

TEST_F(WorkerStop, WhatRunsAfterTheGraceIsAskedToStopAndPutBack) {
  const JobId id = enqueue("k");
  WorkerOptions options;
  options.shutdown_grace = 0s;
  Worker worker(store, options);
  worker.pool("q", 1).handle("k", [&](Attempt& attempt, std::string_view) {
    started.set();
    wait_for_stop(attempt);
    static_cast<void>(attempt.save_checkpoint("half"));
  });
  start(worker);
  ASSERT_TRUE(started.wait());
  worker.stop();
  EXPECT_EQ(join().completed, 0);
  const job::JobRecord job = find(id);
  EXPECT_EQ(job.state, JobState::Ready);
  EXPECT_EQ(job.checkpoint, "half");
  EXPECT_EQ(job.counters.pauses, 1);
  EXPECT_EQ(job.counters.errors, 0);
}

TEST_F(WorkerStop, HurryEndsTheGrace) {
  const JobId id = enqueue("k");
  Worker worker(store);  // a grace of 25 s
  worker.pool("q", 1).handle("k", [&](Attempt& attempt, std::string_view) {
    started.set();
    wait_for_stop(attempt);
  });
  start(worker);
  ASSERT_TRUE(started.wait());
  worker.stop();
  worker.hurry();
  join();
  EXPECT_EQ(find(id).state, JobState::Ready);
}

TEST_F(WorkerStop, AHandlerThatDoesNotEndIsPutBackBeforeTheProcessExits) {
  JobOptions no_grace;
  no_grace.grace = 0s;
  const JobId id = enqueue("k", no_grace);
  Event exited;
  JobState at_exit = JobState::Running;
  std::size_t workers_at_exit = 9;
  WorkerOptions options;
  options.shutdown_grace = 0s;
  options.exit_process = [&] {
    at_exit = find(id).state;
    workers_at_exit = store->workers().value().size();
    exited.set();
  };
  auto worker = std::make_unique<Worker>(store, options);
  worker->pool("q", 1).handle("k", [&](Attempt&, std::string_view) {
    started.set();
    EXPECT_TRUE(exited.wait()) << "only the end of the process ends me";
  });
  start(*worker);
  ASSERT_TRUE(started.wait());
  worker->stop();
  EXPECT_EQ(join().completed, 0) << "what it returns later is not told";
  EXPECT_EQ(at_exit, JobState::Scheduled);
  EXPECT_EQ(workers_at_exit, 1U) << "putting back is the very last act; its lock tells of its end";
  EXPECT_EQ(find(id).counters.pauses, 1);
}

TEST_F(WorkerStop, AStopBeforeTheRunEndsItAtOnce) {
  const JobId id = enqueue("k");
  Worker worker(store);
  worker.pool("q", 1).handle("k", [](Attempt&, std::string_view) {});
  worker.stop();
  EXPECT_EQ(worker.run().value().completed, 0);
  EXPECT_EQ(find(id).state, JobState::Ready);
}

TEST_F(WorkerStop, ACancelledJobIsAskedToStopAndEndsCancelled) {
  const JobId id = enqueue("k");
  Worker worker(store, drain());
  worker.pool("q", 1).handle("k", [&](Attempt& attempt, std::string_view) {
    started.set();
    wait_for_stop(attempt);
  });
  start(worker);
  ASSERT_TRUE(started.wait());
  ASSERT_EQ(store->cancel(std::array{id}).value().front(), store::Operated::Requested);
  EXPECT_EQ(join().failed, 0);
  EXPECT_EQ(find(id).state, JobState::Cancelled);
}

TEST_F(WorkerStop, ATimeOutPausesAResumableJob) {
  JobOptions options;
  options.timeout = 20ms;
  options.resumable = true;
  const JobId id = enqueue("k", options);
  Worker worker(store, drain());
  worker.pool("q", 1).handle("k", [&](Attempt& attempt, std::string_view) {
    EXPECT_LE(attempt.time_left().value(), 20ms);
    if (attempt.number() > 1) return;
    static_cast<void>(attempt.save_checkpoint("half"));
    wait_for_stop(attempt);
  });
  EXPECT_EQ(worker.run().value().completed, 1);
  const auto tries = attempts(id);
  ASSERT_EQ(tries.size(), 2U);
  EXPECT_EQ(tries[0].outcome, "timed_out");
  EXPECT_EQ(find(id).counters.pauses, 1);
  EXPECT_EQ(find(id).counters.errors, 0);
}

/// Its verbs can be made to block or fail.
class TroubledStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<store::FinishAndClaimAnswer> finish_and_claim(std::span<const store::Finish> finishes,
                                                       std::span<const store::ClaimRequest> requests) override {
    if (!finishes.empty()) {
      if (on_finish) on_finish();
      if (failures > 0 && failures-- > 0) {
        if (lose_answer) static_cast<void>(ForwardingStore::finish_and_claim(finishes, {}));
        return Error{Errc::Unavailable, "busy", Written::Unknown};
      }
    }
    return ForwardingStore::finish_and_claim(finishes, requests);
  }
  Result<std::vector<store::Renewed>> renew(std::span<const store::Renewal> renewals, Duration lease) override {
    auto answer = ForwardingStore::renew(renewals, lease);
    for (const store::Renewal& renewal : renewals) {
      if (renewal.progress && on_progress) on_progress(renewal);
    }
    return answer;
  }
  Result<std::vector<store::LaneStats>> lanes() override {
    if (on_look) on_look();
    return ForwardingStore::lanes();
  }

  std::function<void()> on_finish;
  std::function<void(const store::Renewal&)> on_progress;
  std::function<void()> on_look;
  std::atomic<int> failures = 0;
  bool lose_answer = false;
};

class WorkerTrouble : public WorkerStop {
 protected:
  WorkerTrouble() { store = troubled; }
  std::shared_ptr<TroubledStore> troubled = std::make_shared<TroubledStore>(store::open_memory(clock));
};

TEST_F(WorkerTrouble, AnEndThatTheStoreRefusesIsToldLaterAndTheJobRunsOnce) {
  const JobId id = enqueue("k");
  troubled->failures = 3;
  int runs = 0;
  Worker worker(store, drain());
  worker.pool("q", 1).handle("k", [&](Attempt&, std::string_view) { ++runs; });
  EXPECT_EQ(worker.run().value().completed, 1);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(find(id).state, JobState::Completed);
}

TEST_F(WorkerTrouble, AnEndWhoseAnswerWasLostCountsOnce) {
  const JobId id = enqueue("k");
  troubled->failures = 1;
  troubled->lose_answer = true;
  Worker worker(store, drain());
  worker.pool("q", 1).handle("k", [](Attempt&, std::string_view) {});
  EXPECT_EQ(worker.run().value().completed, 1);
  EXPECT_EQ(attempts(id).size(), 1U);
}

TEST_F(WorkerTrouble, ATimeOutFiresWhileTheStoreBlocksTheDispatcher) {
  JobOptions options;
  options.timeout = 50ms;
  options.on_timeout = OnTimeout::Dead;
  const JobId slow = enqueue("slow", options);
  enqueue("quick");
  Event stopped;
  troubled->on_finish = [&] { EXPECT_TRUE(stopped.wait()); };
  Worker worker(store, drain());
  worker.pool("q", 2)
      .handle("slow",
              [&](Attempt& attempt, std::string_view) {
                wait_for_stop(attempt);
                stopped.set();
              })
      .handle("quick", [](Attempt&, std::string_view) {});
  EXPECT_EQ(worker.run().value().dead, 1);
  EXPECT_EQ(find(slow).state, JobState::Dead);
}

TEST_F(WorkerTrouble, ProgressIsSeenWhileTheJobRuns) {
  const JobId id = enqueue("k");
  Event seen;
  troubled->on_progress = [&](const store::Renewal& renewal) {
    EXPECT_EQ(renewal.progress, "half way");
    EXPECT_EQ(find(id).progress, "half way");
    EXPECT_EQ(find(id).checkpoint, "5") << "with this renewal or with the one before";
    seen.set();
  };
  Worker worker(store, drain());
  worker.pool("q", 1).handle("k", [&](Attempt& attempt, std::string_view) {
    static_cast<void>(attempt.save_checkpoint("5"));
    attempt.progress("half way");
    EXPECT_TRUE(seen.wait());
  });
  EXPECT_EQ(worker.run().value().completed, 1);
}

TEST_F(WorkerTrouble, DrainWaitsForJobsThatOthersRun) {
  const JobId id = enqueue("k");
  const store::WorkerId other = store->join({"other", "q=1"}).value();
  store::ClaimRequest request;
  request.worker = other;
  request.queues = {"q"};
  request.kinds = {{"k", 1}};
  request.limit = 1;
  const auto claimed = store->claim(request);
  ASSERT_EQ(claimed->claims.size(), 1U);
  Event looked;
  troubled->on_look = [&] { looked.set(); };
  std::atomic<bool> ended = false;
  Worker worker(store, drain());
  worker.pool("q", 1).handle("k", [](Attempt&, std::string_view) {});
  thread = std::thread([&] {
    report = worker.run();
    ended = true;
  });
  ASSERT_TRUE(looked.wait(2));
  EXPECT_FALSE(ended);
  store::Finish finish;
  finish.claim = claimed->claims[0].id;
  finish.counters.attempts = 1;
  finish.outcome = "completed";
  ASSERT_EQ(store->finish(std::array{finish}).value().front(), store::FinishAnswer::Finished);
  EXPECT_EQ(join().completed, 0);
  EXPECT_EQ(find(id).state, JobState::Completed);
}

// ---- commands ---------------------------------------------------------------------------------------------------

class WorkerCommand : public WorkerStop {
 protected:
  JobId enqueue_command(std::vector<std::string> argv, const JobOptions& options = {}) {
    Command command;
    command.argv = std::move(argv);
    return Queue(store, "q").enqueue_command(command, {}, options).value();
  }
  static JobOptions once() {
    JobOptions options;
    options.max_attempts = 1;
    return options;
  }
  WorkerOptions allowing(bool any, std::vector<std::string> listed = {}) {
    WorkerOptions options = drain();
    options.allow_any_command = any;
    options.allow_commands = std::move(listed);
    return options;
  }
};

TEST_F(WorkerCommand, KeepsExitCodeAndOutput) {
  const JobId well = enqueue_command({"echo", "hello"});
  const JobId badly = enqueue_command({"sh", "-c", "echo oops >&2; exit 3"}, once());
  Worker worker(store, allowing(true));
  const WorkerReport done = worker.pool("q", 2).run().value();
  EXPECT_EQ(done.completed, 1);
  EXPECT_EQ(done.dead, 1);
  EXPECT_EQ(attempts(well).at(0).report.out, "hello\n");
  EXPECT_EQ(attempts(badly).at(0).report.err, "oops\n");
  EXPECT_EQ(attempts(badly).at(0).report.exit_code, 3);
  EXPECT_EQ(find(badly).error, "exit code 3");
}

TEST_F(WorkerCommand, OnlyWhatIsAllowedIsClaimedAndDrainEndsWithoutTheRest) {
  const JobId allowed = enqueue_command({"true"});
  const JobId not_allowed = enqueue_command({"touch", "/nonexistent/x"});
  Worker worker(store, allowing(false, {"true"}));
  EXPECT_EQ(worker.pool("q", 1).run().value().completed, 1);
  EXPECT_EQ(find(allowed).state, JobState::Completed);
  EXPECT_EQ(find(not_allowed).state, JobState::Ready);
  EXPECT_EQ(find(not_allowed).counters.attempts, 0);
}

TEST_F(WorkerCommand, ATimeOutTerminatesThenKills) {
  JobOptions options = once();
  options.timeout = 100ms;
  options.grace = 50ms;
  options.on_timeout = OnTimeout::Dead;
  const JobId deaf = enqueue_command({"sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"}, options);
  Worker worker(store, allowing(true));
  EXPECT_EQ(worker.pool("q", 1).run().value().dead, 1);
  const auto tries = attempts(deaf);
  ASSERT_EQ(tries.size(), 1U);
  EXPECT_EQ(tries[0].outcome, "timed_out");
  EXPECT_EQ(tries[0].report.signal, 9);
}

TEST_F(WorkerCommand, AShutdownTerminatesAndPutsBack) {
  class Claims : public ForwardingStore {
   public:
    Claims(std::unique_ptr<store::Store> inner, Event& event) : ForwardingStore(std::move(inner)), event_(event) {}
    Result<store::FinishAndClaimAnswer> finish_and_claim(std::span<const store::Finish> finishes,
                                                         std::span<const store::ClaimRequest> requests) override {
      auto answer = ForwardingStore::finish_and_claim(finishes, requests);
      if (answer && !answer->claimed.empty() && !answer->claimed[0].claims.empty()) event_.set();
      return answer;
    }

   private:
    Event& event_;
  };
  store = std::make_shared<Claims>(store::open_memory(clock), started);
  const JobId id = enqueue_command({"sleep", "1000"});
  WorkerOptions options = allowing(true);
  options.shutdown_grace = 0s;
  Worker worker(store, options);
  worker.pool("q", 1);
  start(worker);
  ASSERT_TRUE(started.wait());
  worker.stop();
  join();
  const job::JobRecord job = find(id);
  EXPECT_TRUE(job.state == JobState::Scheduled || job.state == JobState::Ready);
  EXPECT_EQ(job.counters.errors, 0);
}

}  // namespace
}  // namespace galley::engine
