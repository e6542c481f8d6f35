#include "galley/queue.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "engine/forwarding_store.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::engine {
namespace {

using namespace std::chrono_literals;

/// Notes the sizes of the batches that arrive.
class CountingStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override {
    batches.push_back(jobs.size());
    if (batches.size() == fails_at) return Error{Errc::DiskFull, "no space", Written::Nothing};
    return ForwardingStore::enqueue(jobs);
  }
  std::vector<std::size_t> batches;
  std::size_t fails_at = 0;
};

class QueueTest : public testing::Test {
 protected:
  base::ManualClock clock;
  std::shared_ptr<CountingStore> store = std::make_shared<CountingStore>(store::open_memory(clock));
  Queue queue{store, "q"};
};

TEST_F(QueueTest, KeepsKindPayloadAndOptions) {
  JobOptions options;
  options.priority = 3;
  options.delay = 10s;
  options.timeout = 30s;
  options.resumable = true;
  options.key = "tenant";
  const job::JobRecord job = store->find(queue.enqueue_json("k", R"({"a":1})", options).value()).value();
  EXPECT_EQ(job.queue, "q");
  EXPECT_EQ(job.kind, "k");
  EXPECT_EQ(job.content, job::Content::Json);
  EXPECT_EQ(job.payload, R"({"a":1})");
  EXPECT_EQ(job.priority, 3);
  EXPECT_EQ(job.state, JobState::Scheduled);
  EXPECT_EQ(job.policy.timeout, 30s);
  EXPECT_EQ(job.policy.on_timeout, OnTimeout::Pause);
  EXPECT_EQ(job.key, "tenant");
}

TEST_F(QueueTest, BytesMayBeAnything) {
  const std::string bytes("\0\xff{", 3);
  EXPECT_EQ(store->find(queue.enqueue_bytes("k", bytes).value())->payload, bytes);
  EXPECT_EQ(store->find(queue.enqueue_bytes("k", bytes).value())->content, job::Content::Bytes);
}

TEST_F(QueueTest, RefusesTextThatIsNotJson) {
  for (const std::string text : {"", "{", "{'a':1}", "1 2", "nul"}) {
    const auto refused = queue.enqueue_json("k", text);
    ASSERT_TRUE(refused.has_error()) << text;
    EXPECT_EQ(refused.error().code, Errc::InvalidInput);
    EXPECT_NE(refused.error().message.find("JSON"), std::string::npos);
  }
  EXPECT_TRUE(store->batches.empty());
}

TEST_F(QueueTest, RefusesBadNamesAndOptions) {
  EXPECT_THROW(Queue(store, "no blanks"), Exception);
  EXPECT_THROW(Queue(store, ""), Exception);
  EXPECT_EQ(queue.enqueue_bytes("no blanks", "").error().code, Errc::InvalidInput);
  JobOptions options;
  options.priority = 11;
  EXPECT_EQ(queue.enqueue_bytes("k", "", options).error().code, Errc::InvalidInput);
  EXPECT_EQ(queue.enqueue_bytes("k", std::string(limits::kMaxPayloadBytes + 1, 'x')).error().code, Errc::InvalidInput);
  EXPECT_TRUE(store->batches.empty());
}

TEST_F(QueueTest, ManyJobsAreSentInBatchesAndAnsweredInOrder) {
  std::vector<Item> items;
  for (std::size_t i = 0; i < limits::kMaxEnqueueBatch + 5; ++i) items.push_back({std::to_string(i), {}});
  const auto ids = queue.enqueue_json_all("k", items).value();
  ASSERT_EQ(ids.size(), items.size());
  EXPECT_EQ(store->batches, (std::vector<std::size_t>{limits::kMaxEnqueueBatch, 5}));
  EXPECT_EQ(store->find(ids.front())->payload, "0");
  EXPECT_EQ(store->find(ids.back())->payload, std::to_string(items.size() - 1));
}

TEST_F(QueueTest, ABatchKeepsTheLimitOfBytes) {
  const std::string large = "\"" + std::string(limits::kMaxPayloadBytes - 2, 'x') + "\"";
  const std::vector<Item> items(20, Item{large, {}});
  EXPECT_EQ(queue.enqueue_json_all("k", items).value().size(), 20U);
  EXPECT_EQ(store->batches, (std::vector<std::size_t>{16, 4}));
}

TEST_F(QueueTest, OneBadItemOfManyIsNamedAndNothingIsSent) {
  const auto refused = queue.enqueue_json_all("k", {{"1", {}}, {"{", {}}, {"3", {}}});
  ASSERT_TRUE(refused.has_error());
  EXPECT_TRUE(refused.error().message.starts_with("item 1:")) << refused.error().message;
  EXPECT_TRUE(store->batches.empty());
}

TEST_F(QueueTest, AFailureHalfWaySaysHowMuchWasEnqueued) {
  store->fails_at = 2;
  const std::vector<Item> items(limits::kMaxEnqueueBatch + 5, Item{"1", {}});
  const auto half = queue.enqueue_json_all("k", items);
  ASSERT_TRUE(half.has_error());
  EXPECT_EQ(half.error().message, "after the first 10000 jobs: no space");
  EXPECT_EQ(half.error().written, Written::Unknown);
}

TEST_F(QueueTest, ARefusedItemOfManyIsNamedAndTheOthersAreIn) {
  JobOptions unique;
  unique.unique = {"u", UniqueUntil::Finish, OnConflict::Error};
  const std::vector<Item> items{{"1", {}}, {"2", unique}, {"3", unique}, {"4", unique}, {"5", {}}};
  const auto partly = queue.enqueue_json_all("k", items);
  ASSERT_TRUE(partly.has_error());
  EXPECT_EQ(partly.error().code, Errc::Conflict);
  EXPECT_EQ(partly.error().written, Written::Unknown);
  EXPECT_TRUE(
      partly.error().message.starts_with("2 of 5 jobs were refused, the others are enqueued; item 2: unique key "))
      << partly.error().message;
  EXPECT_EQ(store->queues().value().at(0).count[static_cast<std::size_t>(JobState::Ready)], 3);

  const auto none = queue.enqueue_json_all("k", {{"6", unique}, {"7", unique}});
  ASSERT_TRUE(none.has_error());
  EXPECT_EQ(none.error().written, Written::Nothing);
  EXPECT_TRUE(none.error().message.starts_with("2 of 2 jobs were refused; item 0: unique key "))
      << none.error().message;
}

TEST_F(QueueTest, AHeldUniqueKeyAnswersWithItsJobOrAnError) {
  JobOptions options;
  options.unique.key = "u";
  const JobId id = queue.enqueue_json("k", "1", options).value();
  EXPECT_EQ(queue.enqueue_json("k", "2", options).value(), id);
  options.unique.on_conflict = OnConflict::Error;
  const auto refused = queue.enqueue_json("k", "3", options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::Conflict);
  EXPECT_NE(refused.error().message.find("job " + std::to_string(id)), std::string::npos);
}

TEST_F(QueueTest, GroupedJobsAreOneJob) {
  JobOptions options;
  options.group.key = "g";
  const JobId id = queue.enqueue_json("k", "1", options).value();
  EXPECT_EQ(queue.enqueue_json_all("k", {{"2", options}, {"3", options}}).value(), (std::vector{id, id}));
  EXPECT_EQ(store->find(id)->payload, "[1,2,3]");
  EXPECT_EQ(queue.enqueue_bytes("k", "x", options).error().code, Errc::InvalidInput);
}

TEST_F(QueueTest, ATokenGivesTheSameJobTwice) {
  JobOptions options;
  options.token = "once";
  EXPECT_EQ(queue.enqueue_bytes("k", "", options).value(), queue.enqueue_bytes("k", "", options).value());
}

TEST_F(QueueTest, ACommandIsNamedAfterItsProgram) {
  Command command;
  command.argv = {"/usr/bin/convert", "cat.png"};
  const job::JobRecord job = store->find(queue.enqueue_command(command).value()).value();
  EXPECT_EQ(job.kind, "convert");
  EXPECT_EQ(job.content, job::Content::Command);
  EXPECT_EQ(job.program, "/usr/bin/convert");
  EXPECT_EQ(store->find(queue.enqueue_command(command, "thumbs").value())->kind, "thumbs");
  EXPECT_EQ(queue.enqueue_command({}).error().code, Errc::InvalidInput);
}

}  // namespace
}  // namespace galley::engine
