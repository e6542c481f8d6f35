// Looking at a store and operating on it: jobs, queues, stats.

#include <gtest/gtest.h>

#include <map>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

/// Jobs 1 and 2 are completed, 3 is dead, 4 is scheduled, 5 stands ready in another queue.
void fill(const Bench& bench) {
  ASSERT_EQ(bench.run({"enqueue", "--each", "--", "true"}, "1\n2\n").exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--", "false"}).exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 1);
  ASSERT_EQ(bench.run({"enqueue", "--delay", "1h", "--", "true"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--queue", "other", "--", "echo", "a b"}).exit_code, 0);
}

std::map<std::int64_t, std::string> states(const Bench& bench) {
  std::map<std::int64_t, std::string> all;
  for (const auto& job : bench.run({"jobs", "--json", "--limit", "0"}).objects()) {
    all[job.at("id").as_int64()] = std::string(job.at("state").as_string());
  }
  return all;
}

using States = std::map<std::int64_t, std::string>;

TEST(Jobs, AreListedAsATableAndAsJson) {
  const Bench bench;
  fill(bench);
  const Finished table = bench.run({"jobs"});
  EXPECT_EQ(table.lines().size(), 6U) << table.out;
  EXPECT_NE(table.out.find("echo 'a b'"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("due in"), std::string::npos) << table.out;
  EXPECT_EQ(states(bench), (States{{1, "completed"}, {2, "completed"}, {3, "dead"}, {4, "scheduled"}, {5, "ready"}}));
}

TEST(Jobs, AreChosenByQueueStateAndKind) {
  const Bench bench;
  fill(bench);
  EXPECT_EQ(bench.run({"jobs", "--queue", "other", "--json"}).objects().at(0).at("id"), 5);
  EXPECT_EQ(bench.run({"jobs", "--state", "dead", "--json"}).objects().at(0).at("id"), 3);
  EXPECT_EQ(bench.run({"jobs", "--kind", "true", "--json"}).objects().size(), 3U);
  EXPECT_EQ(bench.run({"jobs", "--kind", "true", "--state", "scheduled", "--json"}).objects().size(), 1U);
}

TEST(Jobs, TheLimitIsKeptAndMoreIsSaid) {
  const Bench bench;
  fill(bench);
  const Finished some = bench.run({"jobs", "--limit", "2", "--json"});
  EXPECT_EQ(some.lines().size(), 2U);
  EXPECT_NE(some.err.find("more jobs"), std::string::npos) << some.err;
}

TEST(Jobs, MoreThanAPageIsListedWhole) {
  const Bench bench;
  std::string lines;
  for (int i = 0; i < 2'345; ++i) lines += "x\n";
  ASSERT_EQ(bench.run({"enqueue", "--each", "--", "true"}, lines).exit_code, 0);
  EXPECT_EQ(states(bench).size(), 2'345U);
  EXPECT_EQ(bench.run({"jobs", "cancel", "--all"}).out, "cancelled 2345 jobs\n");
  EXPECT_EQ(bench.run({"jobs", "delete", "--all", "--state", "cancelled"}).out, "deleted 2345 jobs\n");
  EXPECT_TRUE(states(bench).empty());
}

TEST(Jobs, ShowTellsEverythingOfAJob) {
  const Bench bench;
  fill(bench);
  const Finished text = bench.run({"jobs", "show", "3"});
  EXPECT_EQ(text.exit_code, 0);
  for (const char* part : {"state         dead", "command       false", "exit code   1", "error"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
  const Finished missing = bench.run({"jobs", "show", "1", "99", "--json"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(missing.objects().size(), 1U);
  EXPECT_NE(missing.err.find("no job 99"), std::string::npos) << missing.err;
}

TEST(Jobs, WhatCouldDriveATerminalIsShownEscaped) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "echo", "\x1b[31m\xff"}).exit_code, 0);
  EXPECT_EQ(bench.run({"jobs"}).out.find('\x1b'), std::string::npos);
  EXPECT_EQ(bench.run({"jobs", "show", "1"}).out.find('\x1b'), std::string::npos);
  EXPECT_EQ(bench.run({"jobs", "--json"}).objects().size(), 1U);
}

TEST(Jobs, RetryMakesADeadJobReady) {
  const Bench bench;
  fill(bench);
  EXPECT_EQ(bench.run({"jobs", "retry", "3"}).out, "retried 1 job\n");
  EXPECT_EQ(bench.state(3), "ready");
}

TEST(Jobs, RetryAllTakesTheDeadOnes) {
  const Bench bench;
  fill(bench);
  EXPECT_EQ(bench.run({"jobs", "retry", "--all"}).out, "retried 1 job\n");
  EXPECT_EQ(states(bench), (States{{1, "completed"}, {2, "completed"}, {3, "ready"}, {4, "scheduled"}, {5, "ready"}}));
}

TEST(Jobs, CancelAllTakesWhatHasNotEnded) {
  const Bench bench;
  fill(bench);
  EXPECT_EQ(bench.run({"jobs", "cancel", "--all", "--queue", "default"}).out, "cancelled 1 job\n");
  EXPECT_EQ(states(bench), (States{{1, "completed"}, {2, "completed"}, {3, "dead"}, {4, "cancelled"}, {5, "ready"}}));
}

TEST(Jobs, CancelSaysOfARunningOneThatItIsAskedToStopAndItStops) {
  const Bench bench;
  const Fifo runs(bench.dir().file("runs"));
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo >runs; exec sleep 600"}).exit_code, 0);
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands"}});
  ASSERT_TRUE(runs.wait());
  EXPECT_EQ(bench.run({"jobs", "cancel", "1"}).out, "asked the workers to stop 1 running job\n");
  EXPECT_TRUE(worker.wait_err("job.cancelled"));
  EXPECT_EQ(bench.state(1), "cancelled");
}

TEST(Jobs, ANamedJobThatCannotBeServedIsNamedAndExitsWithOne) {
  const Bench bench;
  fill(bench);
  const Finished run = bench.run({"jobs", "retry", "3", "1", "99"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "retried 1 job\n");
  EXPECT_NE(run.err.find("job 1 is completed"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("no job 99"), std::string::npos) << run.err;
  const auto outcomes = bench.run({"jobs", "delete", "2", "99", "--json"}).objects();
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[0].at("outcome"), "done");
  EXPECT_EQ(outcomes[1].at("outcome"), "not_found");
}

TEST(Jobs, DeleteAllAsksForAStateOrForYes) {
  const Bench bench;
  fill(bench);
  EXPECT_EQ(bench.run({"jobs", "delete", "--all"}).exit_code, 2);
  EXPECT_EQ(states(bench).size(), 5U);
  EXPECT_EQ(bench.run({"jobs", "delete", "--all", "--state", "completed"}).out, "deleted 2 jobs\n");
  EXPECT_EQ(bench.run({"jobs", "delete", "--all", "--yes"}).out, "deleted 3 jobs\n");
}

TEST(Queues, AreCountedPausedAndResumed) {
  const Bench bench;
  fill(bench);
  ASSERT_EQ(bench.run({"queues", "pause", "other"}).exit_code, 0);
  const auto paused = bench.run({"queues", "--json"}).objects();
  ASSERT_EQ(paused.size(), 2U);
  EXPECT_EQ(paused[0].at("queue"), "default");
  EXPECT_EQ(paused[0].at("completed"), 2);
  EXPECT_EQ(paused[0].at("dead"), 1);
  EXPECT_EQ(paused[0].at("paused"), false);
  EXPECT_EQ(paused[1].at("ready"), 1);
  EXPECT_EQ(paused[1].at("paused"), true);
  ASSERT_EQ(bench.run({"work", "--queue", "other", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_EQ(bench.state(5), "ready");
  ASSERT_EQ(bench.run({"queues", "resume", "other"}).exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--queue", "other", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_EQ(bench.state(5), "completed");
  EXPECT_NE(bench.run({"queues"}).out.find("other"), std::string::npos);
}

TEST(Stats, CountByQueueAndKindAndNameTheWorkers) {
  const Bench bench;
  fill(bench);
  Process worker(bench.dir(), {.arguments = {"work", "--pool", "p=3:nothing", "--name", "me", "--allow-commands"}});
  ASSERT_TRUE(worker.wait_err("worker.start"));
  std::map<std::string, boost::json::object> jobs;
  std::vector<boost::json::object> workers;
  for (const auto& object : bench.run({"stats", "--json"}).objects()) {
    if (object.at("type") == "worker") {
      workers.push_back(object);
    } else if (object.at("type") == "jobs") {
      jobs[std::string(object.at("kind").as_string())] = object;
    }
  }
  EXPECT_EQ(jobs.at("true").at("completed"), 2);
  EXPECT_EQ(jobs.at("true").at("scheduled"), 1);
  EXPECT_EQ(jobs.at("false").at("dead"), 1);
  EXPECT_EQ(jobs.at("echo").at("queue"), "other");
  ASSERT_EQ(workers.size(), 1U);
  EXPECT_EQ(workers[0].at("name"), "me");
  EXPECT_EQ(workers[0].at("pools"), "p=3:nothing");
  EXPECT_NE(bench.run({"stats"}).out.find("p=3:nothing"), std::string::npos);
}

}  // namespace
}  // namespace galley::test
