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

  test::TempDir dir_;
  base::SystemClock clock_;
  Backend store_{{dir_.file("cost.db"), Durability::Normal, false, &clock_}};
};

TEST_F(SqliteCost, AClaimCostsTheSameWithFewAndWithManyJobsWaiting) {
  const WorkerId worker = store_.join("w", "").value();
  fill(10, 1);
  const int few = cost_of_a_claim(worker);
  fill(100'000, 1);
  const int many = cost_of_a_claim(worker);
  EXPECT_GT(few, 50);
  EXPECT_LE(many, few + few / 10) << few;
}

TEST_F(SqliteCost, AClaimCostsTheSameWithOneLaneAndWithThousands) {
  const WorkerId worker = store_.join("w", "").value();
  fill(10, 1);
  const int one = cost_of_a_claim(worker);
  fill(50'000, 50'000);
  const int thousands = cost_of_a_claim(worker);
  EXPECT_LE(thousands, one + one / 10) << one;
}

}  // namespace
}  // namespace galley::store::sqlite
