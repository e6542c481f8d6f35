// What a worker asks of its store, and what it does to running attempts.
#include "engine/core_bench.hpp"

namespace galley::engine {
namespace {

TEST(WorkerCore, ClaimsNeverExceedFreeSlots) {
  Bench bench(options(3));
  auto exchange = bench.expect<Exchange>();
  ASSERT_EQ(exchange.requests.size(), 1U);
  EXPECT_EQ(exchange.requests[0].limit, 3);
  EXPECT_EQ(bench.answer(exchange, {claim_of(1), claim_of(2)}).size(), 2U);

  bench.core.on_ring();
  exchange = bench.expect<Exchange>();
  EXPECT_EQ(exchange.requests[0].limit, 1);
  static_cast<void>(bench.answer(exchange, {claim_of(3)}));

  bench.core.on_ring();
  EXPECT_TRUE(std::holds_alternative<Wait>(bench.plan())) << "a full worker asks for nothing at once";
  bench.now += 300ms;
  exchange = bench.expect<Exchange>();
  EXPECT_EQ(exchange.requests[0].limit, 0) << "but listens for signals";
}

TEST(WorkerCore, GivesEachStartASlotOfItsOwn) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2)});
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_NE(starts[0].slot, starts[1].slot);
}

TEST(WorkerCore, AnEndTakesTheNextClaimWithIt) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2)});
  bench.core.on_ended(starts[0].slot, done());
  const auto exchange = bench.expect<Exchange>();
  ASSERT_EQ(exchange.finishes.size(), 1U);
  EXPECT_EQ(exchange.finishes[0].claim.job, 1);
  EXPECT_EQ(exchange.finishes[0].event, job::JobEvent::Complete);
  EXPECT_EQ(exchange.finishes[0].counters.attempts, 1);
  EXPECT_EQ(exchange.requests[0].limit, 1);
  static_cast<void>(bench.answer(exchange));
  EXPECT_EQ(bench.core.report().completed, 1);
}

TEST(WorkerCore, AnEndDuringTheCallIsToldByTheNextOne) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2)});
  bench.core.on_ended(starts[0].slot, done());
  const auto exchange = bench.expect<Exchange>();
  bench.core.on_ended(starts[1].slot, done());
  ASSERT_EQ(exchange.finishes.size(), 1U);
  static_cast<void>(bench.answer(exchange));
  const auto next = bench.expect<Exchange>();
  ASSERT_EQ(next.finishes.size(), 1U);
  EXPECT_EQ(next.finishes[0].claim.job, 2);
}

TEST(WorkerCore, ADryPoolLooksAgainWhenAJobIsDueAndAtTheSafetyLook) {
  Bench bench;
  static_cast<void>(bench.answer(bench.expect<Exchange>(), {}, store::FinishAnswer::Finished, 700ms));
  EXPECT_EQ(bench.expect<Wait>().until, bench.now + 700ms);
  bench.now += 700ms;
  static_cast<void>(bench.answer(bench.expect<Exchange>()));
  EXPECT_LE(bench.expect<Wait>().until, bench.now + limits::kSafetyLook);
}

TEST(WorkerCore, ARingMakesADryPoolClaim) {
  Bench bench;
  bench.run_dry();
  bench.core.on_ring();
  EXPECT_EQ(bench.expect<Exchange>().requests[0].limit, 2);
}

TEST(WorkerCore, ARingDuringTheClaimIsNotForgotten) {
  Bench bench;
  const auto exchange = bench.expect<Exchange>();
  bench.core.on_ring();
  static_cast<void>(bench.answer(exchange));
  EXPECT_EQ(bench.expect<Exchange>().requests[0].limit, 2);
}

TEST(WorkerCore, PoolsAskForTheirOwnQueuesAndSlots) {
  CoreOptions two = options();
  two.pools = {{"fast", 4, {{"drinks", 0}, {"fries", 0}}}, {"slow", 1, {{"burgers", 0}}}};
  Bench bench(two);
  const auto exchange = bench.expect<Exchange>();
  ASSERT_EQ(exchange.requests.size(), 2U);
  EXPECT_EQ(exchange.requests[0].queues, (std::vector<std::string>{"drinks", "fries"}));
  EXPECT_EQ(exchange.requests[0].limit, 4);
  EXPECT_EQ(exchange.requests[1].queues, (std::vector<std::string>{"burgers"}));
  EXPECT_EQ(exchange.requests[1].limit, 1);
}

TEST(WorkerCore, ALargePoolClaimsInBatches) {
  Bench bench(options(2500));
  std::vector<job::Claim> claims;
  for (JobId id = 1; id <= 1000; ++id) claims.push_back(claim_of(id));
  const auto exchange = bench.expect<Exchange>();
  EXPECT_EQ(exchange.requests[0].limit, static_cast<int>(limits::kMaxClaimBatch));
  EXPECT_EQ(bench.answer(exchange, claims).size(), 1000U);
  EXPECT_EQ(bench.expect<Exchange>().requests[0].limit, 1000) << "a full answer says that there may be more";
}

TEST(WorkerCore, RenewsEveryThirdOfTheLease) {
  Bench bench;
  bench.claim({claim_of(1)});
  bench.run_dry();
  for (int round = 0; round < 5; ++round) {
    bench.now += 10s;
    const auto renew = bench.expect<Renew>();
    ASSERT_EQ(renew.claims.size(), 1U);
    EXPECT_EQ(renew.claims[0].claim.job, 1);
    bench.renew(renew);
    bench.run_dry();
    EXPECT_TRUE(bench.core.due(bench.now).empty());
  }
}

TEST(WorkerCore, ChangedSignalsRenewAtOnce) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2)});
  bench.core.on_ended(starts[0].slot, done());
  bench.signals = 7;
  static_cast<void>(bench.answer(bench.expect<Exchange>()));
  const auto renew = bench.expect<Renew>();
  ASSERT_EQ(renew.claims.size(), 1U);
  EXPECT_EQ(renew.claims[0].claim.job, 2);
}

TEST(WorkerCore, NewsAreToldAtMostTenTimesASecond) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2)});
  bench.core.on_news(starts[0].slot);
  bench.renew(bench.expect<Renew>());
  bench.core.on_news(starts[1].slot);
  EXPECT_EQ(bench.expect<Wait>().until, bench.now + 100ms);
  bench.now += 100ms;
  EXPECT_EQ(bench.expect<Renew>().claims[0].slot, starts[1].slot);
}

TEST(WorkerCore, AnAttemptThatCannotBeRenewedIsStoppedBeforeItsLeaseEnds) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2, 0s, job::Content::Command)});
  bench.now += 23s;
  EXPECT_TRUE(bench.core.due(bench.now).empty());
  bench.now += 1s;
  const auto actions = bench.core.due(bench.now);
  ASSERT_EQ(actions.size(), 2U);
  for (const Action& action : actions) {
    EXPECT_EQ(action.kind, Action::Kind::Stop);
    EXPECT_EQ(action.reason, StopReason::LeaseEnding);
  }
  bench.now += 4499ms;
  EXPECT_TRUE(bench.core.due(bench.now).empty());
  bench.now += 1ms;  // 28.5 s of 30
  const auto kills = bench.core.due(bench.now);
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].kind, Action::Kind::Kill);
  EXPECT_EQ(kills[0].slot, starts[1].slot);
}

TEST(WorkerCore, ALeaseCountsFromBeforeTheCall) {
  Bench bench;
  static_cast<void>(bench.expect<Exchange>());
  store::FinishAndClaimAnswer answer;
  answer.claimed.resize(1);
  answer.claimed[0].claims = {claim_of(1)};
  static_cast<void>(bench.core.on_exchanged(bench.now, bench.now + 20s, answer));
  EXPECT_EQ(bench.core.due(bench.now + 24s).size(), 1U);
}

TEST(WorkerCore, ATimeOutStopsThenKillsACommand) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1, 3s, job::Content::Command)});
  EXPECT_EQ(starts[0].deadline, bench.now + 3s);
  EXPECT_LE(bench.core.next_deadline(), bench.now + 3s);
  EXPECT_TRUE(bench.core.due(bench.now + 2s).empty());
  const job::ClaimId claim{1, 1};
  EXPECT_EQ(bench.core.due(bench.now + 3s),
            (std::vector<Action>{{starts[0].slot, claim, Action::Kind::Stop, StopReason::TimedOut}}));
  EXPECT_TRUE(bench.core.due(bench.now + 7s).empty());
  EXPECT_EQ(bench.core.due(bench.now + 8s),
            (std::vector<Action>{{starts[0].slot, claim, Action::Kind::Kill, StopReason::TimedOut}}));
  EXPECT_TRUE(bench.core.due(bench.now + 9s).empty());
}

TEST(WorkerCore, ADeadlineStopsThenKillsACommandAndItsJobIsNotTriedAgain) {
  Bench bench;
  job::Claim claim = claim_of(1, 0s, job::Content::Command);
  claim.deadline = 3s;
  const auto starts = bench.claim({claim});
  EXPECT_EQ(starts[0].deadline, bench.now + 3s);
  EXPECT_TRUE(bench.core.due(bench.now + 2s).empty());
  EXPECT_EQ(bench.core.due(bench.now + 3s),
            (std::vector<Action>{{starts[0].slot, claim.id, Action::Kind::Stop, StopReason::Deadline}}));
  EXPECT_EQ(bench.core.due(bench.now + 8s),
            (std::vector<Action>{{starts[0].slot, claim.id, Action::Kind::Kill, StopReason::Deadline}}));
  EXPECT_EQ(bench.core.on_ended(starts[0].slot, stopped_early()), StopReason::Deadline);
  EXPECT_EQ(bench.expect<Exchange>().finishes[0].event, job::JobEvent::Expire);
}

TEST(WorkerCore, TheSoonerOfTimeOutAndDeadlineStopsAnAttempt) {
  Bench bench(options(3));
  std::vector<job::Claim> claims{claim_of(1, 3s), claim_of(2, 3s), claim_of(3, 3s)};
  claims[0].deadline = 4s;
  claims[1].deadline = 2s;
  claims[2].deadline = 3s;
  const auto starts = bench.claim(claims);
  EXPECT_EQ(starts[0].deadline, bench.now + 3s);
  EXPECT_EQ(starts[1].deadline, bench.now + 2s);
  static_cast<void>(bench.core.due(bench.now + 4s));
  const std::vector<StopReason> reasons{StopReason::TimedOut, StopReason::Deadline, StopReason::Deadline};
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(bench.core.on_ended(starts[i].slot, stopped_early()), reasons[i]) << i;
}

TEST(WorkerCore, ACancelOutranksADeadline) {
  Bench bench;
  job::Claim claim = claim_of(1);
  claim.deadline = 3s;
  const auto starts = bench.claim({claim});
  bench.now += 11s;
  static_cast<void>(bench.core.due(bench.now));
  bench.renew(bench.expect<Renew>(), {true, true, false});
  EXPECT_EQ(bench.core.on_ended(starts[0].slot, stopped_early()), StopReason::Cancelled);
}

TEST(WorkerCore, WhatAStepExpiredMakesItLookAgain) {
  Bench bench;
  static_cast<void>(bench.run_dry());
  store::StepAnswer answer;
  answer.next = 1h;
  answer.expired = 1;
  bench.core.on_stepped(bench.now, answer);
  EXPECT_TRUE(std::holds_alternative<Exchange>(bench.plan()));
}

TEST(WorkerCore, ATimedOutHandlerHoldsItsSlotAndItsClaimUntilItEnds) {
  Bench bench(options(1));
  const auto starts = bench.claim({claim_of(1, 3s)});
  bench.now += 3s;
  EXPECT_EQ(bench.core.due(bench.now).size(), 1U);
  bench.now += 7s;
  const auto late = bench.core.due(bench.now);
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late[0].kind, Action::Kind::Stuck) << "a handler cannot be killed";
  bench.core.on_ring();
  const auto renew = bench.expect<Renew>();
  EXPECT_EQ(renew.claims[0].claim.job, 1);
  bench.renew(renew);
  EXPECT_EQ(bench.expect<Exchange>().requests[0].limit, 0);
  static_cast<void>(bench.core.on_exchanged(bench.now, bench.now, {{}, {{}}, 0}));
  EXPECT_EQ(bench.core.on_ended(starts[0].slot, stopped_early()), StopReason::TimedOut);
  const auto exchange = bench.expect<Exchange>();
  EXPECT_EQ(exchange.finishes[0].outcome, "timed_out");
  EXPECT_EQ(exchange.requests[0].limit, 1);
}

TEST(WorkerCore, ACancelStopsAndCancels) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1)});
  bench.run_dry();
  bench.now += 10s;
  bench.renew(bench.expect<Renew>(), {true, true, false});
  const auto actions = bench.core.due(bench.now);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].reason, StopReason::Cancelled);
  bench.core.on_ended(starts[0].slot, stopped_early());
  EXPECT_EQ(bench.expect<Exchange>().finishes[0].event, job::JobEvent::Cancel);
}

TEST(WorkerCore, ALostClaimIsStoppedKilledAndItsEndDropped) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1, 0s, job::Content::Command)});
  bench.run_dry();
  bench.now += 10s;
  bench.renew(bench.expect<Renew>(), {false, false, false});
  const auto actions = bench.core.due(bench.now);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].kind, Action::Kind::Stop);
  EXPECT_EQ(actions[1].kind, Action::Kind::Kill);
  EXPECT_EQ(bench.core.on_ended(starts[0].slot, stopped_early()), StopReason::Lost);
  bench.core.on_ring();
  EXPECT_TRUE(bench.expect<Exchange>().finishes.empty());
}

TEST(WorkerCore, HousekeepingComesRoundAndSoonerWhenThereIsMore) {
  Bench bench;
  bench.run_dry();
  bench.now += limits::kSafetyLook;
  EXPECT_TRUE(std::holds_alternative<Step>(bench.core.plan(bench.now)));
  store::StepAnswer answer;
  answer.next = 1s;
  bench.core.on_stepped(bench.now, answer);
  bench.run_dry();
  bench.now += 1s;
  EXPECT_TRUE(std::holds_alternative<Step>(bench.core.plan(bench.now)));
  answer.more = true;
  answer.recovered = 1;
  bench.core.on_stepped(bench.now, answer);
  EXPECT_EQ(bench.expect<Exchange>().requests[0].limit, 2) << "what was recovered can be claimed";
  static_cast<void>(bench.core.on_exchanged(bench.now, bench.now, {{}, {{}}, 0}));
  bench.now += 10ms;
  EXPECT_TRUE(std::holds_alternative<Step>(bench.core.plan(bench.now)));
}

}  // namespace
}  // namespace galley::engine
