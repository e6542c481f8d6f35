// Working: what a worker refuses, what it leaves alone, and how it ends.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <iostream>

#include "base/resident.hpp"
#include "e2e/process.hpp"

namespace galley::test {
namespace {

TEST(Work, RefusesToRunWithNothingToRun) {
  const Bench bench;
  const Finished run = bench.run({"work", "--drain"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("--allow-commands"), std::string::npos) << run.err;
  EXPECT_FALSE(bench.exists("galley.db"));
}

TEST(Work, AWorkerWithoutWorkStaysUnder20MiB) {
  if (!kMemoryIsOurs) GTEST_SKIP() << "under a sanitizer this says nothing";
  const Bench bench;
  Process worker(bench.dir(), {.arguments = {"work", "--pool", "default=10", "--allow-commands"}});
  ASSERT_TRUE(worker.wait_err("worker.start"));
  const std::int64_t before = resident_kib(worker.pid());
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  ASSERT_TRUE(worker.wait_err("job.completed"));
  const std::int64_t after = resident_kib(worker.pid());
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.finish().exit_code, 0);
  std::cout << "resident: " << before << " KiB before its first job, " << after << " KiB after it\n";
  EXPECT_GT(before, 0);
  EXPECT_LT(before, 20 * 1'024);
  EXPECT_LT(after, 20 * 1'024) << "all that it needs has been used once";
}

TEST(Work, AnAllowListLeavesOtherCommandsReady) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "touch", "allowed"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "touch refused"}).exit_code, 0);
  const Finished run = bench.run({"work", "--allow-commands=touch,true", "--drain"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(bench.exists("allowed"));
  EXPECT_FALSE(bench.exists("refused"));
  EXPECT_EQ(bench.state(2), "ready");
  EXPECT_EQ(bench.job(2).at("attempts"), 0);
}

TEST(Work, AnAllowListIsNeverServedFromTheWorkingDirectory) {
  const Bench bench;
  bench.write("touch", "#!/bin/sh\necho wrong > wrong\n");
  ASSERT_EQ(chmod(bench.dir().file("touch").c_str(), 0755), 0);
  ASSERT_EQ(bench.run({"enqueue", "--", "./touch", "x"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--", "touch", "right"}).exit_code, 0);
  EXPECT_EQ(bench.run({"work", "--allow-commands=touch", "--drain"}).exit_code, 0);
  EXPECT_TRUE(bench.exists("right"));
  EXPECT_FALSE(bench.exists("wrong"));
}

TEST(Work, AnAllowedProgramThatIsNotThereIsRefused) {
  const Bench bench;
  const Finished run = bench.run({"work", "--allow-commands=no-such-program", "--drain"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("no-such-program"), std::string::npos) << run.err;
}

TEST(Work, AnEmptyAllowListAllowsNothing) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "touch", "ran"}).exit_code, 0);
  const Finished end = bench.run({"work", "--allow-commands=", "--drain"});
  EXPECT_EQ(end.exit_code, 2);
  EXPECT_NE(end.err.find("the list is empty"), std::string::npos) << end.err;
  EXPECT_FALSE(bench.exists("ran"));
}

TEST(Work, DrainExitsWithOneWhenAJobDied) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo out; echo err >&2; exit 3"}).exit_code, 0);
  const Finished run = bench.run({"work", "--allow-commands", "--drain"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("job.dead"), std::string::npos) << run.err;
  const boost::json::object job = bench.job(1);
  EXPECT_EQ(job.at("state"), "dead");
  const boost::json::value& attempt = job.at("history").at(0);
  EXPECT_EQ(attempt.at("exit_code"), 3);
  EXPECT_EQ(attempt.at("stdout"), "out\n");
  EXPECT_EQ(attempt.at("stderr"), "err\n");
}

TEST(Work, PoolsServeOnlyTheirQueues) {
  const Bench bench;
  for (const char* queue : {"drinks", "fries", "burgers"}) {
    ASSERT_EQ(bench.run({"enqueue", "--queue", queue, "--", "touch", queue}).exit_code, 0);
  }
  EXPECT_EQ(bench.run({"work", "--pool", "fast=2:drinks,fries", "--pool", "cakes=1", "--allow-commands", "--drain"})
                .exit_code,
            0);
  EXPECT_TRUE(bench.exists("drinks"));
  EXPECT_TRUE(bench.exists("fries"));
  EXPECT_FALSE(bench.exists("burgers"));
  EXPECT_EQ(bench.run({"work", "--queue", "burgers", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_TRUE(bench.exists("burgers"));
}

TEST(Work, LogsOneJsonObjectALineWhenToldTo) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  Finished run = bench.run({"work", "--allow-commands", "--drain", "--log-format", "json"});
  std::swap(run.out, run.err);
  EXPECT_GE(run.objects().size(), 3U);
  EXPECT_TRUE(bench.run({"work", "--allow-commands", "--drain", "--log-level", "off"}).err.empty());
}

TEST(Signals, TheFirstLetsARunningCommandEndWithinTheGrace) {
  const Bench bench;
  const Fifo started(bench.dir().file("started"));
  const Fifo go_on(bench.dir().file("go-on"));
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo > started; read x < go-on; echo end > file"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--", "touch", "second"}).exit_code, 0);
  Process worker(bench.dir(), {.arguments = {"work", "--pool", "default=1", "--allow-commands"}});
  ASSERT_TRUE(started.wait());
  worker.signal(SIGTERM);
  ASSERT_TRUE(worker.wait_err("worker.stopping"));
  go_on.tell();
  EXPECT_EQ(worker.finish().exit_code, 0);
  EXPECT_EQ(bench.read("file"), "end\n");
  EXPECT_EQ(bench.state(1), "completed");
  EXPECT_EQ(bench.state(2), "ready");
}

TEST(Signals, WhatRunsLongerThanTheGraceIsPutBack) {
  const Bench bench;
  const Fifo started(bench.dir().file("started"));
  const Fifo never(bench.dir().file("never"));
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo > started; read x < never"}).exit_code, 0);
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands", "--grace", "0s"}});
  ASSERT_TRUE(started.wait());
  worker.signal(SIGINT);
  const Finished end = worker.finish();
  EXPECT_EQ(end.exit_code, 0) << end.err;
  const boost::json::object job = bench.job(1);
  EXPECT_TRUE(job.at("state") == "ready" || job.at("state") == "scheduled") << job.at("state").as_string();
  EXPECT_EQ(job.at("errors"), 0);
}

TEST(Signals, TheSecondHurries) {
  const Bench bench;
  const Fifo started(bench.dir().file("started"));
  const Fifo never(bench.dir().file("never"));
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo > started; read x < never"}).exit_code, 0);
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands", "--grace", "1h"}});
  ASSERT_TRUE(started.wait());
  worker.signal(SIGTERM);
  ASSERT_TRUE(worker.wait_err("worker.stopping"));
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.finish().exit_code, 0);
  EXPECT_NE(bench.state(1), "running");
  EXPECT_EQ(bench.job(1).at("errors"), 0);
}

}  // namespace
}  // namespace galley::test
