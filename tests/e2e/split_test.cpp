// Splitting from the command line: parts of files, lists and ranges, their outputs in order, and a join.

#include <gtest/gtest.h>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

std::string lines(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) text += std::to_string(i) + "\n";
  return text;
}

/// A bench with a worker that runs any command.
class SplitCommand : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(worker_.wait_err("worker.start")); }
  Finished split(std::vector<std::string> arguments, std::string input = {}) const {
    arguments.insert(arguments.begin(), "split");
    return bench_.run(std::move(arguments), std::move(input));
  }
  Bench bench_;
  Process worker_{bench_.dir(),
                  {.arguments = {"work", "--pool", "default=3", "--allow-commands", "--log-level", "info"}}};
};

TEST_F(SplitCommand, GivesEachPartOfAFileItsLinesAndPrintsTheOutputsInOrder) {
  bench_.write("log", lines(25));
  const Finished end = split({"--input", "log", "--lines", "10", "--wait", "--", "sed", "s/$/!/"});
  EXPECT_EQ(end.exit_code, 0) << end.err;
  std::string expected;
  for (int i = 1; i <= 25; ++i) expected += std::to_string(i) + "!\n";
  EXPECT_EQ(end.out, expected);
  const auto batch = bench_.run({"batches", "show", "1", "--json"}).objects().at(0);
  EXPECT_EQ(batch.at("total"), 3);
  const auto job = bench_.job(1);
  EXPECT_EQ(job.at("key"), "split:1") << "a lane of its own";
  EXPECT_EQ(bench_.read("log"), lines(25));
}

TEST_F(SplitCommand, JoinsTheOutputsOnTheStandardInputOfAnother) {
  bench_.write("log", lines(1'000));
  const Finished end = split({"--input", "log", "--bytes", "400", "--wait", "--", "grep", "-c", "7", "--join", "--",
                              "awk", "{n+=$1} END {print n}"});
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(end.out, "271\n");
}

TEST_F(SplitCommand, TakesItemsAsArgumentsOrOnStandardInput) {
  EXPECT_EQ(split({"--items", "-", "--chunk", "2", "--wait", "--", "echo", "<", "{}", ">"}, "a\nb c\n\nd\n").out,
            "< a b c >\n< d >\n");
  EXPECT_EQ(split({"--items", "-", "--wait", "--", "echo", "<{}>"}, "a\nb\n").out, "<a>\n<b>\n");
  EXPECT_EQ(split({"--items", "-", "-0", "--wait", "--", "cat"}, std::string("a\0b", 3)).out, "a\nb\n");
}

TEST_F(SplitCommand, TakesRangesWithBothEnds) {
  EXPECT_EQ(split({"--range", "-1..5", "--chunk", "3", "--wait", "--", "echo", "{first}:{last}"}).out,
            "-1:1\n2:4\n5:5\n");
  EXPECT_EQ(split({"--range", "1..3", "--wait", "--", "echo", "{}"}).out, "1\n2\n3\n");
}

TEST_F(SplitCommand, WritesLargeOutputsToFilesThatAJoinReads) {
  const Finished end = split({"--range", "1..3", "--out", "parts", "--wait", "--", "sh", "-c",
                              "head -c 100000 /dev/zero; echo {}", "--join", "--", "tr", "-d", "\\000"});
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(end.out, "1\n2\n3\n");
  EXPECT_EQ(bench_.read("parts/000002").size(), 100'002U);
  EXPECT_FALSE(bench_.exists("parts/000002.part"));
}

TEST_F(SplitCommand, KeepsUpTo64KiBOfAPartsOutputWholeAndFailsWhereItIsMore) {
  const auto run = [&](const char* bytes) {
    return split({"--range", "1..1", "--wait", "--", "sh", "-c", std::string("head -c ") + bytes + " /dev/zero # {}"});
  };
  const Finished most = run("65536");
  EXPECT_EQ(most.exit_code, 0) << most.err;
  EXPECT_EQ(most.out, std::string(65'536, '\0'));
  const Finished more = run("65537");
  EXPECT_EQ(more.exit_code, 1);
  EXPECT_EQ(more.out, "");
  EXPECT_NE(more.err.find("more than the 65536 bytes that a result may have"), std::string::npos) << more.err;
}

TEST_F(SplitCommand, DoesNotJoinWhenAPartHasFailed) {
  const Finished end =
      split({"--range", "1..3", "--wait", "--", "sh", "-c", "test {} != 2", "--join", "--", "touch", "x"});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_NE(end.err.find("job 3 is dead"), std::string::npos) << end.err;  // job 1 is the join
  EXPECT_EQ(bench_.state(1), "blocked");
  EXPECT_FALSE(bench_.exists("x"));
}

TEST_F(SplitCommand, MayBeRepeatedWithAToken) {
  const std::vector<std::string> command{"--range", "1..4", "--token",         "t",      "--output", "json", "--",
                                         "sh",      "-c",   "echo {} >> runs", "--join", "--",       "cat"};
  const Finished first = split(command);
  EXPECT_EQ(first.objects().at(0).at("parts"), 4);
  EXPECT_EQ(split(command).out, first.out);
  std::vector<std::string> waiting = command;
  waiting.insert(waiting.begin(), "--wait");
  EXPECT_EQ(split(waiting).exit_code, 0);
  const std::string runs = bench_.read("runs");
  EXPECT_EQ(std::count(runs.begin(), runs.end(), '\n'), 4) << "each part ran once";
}

TEST_F(SplitCommand, APartOfAFileThatHasChangedFails) {
  bench_.write("log", lines(10));
  ASSERT_EQ(bench_.run({"queues", "pause", "default"}).exit_code, 0);
  ASSERT_EQ(split({"--input", "log", "--lines", "5", "--", "cat"}).exit_code, 0);
  bench_.write("log", "short\n");
  ASSERT_EQ(bench_.run({"queues", "resume", "default"}).exit_code, 0);
  ASSERT_TRUE(worker_.wait_err("job.dead"));
  ASSERT_TRUE(worker_.wait_err("it was changed since it was split"));
}

TEST_F(SplitCommand, RefusesWhatItCannotSplit) {
  const auto refused = [&](std::vector<std::string> arguments, const char* why) {
    const Finished end = split(std::move(arguments));
    EXPECT_EQ(end.exit_code, 2) << end.out;
    EXPECT_NE(end.err.find(why), std::string::npos) << end.err;
  };
  bench_.write("log", lines(10));
  refused({"--", "true"}, "one of --input FILE, --items FILE and --range A..B");
  refused({"--input", "log", "--", "cat"}, "one of --lines N and --bytes N");
  refused({"--range", "1..2", "--lines", "1", "--", "echo", "{}"}, "add it");
  refused({"--input", "log", "--lines", "1", "--", "grep", "{}"}, "standard input");
  refused({"--range", "2..1", "--", "echo", "{}"}, "FIRST..LAST");
  refused({"--range", "1-2", "--", "echo", "{}"}, "FIRST..LAST");
  refused({"--range", "1..200000", "--", "echo", "{}"}, "at most 100000 parts, not 200000");
  refused({"--range", "1..2", "--", "echo"}, "{first} and {last}");
  refused({"--items", "log", "--chunk", "2", "--", "echo", "<{}>"}, "an argument of its own");
  refused({"--range", "1..2"}, "-- CMD");
  refused({"--range", "1..2", "--", "echo", "{}", "--join"}, "--join -- CMD");
  refused({"--range", "1..2", "echo"}, "-- CMD");
  EXPECT_EQ(bench_.run({"batches", "--json"}).out, "");
}

}  // namespace
}  // namespace galley::test
