// Producers and workers killed with SIGKILL: nothing acknowledged is lost, nothing overlaps, the orphan runs again at
// once.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <set>
#include <sstream>

#include "base/clock.hpp"
#include "e2e/process.hpp"

namespace galley::test {
namespace {

const std::vector<std::string> kWork{"work", "--pool", "default=1", "--allow-commands", "--log-level", "info"};

TEST(Killed, AWorkersJobRunsElsewhereWithinSecondsAndNeverTwiceAtATime) {
  const Bench bench;
  const Fifo started(bench.dir().file("started"));
  const Fifo go_on(bench.dir().file("go-on"));
  // flock -n fails at once if the first attempt's processes are still alive.
  ASSERT_EQ(
      bench
          .run({"enqueue", "--", "flock", "-n", "lock", "sh", "-c", "echo > started; read x < go-on; echo end >> file"})
          .exit_code,
      0);
  Process first(bench.dir(), {.arguments = kWork});
  ASSERT_TRUE(started.wait());
  Process second(bench.dir(), {.arguments = kWork});
  ASSERT_TRUE(second.wait_err("worker.start"));
  const base::SystemClock clock;
  const base::Mono killed = clock.mono();
  first.signal(SIGKILL);
  ASSERT_TRUE(started.wait());
  const auto recovered = std::chrono::duration_cast<std::chrono::milliseconds>(clock.mono() - killed);
  RecordProperty("recovery_ms", static_cast<int>(recovered.count()));
  EXPECT_LT(recovered, std::chrono::seconds(15)) << "by the lock, not by the lease of 30 s";
  go_on.tell();
  ASSERT_TRUE(second.wait_err("job.completed"));
  EXPECT_EQ(bench.read("file"), "end\n");
  const auto job = bench.job(1);
  EXPECT_EQ(job.at("state"), "completed");
  EXPECT_EQ(job.at("crashes"), 1);
  EXPECT_EQ(job.at("errors"), 0) << "a crash is no error";
}

TEST(Killed, AJobThatKillsItsWorkersIsQuarantined) {
  const Bench bench;
  // Its parent is the guardian, whose parent is the worker.
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "kill -9 $(ps -o ppid= -p $PPID)"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  for (int i = 0; i < 3; ++i) {
    Process worker(bench.dir(), {.arguments = kWork});
    EXPECT_EQ(worker.finish().exit_code, -1) << "it is killed by its job";
  }
  const Finished last = bench.run({"work", "--pool", "default=1", "--allow-commands", "--drain"});
  EXPECT_EQ(bench.state(2), "completed") << last.err;
  const auto job = bench.job(1);
  EXPECT_EQ(job.at("state"), "dead");
  EXPECT_NE(std::string(job.at("error").as_string()).find("quarantined"), std::string::npos);
}

/// The ids that a producer had printed, and so acknowledged, when it was killed after `after` of them were seen.
std::vector<int> acknowledged_by_a_killed_producer(const Bench& bench, int after) {
  std::string lines;
  for (int i = 0; i < 200'000; ++i) lines += "line\n";
  Process producer(bench.dir(), {.arguments = {"enqueue", "--each", "--", "true"}, .input = lines});
  EXPECT_TRUE(producer.wait_out("\n" + std::to_string(after) + "\n"));
  producer.signal(SIGKILL);
  const Finished end = producer.finish();
  EXPECT_EQ(end.exit_code, -1) << "it was too quick to be killed";
  std::vector<int> ids;
  const auto last_whole_line = end.out.rfind('\n');
  std::istringstream whole(end.out.substr(0, last_whole_line == std::string::npos ? 0 : last_whole_line));
  for (int id = 0; whole >> id;) ids.push_back(id);
  return ids;
}

TEST(Killed, AProducerLosesNoAcknowledgedJob) {
  for (const int after : {2, 1'000, 3'500, 10'001}) {
    const Bench bench;
    const std::vector<int> ids = acknowledged_by_a_killed_producer(bench, after);
    ASSERT_GE(static_cast<int>(ids.size()), after);
    const Finished listed = bench.run({"jobs", "--json", "--limit", "0"});
    std::set<std::int64_t> kept;
    for (const auto& job : listed.objects()) kept.insert(job.at("id").as_int64());
    for (const int id : ids) ASSERT_TRUE(kept.contains(id)) << "job " << id << " was acknowledged and is lost";
  }
}

TEST(Processes, ManyOfThemShareOneFileWithoutALockErrorOrALostJob) {
  constexpr int kProducers = 4;
  constexpr int kWorkers = 4;
  constexpr int kEach = 150;
  const Bench bench;
  std::string lines;
  for (int i = 0; i < kEach; ++i) lines += std::to_string(i) + "\n";
  std::vector<std::unique_ptr<Process>> producers;
  std::vector<std::unique_ptr<Process>> workers;
  for (int i = 0; i < kWorkers; ++i)
    workers.push_back(std::make_unique<Process>(bench.dir(), Start{.arguments = kWork}));
  for (auto& worker : workers) ASSERT_TRUE(worker->wait_err("worker.start")) << worker->finish().err;
  for (int i = 0; i < kProducers; ++i) {
    producers.push_back(std::make_unique<Process>(
        bench.dir(),
        Start{.arguments = {"enqueue", "--each", "--wait", "--", "sh", "-c", "echo {} >> runs"}, .input = lines}));
  }
  for (auto& producer : producers) {
    const Finished end = producer->finish();
    EXPECT_EQ(end.exit_code, 0) << end.err;
    EXPECT_EQ(end.err.find("locked"), std::string::npos) << end.err;
  }
  for (auto& worker : workers) worker->signal(SIGTERM);
  for (auto& worker : workers) {
    const Finished end = worker->finish();
    EXPECT_EQ(end.exit_code, 0) << end.err;
    EXPECT_EQ(end.err.find("locked"), std::string::npos) << end.err;
  }
  const std::string runs = bench.read("runs");
  EXPECT_EQ(std::count(runs.begin(), runs.end(), '\n'), kProducers * kEach) << "each job ran once";
}

}  // namespace
}  // namespace galley::test
