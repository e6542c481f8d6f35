#include "engine/worker_core.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace galley::engine {
namespace {

using namespace std::chrono_literals;
using base::Mono;

job::Claim claim_of(JobId id, Duration timeout = 0s, job::Content content = job::Content::Bytes) {
  job::Claim claim;
  claim.id = {id, 1};
  claim.queue = "a";
  claim.kind = "k";
  claim.content = content;
  claim.policy.timeout = timeout;
  claim.policy.grace = 5s;
  return claim;
}

AttemptEnd done() {
  AttemptEnd end;
  end.outcome = Outcome::done();
  return end;
}

AttemptEnd stopped_early() {
  AttemptEnd end;
  end.saw_stop = true;
  return end;
}

CoreOptions options(int slots = 2) {
  CoreOptions options;
  options.pools = {{"a", slots, {{"a", 0}}}};
  options.can.kinds = {"k"};
  options.can.any_command = true;
  options.lease = 30s;
  options.shutdown_grace = 25s;
  return options;
}

/// The store's side of the conversation, and the time.
class Bench {
 public:
  explicit Bench(CoreOptions wanted = options()) : core(std::move(wanted), now) {
    EXPECT_TRUE(std::holds_alternative<Step>(core.plan(now)));
    step();
  }

  void step() {
    store::StepAnswer answer;
    answer.next = 1h;
    core.on_stepped(now, answer);
  }

  /// The next plan that is not housekeeping.
  Plan plan() {
    Plan next = core.plan(now);
    while (std::holds_alternative<Step>(next)) {
      step();
      next = core.plan(now);
    }
    return next;
  }

  template <class T>
  T expect() {
    Plan next = plan();
    if (!std::holds_alternative<T>(next)) throw std::logic_error("not plan " + std::to_string(next.index()));
    return std::get<T>(std::move(next));
  }

  /// Answers an exchange: every finish with `finished`, the first pool's request with `claims`.
  std::vector<Start> answer(const Exchange& exchange, std::vector<job::Claim> claims = {},
                            store::FinishAnswer finished = store::FinishAnswer::Finished,
                            std::optional<Duration> next_due = {}) {
    store::FinishAndClaimAnswer answer;
    answer.finished.assign(exchange.finishes.size(), finished);
    answer.claimed.resize(exchange.requests.size());
    answer.signals = signals;
    if (!answer.claimed.empty()) {
      answer.claimed.front().claims = std::move(claims);
      answer.claimed.front().next_due = next_due;
    }
    return core.on_exchanged(now, now, std::move(answer));
  }

  std::vector<Start> claim(std::vector<job::Claim> claims) { return answer(expect<Exchange>(), std::move(claims)); }

  void renew(const Renew& renew, store::Renewed with = {true, false, false}) {
    const std::vector<store::Renewed> answers(renew.claims.size(), with);
    core.on_renewed(now, now, answers);
  }

  /// Answers everything that comes until the worker waits or ends. No job is there.
  Plan run_dry() {
    while (true) {
      Plan next = plan();
      if (auto* exchange = std::get_if<Exchange>(&next)) {
        static_cast<void>(answer(*exchange));
      } else if (auto* renewal = std::get_if<Renew>(&next)) {
        renew(*renewal);
      } else if (std::holds_alternative<Look>(next)) {
        core.on_looked(now, {});
      } else {
        return next;
      }
    }
  }

  Mono now{1h};
  std::uint64_t signals = 0;
  WorkerCore core;
};

const Error kUnavailable{Errc::Unavailable, "busy", Written::Nothing};

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

TEST(WorkerCore, NewsAreToldAtMostOnceASecond) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1), claim_of(2)});
  bench.core.on_news(starts[0].slot);
  bench.renew(bench.expect<Renew>());
  bench.core.on_news(starts[1].slot);
  EXPECT_EQ(bench.expect<Wait>().until, bench.now + 1s);
  bench.now += 1s;
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

TEST(WorkerCore, ATimedOutHandlerHoldsItsSlotAndItsClaimUntilItEnds) {
  Bench bench(options(1));
  const auto starts = bench.claim({claim_of(1, 3s)});
  bench.now += 3s;
  EXPECT_EQ(bench.core.due(bench.now).size(), 1U);
  bench.now += 7s;
  EXPECT_EQ(bench.core.due(bench.now).size(), 0U) << "a handler cannot be killed";
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

TEST(WorkerCore, StopLetsAttemptsGoOnUntilTheGraceIsOver) {
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
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].slot, starts[1].slot);

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

TEST(WorkerCore, ClaimsThatArriveAfterAStopAreReleased) {
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

TEST(WorkerCore, HurryEndsTheGraceAndASecondOneKills) {
  Bench bench;
  bench.claim({claim_of(1), claim_of(2, 0s, job::Content::Command)});
  bench.core.hurry(bench.now);
  EXPECT_EQ(bench.core.due(bench.now).size(), 2U);
  bench.core.hurry(bench.now);
  const auto kills = bench.core.due(bench.now);
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].kind, Action::Kind::Kill);
}

TEST(WorkerCore, HandlersThatDoNotEndArePutBackAsTheLastAct) {
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

TEST(WorkerCore, WithoutAWayToExitItWaitsForItsHandlersAndRenews) {
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

TEST(WorkerCore, AFailedFinishIsSentAgainWithBackoff) {
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

TEST(WorkerCore, BackoffEndsAtTwoSeconds) {
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

TEST(WorkerCore, FailingHousekeepingDoesNotBlockClaims) {
  Bench bench;
  bench.run_dry();
  bench.now += limits::kSafetyLook;
  bench.core.on_ring();
  ASSERT_TRUE(std::holds_alternative<Step>(bench.core.plan(bench.now)));
  bench.core.on_store_error(bench.now, kUnavailable);
  bench.now += 50ms;
  EXPECT_TRUE(std::holds_alternative<Exchange>(bench.core.plan(bench.now)));
}

TEST(WorkerCore, AFailedRenewalIsTriedAgain) {
  Bench bench;
  bench.claim({claim_of(1)});
  bench.run_dry();
  bench.now += 10s;
  static_cast<void>(bench.expect<Renew>());
  bench.core.on_store_error(bench.now, kUnavailable);
  bench.now += 50ms;
  EXPECT_EQ(bench.expect<Renew>().claims.size(), 1U);
}

TEST(WorkerCore, AnEndIsGivenUpAloudWhenItsLeaseIsOver) {
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

TEST(WorkerCore, ALateFinishIsNotCounted) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1)});
  bench.core.on_ended(starts[0].slot, done());
  static_cast<void>(bench.answer(bench.expect<Exchange>(), {}, store::FinishAnswer::LeaseLost));
  EXPECT_EQ(bench.core.report().completed, 0);
}

TEST(WorkerCore, DrainsWhenNothingIsLeft) {
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

TEST(WorkerCore, AStoreThatFailsForThirtySecondsStallsAWorkerWithAFreeSlot) {
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

TEST(WorkerCore, AJobOverlookedForThirtySecondsStallsButALineThatMovesDoesNot) {
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

TEST(WorkerCore, AClaimWithoutAThreadIsReleasedAndStallsAfterThirtySeconds) {
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
