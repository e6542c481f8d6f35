// Producers that wait for room in a full queue.
#include <thread>

#include "engine/worker_fixture.hpp"
#include "store/store.hpp"

namespace galley::engine {
namespace {

/// Counts the tries, and tells when there was one.
class TriedStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override {
    sizes.push_back(jobs.size());  // one call at a time, says the combiner
    if (sizes.size() == fails_at) return Error{Errc::Unavailable, "away", Written::Nothing};
    auto answer = ForwardingStore::enqueue(jobs);
    tried.set();
    return answer;
  }
  Event tried;
  std::vector<std::size_t> sizes;
  std::size_t fails_at = 0;
};

class Room : public testing::Test {
 protected:
  Room() { EXPECT_TRUE(store->set_max_waiting("q", 1)); }

  static JobOptions patient(Duration patience) {
    JobOptions options;
    options.wait_for_room = patience;
    return options;
  }
  void claim(int jobs) {
    store::ClaimRequest request;
    request.worker = worker;
    request.queues = {"q"};
    request.kinds = {{"k", jobs}};
    request.limit = jobs;
    EXPECT_EQ(store->claim(request).value().claims.size(), static_cast<std::size_t>(jobs));
  }

  base::SystemClock clock;
  std::shared_ptr<TriedStore> store = std::make_shared<TriedStore>(store::open_memory(clock));
  const store::WorkerId worker = store->join({"w", ""}).value();
  Queue queue{store, "q"};
};

TEST_F(Room, WithoutAWaitAFullQueueAnswersAtOnce) {
  ASSERT_TRUE(queue.enqueue_bytes("k", ""));
  const auto answer = queue.enqueue_bytes("k", "");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::QueueFull);
  EXPECT_EQ(answer.error().message.find("has waited"), std::string::npos);
  EXPECT_EQ(store->sizes.size(), 2U);
}

TEST_F(Room, GivesUpWhenItsTimeIsOver) {
  ASSERT_TRUE(queue.enqueue_bytes("k", ""));
  const base::Mono begin = clock.mono();
  const auto answer = queue.enqueue_bytes("k", "", patient(50ms));
  EXPECT_GE(clock.mono() - begin, 50ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::QueueFull);
  EXPECT_NE(answer.error().message.find("it has waited 50ms for room"), std::string::npos) << answer.error().message;
  EXPECT_LE(store->sizes.size(), 5U) << "nobody tries without a reason";
}

TEST_F(Room, GetsInWhenAClaimMakesRoom) {
  ASSERT_TRUE(queue.enqueue_bytes("k", ""));
  std::thread producer([&] { EXPECT_TRUE(queue.enqueue_bytes("k", "second", patient(1min))); });
  EXPECT_TRUE(store->tried.wait(3)) << "the first, the refused one, and the one after the bell was there";
  claim(1);
  producer.join();
  EXPECT_EQ(store->find(2)->payload, "second");
}

TEST_F(Room, ABatchWaitsForWhatWasRefusedOnlyAndInItsOrder) {
  ASSERT_TRUE(store->set_max_waiting("q", 2));
  std::vector<Item> items;
  for (const char* payload : {"0", "1", "2", "3"}) items.push_back({payload, patient(1min)});
  items.push_back({"4", {}});
  std::optional<Result<std::vector<JobId>>> answer;
  std::thread producer([&] { answer = queue.enqueue_json_all("k", items); });
  EXPECT_TRUE(store->tried.wait(2));
  claim(2);
  producer.join();
  ASSERT_TRUE(answer->has_error());
  EXPECT_NE(answer->error().message.find("1 of 5 jobs were refused"), std::string::npos) << answer->error().message;
  EXPECT_NE(answer->error().message.find("item 4"), std::string::npos);
  EXPECT_EQ(store->find(3)->payload, "2");
  EXPECT_EQ(store->find(4)->payload, "3");
  EXPECT_FALSE(store->find(5));
}

TEST_F(Room, OfManyRefusedOnesOneIsTriedAtARing) {
  ASSERT_TRUE(queue.enqueue_bytes("k", ""));
  const std::vector<Item> items(100, {"1", patient(1min)});
  std::optional<Result<std::vector<JobId>>> answer;
  std::thread producer([&] { answer = queue.enqueue_json_all("k", items); });
  EXPECT_TRUE(store->tried.wait(3));
  EXPECT_EQ(store->sizes, (std::vector<std::size_t>{1, 100, 1}));
  ASSERT_TRUE(store->set_max_waiting("q", 1'000));
  producer.join();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->size(), 100U);
  EXPECT_TRUE(std::is_sorted((*answer)->begin(), (*answer)->end()));
  EXPECT_LE(store->sizes.size(), 12U) << "then two, four, eight ...";
}

TEST_F(Room, WithLittleRoomFewAreTried) {
  ASSERT_TRUE(queue.enqueue_bytes("k", ""));
  const std::vector<Item> items(100, {"1", patient(1min)});
  std::thread producer([&] { EXPECT_TRUE(queue.enqueue_json_all("k", items).has_value()); });
  EXPECT_TRUE(store->tried.wait(3));
  ASSERT_TRUE(store->set_max_waiting("q", 4));
  EXPECT_TRUE(store->tried.wait(7));
  EXPECT_EQ(store->sizes, (std::vector<std::size_t>{1, 100, 1, 1, 2, 4, 1})) << "the last one hears its own enqueues";
  ASSERT_TRUE(store->set_max_waiting("q", std::nullopt));
  producer.join();
}

TEST_F(Room, AHundredWaitingProducersDoNotWakeEachOther) {
  ASSERT_TRUE(queue.enqueue_bytes("k", ""));
  constexpr int kProducers = 100;
  std::vector<std::thread> producers;
  std::atomic<int> in = 0;
  for (int i = 0; i < kProducers; ++i) {
    producers.emplace_back([&] { in += queue.enqueue_bytes("k", "", patient(1min)).has_value() ? 1 : 0; });
  }
  for (int i = 0; i < kProducers; ++i) {
    while (store->states(std::vector<JobId>{i + 1}).value()[0] != JobState::Ready) std::this_thread::yield();
    claim(1);
  }
  for (std::thread& thread : producers) thread.join();
  EXPECT_EQ(in, kProducers);
  std::size_t tries = 0;
  for (const std::size_t size : store->sizes) tries += size;
  EXPECT_LE(tries, 3U * kProducers * kProducers) << "each change is worth one try to each that waits";
}

TEST_F(Room, AnErrorOfTheStoreEndsTheWait) {
  ASSERT_TRUE(queue.enqueue_bytes("k", ""));
  store->fails_at = 3;
  const auto answer = queue.enqueue_bytes("k", "", patient(1min));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::Unavailable);
  store->fails_at = 5;
  const auto many = queue.enqueue_json_all("k", std::vector<Item>(3, {"1", patient(1min)}));
  ASSERT_TRUE(many.has_error());
  EXPECT_EQ(many.error().code, Errc::Unavailable);
  EXPECT_EQ(many.error().message, "after the first 3 jobs (3 refused): away");
  EXPECT_EQ(many.error().written, Written::Nothing);
}

using WorkerDeadline = WorkerTest;

TEST_F(WorkerDeadline, StopsTheAttemptAndExpiresTheJob) {
  JobOptions options;
  options.deadline = 200ms;
  options.timeout = 1h;
  const JobId id = enqueue("k", options);
  Worker worker(store, drain());
  worker.pool("q", 1).handle("k", [](Attempt& attempt, std::string_view) {
    EXPECT_LE(*attempt.time_left(), 200ms);
    wait_for_stop(attempt);
  });
  EXPECT_EQ(worker.run().value().failed, 0);
  EXPECT_EQ(find(id).state, JobState::Expired);
  EXPECT_EQ(find(id).error, "its deadline has passed");
  EXPECT_EQ(attempts(id).at(0).outcome, "expired");
}

TEST_F(WorkerDeadline, WhatFailsBehindItIsNotTriedAgain) {
  JobOptions options = at_once();
  options.backoff.base = 1h;
  options.deadline = 100ms;
  const JobId id = enqueue("k", options);
  Worker worker(store, drain());
  worker.pool("q", 1).handle(
      "k", [](Attempt&, std::string_view) -> std::optional<Outcome> { throw std::runtime_error("boom"); });
  EXPECT_EQ(worker.run().value().failed, 1);
  EXPECT_EQ(find(id).state, JobState::Expired);
  EXPECT_EQ(attempts(id).at(0).report.error, "boom") << "the attempt keeps its own error";
}

}  // namespace
}  // namespace galley::engine
