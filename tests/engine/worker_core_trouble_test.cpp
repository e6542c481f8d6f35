// Shutdown, draining, stores that fail, and stalls.
#include "engine/core_bench.hpp"

namespace galley::engine {
namespace {

TEST(WorkerCoreTrouble, StopLetsAttemptsGoOnUntilTheGraceIsOver) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2, 0s, job::Content::Command)});
  bench.core.stop(bench.now);
  bench.core.on_ring();
  bench.now += 10s;
  bench.run_dry();
  EXPECT_TRUE(bench.core.due(bench.now + 14999ms).empty());
  bench.now += 10s;
  bench.run_dry();
  bench.now += 5s;
  EXPECT_LE(bench.core.next_deadline(), bench.now);
  const auto actions = bench.core.due(bench.now);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].reason, StopReason::Shutdown);
  const auto kills = bench.core.due(bench.now + 5s);
  ASSERT_EQ(kills.size(), 2U);
  EXPECT_EQ(kills[0].kind, Action::Kind::Stuck) << "the handler";
  EXPECT_EQ(kills[1].slot, starts[1].slot);

  bench.core.on_ended(starts[0].slot, stopped_early());
  AttemptEnd killed = stopped_early();
  killed.command = killed.implied = true;
  killed.outcome = Outcome::fail("killed by SIGKILL");
  bench.core.on_ended(starts[1].slot, killed);
  const auto exchange = bench.expect<Exchange>();
  ASSERT_EQ(exchange.finishes.size(), 2U);
  EXPECT_TRUE(exchange.requests.empty()) << "a stopping worker claims nothing";
  EXPECT_EQ(exchange.finishes[0].outcome, "paused");
  EXPECT_EQ(exchange.finishes[1].outcome, "paused");
  EXPECT_EQ(exchange.finishes[1].delay, 1s);
  static_cast<void>(bench.answer(exchange));
  EXPECT_FALSE(bench.expect<Done>().abandoned);
}

TEST(WorkerCoreTrouble, ClaimsThatArriveAfterAStopAreReleased) {
  Bench bench;
  const auto exchange = bench.expect<Exchange>();
  bench.core.stop(bench.now);
  EXPECT_TRUE(bench.answer(exchange, {claim_of(1)}).empty());
  const auto release = bench.expect<Exchange>();
  ASSERT_EQ(release.finishes.size(), 1U);
  EXPECT_EQ(release.finishes[0].event, job::JobEvent::Release);
  static_cast<void>(bench.answer(release));
  bench.expect<Done>();
}

TEST(WorkerCoreTrouble, HurryEndsTheGraceAndASecondOneKills) {
  Bench bench;
  bench.claim({claim_of(1), claim_of(2, 0s, job::Content::Command)});
  bench.core.hurry(bench.now);
  EXPECT_EQ(bench.core.due(bench.now).size(), 2U);
  bench.core.hurry(bench.now);
  const auto kills = bench.core.due(bench.now);
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].kind, Action::Kind::Kill);
}

TEST(WorkerCoreTrouble, HandlersThatDoNotEndArePutBackAsTheLastAct) {
  CoreOptions wanted = options();
  wanted.may_abandon = true;
  Bench bench(wanted);
  const auto starts = bench.claim({claim_of(1)});
  bench.core.hurry(bench.now);
  EXPECT_EQ(bench.core.due(bench.now).size(), 1U);
  EXPECT_EQ(std::get<Wait>(bench.run_dry()).until, bench.now + 5s);
  bench.now += 5s;
  const auto abandon = bench.expect<Abandon>();
  ASSERT_EQ(abandon.slots, (std::vector<SlotId>{starts[0].slot}));
  AttemptEnd end;
  end.checkpoint = "half";
  bench.core.on_abandoned(abandon.slots[0], end);
  const auto exchange = bench.expect<Exchange>();
  ASSERT_EQ(exchange.finishes.size(), 1U);
  EXPECT_EQ(exchange.finishes[0].outcome, "paused");
  EXPECT_EQ(exchange.finishes[0].delay, 1s);
  EXPECT_EQ(exchange.finishes[0].checkpoint, "half");
  static_cast<void>(bench.answer(exchange));
  EXPECT_TRUE(bench.expect<Done>().abandoned);
  bench.core.on_ended(starts[0].slot, done());
  EXPECT_TRUE(bench.expect<Done>().abandoned) << "what it returns now is nobody's";
}

TEST(WorkerCoreTrouble, AHandlerThatDoesNotEndAtItsDeadlineIsNotPutBack) {
  CoreOptions wanted = options();
  wanted.may_abandon = true;
  Bench bench(wanted);
  job::Claim claim = claim_of(1);
  claim.deadline = 1s;
  const auto starts = bench.claim({claim});
  bench.now += 1s;
  EXPECT_EQ(bench.core.due(bench.now).size(), 1U);
  bench.core.hurry(bench.now);
  static_cast<void>(bench.run_dry());
  bench.now += 5s;
  const auto abandon = bench.expect<Abandon>();
  bench.core.on_abandoned(abandon.slots.at(0), {});
  const auto exchange = bench.expect<Exchange>();
  EXPECT_EQ(exchange.finishes[0].claim.job, 1);
  EXPECT_EQ(exchange.finishes[0].event, job::JobEvent::Expire);
}

TEST(WorkerCoreTrouble, WithoutAWayToExitItWaitsForItsHandlersAndRenews) {
  Bench bench;
  bench.claim({claim_of(1)});
  bench.core.hurry(bench.now);
  static_cast<void>(bench.core.due(bench.now));
  for (int i = 0; i < 10; ++i) {
    bench.now += 10s;
    ASSERT_TRUE(std::holds_alternative<Renew>(bench.plan()));
    EXPECT_TRUE(std::holds_alternative<Wait>(bench.run_dry()));
  }
}

TEST(WorkerCoreTrouble, AFailedFinishIsSentAgainWithBackoff) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2)});
  bench.core.on_ended(starts[0].slot, done());
  static_cast<void>(bench.expect<Exchange>());
  EXPECT_TRUE(bench.core.on_store_error(bench.now, kUnavailable));
  EXPECT_EQ(bench.expect<Wait>().until, bench.now + 50ms);
  bench.now += 50ms;
  ASSERT_EQ(bench.expect<Exchange>().finishes.size(), 1U);
  EXPECT_FALSE(bench.core.on_store_error(bench.now, kUnavailable)) << "said once in a row";
  EXPECT_EQ(bench.expect<Wait>().until, bench.now + 100ms);
  bench.core.on_ended(starts[1].slot, done());
  bench.now += 100ms;
  auto exchange = bench.expect<Exchange>();
  ASSERT_EQ(exchange.finishes.size(), 1U) << "the same call again, so that a repeat is seen as one";
  EXPECT_EQ(exchange.finishes[0].claim.job, 1);
  static_cast<void>(bench.answer(exchange, {}, store::FinishAnswer::AlreadyFinished));
  EXPECT_EQ(bench.expect<Exchange>().finishes[0].claim.job, 2);
  EXPECT_EQ(bench.core.report().completed, 1);
}

TEST(WorkerCoreTrouble, BackoffEndsAtTwoSeconds) {
  Bench bench;
  Duration longest{0};
  for (int i = 0; i < 20; ++i) {
    Plan next = bench.core.plan(bench.now);
    if (auto* wait = std::get_if<Wait>(&next)) {
      longest = std::max(longest, wait->until - bench.now);
      bench.now = wait->until;
    } else {
      bench.core.on_store_error(bench.now, kUnavailable);
    }
  }
  EXPECT_EQ(longest, 2s);
}

TEST(WorkerCoreTrouble, FailingHousekeepingDoesNotBlockClaims) {
  Bench bench;
  bench.run_dry();
  bench.now += limits::kSafetyLook;
  bench.core.on_ring();
  ASSERT_TRUE(std::holds_alternative<Step>(bench.core.plan(bench.now)));
  bench.core.on_store_error(bench.now, kUnavailable);
  bench.now += 50ms;
  EXPECT_TRUE(std::holds_alternative<Exchange>(bench.core.plan(bench.now)));
}

TEST(WorkerCoreTrouble, AFailedRenewalIsTriedAgain) {
  Bench bench;
  bench.claim({claim_of(1)});
  bench.run_dry();
  bench.now += 10s;
  static_cast<void>(bench.expect<Renew>());
  bench.core.on_store_error(bench.now, kUnavailable);
  bench.now += 50ms;
  EXPECT_EQ(bench.expect<Renew>().claims.size(), 1U);
}

TEST(WorkerCoreTrouble, AnEndIsGivenUpAloudWhenItsLeaseIsOver) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1)});
  bench.core.on_ended(starts[0].slot, done());
  bench.core.stop(bench.now);
  const Mono end = bench.now + 30s;
  while (bench.now < end) {
    ASSERT_EQ(bench.expect<Exchange>().finishes.size(), 1U);
    bench.core.on_store_error(bench.now, kUnavailable);
    bench.now += 2s;
    EXPECT_EQ(bench.core.take_given_up().size(), 0U);
  }
  bench.expect<Done>();
  EXPECT_EQ(bench.core.take_given_up(), (std::vector<job::ClaimId>{{1, 1}}));
  EXPECT_EQ(bench.core.report().completed, 0);
}

TEST(WorkerCoreTrouble, ALateFinishIsNotCounted) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1)});
  bench.core.on_ended(starts[0].slot, done());
  static_cast<void>(bench.answer(bench.expect<Exchange>(), {}, store::FinishAnswer::LeaseLost));
  EXPECT_EQ(bench.core.report().completed, 0);
}

TEST(WorkerCoreTrouble, DrainsWhenNothingIsLeft) {
  CoreOptions wanted = options();
  wanted.drain = true;
  Bench bench(wanted);
  const auto starts = bench.claim({claim_of(1)});
  Plan next = bench.plan();
  if (std::holds_alternative<Exchange>(next)) {
    static_cast<void>(bench.answer(std::get<Exchange>(next)));
    next = bench.plan();
  }
  if (auto* look = std::get_if<Look>(&next)) {
    EXPECT_FALSE(look->whole) << "its own job still runs";
    bench.core.on_looked(bench.now, {});
  }
  EXPECT_FALSE(bench.core.drained());
  bench.core.on_ended(starts[0].slot, done());
  static_cast<void>(bench.answer(bench.expect<Exchange>()));
  bench.now += 50ms;
  EXPECT_TRUE(bench.expect<Look>().whole);
  Backlog backlog;
  backlog.left = true;  // runs elsewhere
  bench.core.on_looked(bench.now, backlog);
  EXPECT_EQ(bench.expect<Wait>().until, bench.now + 500ms);
  bench.now += 500ms;
  EXPECT_TRUE(bench.expect<Look>().whole);
  bench.core.on_looked(bench.now, {});
  bench.expect<Done>();
}

TEST(WorkerCoreTrouble, AStoreThatFailsForThirtySecondsStallsAWorkerWithAFreeSlot) {
  Bench bench;
  const Mono begin = bench.now;
  while (bench.now - begin < 30s) {
    ASSERT_FALSE(bench.core.report().stalled);
    static_cast<void>(bench.expect<Exchange>());
    bench.core.on_store_error(bench.now, kUnavailable);
    bench.now += 2s;
  }
  bench.expect<Done>();
  EXPECT_TRUE(bench.core.report().stalled);
  EXPECT_NE(bench.core.stalled().find("busy"), std::string::npos);
}

TEST(WorkerCoreTrouble, AJobOverlookedForThirtySecondsStallsButALineThatMovesDoesNot) {
  Bench bench;
  Backlog seen;
  const Mono begin = bench.now;
  JobId changing = 1;
  const auto look = [&](JobId id) {
    while (true) {
      Plan next = bench.plan();
      if (auto* exchange = std::get_if<Exchange>(&next)) {
        static_cast<void>(bench.answer(*exchange));
      } else if (auto* wait = std::get_if<Wait>(&next)) {
        bench.now = wait->until;
      } else {
        break;
      }
    }
    seen.overlooked = id;
    bench.core.on_looked(bench.now, seen);
  };
  while (bench.now - begin < 2min) look(changing++);
  EXPECT_FALSE(bench.core.report().stalled) << "the line moves: others are quicker";
  look(changing);
  bench.now += 40s;
  bench.core.on_ring();
  const auto starts = bench.claim({claim_of(7), claim_of(8)});
  bench.core.on_ended(starts[0].slot, done());
  bench.core.on_ended(starts[1].slot, done());
  look(changing);
  EXPECT_FALSE(bench.core.report().stalled) << "claims brought something in between";
  const Mono same = bench.now;
  while (!bench.core.stopping()) look(changing);
  EXPECT_TRUE(bench.core.report().stalled);
  EXPECT_GE(bench.now - same, 30s);
  EXPECT_LE(bench.now - same, 41s);
  bench.expect<Done>();
}

TEST(WorkerCoreTrouble, AClaimWithoutAThreadIsReleasedAndStallsAfterThirtySeconds) {
  Bench bench(options(1));
  const Mono begin = bench.now;
  while (!bench.core.stopping()) {
    Plan next = bench.plan();
    if (auto* wait = std::get_if<Wait>(&next)) {
      bench.now = wait->until;
      continue;
    }
    if (std::holds_alternative<Look>(next)) {
      bench.core.on_looked(bench.now, {});
      continue;
    }
    if (std::holds_alternative<Done>(next)) break;
    const auto& exchange = std::get<Exchange>(next);
    if (!exchange.finishes.empty()) {
      EXPECT_EQ(exchange.finishes[0].event, job::JobEvent::Release);
      EXPECT_EQ(exchange.requests.empty() ? 0 : exchange.requests[0].limit, 0) << "not again at once";
      static_cast<void>(bench.answer(exchange));
      continue;
    }
    for (const Start& start : bench.answer(exchange, {claim_of(1)})) bench.core.on_not_started(start.slot, bench.now);
    ASSERT_LE(bench.now - begin, 1min);
  }
  EXPECT_TRUE(bench.core.report().stalled);
  EXPECT_GE(bench.now - begin, 30s);
}

}  // namespace
}  // namespace galley::engine
