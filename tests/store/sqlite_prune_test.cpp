// What one step deletes is bounded in rows, however many of them a job has.

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "store/sqlite/backend.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

using namespace std::chrono_literals;

class SqlitePrune : public testing::Test {
 protected:
  /// A job that has gathered as many others as it may.
  void add_largest_group(const std::string& key) {
    job::NewJob member;
    member.kind = "k";
    member.payload = "1";
    member.group.key = key;
    member.group.max_jobs = limits::kMaxGroupJobs;
    ASSERT_TRUE(store_.enqueue(std::vector(limits::kMaxGroupJobs, member)));
  }
  void complete_all() {
    ClaimRequest request;
    request.worker = store_.join({"w", ""}).value();
    request.queues = {"default"};
    request.kinds = {{"k", limits::kMaxClaimBatch}};
    request.limit = limits::kMaxClaimBatch;
    const Claimed claimed = store_.claim(request).value();
    for (const job::Claim& claim : claimed.claims) {
      Finish finish;
      finish.claim = claim.id;
      finish.counters.attempts = 1;
      ASSERT_EQ(store_.finish(std::span(&finish, 1)).value().at(0), FinishAnswer::Finished);
    }
  }

  test::TempDir dir_;
  base::ManualClock clock_;
  Backend store_{{dir_.file("prune.db"), Durability::Normal, false, &clock_}};
};

TEST_F(SqlitePrune, TakesLargeGroupsInSeveralSteps) {
  for (const std::string key : {"a", "b", "c"}) add_largest_group(key);
  complete_all();
  clock_.advance(limits::kKeepCompleted + 1s);
  StepAnswer step = store_.step(limits::kMaxStep).value();
  EXPECT_EQ(step.pruned, 2);
  EXPECT_TRUE(step.more);
  step = store_.step(limits::kMaxStep).value();
  EXPECT_EQ(step.pruned, 1);
  EXPECT_FALSE(step.more);
  EXPECT_EQ(store_.database().number("SELECT count(*) FROM galley_members"), 0);
}

TEST_F(SqlitePrune, PassesOverJobsThatABatchKeepsHoweverManyTheyAre) {
  const BatchId batch = store_.open_batch("long", "").value();
  job::NewJob job;
  job.kind = "k";
  job.payload = "1";
  job.batch = batch;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store_.enqueue(std::vector(limits::kMaxClaimBatch, job)));
    complete_all();
  }
  clock_.advance(1s);
  job.batch = 0;
  const JobId plain = store_.enqueue(std::span(&job, 1)).value().at(0).id;
  complete_all();
  clock_.advance(limits::kKeepCompleted + 1s);
  int pruned = 0;
  for (int i = 0; i < 10; ++i) pruned += store_.step(limits::kMaxStep)->pruned;
  EXPECT_EQ(pruned, 1);
  EXPECT_EQ(store_.find(plain).error().code, Errc::NotFound);
  ASSERT_TRUE(store_.seal_batch(batch));
  clock_.advance(limits::kKeepCompleted + 1s);
  for (int i = 0; i < 10; ++i) pruned += store_.step(limits::kMaxStep)->pruned;
  EXPECT_EQ(pruned, 3'001) << "the looks have gone round and begun anew";
}

TEST_F(SqlitePrune, LetsGoOfABatchWhoseLaneIsNeverQuiet) {
  const BatchId batch = store_.open_batch("short", "").value();
  job::NewJob member;
  member.kind = "k";
  member.payload = "1";
  member.batch = batch;
  job::NewJob plain = member;
  plain.batch = 0;
  ASSERT_TRUE(store_.enqueue(std::vector(50, member)));
  complete_all();
  const auto pass = [&](Duration time) {
    for (Duration passed{0}; passed < time; passed += 2min) {
      ASSERT_TRUE(store_.enqueue(std::span(&plain, 1)));
      complete_all();
      clock_.advance(2min);
      ASSERT_TRUE(store_.step(limits::kMaxStep));
    }
  };
  pass(limits::kKeepCompleted * 2);
  EXPECT_EQ(store_.find_batch(batch)->succeeded, 50);
  ASSERT_TRUE(store_.seal_batch(batch));
  pass(limits::kKeepCompleted + 10min);
  EXPECT_EQ(store_.find_batch(batch).error().code, Errc::NotFound) << "its jobs are gone, and so is it";
}

}  // namespace
}  // namespace galley::store::sqlite
