#include <gtest/gtest.h>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

TEST(BackupCommand, CopiesWhileAWorkerDrains) {
  const Bench bench;
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += "x\n";
  ASSERT_EQ(bench.run({"enqueue", "--each", "--", "true"}, lines).exit_code, 0);
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands", "--drain"}});
  ASSERT_TRUE(worker.wait_err("job.completed"));
  const Finished copied = bench.run({"backup", "copy.db"});
  EXPECT_EQ(copied.exit_code, 0) << copied.err;
  EXPECT_EQ(copied.out, "copied to copy.db\n");
  EXPECT_EQ(worker.finish().exit_code, 0);

  EXPECT_EQ(bench.run({"jobs", "--json", "--limit", "0", "--store", "sqlite:copy.db"}).objects().size(), 300U);
  for (const auto& finding : bench.run({"doctor", "--json", "--store", "sqlite:copy.db"}).objects()) {
    EXPECT_EQ(finding.at("code"), "unserved") << "jobs wait in the copy, and it has no worker";
  }
  EXPECT_EQ(bench.run({"doctor"}).exit_code, 0);
}

TEST(BackupCommand, RefusesAFileThatIsThere) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  bench.write("there", "precious");
  const Finished run = bench.run({"backup", "there"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("exists"), std::string::npos) << run.err;
  EXPECT_EQ(bench.read("there"), "precious");
  EXPECT_EQ(bench.run({"backup", "no/folder/copy.db"}).exit_code, 1);
  EXPECT_EQ(bench.run({"backup"}).exit_code, 2);
}

}  // namespace
}  // namespace galley::test
