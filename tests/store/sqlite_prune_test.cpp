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
    request.kinds = {{"k", 10}};
    request.limit = 10;
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

}  // namespace
}  // namespace galley::store::sqlite
