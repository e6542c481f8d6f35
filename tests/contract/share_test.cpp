// Fair shares among the keys of a kind.

#include <map>

#include "contract/support.hpp"

namespace galley::store::contract {

class Share : public Contract {
 protected:
  void fill(const std::string& key, int jobs, int priority = 0) {
    for (int i = 0; i < jobs; ++i) add(a_job().key(key).priority(priority));
  }
  /// The keys of the next jobs, in order.
  std::string next(int jobs) {
    std::string keys;
    for (const job::Claim& claim : claim(jobs)) keys += claim.key.empty() ? "-" : claim.key;
    return keys;
  }
  std::map<char, int> count(const std::string& keys) {
    std::map<char, int> counts;
    for (const char key : keys) ++counts[key];
    return counts;
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Share, testing::ValuesIn(backends()), backend_name);

TEST_P(Share, KeysTakeTurnsHoweverManyJobsEachHas) {
  fill("a", 100);
  fill("b", 3);
  fill("c", 2);
  EXPECT_EQ(next(9), "abcabcaba");
}

TEST_P(Share, AClaimOfManyIsSharedAsManyClaimsOfOneAre) {
  fill("a", 10);
  fill("b", 10);
  std::string one_by_one;
  for (int i = 0; i < 6; ++i) one_by_one += next(1);
  EXPECT_EQ(one_by_one, "ababab");
  EXPECT_EQ(next(6), "ababab");
}

/// With weights, priorities, names, more lanes than one look goes through, and limits that fill up on the way.
TEST_P(Share, AClaimOfManyChoosesAsManyClaimsOfOne) {
  LimitRule rule;
  rule.max_running = 20;
  const auto order_of = [&](const std::string& queue, int at_once) {
    EXPECT_TRUE(store.set_weight(queue, "key3", 5));
    EXPECT_TRUE(store.put_limit({LimitScope::Name, "", queue}, rule));
    EXPECT_TRUE(store.put_limit({LimitScope::Key, queue, "key7"}, rule));
    for (int i = 0; i < 600; ++i) {
      job::NewJob job = a_job().queue(queue);
      job.payload = std::to_string(i);
      if (i % 5 != 0) job.key = "key" + std::to_string(i % 7 == 0 ? 7 : i % 140);
      if (i % 11 == 0) job.limits = {queue};
      job.ordered = i % 13 == 0 && !job.key.empty();
      job.priority = i % 17 == 0 ? 1 : 0;
      add(job);
    }
    std::vector<std::string> order;
    while (true) {
      const auto claims = claim(ClaimBuilder(worker).queues({queue}).kind("k").limit(at_once));
      if (claims.empty()) return order;
      for (const job::Claim& claim : claims) order.push_back(claim.payload);
    }
  };
  const auto one_by_one = order_of("one", 1);
  EXPECT_GT(one_by_one.size(), 400U);
  EXPECT_EQ(order_of("many", 250), one_by_one);
}

TEST_P(Share, JobsWithoutAKeyAreOneMoreKey) {
  for (int i = 0; i < 10; ++i) add(a_job());
  fill("a", 10);
  fill("b", 10);
  EXPECT_EQ(count(next(9)), (std::map<char, int>{{'-', 3}, {'a', 3}, {'b', 3}}));
}

TEST_P(Share, AWeightIsAShare) {
  ASSERT_TRUE(store.set_weight("default", "a", 3));
  fill("a", 40);
  fill("b", 40);
  EXPECT_EQ(count(next(40)), (std::map<char, int>{{'a', 30}, {'b', 10}}));
  ASSERT_TRUE(store.set_weight("default", "a", 1));
  const auto counts = count(next(20));
  EXPECT_LE(std::abs(counts.at('a') - counts.at('b')), 2);
}

TEST_P(Share, WhoHasOneJobAtATimeDoesNotGoFirstEveryTime) {
  fill("a", 20);
  std::string order;
  for (int i = 0; i < 10; ++i) {
    fill("b", 1);
    order += next(1);
    if (order.back() == 'a') order += next(1);
  }
  const auto counts = count(order);
  EXPECT_LE(std::abs(counts.at('a') - counts.at('b')), 2) << order;
}

TEST_P(Share, WhoWasAwayGetsNoMoreThanItsTurnNow) {
  fill("a", 40);
  EXPECT_EQ(count(next(20)).at('a'), 20);
  fill("b", 20);
  EXPECT_EQ(count(next(10)), (std::map<char, int>{{'a', 5}, {'b', 5}}));
}

TEST_P(Share, WhoComesBackAfterHoursIsAsOneThatIsNew) {
  fill("a", 5);
  for (int i = 0; i < 5; ++i) run_one();
  clock.advance(3h);
  (void)step();
  fill("a", 2);
  fill("b", 2);
  EXPECT_EQ(next(4), "abab");
}

TEST_P(Share, PriorityGoesBeforeTurns) {
  fill("a", 5);
  fill("b", 5, 1);
  EXPECT_EQ(next(6), "bbbbba");
  add(a_job().priority(2));
  EXPECT_EQ(next(1), "-");
}

TEST_P(Share, TheFirstJobOfAKeyDecidesItsPriority) {
  fill("a", 2);
  fill("b", 1);
  add(a_job().key("a").priority(3));
  EXPECT_EQ(next(4), "abaa");
}

TEST_P(Share, WhatIsCancelledErasedOrMovedLeavesItsLane) {
  const Ids jobs = add({a_job().key("a"), a_job().key("a"), a_job().key("a"), a_job().key("a"), a_job().key("b")});
  EXPECT_EQ(cancel(jobs[0]), Operated::Done);
  EXPECT_EQ(erase(jobs[1]), Operated::Done);
  EXPECT_EQ(store.alter(std::span(&jobs[2], 1), {"other", {}}).value().at(0), Operated::Done);
  EXPECT_EQ(next(9), "ab");
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"other"}).kind("k"))), Ids{jobs[2]});
  expect_counts_match_contents();
}

TEST_P(Share, AReleasedJobKeepsItsPlaceAndItsKeyItsTurn) {
  fill("a", 3);
  fill("b", 3);
  const job::Claim first = claim_one();
  EXPECT_EQ(first.key, "a");
  EXPECT_EQ(finish(first, JobEvent::Release), FinishAnswer::Finished);
  const job::Claim again = claim_one();
  EXPECT_EQ(again.id.job, first.id.job);
  EXPECT_EQ(next(4), "baba");
}

TEST_P(Share, KindsAreComparedByTheJobThatEachRunsNext) {
  fill("a", 2);
  add(a_job().kind("other"));
  fill("b", 1);
  std::string order;
  for (const job::Claim& one : claim(ClaimBuilder(worker).kind("k").kind("other"))) {
    order += one.kind == "other" ? "o" : one.key;
  }
  EXPECT_EQ(order, "aoba") << "b has its turn before the second of a";
}

TEST_P(Share, AKindThatARequestNamesTwiceIsClaimedOnceAJob) {
  fill("a", 2);
  fill("b", 2);
  EXPECT_EQ(claim(ClaimBuilder(worker).kind("k", 1).kind("k", 2)).size(), 3U);
  EXPECT_EQ(next(9), "b");
}

TEST_P(Share, CommandsShareByKeyToo) {
  for (int i = 0; i < 4; ++i) add(a_job().kind("c").command("p").key("a"));
  for (int i = 0; i < 2; ++i) add(a_job().kind("d").command("q").key("b"));
  std::string order;
  for (const job::Claim& one : claim(ClaimBuilder(worker).any_command(5))) order += one.key;
  EXPECT_EQ(order, "ababa");
  EXPECT_EQ(claim(ClaimBuilder(worker).commands(5, {"q"})).size(), 0U);
  EXPECT_EQ(claim(ClaimBuilder(worker).commands(5, {"p"})).size(), 1U);
}

TEST_P(Share, ReadyJobsOfKeysAreListedAndCounted) {
  const Ids jobs = add({a_job().key("a"), a_job(), a_job().key("b"), a_job().key("a")});
  EXPECT_EQ(ids(list({.state = JobState::Ready})), jobs);
  EXPECT_EQ(ids(list({.state = JobState::Ready}, 1)), jobs);
  clock.advance(3s);
  EXPECT_EQ(store.queues().value().at(0).oldest_ready, 3s);
  expect_counts_match_contents();
}

TEST_P(Share, AWeightIsChecked) {
  EXPECT_REFUSED(store.set_weight("default", "a", 0));
  EXPECT_REFUSED(store.set_weight("default", "a", 1'001));
  EXPECT_REFUSED(store.set_weight("default", "", 2));
  EXPECT_REFUSED(store.set_weight("a b", "a", 2));
}

// ---- strict order within a key ----------------------------------------------------------------------------------

class Ordered : public Contract {
 protected:
  JobId put(const std::string& key) { return add(a_job().key(key).ordered()); }
};
INSTANTIATE_TEST_SUITE_P(Every, Ordered, testing::ValuesIn(backends()), backend_name);

TEST_P(Ordered, OneOfAKeyRunsAtATime) {
  const Ids jobs{put("a"), put("a"), put("b"), put("b")};
  const auto first = claim();
  EXPECT_EQ(ids(first), (Ids{jobs[0], jobs[2]}));
  EXPECT_TRUE(claim().empty());
  finish(first[0], JobEvent::Complete);
  EXPECT_EQ(ids(claim()), Ids{jobs[1]});
}

TEST_P(Ordered, AJobThatWaitsForAnotherTryHoldsUpItsKey) {
  const Ids jobs{put("a"), put("a")};
  EXPECT_EQ(run_one(JobEvent::Retry, 10s), jobs[0]);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(store.standing(jobs[1]).value().behind, jobs[0]);
  clock.advance(10s);
  EXPECT_EQ(run_one(JobEvent::Pause), jobs[0]);
  EXPECT_EQ(run_one(JobEvent::Retry, 10s), jobs[0]) << "it goes on though it stands behind";
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(cancel(jobs[0]), Operated::Done);
  EXPECT_EQ(ids(claim()), Ids{jobs[1]});
}

TEST_P(Ordered, AJobThatWaitsForHoursHoldsUpItsKeyAllTheSame) {
  const JobId first = put("a");
  EXPECT_EQ(run_one(JobEvent::Retry, 3h), first);
  clock.advance(2h);
  (void)step();
  const JobId second = put("a");
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(store.standing(second).value().behind, first);
  clock.advance(1h);
  EXPECT_EQ(run_one(), first);
  EXPECT_EQ(run_one(), second);
}

TEST_P(Ordered, AHolderThatMovesToAnotherQueueLetsItsKeyGo) {
  const Ids jobs{put("a"), put("a")};
  EXPECT_EQ(run_one(JobEvent::Retry, 1h), jobs[0]);
  ASSERT_EQ(store.alter(std::span(jobs).first(1), {"other", std::nullopt}).value().at(0), Operated::Done);
  EXPECT_EQ(run_one(), jobs[1]);
  clock.advance(1h);
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"other"}).kind("k"))), Ids{jobs[0]});
}

TEST_P(Ordered, ADeadOneThatIsRetriedWaitsForWhoHoldsTheKeyNow) {
  const Ids jobs{put("a"), put("a"), put("a")};
  EXPECT_EQ(run_one(JobEvent::Die), jobs[0]);
  const job::Claim second = claim_one();
  EXPECT_EQ(retry(jobs[0]), Operated::Done);
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(store.standing(jobs[0]).value().behind, jobs[1]);
  finish(second, JobEvent::Complete);
  EXPECT_EQ(run_one(), jobs[2]) << "it became ready before";
  EXPECT_EQ(run_one(), jobs[0]);
}

TEST_P(Ordered, EveryEndLetsTheNextOneGo) {
  const Ids jobs{put("a"), put("a"), put("a"), put("a"), put("a"), put("a")};
  EXPECT_EQ(run_one(JobEvent::Complete), jobs[0]);
  EXPECT_EQ(run_one(JobEvent::Die), jobs[1]);
  EXPECT_EQ(run_one(JobEvent::Discard), jobs[2]);
  EXPECT_EQ(run_one(JobEvent::Retry, 1min), jobs[3]);
  EXPECT_EQ(erase(jobs[3]), Operated::Done);
  const job::Claim fifth = claim_one();
  EXPECT_EQ(fifth.id.job, jobs[4]);
  EXPECT_EQ(finish(fifth, JobEvent::Release), FinishAnswer::Finished);
  EXPECT_EQ(ids(claim()), Ids{jobs[4]});
  clock.advance(limits::kLease + 1us);
  EXPECT_EQ(step().recovered, 1);
  EXPECT_EQ(ids(claim()), Ids{jobs[4]}) << "its worker died: it goes first again";
}

TEST_P(Ordered, PrioritiesDoNotChangeTheOrderWithinAKey) {
  const Ids jobs{put("a"), add(a_job().key("a").ordered().priority(5)), put("b")};
  EXPECT_EQ(run_one(), jobs[0]);
  EXPECT_EQ(run_one(), jobs[1]) << "now its key goes before b";
  EXPECT_EQ(run_one(), jobs[2]);
}

TEST_P(Ordered, DelayedJobsCountFromWhenTheyBecomeReady) {
  const JobId late = add(a_job().key("a").ordered().delay(1s));
  const JobId soon = put("a");
  clock.advance(2s);
  EXPECT_EQ(run_one(), soon);
  EXPECT_EQ(run_one(), late);
}

TEST_P(Ordered, OthersOfTheKeyAreNotHeldUp) {
  const JobId first = put("a");
  const JobId free = add(a_job().key("a"));
  EXPECT_EQ(ids(claim()), (Ids{first, free}));
  EXPECT_TRUE(find(first).ordered);
}

TEST_P(Ordered, NeedsAKey) {
  const job::NewJob job = a_job().ordered();
  EXPECT_REFUSED(store.enqueue(std::span(&job, 1)));
}

}  // namespace galley::store::contract
