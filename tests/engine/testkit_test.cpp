#include "galley/testkit.hpp"

#include <gtest/gtest.h>

#include "galley/galley.hpp"
#include "store/store.hpp"

namespace galley::testkit {
namespace {

using namespace std::chrono_literals;

class DrainTest : public ::testing::Test {
 protected:
  Clock clock;
  StorePtr store = memory_store(clock);
  Queue queue{store, "mail"};
  Drain drain{store, clock};
};

TEST_F(DrainTest, RunsWhatIsDueOnTheCallingThreadAndLeavesTheRest) {
  std::vector<std::string> sent;
  drain.worker().handle("mail", [&](Attempt&, std::string_view payload) { sent.emplace_back(payload); });
  ASSERT_TRUE(queue.enqueue("mail", std::string("now")));
  ASSERT_TRUE(queue.enqueue("mail", std::string("tomorrow"), delay(24h)));
  EXPECT_EQ(drain.run().value().completed, 1);
  EXPECT_EQ(sent, std::vector<std::string>{R"("now")"});
  clock.advance(24h);
  EXPECT_EQ(drain.run().value().completed, 1);
  EXPECT_EQ(sent.size(), 2U);
}

TEST_F(DrainTest, RunsWhatItsJobsEnqueueInQueuesThatWereNotThereBefore) {
  drain.worker()
      .handle("first", [&](Attempt&, std::string_view) { (void)Queue(store, "new").enqueue_json("second", "1"); })
      .handle("second", [](Attempt&, std::string_view) {});
  ASSERT_TRUE(queue.enqueue_json("first", "1"));
  EXPECT_EQ(drain.run().value().completed, 2);
}

TEST_F(DrainTest, AFailureIsRetriedWhenItsBackoffIsOver) {
  int tries = 0;
  drain.worker().handle("mail", [&](Attempt&, std::string_view) {
    if (++tries < 3) throw std::runtime_error("the server is away");
  });
  const JobId id = queue.enqueue_json("mail", "1").value();
  EXPECT_EQ(drain.run().value().failed, 1);
  clock.advance(1s);
  EXPECT_EQ(drain.run().value().failed, 1);
  clock.advance(2s);
  EXPECT_EQ(drain.run().value().completed, 1);
  EXPECT_EQ(store->find(id)->counters.errors, 2);
}

TEST_F(DrainTest, StopsAtItsBoundWhenAJobEnqueuesItselfForEver) {
  int runs = 0;
  drain.worker().handle("loop", [&](Attempt&, std::string_view) {
    ++runs;
    (void)queue.enqueue_json("loop", "1");
  });
  ASSERT_TRUE(queue.enqueue_json("loop", "1"));
  EXPECT_EQ(drain.run(10).error().code, Errc::QueueFull);
  EXPECT_EQ(runs, 10);
  EXPECT_EQ(store->queues()->front().count[static_cast<int>(JobState::Ready)], 1) << "the next one was given back";
}

TEST_F(DrainTest, AnAliasRunsJobsOfTheOldName) {
  std::vector<std::string> kinds;
  drain.worker().handle("resize", [&](Attempt& attempt, std::string_view) { kinds.push_back(attempt.kind()); });
  drain.worker().alias("thumbnail", "resize");
  ASSERT_TRUE(queue.enqueue_json("thumbnail", "1"));
  ASSERT_TRUE(queue.enqueue_json("resize", "1"));
  EXPECT_EQ(drain.run().value().completed, 2);
  EXPECT_EQ(kinds, (std::vector<std::string>{"thumbnail", "resize"}));
  EXPECT_THROW(drain.worker().alias("other", "nothing"), Exception);
  EXPECT_THROW(drain.worker().alias("resize", "resize"), Exception);
}

TEST_F(DrainTest, HeadersReachTheHandler) {
  std::string trace;
  std::size_t many = 0;
  drain.worker().handle("mail", [&](Attempt& attempt, std::string_view) {
    trace = attempt.header("TraceParent");
    many = attempt.headers().size();
  });
  ASSERT_TRUE(queue.enqueue("mail", 1, header("traceparent", "00-1-2-01"), header("tenant", "ann")));
  ASSERT_TRUE(drain.run());
  EXPECT_EQ(trace, "00-1-2-01");
  EXPECT_EQ(many, 2U);
}

}  // namespace
}  // namespace galley::testkit
