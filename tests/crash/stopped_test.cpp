// A worker that is stopped (SIGSTOP) for longer than its lease, and then goes on: it has been overtaken, and nothing
// that it still says is believed.

#include <gtest/gtest.h>

#include <csignal>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

std::vector<std::string> work(const std::string& name) {
  return {"work", "--pool", "default=1", "--allow-commands", "--lease", "2s", "--name", name};
}

class StoppedWorker : public testing::Test {
 protected:
  /// A job that says which attempt runs, and ends when it is told to.
  void enqueue() {
    const std::string command =
        "echo $GALLEY_ATTEMPT:$GALLEY_EPOCH >> runs; echo > started; read x < go-on-$GALLEY_ATTEMPT; "
        "echo end $GALLEY_ATTEMPT >> runs; echo out $GALLEY_ATTEMPT";
    ASSERT_EQ(bench.run({"enqueue", "--", "sh", "-c", command}).exit_code, 0);
  }
  const Bench bench;
  const Fifo started{bench.dir().file("started")};
  const Fifo end_first{bench.dir().file("go-on-1")};
  const Fifo end_second{bench.dir().file("go-on-2")};
};

TEST_F(StoppedWorker, IsNotBelievedWhenItsAttemptEndsAfterItsSuccessorHas) {
  enqueue();
  Process first(bench.dir(), {.arguments = work("first")});
  ASSERT_TRUE(started.wait());
  first.signal(SIGSTOP);
  end_first.tell();  // the command lives on, and ends with success while its worker cannot see it
  Process second(bench.dir(), {.arguments = work("second")});
  ASSERT_TRUE(started.wait()) << "its lease is over, whatever its lock says";
  end_second.tell();
  ASSERT_TRUE(second.wait_err("job.completed"));
  const auto before = bench.job(1);
  first.signal(SIGCONT);
  ASSERT_TRUE(first.wait_err("job.lease_lost"));
  first.signal(SIGTERM);
  const Finished end = first.finish();
  EXPECT_EQ(end.exit_code, 0) << end.err;
  EXPECT_EQ(end.err.find("job.completed"), std::string::npos) << end.err;
  EXPECT_EQ(bench.job(1), before) << "not a word of it was taken";
  EXPECT_EQ(before.at("state"), "completed");
  EXPECT_EQ(before.at("crashes"), 1);
  EXPECT_EQ(bench.read("runs"), "1:1\nend 1\n2:2\nend 2\n");
}

TEST_F(StoppedWorker, IsNotBelievedWhileItsSuccessorStillRuns) {
  enqueue();
  Process first(bench.dir(), {.arguments = work("first")});
  ASSERT_TRUE(started.wait());
  first.signal(SIGSTOP);
  Process second(bench.dir(), {.arguments = work("second")});
  ASSERT_TRUE(started.wait());
  first.signal(SIGCONT);
  ASSERT_TRUE(first.wait_err("job.lease_lost")) << "it can neither renew nor finish";
  const auto running = bench.job(1);
  EXPECT_EQ(running.at("state"), "running");
  EXPECT_NE(std::string(running.at("worker").as_string()).find("second"), std::string::npos);
  end_second.tell();
  ASSERT_TRUE(second.wait_err("job.completed"));
  first.signal(SIGTERM);
  EXPECT_EQ(first.finish().exit_code, 0);
  const auto job = bench.job(1);
  EXPECT_EQ(job.at("state"), "completed");
  EXPECT_EQ(job.at("attempts"), 2);
  EXPECT_EQ(bench.read("runs"), "1:1\n2:2\nend 2\n") << "the overtaken command was killed";
}

TEST_F(StoppedWorker, SavesNothingOverWhatItsSuccessorHasSaved) {
  // Its first attempt leaves a checkpoint that its worker, which is stopped, cannot see before it is overtaken.
  const std::string command =
      "if [ $GALLEY_ATTEMPT = 1 ]; then echo > started; read x < go-on-1; echo much too late > \"$GALLEY_CHECKPOINT\"; "
      "else echo two > \"$GALLEY_CHECKPOINT\"; fi; echo > started; read x < go-on-$GALLEY_ATTEMPT; exit 1";
  ASSERT_EQ(bench.run({"enqueue", "--resumable", "--attempts", "3", "--backoff", "fixed:1h", "--", "sh", "-c", command})
                .exit_code,
            0);
  Process first(bench.dir(), {.arguments = work("first")});
  ASSERT_TRUE(started.wait());
  first.signal(SIGSTOP);
  end_first.tell();
  ASSERT_TRUE(started.wait()) << "its checkpoint is there";
  Process second(bench.dir(), {.arguments = work("second")});
  ASSERT_TRUE(started.wait());
  const auto saved = [&] { return bench.job(1).at("checkpoint_bytes").to_number<int>(); };
  for (int look = 0; look < 500 && saved() == 0; ++look) continue;  // until a renewal has brought it
  EXPECT_EQ(saved(), 4) << "two, and the line's end";
  first.signal(SIGCONT);
  ASSERT_TRUE(first.wait_err("job.lease_lost"));
  EXPECT_EQ(saved(), 4);
  end_second.tell();
  ASSERT_TRUE(second.wait_err("job.retry"));
  first.signal(SIGTERM);
  EXPECT_EQ(first.finish().exit_code, 0);
  EXPECT_EQ(saved(), 4) << "from which the next attempt goes on";
  EXPECT_EQ(bench.job(1).at("attempts"), 2);
}

}  // namespace
}  // namespace galley::test
