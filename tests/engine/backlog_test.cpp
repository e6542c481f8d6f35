#include "engine/backlog.hpp"

#include <gtest/gtest.h>

#include "store/memory/memory_store.hpp"

namespace galley::engine {
namespace {

class BacklogTest : public testing::Test {
 protected:
  JobId add(const std::string& queue, const std::string& kind, Duration delay = Duration{0},
            const std::string& program = {}) {
    job::NewJob job;
    job.queue = queue;
    job.kind = kind;
    job.content = program.empty() ? job::Content::Bytes : job::Content::Command;
    job.program = program;
    job.payload = "{}";
    job.delay = delay;
    return store->enqueue(std::span(&job, 1)).value().front().id;
  }

  Backlog look(bool whole = true) {
    BacklogQuery query;
    query.queues = {"a", "b"};
    query.dry = {"a"};
    query.whole = whole;
    query.serves = [](const job::JobRecord& job) {
      return job.content == job::Content::Command ? job.program == "true" : job.kind == "k";
    };
    return look_at_backlog(*store, query).value();
  }

  base::ManualClock clock;
  std::unique_ptr<store::Store> store = store::open_memory(clock);
};

TEST_F(BacklogTest, AnEmptyStoreHasNothingLeft) {
  EXPECT_FALSE(look().left);
  EXPECT_FALSE(look().overlooked.has_value());
}

TEST_F(BacklogTest, ReadyScheduledAndRunningJobsAreLeft) {
  const JobId id = add("b", "k", std::chrono::seconds(5));
  EXPECT_TRUE(look().left) << "scheduled";
  clock.advance(std::chrono::seconds(6));
  ASSERT_TRUE(store->step(10).has_value());
  EXPECT_TRUE(look().left) << "ready";
  store::ClaimRequest request;
  request.worker = store->join({"w", ""}).value();
  request.queues = {"b"};
  request.kinds = {{"k", 1}};
  request.limit = 1;
  const auto claimed = store->claim(request).value();
  ASSERT_EQ(claimed.claims.size(), 1U);
  EXPECT_TRUE(look().left) << "running";
  store::Finish finish;
  finish.claim = claimed.claims[0].id;
  finish.counters.attempts = 1;
  finish.outcome = "completed";
  ASSERT_TRUE(store->finish(std::span(&finish, 1)).has_value());
  EXPECT_FALSE(look().left) << "completed";
  EXPECT_EQ(store->find(id)->state, JobState::Completed);
}

TEST_F(BacklogTest, NamesTheFirstReadyJobOfADryQueueOnly) {
  add("b", "k");
  EXPECT_FALSE(look(false).overlooked.has_value());
  const JobId first = add("a", "k");
  add("a", "k");
  EXPECT_EQ(look(false).overlooked, first);
}

TEST_F(BacklogTest, WhatNobodyHereServesIsNotLeftButNamed) {
  add("a", "other");
  add("a", "false", Duration{0}, "false");
  add("elsewhere", "k");
  const Backlog backlog = look();
  EXPECT_FALSE(backlog.left);
  EXPECT_FALSE(backlog.overlooked.has_value());
  EXPECT_EQ(backlog.unserved.size(), 2U);
}

TEST_F(BacklogTest, ACommandsKindSaysNothingAboutItsProgram) {
  for (int i = 0; i < 40; ++i) add("a", "batch", Duration{0}, "false");
  EXPECT_FALSE(look().left);
  const JobId served = add("a", "batch", Duration{0}, "true");
  EXPECT_TRUE(look().left);
  EXPECT_EQ(look().overlooked, served) << "on a later page";
}

TEST_F(BacklogTest, APausedQueueIsNotLeftButNamed) {
  add("a", "k");
  ASSERT_TRUE(store->pause("a").has_value());
  const Backlog backlog = look();
  EXPECT_FALSE(backlog.left);
  EXPECT_EQ(backlog.paused, (std::vector<std::string>{"a"}));
}

TEST_F(BacklogTest, WhatALimitOrItsKeyHoldsBackIsNotOverlooked) {
  job::NewJob limited;
  limited.queue = "a";
  limited.kind = "k";
  limited.payload = "{}";
  limited.limits = {"db"};
  job::NewJob ordered = limited;
  ordered.limits.clear();
  ordered.key = "ann";
  ordered.ordered = true;
  ASSERT_TRUE(store->put_limit({store::LimitScope::Name, "", "db"}, {.max_running = 1}));
  for (const job::NewJob& job : {limited, limited, ordered, ordered}) {
    ASSERT_TRUE(store->enqueue(std::span(&job, 1)).has_value());
  }
  store::ClaimRequest request;
  request.worker = store->join({"w", ""}).value();
  request.queues = {"a"};
  request.kinds = {{"k", 9}};
  request.limit = 9;
  ASSERT_EQ(store->claim(request)->claims.size(), 2U) << "one of each";
  EXPECT_EQ(look(false).overlooked, std::nullopt);
  EXPECT_TRUE(look().left);
  const JobId next = add("a", "k");
  EXPECT_EQ(look(false).overlooked, next);
}

TEST_F(BacklogTest, NoCommandIsOverlookedWhileAKindOfCommandsIsFull) {
  add("a", "batch", Duration{0}, "true");
  ASSERT_TRUE(store->put_limit({store::LimitScope::Kind, "", "other"}, {.max_running = 1}));
  EXPECT_TRUE(look(false).overlooked.has_value());
  add("b", "other", Duration{0}, "true");
  store::ClaimRequest request;
  request.worker = store->join({"w", ""}).value();
  request.queues = {"b"};
  request.commands = {1, true, {}};
  request.limit = 1;
  ASSERT_EQ(store->claim(request)->claims.size(), 1U);
  EXPECT_FALSE(look(false).overlooked.has_value()) << "it may stand behind many of them";
}

}  // namespace
}  // namespace galley::engine
