#include "store/combiner.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>
#include <thread>

#include "base/clock.hpp"
#include "base/event.hpp"
#include "engine/forwarding_store.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::engine {
namespace {

using test::Event;

job::NewJob job_of(std::string payload, std::string kind = "k") {
  job::NewJob job;
  job.kind = std::move(kind);
  job.content = job::Content::Bytes;
  job.payload = std::move(payload);
  return job;
}

/// Holds the first call until the gate opens; the rest wait in the combiner's line meanwhile.
class GatedStore : public ForwardingStore {
 public:
  explicit GatedStore(const base::Clock& clock) : ForwardingStore(store::open_memory(clock)) {}

  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override {
    batches.push_back(jobs.size());  // one call at a time, says the combiner: the sanitizer checks it
    if (batches.size() == 1) {
      entered.set();
      EXPECT_TRUE(gate.wait());
    }
    for (const job::NewJob& job : jobs) {
      if (job.kind == "bad") return Error{Errc::InvalidInput, "bad", Written::Nothing};
      if (job.kind == "away") return Error{Errc::Unavailable, "away", Written::Nothing};
      if (job.kind == "broken") throw std::runtime_error("out of luck");
    }
    return ForwardingStore::enqueue(jobs);
  }

  Event entered;
  Event gate;
  std::vector<std::size_t> batches;
};

/// One caller at the gate, `others` behind it in the line.
struct Line {
  base::ManualClock clock;
  GatedStore store{clock};
  std::vector<std::optional<Result<std::vector<store::Enqueued>>>> answers;
  std::vector<std::thread> threads;
  std::function<void()> before_the_gate_opens = [] {};

  void run(std::vector<std::vector<job::NewJob>> callers) {
    answers.resize(callers.size());
    for (std::size_t i = 0; i < callers.size(); ++i) {
      threads.emplace_back([this, i, jobs = callers[i]] { answers[i] = store.combiner().enqueue(jobs); });
      if (i == 0) {
        EXPECT_TRUE(store.entered.wait());
      }
    }
    // The line's length is the event that the gate waits for.
    while (store.combiner().waiting() < callers.size()) std::this_thread::yield();
    before_the_gate_opens();
    store.gate.set();
    for (std::thread& thread : threads) thread.join();
  }
};

TEST(Combiner, CallersThatWaitShareTheNextBatch) {
  Line line;
  std::vector<std::vector<job::NewJob>> callers;
  for (int i = 0; i < 8; ++i) callers.push_back({job_of(std::to_string(i)), job_of(std::to_string(i))});
  line.run(callers);
  EXPECT_EQ(line.store.batches, (std::vector<std::size_t>{2, 14}));
  std::set<JobId> ids;
  for (int i = 0; i < 8; ++i) {
    const auto& answer = line.answers[static_cast<std::size_t>(i)];
    ASSERT_TRUE(answer && *answer && (*answer)->size() == 2);
    for (const store::Enqueued& one : **answer) {
      EXPECT_TRUE(ids.insert(one.id).second);
      EXPECT_EQ(line.store.find(one.id)->payload, std::to_string(i)) << "each caller gets its own part";
    }
  }
}

TEST(Combiner, OneBadCallerSpoilsNoOther) {
  Line line;
  line.run({{job_of("first")}, {job_of("x", "bad")}, {job_of("a"), job_of("b")}, {job_of("c")}});
  EXPECT_TRUE(line.answers[0]->has_value());
  ASSERT_TRUE(line.answers[1]->has_error());
  EXPECT_EQ(line.answers[1]->error().code, Errc::InvalidInput);
  ASSERT_TRUE(line.answers[2]->has_value());
  EXPECT_EQ((*line.answers[2])->size(), 2U);
  EXPECT_TRUE(line.answers[3]->has_value());
}

TEST(Combiner, ARefusedItemIsAnAnswerOfItsCallerAndSpoilsNoOther) {
  Line line;
  job::NewJob unique = job_of("u");
  unique.unique = {"u", UniqueUntil::Finish, OnConflict::Error};
  line.run({{job_of("first")}, {unique}, {job_of("a"), unique}, {unique}});
  EXPECT_EQ(line.store.batches, (std::vector<std::size_t>{1, 4})) << "nothing is sent twice";
  int refused = 0;
  for (const auto& answer : line.answers) {
    ASSERT_TRUE(answer->has_value());
    for (const store::Enqueued& one : **answer) refused += one.refused == Errc::Conflict ? 1 : 0;
  }
  EXPECT_EQ(refused, 2);
  EXPECT_FALSE((*line.answers[2])->at(0).refused);
}

TEST(Combiner, AnExceptionOfTheStoreReachesAllAsAnError) {
  Line line;
  line.run({{job_of("first")}, {job_of("x", "broken")}, {job_of("a")}});
  EXPECT_TRUE(line.answers[0]->has_value());
  for (const std::size_t i : {1U, 2U}) {
    ASSERT_TRUE(line.answers[i]->has_error());
    EXPECT_EQ(line.answers[i]->error().written, Written::Unknown);
  }
}

TEST(Combiner, AnUnreachableStoreFailsAllThatHaveWaitedAsLong) {
  Line line;
  std::vector<std::vector<job::NewJob>> callers{{job_of("first")}};
  for (int i = 0; i < 6; ++i) callers.emplace_back(std::vector(limits::kMaxEnqueueBatch / 3, job_of("x", "away")));
  line.run(callers);
  EXPECT_TRUE(line.answers[0]->has_value());
  EXPECT_EQ(line.store.batches.size(), 2U) << "all six were there when the second batch was sent";
  for (std::size_t i = 1; i < callers.size(); ++i) {
    ASSERT_TRUE(line.answers[i]->has_error());
    EXPECT_EQ(line.answers[i]->error().code, Errc::Unavailable);
  }
  EXPECT_TRUE(line.store.combiner().enqueue({job_of("later")})) << "who comes later asks for himself";
}

TEST(Combiner, WhoCameAfterTheFailingBatchWasSentAsksForHimself) {
  Line line;
  line.run({{job_of("first", "away")}, {job_of("a")}, {job_of("b")}});
  ASSERT_TRUE(line.answers[0]->has_error());
  EXPECT_TRUE(line.answers[1]->has_value());
  EXPECT_TRUE(line.answers[2]->has_value());
}

TEST(Combiner, WhoWaitsForRoomInTheLineFailsWithTheOthers) {
  Line line;
  const std::vector big(limits::kMaxMergeJobs / 2, job_of("x", "away"));
  std::vector<std::optional<Result<std::vector<store::Enqueued>>>> outside(3);
  std::vector<std::thread> threads;
  line.before_the_gate_opens = [&] {
    for (auto& answer : outside) {
      threads.emplace_back([&] { answer = line.store.combiner().enqueue(big); });
    }
    while (line.store.combiner().waiting_outside() < outside.size()) std::this_thread::yield();
  };
  line.run({{job_of("first")}, big, std::vector(limits::kMaxMergeJobs / 2 - 1, job_of("y", "away"))});
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(line.store.batches.size(), 2U);
  for (const auto& answer : outside) {
    ASSERT_TRUE(answer->has_error());
    EXPECT_EQ(answer->error().code, Errc::Unavailable);
  }
}

TEST(Combiner, ABatchKeepsTheStoresLimits) {
  Line line;
  std::vector<std::vector<job::NewJob>> callers{{job_of("first")}};
  for (int i = 0; i < 3; ++i) callers.emplace_back(std::vector(limits::kMaxEnqueueBatch / 2, job_of("x")));
  line.run(callers);
  ASSERT_EQ(line.store.batches.size(), 3U);
  EXPECT_LE(*std::max_element(line.store.batches.begin(), line.store.batches.end()), limits::kMaxEnqueueBatch);
  for (const auto& answer : line.answers) EXPECT_TRUE(answer->has_value());
}

TEST(Combiner, EightThreadsLoseNothing) {
  base::ManualClock clock;
  const auto store = store::open_memory(clock);
  constexpr int kEach = 200;
  std::vector<std::thread> threads;
  std::vector<std::vector<JobId>> ids(8);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        auto answer = store->combiner().enqueue({job_of(std::to_string(t) + ":" + std::to_string(i))});
        if (answer) ids[t].push_back(answer->front().id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<JobId> all;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    ASSERT_EQ(ids[t].size(), static_cast<std::size_t>(kEach));
    EXPECT_TRUE(std::is_sorted(ids[t].begin(), ids[t].end())) << "a caller's jobs keep their order";
    all.insert(ids[t].begin(), ids[t].end());
    EXPECT_EQ(store->find(ids[t][7])->payload, std::to_string(t) + ":7");
  }
  EXPECT_EQ(all.size(), 8U * kEach);
}

}  // namespace
}  // namespace galley::engine
