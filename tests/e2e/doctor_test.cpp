#include <gtest/gtest.h>
#include <sqlite3.h>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

void damage(const Bench& bench, const char* sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(bench.dir().file("galley.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

/// One job that is done: nobody need serve anything.
void fill(const Bench& bench) {
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
}

TEST(DoctorCommand, SaysThatNothingIsWrong) {
  const Bench bench;
  fill(bench);
  const Finished run = bench.run({"doctor"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, "nothing is wrong\n");
  EXPECT_EQ(bench.run({"doctor", "--json"}).out, "");
}

TEST(DoctorCommand, NamesDamageRepairsItAndIsThenContent) {
  const Bench bench;
  fill(bench);
  damage(bench, "DELETE FROM galley_ended");
  const Finished found = bench.run({"doctor"});
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_NE(found.out.find("ended_missing"), std::string::npos) << found.out;
  EXPECT_NE(found.out.find("--repair"), std::string::npos) << found.out;
  const Finished repaired = bench.run({"doctor", "--repair", "--json"});
  EXPECT_EQ(repaired.exit_code, 0);
  ASSERT_EQ(repaired.objects().size(), 1U);
  EXPECT_EQ(repaired.objects()[0].at("code"), "ended_missing");
  EXPECT_EQ(repaired.objects()[0].at("repaired"), true);
  EXPECT_EQ(bench.run({"doctor"}).exit_code, 0);
  EXPECT_EQ(bench.run({"jobs", "--json"}).objects().size(), 1U);
}

TEST(DoctorCommand, NamesJobsThatNobodyServes) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  const Finished found = bench.run({"doctor", "--json"});
  EXPECT_EQ(found.exit_code, 1);
  ASSERT_EQ(found.objects().size(), 1U);
  EXPECT_EQ(found.objects()[0].at("code"), "unserved");
}

TEST(DoctorCommand, FindsNothingWhileAWorkerWorks) {
  const Bench bench;
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += "x\n";
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands"}});
  ASSERT_TRUE(worker.wait_err("worker.start"));
  ASSERT_EQ(bench.run({"enqueue", "--each", "--", "true"}, lines).exit_code, 0);
  for (int i = 0; i < 5; ++i) {
    const Finished run = bench.run({"doctor", "--repair"});
    EXPECT_EQ(run.out, "nothing is wrong\n");
  }
}

}  // namespace
}  // namespace galley::test
