// What a claim costs, counted in steps of SQLite's virtual machine, so that the machine's noise has no say: the same
// with few jobs waiting and with many, with one lane and with thousands.

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "store/sqlite/backend.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

class SqliteCost : public testing::Test {
 protected:
  void fill(int jobs, int kinds) {
    std::vector<job::NewJob> batch;
    for (int i = 0; i < jobs; ++i) {
      job::NewJob job;
      job.kind = "kind" + std::to_string(i % kinds);
      job.payload = "{}";
      batch.push_back(std::move(job));
      if (batch.size() == limits::kMaxEnqueueBatch || i + 1 == jobs) {
        ASSERT_TRUE(store_.enqueue(batch));
        batch.clear();
      }
    }
  }

  /// Jobs of "kind0".
  void fill_keys(int jobs, int keys, const std::string& prefix, const std::vector<std::string>& limits = {}) {
    std::vector<job::NewJob> batch;
    for (int i = 0; i < jobs; ++i) {
      job::NewJob job;
      job.kind = "kind0";
      job.key = prefix + std::to_string(i % keys);
      job.limits = limits;
      job.payload = "{}";
      batch.push_back(std::move(job));
      if (batch.size() == galley::limits::kMaxEnqueueBatch || i + 1 == jobs) {
        ASSERT_TRUE(store_.enqueue(batch));
        batch.clear();
      }
    }
  }

  void hold_one_of_each_key(WorkerId worker) {
    ClaimRequest request;
    request.worker = worker;
    request.queues = {"default"};
    request.kinds = {{"kind0", 1'000}};
    request.limit = 1'000;
    while (!store_.claim(request).value().claims.empty()) {
    }
  }

  /// Steps of all statements since the last call.
  int steps() {
    int sum = 0;
    sqlite3* const db = store_.database().raw();
    for (sqlite3_stmt* s = sqlite3_next_stmt(db, nullptr); s != nullptr; s = sqlite3_next_stmt(db, s)) {
      sum += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
    }
    return sum;
  }

  /// One claim of one job and its finish, the statements prepared and the names loaded before.
  int cost_of_a_claim(WorkerId worker) {
    ClaimRequest request;
    request.worker = worker;
    request.queues = {"default"};
    request.kinds = {{"kind0", 1}};
    request.limit = 1;
    int cost = 0;
    for (int i = 0; i < 2; ++i) {
      (void)steps();
      const auto claimed = store_.claim(request).value();
      EXPECT_EQ(claimed.claims.size(), 1U);
      Finish finish;
      finish.claim = claimed.claims.front().id;
      finish.counters.attempts = 1;
      EXPECT_EQ(store_.finish(std::vector{finish}).value().front(), FinishAnswer::Finished);
      cost = steps();
    }
    return cost;
  }

  void fail_all(const std::string& kind, WorkerId worker) {
    ClaimRequest request;
    request.worker = worker;
    request.queues = {"default"};
    request.kinds = {{kind, 1'000}};
    request.limit = 1'000;
    std::vector<Finish> finishes;
    for (const job::Claim& claim : store_.claim(request).value().claims) {
      Finish& finish = finishes.emplace_back();
      finish.claim = claim.id;
      finish.event = job::JobEvent::Die;
      finish.counters.attempts = 1;
      finish.outcome = "failed";
      finish.report.error = "exit code 3";
      finish.report.error_class = "exit:3";
    }
    ASSERT_TRUE(store_.finish(finishes));
  }

  /// Jobs of "kind0" that are due by now and were not when they were enqueued, so that they wait for promotion.
  void fill_due(const std::string& queue, int jobs) {
    std::vector<job::NewJob> batch;
    for (int i = 0; i < jobs; ++i) {
      job::NewJob job;
      job.queue = queue;
      job.kind = "kind0";
      job.payload = "{}";
      job.delay = std::chrono::hours(1);
      batch.push_back(std::move(job));
      if (batch.size() == limits::kMaxEnqueueBatch || i + 1 == jobs) {
        ASSERT_TRUE(store_.enqueue(batch));
        batch.clear();
      }
    }
    clock_.step_wall(std::chrono::hours(1));
  }

  std::int64_t scheduled(const std::string& queue) {
    for (const QueueStats& one : store_.queues().value()) {
      if (one.queue == queue) return one.count[static_cast<std::size_t>(JobState::Scheduled)];
    }
    return 0;
  }

  test::TempDir dir_;
  base::ManualClock clock_;
  Backend store_{{dir_.file("cost.db"), Durability::Normal, false, &clock_}};
};

TEST_F(SqliteCost, AClaimCostsTheSameWithFewAndWithManyJobsWaiting) {
  const WorkerId worker = store_.join({"w", ""}).value();
  fill(10, 1);
  const int few = cost_of_a_claim(worker);
  fill(100'000, 1);
  const int many = cost_of_a_claim(worker);
  EXPECT_GT(few, 50);
  EXPECT_LE(many, few + few / 10) << few;
}

TEST_F(SqliteCost, AClaimCostsTheSameWithOneLaneAndWithThousands) {
  const WorkerId worker = store_.join({"w", ""}).value();
  fill(10, 1);
  const int one = cost_of_a_claim(worker);
  fill(50'000, 50'000);
  const int thousands = cost_of_a_claim(worker);
  EXPECT_LE(thousands, one + one / 10) << one;
}

TEST_F(SqliteCost, AClaimCostsTheSameWithFewKeysAndWithFiftyThousand) {
  const WorkerId worker = store_.join({"w", ""}).value();
  fill_keys(20'000, 1, "noisy");
  fill_keys(100, 10, "key");
  const int few = cost_of_a_claim(worker);
  fill_keys(50'000, 50'000, "other");
  const int many = cost_of_a_claim(worker);
  EXPECT_LE(many, few + few / 4) << few;
}

TEST_F(SqliteCost, WhatALimitKeepsBackCostsAClaimNothing) {
  const WorkerId worker = store_.join({"w", ""}).value();
  LimitRule rule;
  rule.max_running = 1;
  ASSERT_TRUE(store_.put_limit({LimitScope::Name, "", "smtp"}, rule));
  ASSERT_TRUE(store_.put_limit({LimitScope::Key, "default", ""}, rule));
  fill_keys(2, 2, "free");
  fill_keys(2, 1, "held", {"smtp"});
  fill_keys(4'000, 2'000, "full");
  hold_one_of_each_key(worker);
  const auto cost = [&] {
    fill_keys(2, 2, "again" + std::to_string(steps()));
    return cost_of_a_claim(worker);
  };
  (void)cost();
  const int few = cost();
  fill_keys(50'000, 50'000, "held", {"smtp"});
  const int many = cost();
  EXPECT_LE(many, few + few / 4) << few;
}

TEST_F(SqliteCost, AJobWithoutAKeyCostsAFewLooksMoreBesideKeysOfOtherKinds) {
  const WorkerId worker = store_.join({"w", ""}).value();
  fill(10, 1);
  const int alone = cost_of_a_claim(worker);
  fill_keys(2'000, 2'000, "key", {"smtp"});
  std::vector<job::NewJob> elsewhere(1);
  elsewhere[0].kind = "kind1";
  elsewhere[0].payload = "{}";
  ASSERT_TRUE(store_.enqueue(elsewhere));
  ClaimRequest request;
  request.worker = worker;
  request.queues = {"default"};
  request.kinds = {{"kind1", 1}};
  request.limit = 1;
  (void)steps();
  EXPECT_EQ(store_.claim(request).value().claims.size(), 1U);
  EXPECT_LE(steps(), alone + 150) << alone;
}

TEST_F(SqliteCost, AnEnqueueIntoABoundedQueueCostsTheSameWithOneLaneAndWithThousands) {
  const auto cost_of_an_enqueue = [&] {
    fill(1, 1);
    (void)steps();
    fill(1, 1);
    return steps();
  };
  fill(10, 1);
  const int free = cost_of_an_enqueue();
  ASSERT_TRUE(store_.set_max_waiting("default", 1'000'000));
  const int one = cost_of_an_enqueue();
  fill(50'000, 50'000);
  const int thousands = cost_of_an_enqueue();
  EXPECT_LE(one, free + 40) << "one number is read, and one is written";
  EXPECT_LE(thousands, one + one / 10) << one;
  ASSERT_TRUE(store_.set_max_waiting("default", std::nullopt));
  EXPECT_LE(cost_of_an_enqueue(), free + free / 10) << "without a bound it costs nothing again";
}

TEST_F(SqliteCost, ARefusalCostsLessThanAnEnqueue) {
  fill(10, 1);
  ASSERT_TRUE(store_.set_max_waiting("default", 10));
  std::vector<job::NewJob> jobs(1);
  jobs[0].kind = "kind0";
  (void)store_.enqueue(jobs);
  (void)steps();
  EXPECT_EQ(store_.enqueue(jobs).value().at(0).refused, Errc::QueueFull);
  EXPECT_LE(steps(), 60);
}

TEST_F(SqliteCost, APageCostsTheSameAmongFewJobsAndAmongMany) {
  const WorkerId worker = store_.join({"w", ""}).value();
  fill(10, 1);
  std::vector<job::NewJob> found(20);
  for (job::NewJob& job : found) {
    job.kind = "found";
    job.key = "key";
    job.tags = {"tag"};
  }
  ASSERT_TRUE(store_.enqueue(found));
  fail_all("found", worker);

  std::vector<Filter> filters(4);
  filters[0].tag = "tag";
  filters[1].key = "key";
  filters[2].error_class = "exit:3";
  filters[3].tag = "tag";
  filters[3].key = "key";
  filters[3].state = JobState::Dead;
  const auto costs = [&] {
    std::vector<int> all;
    for (const Filter& filter : filters) {
      (void)store_.select(filter, "", 5);
      (void)steps();
      EXPECT_EQ(store_.select(filter, "", 5).value().ids.size(), 5U);
      all.push_back(steps());
    }
    return all;
  };
  const auto few = costs();
  fill(100'000, 1);
  const auto many = costs();
  for (std::size_t i = 0; i < few.size(); ++i) EXPECT_LE(many[i], few[i] + few[i] / 10) << i;
}

TEST_F(SqliteCost, ATimeIsFoundByHalving) {
  fill(100'000, 1);
  Filter filter;
  filter.since = store_.find(50'000).value().enqueued_at;
  (void)store_.select(filter, "", 5);
  (void)steps();
  EXPECT_EQ(store_.select(filter, "", 5).value().ids.size(), 5U);
  EXPECT_LE(steps(), 1'000);
}

TEST_F(SqliteCost, APageLooksAtABoundedNumberOfRows) {
  fill(30'000, 1);
  Filter filter;
  filter.since = Time{};
  filter.kind = "none";
  std::string cursor;
  int pages = 0;
  do {
    (void)steps();
    const IdPage page = store_.select(filter, cursor, 1).value();
    EXPECT_TRUE(page.ids.empty());
    EXPECT_LE(steps(), 400'000);
    cursor = page.next;
    ++pages;
  } while (!cursor.empty());
  EXPECT_GE(pages, 3);
}

TEST_F(SqliteCost, AClaimCostsTheSameWhileAnotherQueueHasAHundredThousandJobsThatAreDue) {
  const WorkerId worker = store_.join({"w", ""}).value();
  fill(10, 1);
  const int alone = cost_of_a_claim(worker);
  fill_due("other", 100'000);
  const int beside = cost_of_a_claim(worker);
  EXPECT_LE(beside, alone + alone / 10) << alone;
  EXPECT_EQ(scheduled("other"), 100'000) << "none of them was touched";
}

TEST_F(SqliteCost, AClaimPromotesABoundedPartOfWhatIsDueInItsOwnQueue) {
  const WorkerId worker = store_.join({"w", ""}).value();
  fill_due("default", 5'000);
  ClaimRequest request;
  request.worker = worker;
  request.queues = {"default"};
  request.kinds = {{"kind0", 1}};
  request.limit = 1;
  EXPECT_EQ(store_.claim(request).value().claims.size(), 1U);
  EXPECT_EQ(scheduled("default"), 5'000 - static_cast<std::int64_t>(limits::kMaxStep));
}

TEST_F(SqliteCost, SchedulesOfOtherQueuesCostAClaimNothingButALook) {
  const WorkerId worker = store_.join({"w", ""}).value();
  fill(10, 1);
  const int without = cost_of_a_claim(worker);
  for (int i = 0; i < 1'000; ++i) {
    Schedule schedule;
    schedule.name = "s" + std::to_string(i);
    schedule.rule.expression = "@every 1s";
    schedule.job.queue = "other";
    schedule.job.kind = "kind0";
    ASSERT_TRUE(store_.put_schedule(schedule));
  }
  const int with = cost_of_a_claim(worker);
  EXPECT_LE(with, without + 100) << without;
}

}  // namespace
}  // namespace galley::store::sqlite
