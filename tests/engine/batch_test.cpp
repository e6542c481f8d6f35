#include "galley/batch.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

#include "engine/worker_fixture.hpp"
#include "galley/payload.hpp"

namespace galley::engine {

namespace {

struct Image {
  std::string path;
};
BOOST_DESCRIBE_STRUCT(Image, (), (path))

/// Notes the sizes of what arrives, and fails when told to.
class CountingStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override {
    sizes.push_back(jobs.size());
    if (sizes.size() == fails_at) return Error{Errc::DiskFull, "no space", Written::Nothing};
    return ForwardingStore::enqueue(jobs);
  }
  std::vector<std::size_t> sizes;
  std::size_t fails_at = 0;
};

class BatchTest : public WorkerTest {
 protected:
  /// Handlers that note what ran; "fails" throws while `broken` is set.
  WorkerReport work() {
    Worker worker(store, drain());
    for (const std::string kind : {"resize", "publish", "mail", "tidy"}) {
      worker.handle(kind, [this, kind](Attempt&, std::string_view) { note(kind); });
    }
    worker.handle("fails", [this](Attempt&, std::string_view) {
      note("fails");
      if (broken) throw std::runtime_error("broken");
    });
    return worker.pool("q", 1).run().value();
  }
  void note(const std::string& kind) {
    const std::lock_guard lock(mutex_);
    ran.push_back(kind);
  }
  store::BatchStats stats(BatchId id) { return store->find_batch(id).value(); }

  Queue queue{store, "q"};
  std::atomic<bool> broken = true;
  std::vector<std::string> ran;

 private:
  std::mutex mutex_;
};

TEST_F(BatchTest, TheCallbackRunsAfterAllItsJobsByARealWorker) {
  Batch batch{store, "nightly"};
  for (int i = 0; i < 3; ++i) batch.add(queue, "resize", Image{std::to_string(i)}, priority(-5));
  batch.on_success(queue, "publish", Image{"album"}, priority(5));
  batch.on_failure(queue, "mail", Image{"oh"});
  const BatchId id = batch.enqueue().value();
  EXPECT_EQ(work().completed, 4);
  EXPECT_EQ(ran, (std::vector<std::string>{"resize", "resize", "resize", "publish"})) << "whatever its priority";
  EXPECT_EQ(stats(id).succeeded, 3);
  EXPECT_TRUE(stats(id).finished_at);
}

TEST_F(BatchTest, AFailureIsToldAndARetryMakesItSucceedAfterAll) {
  Batch batch{store, "nightly"};
  batch.add(queue, "fails", Image{"a"}, galley::attempts(1)).add(queue, "resize", Image{"b"});
  batch.on_success(queue, "publish", Image{}).on_failure(queue, "mail", Image{}).on_finished(queue, "tidy", Image{});
  const BatchId id = batch.enqueue().value();
  work();
  EXPECT_EQ(ran, (std::vector<std::string>{"fails", "resize", "mail", "tidy"}));
  ran.clear();
  broken = false;
  store::Filter dead;
  dead.batch = id;
  dead.state = JobState::Dead;
  ASSERT_TRUE(store->retry(store->select(dead, "", 10).value().ids));
  work();
  EXPECT_EQ(ran, (std::vector<std::string>{"fails", "publish"}));
}

TEST_F(BatchTest, ARunningJobAddsMoreToItsOwnBatch) {
  Batch batch{store, "nightly"};
  batch.add(queue, "grow", Image{"seed"});
  batch.on_success(queue, "publish", Image{});
  const BatchId id = batch.enqueue().value();
  Worker worker(store, drain());
  worker.handle("grow", [&](Attempt& attempt, std::string_view) {
    note("grow");
    for (int i = 0; i < 2; ++i) queue.enqueue("resize", Image{}, galley::batch(attempt.batch())).value();
  });
  worker.handle("resize", [&](Attempt&, std::string_view) { note("resize"); });
  worker.handle("publish", [&](Attempt& attempt, std::string_view) {
    note("publish");
    EXPECT_EQ(attempt.batch(), 0) << "a callback is no job of what it waits for";
  });
  ASSERT_TRUE(worker.pool("q", 1).run());
  EXPECT_EQ(ran, (std::vector<std::string>{"grow", "resize", "resize", "publish"}));
  EXPECT_EQ(stats(id).total, 3);
  const auto late = queue.enqueue("resize", Image{}, galley::batch(id));
  EXPECT_EQ(late.error().code, Errc::WrongState);
}

TEST_F(BatchTest, ACallbackMayBeAJobOfAnotherBatch) {
  Batch outer{store, "outer"};
  const BatchId outer_id = store->open_batch("outer", "").value();
  Batch inner{store, "inner"};
  inner.add(queue, "resize", Image{}).on_success(queue, "publish", Image{}, galley::batch(outer_id));
  ASSERT_TRUE(inner.enqueue());
  ASSERT_TRUE(store->seal_batch(outer_id));
  work();
  EXPECT_EQ(stats(outer_id).succeeded, 1);
}

TEST_F(BatchTest, CommandsAreJobsAndCallbacksToo) {
  Batch batch{store, "nightly"};
  Command command;
  command.argv = {"true"};
  batch.add(queue, command, galley::attempts(1)).on_finished(queue, command);
  const BatchId id = batch.enqueue().value();
  EXPECT_EQ(stats(id).total, 1);
  ASSERT_EQ(stats(id).callbacks.size(), 1U);
  EXPECT_EQ(find(stats(id).callbacks[0]).program, "true");
}

TEST_F(BatchTest, ManyJobsAreWrittenInFullTransactionsAndTheCallbacksWithTheLast) {
  const auto counting = std::make_shared<CountingStore>(store::open_memory(clock));
  Batch batch{counting, "large"};
  batch.on_finished(queue, "tidy", Image{});
  for (std::size_t i = 0; i < 2 * limits::kMaxEnqueueBatch + 1; ++i) batch.add_json(queue, "resize", "{}");
  EXPECT_EQ(counting->sizes.size(), 2U) << "before enqueue()";
  const BatchId id = batch.enqueue().value();
  EXPECT_EQ(counting->sizes, (std::vector<std::size_t>{limits::kMaxEnqueueBatch, limits::kMaxEnqueueBatch, 2}));
  EXPECT_EQ(counting->find_batch(id)->total, static_cast<std::int64_t>(2 * limits::kMaxEnqueueBatch + 1));
  EXPECT_EQ(batch.enqueue().value(), id) << "again";
  EXPECT_EQ(counting->sizes.size(), 3U);
}

TEST_F(BatchTest, LargePayloadsAreSplitByTheirBytes) {
  const auto counting = std::make_shared<CountingStore>(store::open_memory(clock));
  Batch batch{counting, "large"};
  const std::string text = '"' + std::string(limits::kMaxPayloadBytes - 2, 'x') + '"';
  for (std::size_t i = 0; i < 17; ++i) batch.add_json(queue, "resize", text);
  ASSERT_TRUE(batch.enqueue());
  EXPECT_EQ(counting->sizes, (std::vector<std::size_t>{16, 1}));
}

TEST_F(BatchTest, TheFirstErrorIsEnqueuesAndNothingIsWrittenAfterIt) {
  const auto counting = std::make_shared<CountingStore>(store::open_memory(clock));
  Batch batch{counting, "nightly"};
  batch.add_json(queue, "resize", "{}").add_json(queue, "resize", "no json").add_json(queue, "re size", "{}");
  const auto answer = batch.enqueue();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::InvalidInput);
  EXPECT_NE(answer.error().message.find("JSON"), std::string::npos) << answer.error().message;
  EXPECT_TRUE(counting->sizes.empty());
  EXPECT_TRUE(counting->batches(0, 10)->empty());
  EXPECT_EQ(batch.id(), 0);
}

TEST_F(BatchTest, ImpossibleCallbacksAndNamesAreErrors) {
  const auto error_of = [&](auto change) {
    Batch batch{store, "nightly"};
    change(batch);
    const auto answer = batch.enqueue();
    return answer ? std::nullopt : std::optional(answer.error().code);
  };
  EXPECT_EQ(error_of([&](Batch& b) { b.on_success(queue, "publish", Image{}, delay(1s)); }), Errc::InvalidInput);
  EXPECT_EQ(error_of([&](Batch& b) { b.add(queue, "resize", Image{}, galley::batch(1)); }), Errc::InvalidInput);
  EXPECT_EQ(error_of([&](Batch& b) {
              for (std::size_t i = 0; i <= limits::kMaxBatchCallbacks; ++i) b.on_success(queue, "publish", Image{});
            }),
            Errc::InvalidInput);
  EXPECT_EQ(error_of([&](Batch& b) { b = Batch(store, ""); }), Errc::InvalidInput);
  EXPECT_TRUE(store->batches(0, 10)->empty());
}

TEST_F(BatchTest, AStoreThatFailsHalfWayIsToldAndTheBatchCanBeCancelled) {
  const auto counting = std::make_shared<CountingStore>(store::open_memory(clock));
  counting->fails_at = 2;
  Batch batch{counting, "large"};
  for (std::size_t i = 0; i < limits::kMaxEnqueueBatch + 5; ++i) batch.add_json(queue, "resize", "{}");
  const auto answer = batch.enqueue();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::DiskFull);
  EXPECT_NE(answer.error().message.find("10000"), std::string::npos) << answer.error().message;
  EXPECT_FALSE(counting->find_batch(batch.id())->sealed);
  ASSERT_TRUE(batch.cancel());
  const auto stats = counting->find_batch(batch.id()).value();
  EXPECT_EQ(stats.failed, static_cast<std::int64_t>(limits::kMaxEnqueueBatch));
  EXPECT_TRUE(stats.finished_at);
  EXPECT_EQ(batch.enqueue().error().code, Errc::DiskFull) << "the first error stays";
}

TEST_F(BatchTest, CancelEndsItsWaitingJobsAndCallbacks) {
  Batch batch{store, "nightly"};
  batch.add(queue, "resize", Image{}).on_finished(queue, "tidy", Image{});
  const BatchId id = batch.enqueue().value();
  ASSERT_TRUE(batch.cancel());
  EXPECT_EQ(stats(id).failed, 1);
  EXPECT_EQ(find(stats(id).callbacks[0]).state, JobState::Cancelled);
  EXPECT_EQ(work().completed, 0);

  Batch empty{store, "nothing"};
  empty.add(queue, "resize", Image{});
  ASSERT_TRUE(empty.cancel()) << "nothing was written";
  EXPECT_EQ(empty.enqueue().error().code, Errc::WrongState);
}

TEST_F(BatchTest, OneThatIsForgottenStaysOpenAndIsSeen) {
  {
    Batch batch{store, "forgotten"};
    for (std::size_t i = 0; i < limits::kMaxEnqueueBatch; ++i) batch.add_json(queue, "resize", "{}");
    ASSERT_NE(batch.id(), 0);
  }
  const auto all = store->batches(0, 10).value();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].name, "forgotten");
  EXPECT_FALSE(all[0].sealed);
}

TEST_F(BatchTest, ATokenAndTokensOfItsJobsMakeARepetitionHarmless) {
  const auto once_more = [&] {
    Batch batch{store, "nightly", "2026-01-01"};
    batch.add(queue, "resize", Image{}, token("a")).on_success(queue, "publish", Image{}, token("b"));
    return batch.enqueue().value();
  };
  const BatchId id = once_more();
  EXPECT_EQ(once_more(), id);
  EXPECT_EQ(stats(id).total, 1);
  EXPECT_EQ(work().completed, 2);
  EXPECT_EQ(once_more(), id) << "even after it has ended";
}

}  // namespace

}  // namespace galley::engine
