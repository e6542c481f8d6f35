// Limits on what runs at a time and on starts in a period, and the orders of queues.

#include "contract/support.hpp"

namespace galley::store::contract {

class Limits : public Contract {
 protected:
  static LimitTarget named(std::string name) { return {LimitScope::Name, "", std::move(name)}; }
  static LimitTarget of_key(std::string key) { return {LimitScope::Key, "default", std::move(key)}; }
  static LimitRule at_once(int jobs) {
    LimitRule rule;
    rule.max_running = jobs;
    return rule;
  }
  static LimitRule rate(int jobs, Duration period, int burst = 1) { return {0, jobs, period, burst}; }
  void set(const LimitTarget& target, const LimitRule& rule) { ASSERT_TRUE(store.put_limit(target, rule)); }
  JobId mail() { return add(a_job().limits({"smtp"})); }
  std::int64_t running(std::size_t which = 0) { return store.limits().value().at(which).running; }
};
INSTANTIATE_TEST_SUITE_P(Every, Limits, testing::ValuesIn(backends()), backend_name);

TEST_P(Limits, ANameThatNobodySetBindsNothing) {
  mail();
  mail();
  EXPECT_EQ(claim().size(), 2U);
  EXPECT_TRUE(store.limits().value().empty());
}

TEST_P(Limits, SoManyRunAtATimeAndAnEndLetsTheNextOneGo) {
  set(named("smtp"), at_once(2));
  const Ids jobs{mail(), mail(), mail(), mail()};
  const auto first = claim();
  EXPECT_EQ(ids(first), (Ids{jobs[0], jobs[1]}));
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(running(), 2);
  finish(first[1], JobEvent::Complete);
  EXPECT_EQ(ids(claim()), Ids{jobs[2]});
  EXPECT_TRUE(claim().empty());
}

TEST_P(Limits, JobsThatAreNotBoundGoPast) {
  set(named("smtp"), at_once(1));
  const Ids jobs{mail(), mail(), add(a_job()), add(a_job().limits({"disk"})), add(a_job().key("a"))};
  const Ids got = ids(claim());
  EXPECT_EQ(got.size(), 4U);
  EXPECT_EQ(std::count(got.begin(), got.end(), jobs[1]), 0);
}

TEST_P(Limits, OneLimitHoldsOverKindsAndQueuesAndPools) {
  set(named("smtp"), at_once(1));
  mail();
  add(a_job().kind("z").limits({"smtp"}));
  add(a_job().queue("other").limits({"smtp"}));
  EXPECT_EQ(claim(ClaimBuilder(worker).queues({"other", "default"}).kind("k").kind("z")).size(), 1U);
  EXPECT_EQ(claim(ClaimBuilder(worker).queues({"other", "default"}).kind("k").kind("z")).size(), 0U);
}

TEST_P(Limits, AllOfAJobsLimitsDecideTogether) {
  set(named("smtp"), at_once(1));
  set(named("disk"), at_once(1));
  const JobId both = add(a_job().limits({"smtp", "disk"}));
  const JobId disk = add(a_job().limits({"disk"}));
  const JobId smtp = mail();
  const auto first = claim(1);
  EXPECT_EQ(ids(first), Ids{both});
  EXPECT_TRUE(claim().empty());
  finish(first[0], JobEvent::Complete);
  EXPECT_EQ(ids(claim()), (Ids{disk, smtp}));
  const JobId again = add(a_job().limits({"smtp", "disk"}));
  EXPECT_EQ(store.standing(again).value().full.size(), 2U);
  EXPECT_TRUE(claim().empty());
}

TEST_P(Limits, WhateverEndsAClaimGivesItBack) {
  set(named("smtp"), at_once(1));
  mail();
  for (const JobEvent event : {JobEvent::Release, JobEvent::Pause, JobEvent::Retry}) {
    const job::Claim one = claim_one();
    EXPECT_EQ(running(), 1);
    finish(one, event, Duration{0});
    EXPECT_EQ(running(), 0) << job::name(event);
    (void)step();
  }
  (void)claim_one();
  clock.advance(limits::kLease + 1us);
  EXPECT_EQ(step().recovered, 1);
  EXPECT_EQ(running(), 0);
  const job::Claim last = claim_one();
  EXPECT_EQ(cancel(last.id.job), Operated::Requested);
  ASSERT_TRUE(store.leave(worker));
  (void)step();
  EXPECT_EQ(running(), 0);
}

TEST_P(Limits, OfAQueueAndOfAKind) {
  set({LimitScope::Queue, "", "default"}, at_once(3));
  set({LimitScope::Kind, "", "k"}, at_once(2));
  for (int i = 0; i < 5; ++i) add(a_job());
  for (int i = 0; i < 5; ++i) add(a_job().kind("z"));
  const auto got = claim(ClaimBuilder(worker).kind("k").kind("z"));
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[2].kind, "z");
  add(a_job().queue("other"));
  EXPECT_TRUE(claim(ClaimBuilder(worker).queues({"other"}).kind("k")).empty()) << "the kind's limit is the store's";
}

TEST_P(Limits, OfAKindOfCommands) {
  set({LimitScope::Kind, "", "c"}, at_once(1));
  add(a_job().kind("c").command("p"));
  add(a_job().kind("c").command("p").key("a"));
  add(a_job().kind("c").command("p"));
  const JobId other = add(a_job().kind("d").command("p"));
  EXPECT_EQ(claim(ClaimBuilder(worker).any_command(1)).size(), 1U);
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).commands(9, {"p"}))), Ids{other});
}

TEST_P(Limits, ManyCommandsOfAFullKindDoNotHoldUpThoseOfOthers) {
  ASSERT_TRUE(store.put_limit({LimitScope::Kind, "", "slow"}, {.max_running = 1}));
  Ids slow;
  for (std::size_t i = 0; i < limits::kMaxLaneLook + 50; ++i) slow.push_back(add(a_job().kind("slow").command("p")));
  const JobId quick = add(a_job().kind("quick").command("q"));
  const JobId other = add(a_job().kind("quick").command("p"));
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).commands(2, {"p"}))), (Ids{slow[0], other}));
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).any_command(10))), Ids{quick});
  EXPECT_TRUE(claim(ClaimBuilder(worker).any_command(10)).empty());
}

TEST_P(Limits, CommandsWithKeysOfAFullKindDoNotHideThoseOfOthers) {
  set({LimitScope::Kind, "", "slow"}, at_once(1));
  const auto slow = [this](std::size_t i) {
    return add(a_job().kind("slow").command("p").key("k" + std::to_string(i)));
  };
  const JobId first = slow(0);
  for (std::size_t i = 1; i < limits::kMaxLaneLook + 50; ++i) slow(i);
  const JobId quick = add(a_job().kind("quick").command("p").key("q"));
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).any_command(10))), (Ids{first, quick}));
}

TEST_P(Limits, OfAKeyAndOfEachKey) {
  set(of_key(""), at_once(1));
  set(of_key("b"), at_once(2));
  for (int i = 0; i < 3; ++i) add({a_job().key("a"), a_job().key("b"), a_job().key("c")});
  add({a_job(), a_job()});
  std::string keys;
  std::vector<job::Claim> of_a;
  for (const job::Claim& one : claim()) {
    keys += one.key.empty() ? "-" : one.key;
    if (one.key == "a") of_a.push_back(one);
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys, "--abbc");
  finish(of_a.at(0), JobEvent::Complete);
  EXPECT_EQ(claim_one().key, "a");
  EXPECT_TRUE(claim().empty());
  ASSERT_TRUE(store.remove_limit(of_key("")));
  EXPECT_EQ(claim().size(), 3U) << "one of a, two of c; b has a limit of its own";
}

TEST_P(Limits, ARateLetsSoManyStartInAPeriod) {
  set(named("smtp"), rate(2, 10s));
  for (int i = 0; i < 5; ++i) mail();
  const Claimed first = store.claim(ClaimBuilder(worker).kind("k")).value();
  EXPECT_EQ(first.claims.size(), 1U);
  EXPECT_EQ(first.next_due, 5s);
  clock.advance(5s - 1us);
  EXPECT_EQ(store.claim(ClaimBuilder(worker).kind("k")).value().next_due, 1us);
  clock.advance(1us);
  EXPECT_EQ(claim().size(), 1U);
  clock.advance(1h);
  EXPECT_EQ(claim().size(), 1U) << "what was not used is not kept";
}

TEST_P(Limits, ABurstMayStartAtOnce) {
  set(named("smtp"), rate(1, 1s, 3));
  for (int i = 0; i < 9; ++i) mail();
  EXPECT_EQ(store.limits().value().at(0).tokens, 3);
  EXPECT_EQ(claim().size(), 3U);
  EXPECT_EQ(store.limits().value().at(0).tokens, 0);
  clock.advance(2s);
  EXPECT_EQ(claim().size(), 2U);
}

TEST_P(Limits, ARateOfEachKeyComesBackInTime) {
  set(of_key(""), rate(1, 1s));
  for (int i = 0; i < 2; ++i) add({a_job().key("a"), a_job().key("b")});
  EXPECT_EQ(claim().size(), 2U);
  EXPECT_EQ(store.claim(ClaimBuilder(worker).kind("k")).value().next_due, 1s);
  clock.advance(1s);
  EXPECT_EQ(claim().size(), 2U);
}

TEST_P(Limits, AReleasedJobGivesItsStartBack) {
  set(named("smtp"), rate(1, 1h));
  mail();
  const job::Claim one = claim_one();
  finish(one, JobEvent::Release);
  EXPECT_EQ(claim_one().id.job, one.id.job);
}

TEST_P(Limits, AJobThatIsReleasedLateLetsNoMoreStartThanTheRate) {
  set(named("smtp"), rate(1, 10s));
  for (int i = 0; i < 3; ++i) mail();
  const job::Claim late = claim_one();
  clock.advance(20s);
  (void)claim_one();
  clock.advance(5s);
  finish(late, JobEvent::Release);
  EXPECT_TRUE(claim().empty()) << "one has started five seconds ago";
  clock.advance(5s);
  EXPECT_EQ(claim().size(), 1U);
}

TEST_P(Limits, AreSetChangedShownAndRemoved) {
  set(named("smtp"), at_once(1));
  set({LimitScope::Queue, "", "default"}, rate(1, 1s, 5));
  mail();
  mail();
  EXPECT_EQ(claim().size(), 1U);
  set(named("smtp"), at_once(2));
  EXPECT_EQ(claim().size(), 1U) << "what runs still counts";
  const auto all = store.limits().value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].target.scope, LimitScope::Queue);
  EXPECT_EQ(all[0].tokens, 3);
  EXPECT_EQ(all[1].rule, at_once(2));
  EXPECT_EQ(all[1].running, 2);
  ASSERT_TRUE(store.remove_limit(named("smtp")));
  EXPECT_EQ(store.remove_limit(named("smtp")).error().code, Errc::NotFound);
}

TEST_P(Limits, AreChecked) {
  EXPECT_REFUSED(store.put_limit(named("a b"), at_once(1)));
  EXPECT_REFUSED(store.put_limit(named(""), at_once(1)));
  EXPECT_REFUSED(store.put_limit({LimitScope::Kind, "default", "k"}, at_once(1)));
  EXPECT_REFUSED(store.put_limit(named("a"), LimitRule{}));
  EXPECT_REFUSED(store.put_limit(named("a"), at_once(-1)));
  EXPECT_REFUSED(store.put_limit(named("a"), rate(1, Duration{0})));
  EXPECT_REFUSED(store.put_limit(named("a"), rate(1, 1s, 0)));
  for (const auto& names : {std::vector<std::string>{"a", "a"}, {"a", "b", "c", "d", "e"}, {"a,b"}}) {
    const job::NewJob job = a_job().limits(names);
    EXPECT_REFUSED(store.enqueue(std::span(&job, 1)));
  }
  EXPECT_EQ(store.standing(77).error().code, Errc::NotFound);
}

TEST_P(Limits, AFullLaneDoesNotHoldUpItsKeysOtherJobs) {
  set(named("smtp"), at_once(1));
  add({a_job().key("a").limits({"smtp"}), a_job().key("a").limits({"smtp"}), a_job().key("a")});
  EXPECT_EQ(claim().size(), 2U);
}

// ---- the order of a queue ---------------------------------------------------------------------------------------

class OrderOfQueue : public Contract {};
INSTANTIATE_TEST_SUITE_P(Every, OrderOfQueue, testing::ValuesIn(backends()), backend_name);

TEST_P(OrderOfQueue, ShortestGoesByWhatIsExpected) {
  ASSERT_TRUE(store.set_order("default", job::Order::Shortest));
  const Ids jobs = add({a_job().expect(10s), a_job().expect(1s), a_job(), a_job().expect(1s).priority(1)});
  EXPECT_EQ(ids(claim()), (Ids{jobs[3], jobs[2], jobs[1], jobs[0]}));
  EXPECT_EQ(find(jobs[0]).expect, 10s);
}

TEST_P(OrderOfQueue, ALongJobIsPassedForABoundedTime) {
  ASSERT_TRUE(store.set_order("default", job::Order::Shortest));
  const JobId longest = add(a_job().expect(1s));
  clock.advance(101s);
  const JobId late = add(a_job());
  EXPECT_EQ(ids(claim()), (Ids{longest, late}));
}

TEST_P(OrderOfQueue, ShortestGoesByWhatReportsSaid) {
  ASSERT_TRUE(store.set_order("default", job::Order::Shortest));
  Measured slow;
  slow.queue = "default";
  slow.kind = "slow";
  slow.run.add(10s, 3);
  ASSERT_TRUE(store.report(std::span(&slow, 1)));
  const Ids jobs = add({a_job().kind("slow"), a_job()});
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).kind("k").kind("slow"))), (Ids{jobs[1], jobs[0]}));
}

TEST_P(OrderOfQueue, DeadlineGoesByDeadlines) {
  ASSERT_TRUE(store.set_order("default", job::Order::Deadline));
  const Ids jobs = add({a_job(), a_job().deadline(2h), a_job().deadline(1h), a_job().deadline(48h)});
  EXPECT_EQ(ids(claim()), (Ids{jobs[2], jobs[1], jobs[0], jobs[3]}));
}

TEST_P(OrderOfQueue, TheWaitIsCountedFromWhenAJobBecameReady) {
  for (const job::Order order : {job::Order::Shortest, job::Order::Deadline}) {
    ASSERT_TRUE(store.set_order("default", order));
    add(a_job().expect(1s).priority(2));
    clock.advance(3s);
    EXPECT_EQ(claim_one().waited, 3s) << job::name(order);
    clock.advance(1min);
    EXPECT_GE(step().recovered, 1);
    clock.advance(5s);
    const job::Claim again = claim_one();
    EXPECT_EQ(again.waited, 5s);
    finish(again, JobEvent::Complete);
  }
}

TEST_P(OrderOfQueue, IsShownAndConcernsWhatBecomesReadyFromThen) {
  const Ids first = add({a_job().expect(9s), a_job()});
  ASSERT_TRUE(store.set_order("default", job::Order::Shortest));
  EXPECT_EQ(store.queues().value().at(0).order, job::Order::Shortest);
  EXPECT_EQ(ids(claim()), first);
  ASSERT_TRUE(store.set_order("default", job::Order::Fifo));
  EXPECT_EQ(store.queues().value().at(0).order, job::Order::Fifo);
  EXPECT_REFUSED(store.set_order("a b", job::Order::Fifo));
}

}  // namespace galley::store::contract
