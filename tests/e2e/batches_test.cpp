// Batches from the command line: jobs that are watched together, and callbacks that wait for them.

#include <gtest/gtest.h>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

/// Batch 1 with a callback for each trigger (jobs 1 to 3), and jobs `commands` (from 4).
void fill(const Bench& bench, const std::vector<std::string>& commands) {
  ASSERT_EQ(bench.run({"batches", "open", "nightly"}).out, "1\n");
  for (const char* trigger : {"success", "failure", "finished"}) {
    ASSERT_EQ(bench.run({"enqueue", "--after", "1", "--trigger", trigger, "--", "true"}).exit_code, 0);
  }
  for (const std::string& command : commands) {
    ASSERT_EQ(bench.run({"enqueue", "--batch", "1", "--", command}).exit_code, 0);
  }
}

int work(const Bench& bench) { return bench.run({"work", "--allow-commands", "--drain"}).exit_code; }

boost::json::object shown(const Bench& bench) { return bench.run({"batches", "show", "1", "--json"}).objects().at(0); }

/// "success=blocked failure=ready ...": the callbacks of batch 1.
std::string callbacks(const Bench& bench) {
  std::string text;
  const boost::json::object batch = shown(bench);
  for (const auto& one : batch.at("callbacks").as_array()) {
    text += std::string(one.at("trigger").as_string()) + "=" + std::string(one.at("state").as_string()) + " ";
  }
  return text;
}

TEST(Batches, RunWhatWaitsForTheirSuccess) {
  const Bench bench;
  fill(bench, {"true", "true"});
  EXPECT_EQ(callbacks(bench), "success=blocked failure=blocked finished=blocked ");
  const Finished sealed = bench.run({"batches", "seal", "1"});
  EXPECT_EQ(sealed.exit_code, 0) << sealed.err;
  EXPECT_NE(sealed.out.find("2 of 2 jobs have not ended"), std::string::npos) << sealed.out;
  EXPECT_EQ(work(bench), 0);
  EXPECT_EQ(callbacks(bench), "success=completed failure=cancelled finished=completed ");
  const boost::json::object batch = shown(bench);
  EXPECT_EQ(batch.at("state"), "succeeded");
  EXPECT_EQ(batch.at("succeeded"), 2);
  EXPECT_EQ(batch.at("jobs").as_array().size(), 2U);
  EXPECT_NE(bench.run({"jobs", "show", "2"}).out.find("batch 1 has succeeded"), std::string::npos);
}

TEST(Batches, AreEndedByACancelThatMayBeRepeated) {
  const Bench bench;
  fill(bench, {"true", "true"});
  for (int i = 0; i < 2; ++i) {
    const Finished cancelled = bench.run({"batches", "cancel", "1"});
    EXPECT_EQ(cancelled.exit_code, 0) << cancelled.err;
    EXPECT_EQ(cancelled.out, "cancelled batch 1\n");
  }
  EXPECT_EQ(callbacks(bench), "success=cancelled failure=cancelled finished=cancelled ");
  EXPECT_EQ(shown(bench).at("state"), "finished") << "it is sealed";
  EXPECT_EQ(shown(bench).at("failed"), 2);
}

TEST(Batches, ShowWhatFailedFirstAndSucceedAfterARetry) {
  const Bench bench;
  bench.write("ok", "");
  fill(bench, {"true"});
  ASSERT_EQ(bench.run({"enqueue", "--batch", "1", "--", "test", "-e", "mended"}).exit_code, 0);
  ASSERT_EQ(bench.run({"batches", "seal", "1"}).exit_code, 0);
  EXPECT_EQ(work(bench), 1);
  EXPECT_EQ(callbacks(bench), "success=blocked failure=completed finished=completed ");
  const boost::json::object batch = shown(bench);
  EXPECT_EQ(batch.at("state"), "finished");
  EXPECT_EQ(batch.at("failed"), 1);
  EXPECT_EQ(batch.at("jobs").at(0).at("state"), "dead");
  const Finished page = bench.run({"batches", "show", "1"});
  EXPECT_NE(page.out.find("jobs      2: 1 succeeded, 1 failed, 0 pending"), std::string::npos) << page.out;
  EXPECT_LT(page.out.find("dead"), page.out.rfind("completed")) << page.out;
  bench.write("mended", "");
  ASSERT_EQ(bench.run({"jobs", "retry", "5"}).exit_code, 0);
  EXPECT_EQ(work(bench), 0);
  EXPECT_EQ(callbacks(bench), "success=completed failure=completed finished=completed ");
}

TEST(Batches, AreListed) {
  const Bench bench;
  fill(bench, {"true"});
  ASSERT_EQ(bench.run({"batches", "open", "weekly", "--token", "w1"}).out, "2\n");
  EXPECT_EQ(bench.run({"batches", "open", "weekly", "--token", "w1", "--json"}).objects().at(0).at("id"), 2);
  const Finished table = bench.run({"batches"});
  EXPECT_EQ(table.lines().size(), 3U) << table.out;
  EXPECT_NE(table.out.find("nightly"), std::string::npos) << table.out;
  const auto objects = bench.run({"batches", "--json"}).objects();
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0].at("state"), "open");
  EXPECT_EQ(objects[0].at("pending"), 1);
  EXPECT_EQ(objects[1].at("name"), "weekly");
  EXPECT_EQ(bench.run({"batches", "seal", "2", "--json"}).objects().at(0).at("state"), "succeeded");
}

TEST(Batches, TakeALineOfInputForEachJob) {
  const Bench bench;
  ASSERT_EQ(bench.run({"batches", "open", "n"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--batch", "1", "--each", "--", "echo", "{}"}, "a\nb\nc\n").exit_code, 0);
  EXPECT_EQ(shown(bench).at("total"), 3);
  EXPECT_EQ(bench.run({"batches", "show", "1", "--limit", "2", "--json"}).objects().at(0).at("jobs").as_array().size(),
            2U);
}

TEST(Batches, RefuseWhatCannotBe) {
  const Bench bench;
  ASSERT_EQ(bench.run({"batches", "open", "n"}).exit_code, 0);
  for (const auto& [code, arguments] : std::vector<std::pair<int, std::vector<std::string>>>{
           {1, {"batches", "show", "7"}},
           {1, {"batches", "seal", "7"}},
           {1, {"batches", "cancel", "7"}},
           {1, {"enqueue", "--batch", "7", "--", "true"}},
           {1, {"enqueue", "--after", "7", "--", "true"}},
           {2, {"batches", "show", "x"}},
           {2, {"batches", "show", "0"}},
           {2, {"batches", "open", ""}},
           {2, {"batches", "open", "n", "--token", std::string(65, 't')}},
           {2, {"batches", "open", "n", "--token", ""}},
           {2, {"enqueue", "--batch", "0", "--", "true"}},
           {2, {"enqueue", "--after", "1", "--trigger", "never", "--", "true"}},
           {2, {"enqueue", "--trigger", "success", "--", "true"}},
           {2, {"enqueue", "--after", "1", "--delay", "1s", "--", "true"}},
           {2, {"enqueue", "--after", "1", "--batch", "1", "--", "true"}}}) {
    const Finished answer = bench.run(arguments);
    std::string line;
    for (const std::string& word : arguments) line += word + " ";
    EXPECT_EQ(answer.exit_code, code) << line << answer.err;
    EXPECT_FALSE(answer.err.empty()) << line;
  }
  ASSERT_EQ(bench.run({"batches", "seal", "1"}).exit_code, 0);
  const Finished late = bench.run({"enqueue", "--batch", "1", "--", "true"});
  EXPECT_EQ(late.exit_code, 1);
  EXPECT_NE(late.err.find("sealed"), std::string::npos) << late.err;
  EXPECT_EQ(bench.run({"enqueue", "--after", "1", "--trigger", "failure", "--", "true"}).exit_code, 1);
}

}  // namespace
}  // namespace galley::test
