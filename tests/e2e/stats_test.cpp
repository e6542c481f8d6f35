// What stats says of the last minutes, to a person, to Prometheus, and as an alarm.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstdio>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

/// Three jobs of "true" completed, one of "false" dead after one attempt; two wait in queue "other".
void fill(const Bench& bench) {
  ASSERT_EQ(bench.run({"enqueue", "--each", "--", "true"}, "1\n2\n3\n").exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--attempts", "1", "--", "false"}).exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 1);
  ASSERT_EQ(bench.run({"enqueue", "--queue", "other", "--each", "--", "true"}, "1\n2\n").exit_code, 0);
}

boost::json::object rates_of(const Bench& bench, std::string_view queue, std::string_view kind) {
  for (const auto& object : bench.run({"stats", "--json"}).objects()) {
    if (object.at("type") == "rates" && object.at("queue").as_string() == queue &&
        object.at("kind").as_string() == kind)
      return object;
  }
  ADD_FAILURE() << "no rates of " << queue << "/" << kind;
  return {};
}

TEST(StatsRates, AreOfAllProcessesTogetherByQueueAndKind) {
  const Bench bench;
  fill(bench);
  const auto well = rates_of(bench, "default", "true");
  EXPECT_GE(well.at("enqueued_per_minute").to_number<double>(), 0.5);  // 3 in 5 to 6 minutes
  EXPECT_LE(well.at("enqueued_per_minute").to_number<double>(), 0.6);
  EXPECT_EQ(well.at("completed_per_minute"), well.at("enqueued_per_minute"));
  EXPECT_EQ(well.at("failed_per_minute").to_number<double>(), 0.0);
  EXPECT_GT(well.at("run_p50_ms").to_number<double>(), 0.0);
  EXPECT_GE(well.at("run_p99_ms").to_number<double>(), well.at("run_p50_ms").to_number<double>());
  EXPECT_GT(well.at("wait_p99_ms").to_number<double>(), 0.0);
  EXPECT_GT(rates_of(bench, "default", "false").at("failed_per_minute").to_number<double>(), 0.1);
  EXPECT_TRUE(rates_of(bench, "other", "true").at("wait_p50_ms").is_null()) << "nothing of it has started";
  EXPECT_NE(bench.run({"stats"}).out.find("RUN P99"), std::string::npos);
}

TEST(Rooms, OfALivingWorkerAreShownByTopStatsAndExplain) {
  const Bench bench;
  std::string ten;
  for (int i = 0; i < 10; ++i) ten += std::to_string(i) + "\n";
  ASSERT_EQ(bench.run({"enqueue", "--each", "--", "true"}, ten).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--each", "--", "sleep", "0.1"}, ten).exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain", "--pool", "p=4:default"}).exit_code, 0);
  for (const char* mode : {"auto", "off"}) {
    Process worker(bench.dir(), {.arguments = {"work", "--allow-commands", "--pool", "p=2:default", "--pool",
                                               "other=1:other", "--reserve", mode}});
    ASSERT_TRUE(worker.wait_err("worker.start"));
    const bool on = std::string_view(mode) == "auto";
    const std::string why = on ? "an express slot for true" : "none: switched off";
    const std::string top = bench.run({"top", "--once"}).out;
    EXPECT_NE(top.find(why), std::string::npos) << top;
    bool found = false;
    for (const auto& object : bench.run({"stats", "--json"}).objects()) {
      if (object.at("type") != "room" || object.at("pool") != "p") continue;
      found = true;
      EXPECT_EQ(object.at("reserve"), mode);
      EXPECT_EQ(object.at("express").to_number<int>(), on ? 1 : 0);
    }
    EXPECT_TRUE(found);
    // Limits that are full keep a job ready beside free slots.
    ASSERT_EQ(bench.run({"limits", "set", mode, "--running", "1"}).exit_code, 0);
    const Finished first = bench.run({"enqueue", "--limit", mode, "--", "sleep", "30"});
    const Finished second = bench.run({"enqueue", "--limit", mode, "--", "sleep", "0"});
    ASSERT_EQ(first.exit_code + second.exit_code, 0) << first.err << second.err;
    const Finished explained = bench.run({"explain", second.lines().at(0)});
    const std::string meaning = on ? "its kind \"sleep\" counts as long: it may take 2 of the 3 slots of pool \"p\""
                                   : "pool \"p\" keeps no room for short kinds: switched off";
    EXPECT_NE(explained.out.find(meaning), std::string::npos) << explained.out;
    ASSERT_EQ(bench.run({"jobs", "cancel", first.lines().at(0), second.lines().at(0)}).exit_code, 0);
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.finish().exit_code, 0);
  }
}

TEST(StatsPrometheus, IsAcceptedByPromtool) {
  const Bench bench;
  fill(bench);
  const Finished run = bench.run({"stats", "--prometheus"});
  ASSERT_EQ(run.exit_code, 0);
  for (const char* part : {"galley_jobs{queue=\"default\",kind=\"true\",state=\"completed\"} 3\n",
                           "galley_jobs{queue=\"other\",kind=\"true\",state=\"ready\"} 2\n",
                           "galley_recently_failed_attempts{queue=\"default\",kind=\"false\"} 1\n",
                           "galley_queue_paused{queue=\"other\"} 0\n", "galley_store_bytes "}) {
    EXPECT_NE(run.out.find(part), std::string::npos) << part << "\n" << run.out;
  }
  bench.write("metrics", run.out);
  const std::string command = "PATH=\"" GALLEY_SOURCE "/build/tools/usr/bin:$PATH\" promtool check metrics 2>&1 <" +
                              bench.dir().file("metrics");
  FILE* const pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string words;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) words.append(buffer.data(), got);
  const int status = pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << words << "(./dev test fetches promtool)";
}

TEST(StatsAlarm, NamesTheQueueAndExitsWithOne) {
  const Bench bench;
  fill(bench);
  const Finished behind = bench.run({"stats", "--fail-if", "ready>1"});
  EXPECT_EQ(behind.exit_code, 1);
  EXPECT_EQ(behind.out, "queue other: ready is 2, which is > 1\n");
  EXPECT_EQ(bench.run({"stats", "--fail-if", "ready>2"}).exit_code, 0);
  EXPECT_EQ(bench.run({"stats", "--fail-if", "ready>2"}).out, "");
  EXPECT_EQ(bench.run({"stats", "--fail-if", "ready >= 2"}).exit_code, 1);
  EXPECT_EQ(bench.run({"stats", "--fail-if", "default:ready>0"}).exit_code, 0);
  EXPECT_EQ(bench.run({"stats", "--fail-if", "other:ready>2"}).err, "");
  const Finished nowhere = bench.run({"stats", "--fail-if", "othre:ready>0"});
  EXPECT_EQ(nowhere.exit_code, 0);  // it may come with its first job
  EXPECT_NE(nowhere.err.find("there is no queue \"othre\""), std::string::npos) << nowhere.err;
  EXPECT_EQ(bench.run({"stats", "--fail-if", "oldest>0"}).exit_code, 1);
  EXPECT_EQ(bench.run({"stats", "--fail-if", "oldest>1h"}).exit_code, 0);
  EXPECT_EQ(bench.run({"stats", "--fail-if", "failed>0"}).exit_code, 1);
  EXPECT_EQ(bench.run({"stats", "--fail-if", "lag>1h"}).exit_code, 0);
  const auto both = bench.run({"stats", "--fail-if", "dead>0", "--fail-if", "oldest>1us", "--json"});
  EXPECT_EQ(both.exit_code, 1);
  ASSERT_EQ(both.objects().size(), 2U);
  EXPECT_EQ(both.objects()[0].at("queue"), "default");
  EXPECT_EQ(both.objects()[1].at("if"), "oldest>1us");
}

TEST(StatsAlarm, ABadExpressionExitsWithTwo) {
  const Bench bench;
  fill(bench);
  for (const char* bad : {"", "oldest", "oldest>", "oldest<5s", "oldest>soon", "ready>1s", "ready>-1", "green>1",
                          "a b:ready>1", ":ready>1", "ready>1>2"}) {
    const Finished run = bench.run({"stats", "--fail-if", bad});
    EXPECT_EQ(run.exit_code, 2) << bad;
    EXPECT_NE(run.err.find("--fail-if"), std::string::npos) << run.err;
  }
  EXPECT_EQ(bench.run({"stats", "--prometheus", "--json"}).exit_code, 2);
}

}  // namespace
}  // namespace galley::test
