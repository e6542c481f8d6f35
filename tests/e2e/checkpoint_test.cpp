// Commands that save checkpoints in the file that they are told.

#include <gtest/gtest.h>

#include <filesystem>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

constexpr const char* kCount =
    "n=$(cat \"$GALLEY_CHECKPOINT\"); n=${n:-0}; echo \"from $n\" >> runs;"
    "echo $((n + 1)) > \"$GALLEY_CHECKPOINT.new\"; mv \"$GALLEY_CHECKPOINT.new\" \"$GALLEY_CHECKPOINT\";";

Finished work(const Bench& bench) {
  return bench.run({"work", "--allow-commands", "--drain", "--pool", "default=1"}, "",
                   {"TMPDIR=" + bench.dir().file("tmp")});
}

TEST(CheckpointFile, IsWhereTheNextAttemptGoesOnFromAndIsRemoved) {
  const Bench bench;
  std::filesystem::create_directory(bench.dir().file("tmp"));
  ASSERT_EQ(bench
                .run({"enqueue", "--resumable", "--attempts", "5", "--backoff", "fixed:0s", "--", "sh", "-c",
                      std::string(kCount) + "test $n = 3"})
                .exit_code,
            0);
  const Finished end = work(bench);
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(bench.read("runs"), "from 0\nfrom 1\nfrom 2\nfrom 3\n");
  EXPECT_TRUE(std::filesystem::is_empty(bench.dir().file("tmp")));
}

TEST(CheckpointFile, KeepsTheJobOfACommandThatIsAlwaysStoppedAtItsTimeOut) {
  const Bench bench;
  std::filesystem::create_directory(bench.dir().file("tmp"));
  ASSERT_EQ(bench
                .run({"enqueue", "--resumable", "--timeout", "100ms", "--", "sh", "-c",
                      std::string(kCount) + "test $n = 3 || exec sleep 60"})
                .exit_code,
            0);
  const Finished end = work(bench);
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(bench.read("runs"), "from 0\nfrom 1\nfrom 2\nfrom 3\n");
  EXPECT_EQ(bench.job(1).at("errors"), 0);
  EXPECT_EQ(bench.job(1).at("pauses"), 0) << "it gets on";
}

TEST(CheckpointFile, IsForResumableJobsAlone) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", "test -z \"$GALLEY_CHECKPOINT\""}).exit_code, 0);
  EXPECT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
}

TEST(CheckpointFile, ThatIsTooLargeIsNotTaken) {
  const Bench bench;
  std::filesystem::create_directory(bench.dir().file("tmp"));
  ASSERT_EQ(
      bench
          .run({"enqueue", "--resumable", "--attempts", "2", "--backoff", "fixed:0s", "--", "sh", "-c",
                "wc -c < \"$GALLEY_CHECKPOINT\" >> sizes; head -c 65537 /dev/zero > \"$GALLEY_CHECKPOINT\"; exit 1"})
          .exit_code,
      0);
  EXPECT_EQ(work(bench).exit_code, 1);
  EXPECT_EQ(bench.read("sizes"), "0\n0\n");
}

}  // namespace
}  // namespace galley::test
