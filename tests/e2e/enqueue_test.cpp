// Putting real commands and typed jobs into a store, and following them.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

std::string text(const boost::json::value& value) { return std::string(value.as_string()); }

/// The last attempt of a job.
boost::json::object last_attempt(const Bench& bench, int id) {
  const boost::json::object job = bench.job(id);
  return job.at("history").as_array().back().as_object();
}

TEST(Enqueue, ACommandRunsAndItsFileIsThere) {
  const Bench bench;
  EXPECT_EQ(bench.run({"enqueue", "--", "sh", "-c", "echo made > file; exit 0"}).out, "1\n");
  const Finished work = bench.run({"work", "--allow-commands", "--drain"});
  EXPECT_EQ(work.exit_code, 0) << work.err;
  EXPECT_EQ(bench.read("file"), "made\n");
  EXPECT_EQ(bench.state(1), "completed");
}

TEST(Enqueue, ArgumentsReachTheCommandByteForByte) {
  const Bench bench;
  ASSERT_EQ(
      bench.run({"enqueue", "--", "sh", "-c", "printf '%s|' \"$@\" > out", "--", "[a,b]", "{}", "--", "-x", "\xff", ""})
          .exit_code,
      0);
  EXPECT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_EQ(bench.read("out"), "[a,b]|{}|--|-x|\xff||");
}

TEST(Enqueue, EachMakesOneJobOfEveryLineThatIsNotEmpty) {
  const Bench bench;
  const Finished run = bench.run({"enqueue", "--each", "--", "touch", "x{}y", "{}-{}"}, "a\n\nb c\nlast");
  EXPECT_EQ(run.out, "1\n2\n3\n");
  EXPECT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
  for (const char* name : {"xay", "a-a", "xb cy", "b c-b c", "xlasty", "last-last"}) {
    EXPECT_TRUE(bench.exists(name)) << name;
  }
}

TEST(Enqueue, EachSplitsAtNulWhenToldTo) {
  const Bench bench;
  const std::string input("one\ntwo\0three\0", 14);
  EXPECT_EQ(bench.run({"enqueue", "--each", "-0", "--", "touch", "{}"}, input).out, "1\n2\n");
  EXPECT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_TRUE(bench.exists("one\ntwo"));
  EXPECT_TRUE(bench.exists("three"));
}

TEST(Enqueue, EachRunsACommandWithoutBracesOnceALine) {
  const Bench bench;
  EXPECT_EQ(bench.run({"enqueue", "--each", "--", "sh", "-c", "echo x >> file"}, "1\n2\n3\n").lines().size(), 3U);
  EXPECT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_EQ(bench.read("file"), "x\nx\nx\n");
}

TEST(Enqueue, EachTakesMoreLinesThanOneBatchInOrder) {
  const Bench bench;
  std::string input;
  for (int i = 1; i <= 2'500; ++i) input += std::to_string(i) + "\n";
  const Finished run = bench.run({"enqueue", "--each", "--", "echo", "{}"}, input);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, input);  // the ids of an empty store are the numbers of the lines
  EXPECT_EQ(bench.job(2'500).at("command").at("argv").at(1), "2500");
}

TEST(Enqueue, ALineOfASlowWriterDoesNotWaitForMore) {
  const Bench bench;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Process process(bench.dir(), {.arguments = {"enqueue", "--each", "--", "echo", "{}"}, .input_fd = ends[0]});
  close(ends[0]);
  ASSERT_EQ(write(ends[1], "a\n", 2), 2);
  EXPECT_TRUE(process.wait_out("1\n"));
  ASSERT_EQ(write(ends[1], "b", 1), 1);
  close(ends[1]);
  EXPECT_EQ(process.finish().out, "1\n2\n");
}

TEST(Enqueue, ABadLineIsNamedAndThoseBeforeItAreEnqueued) {
  const Bench bench;
  const Finished run = bench.run({"enqueue", "--kind", "k", "--each", "--json", "-"}, "1\n{\"a\": 2}\n{oops\n4\n");
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.out, "1\n2\n");
  EXPECT_NE(run.err.find("line 3"), std::string::npos) << run.err;
  EXPECT_EQ(bench.run({"jobs", "--json"}).lines().size(), 2U);
}

TEST(Enqueue, ALineThatIsTooLongIsRefused) {
  const Bench bench;
  const Finished run = bench.run({"enqueue", "--each", "--", "echo", "{}"}, "a\n" + std::string(1'100'000, 'x') + "\n");
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("line 2 is longer"), std::string::npos) << run.err;
}

TEST(Enqueue, ALineThatWouldBlowUpTheCommandIsRefused) {
  const Bench bench;
  std::string holes;
  for (int i = 0; i < 1'000; ++i) holes += "{}";
  const Finished run = bench.run({"enqueue", "--each", "--", "echo", holes}, std::string(100'000, 'x'));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("the command with the line in it"), std::string::npos) << run.err;
}

TEST(Enqueue, StandardInputIsHandedToTheCommand) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--stdin", "--", "tee", "copy"}, "some\ntext").exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_EQ(bench.read("copy"), "some\ntext");
}

TEST(Enqueue, TheCommandGetsOnlyTheVariablesThatWereNamed) {
  const Bench bench;
  ASSERT_EQ(bench
                .run({"enqueue", "--env", "HERE", "--env", "SET=[1]", "--", "env"}, "",
                     {"HERE=from producer", "OTHER=producer's"})
                .exit_code,
            0);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain"}, "", {"SECRET=worker's", "HERE=worker's"}).exit_code, 0);
  const std::string out = text(last_attempt(bench, 1).at("stdout"));
  EXPECT_NE(out.find("HERE=from producer\n"), std::string::npos) << out;
  EXPECT_NE(out.find("SET=[1]\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("OTHER"), std::string::npos) << out;
  EXPECT_EQ(out.find("SECRET"), std::string::npos) << out;
}

TEST(Enqueue, TheWorkingDirectoryIsKeptWithTheJob) {
  const Bench bench;
  std::filesystem::create_directory(bench.dir().file("below"));
  ASSERT_EQ(bench.run({"enqueue", "--cwd", "below", "--", "touch", "here"}).exit_code, 0);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_TRUE(bench.exists("below/here"));
}

TEST(Enqueue, AnArgumentThatNamesAVariableThatIsNotSetIsRefused) {
  const Bench bench;
  const Finished run = bench.run({"enqueue", "--env", "NOT_SET", "--", "true"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("NOT_SET"), std::string::npos);
}

TEST(Enqueue, TheSameTokenGivesTheSameJob) {
  const Bench bench;
  EXPECT_EQ(bench.run({"enqueue", "--token", "t", "--", "true"}).out, "1\n");
  const auto again = bench.run({"enqueue", "--token", "t", "--output", "json", "--", "true"}).objects();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].at("id"), 1);
  EXPECT_EQ(again[0].at("existed"), true);
}

TEST(Enqueue, ATypedJobKeepsItsPayloadAndTenTries) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--kind", "resize", "--json", R"({"a": [1, "x"]})"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--kind", "resize", "--json", "-"}, "[]\n").exit_code, 0);
  const boost::json::object job = bench.job(1);
  EXPECT_EQ(job.at("kind"), "resize");
  EXPECT_EQ(job.at("payload").at("a").at(1), "x");
  EXPECT_EQ(job.at("max_attempts"), 10);
  EXPECT_TRUE(bench.job(2).at("payload").as_array().empty());
}

TEST(Enqueue, OptionsAreKeptWithTheJob) {
  const Bench bench;
  ASSERT_EQ(
      bench
          .run({"enqueue",     "--queue",   "q",         "--kind",      "k",     "--priority",   "-3",   "--at",
                "@4102444800", "--timeout", "90s",       "--grace",     "250ms", "--on-timeout", "dead", "--attempts",
                "7",           "--backoff", "fixed:10s", "--resumable", "--key", "tenant",       "--",   "true"})
          .exit_code,
      0);
  const boost::json::object job = bench.job(1);
  EXPECT_EQ(job.at("state"), "scheduled");
  EXPECT_EQ(job.at("queue"), "q");
  EXPECT_EQ(job.at("kind"), "k");
  EXPECT_EQ(job.at("priority"), -3);
  EXPECT_EQ(job.at("due_at"), "2100-01-01T00:00:00.000Z");
  EXPECT_EQ(job.at("timeout_ms"), 90'000);
  EXPECT_EQ(job.at("grace_ms"), 250);
  EXPECT_EQ(job.at("on_timeout"), "dead");
  EXPECT_EQ(job.at("max_attempts"), 7);
  EXPECT_EQ(job.at("backoff"), "fixed:10s");
  EXPECT_EQ(job.at("resumable"), true);
  EXPECT_EQ(job.at("key"), "tenant");
}

TEST(Enqueue, ACommandHasOneTryByDefault) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  EXPECT_EQ(bench.job(1).at("max_attempts"), 1);
}

TEST(Enqueue, WaitExitsWithTheOutcomeAndNamesWhatDied) {
  const Bench bench;
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands"}});
  ASSERT_TRUE(worker.wait_err("worker.start"));
  const Finished well = bench.run({"enqueue", "--each", "--wait", "--", "true"}, "1\n2\n3\n");
  EXPECT_EQ(well.exit_code, 0) << well.err;
  EXPECT_EQ(well.out, "1\n2\n3\n");
  EXPECT_NE(well.err.find("3 completed"), std::string::npos) << well.err;
  const Finished badly = bench.run({"enqueue", "--each", "--wait", "--", "sh", "-c", "exit {}"}, "0\n7\n");
  EXPECT_EQ(badly.exit_code, 1);
  EXPECT_NE(badly.err.find("job 5 is dead: exit code 7"), std::string::npos) << badly.err;
  EXPECT_EQ(badly.err.find("job 4 is"), std::string::npos) << badly.err;
}

TEST(Enqueue, WaitSaysSoWhenNobodyWouldRunIt) {
  const Bench bench;
  Process process(bench.dir(), {.arguments = {"enqueue", "--wait", "--", "true"}});
  EXPECT_TRUE(process.wait_err("no worker runs"));
  EXPECT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
  EXPECT_EQ(process.finish().exit_code, 0);
}

}  // namespace
}  // namespace galley::test
