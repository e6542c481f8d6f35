#include "cli/running.hpp"

#include <gtest/gtest.h>

#include "store/memory/memory_store.hpp"

namespace galley::cli {
namespace {

using namespace std::chrono_literals;

TEST(RunningJobs, TellTheirProgressAndWhetherTheyShouldHaveEnded) {
  base::ManualClock clock;
  const auto store = store::open_memory(clock);
  job::NewJob job;
  job.queue = "q";
  job.kind = "import";
  job.payload = "{}";
  job.policy.timeout = 10s;
  job.policy.grace = 5s;
  ASSERT_TRUE(store->enqueue(std::span(&job, 1)));
  job.policy.timeout = 0s;
  ASSERT_TRUE(store->enqueue(std::span(&job, 1)));
  ASSERT_TRUE(store->enqueue(std::span(&job, 1))) << "one that waits";
  store::ClaimRequest request;
  request.worker = store->join({.name = "host:1", .queues = {"q"}, .kinds = {"import"}, .slots = 2}).value();
  request.queues = {"q"};
  request.kinds = {{"import", 2}};
  request.limit = 2;
  request.lease = 1min;
  const auto claims = store->claim(request).value().claims;
  ASSERT_EQ(claims.size(), 2U);
  const store::Renewal renewal{claims[0].id, "12 of 100\nmore", {}};
  ASSERT_TRUE(store->renew(std::span(&renewal, 1), 1min).value().at(0).held);
  clock.advance(14s);
  auto running = running_jobs(*store, clock.wall(), 10).value();
  ASSERT_EQ(running.size(), 2U);
  EXPECT_EQ(running[0].worker, "host:1");
  EXPECT_EQ(running[0].kind, "import");
  EXPECT_EQ(running[0].progress, "12 of 100");
  EXPECT_EQ(running[0].since, 14s);
  EXPECT_FALSE(running[0].stuck) << "its grace is not over";
  clock.advance(2s);
  running = running_jobs(*store, clock.wall(), 10).value();
  EXPECT_TRUE(running.at(0).stuck);
  EXPECT_FALSE(running.at(1).stuck) << "it has no time-out";
  EXPECT_EQ(running_jobs(*store, clock.wall(), 1).value().size(), 1U);
}

}  // namespace
}  // namespace galley::cli
