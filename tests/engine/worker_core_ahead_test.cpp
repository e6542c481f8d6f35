// Claims ahead: which kinds, how many, which slot takes them, and when they are given back.
#include "engine/core_bench.hpp"

namespace galley::engine {

namespace {

constexpr int kEnough = 4;  // runs

CoreOptions ahead_options(int slots = 1) {
  CoreOptions ahead = options(slots);
  ahead.brief_after = kEnough;
  return ahead;
}

AttemptEnd ran(Duration time) {
  AttemptEnd end = done();
  end.report.run_time = time;
  return end;
}

std::vector<job::Claim> claims_of(JobId first, JobId last) {
  std::vector<job::Claim> claims;
  for (JobId id = first; id <= last; ++id) claims.push_back(claim_of(id));
  return claims;
}

/// A worker that has seen enough of kind k, whose attempts take 10 us each: there are more than its slots, all free.
struct Brief : Bench {
  explicit Brief(CoreOptions wanted = ahead_options()) : Bench(std::move(wanted)) {
    for (std::size_t runs = 0; runs < kEnough;) {
      const auto exchange = expect<Exchange>();
      const auto starts = answer(exchange, claims_of(1000, 999 + exchange.requests[0].limit));
      for (const Start& start : starts) core.on_ended(start.slot, ran(10us));
      runs += starts.size();
    }
  }

  /// What is asked for beyond the free slots.
  static int beyond(const Exchange& exchange) { return exchange.requests.size() > 1 ? exchange.requests[1].limit : 0; }

  /// The next exchange is answered with `count` claims ahead, from `first` on; those that begin at once.
  std::vector<Start> claim_ahead(JobId first, JobId count) {
    const auto exchange = expect<Exchange>();
    store::FinishAndClaimAnswer answer;
    answer.finished.assign(exchange.finishes.size(), store::FinishAnswer::Finished);
    for (const store::ClaimRequest& request : exchange.requests) {
      const JobId most = std::min<JobId>(count, request.limit);
      answer.claimed.push_back({claims_of(first, first + most - 1), {}});
      first += most;
      count -= most;
    }
    return core.on_exchanged(now, now, std::move(answer));
  }

  /// The claims that the next exchange gives back.
  std::vector<JobId> released() {
    std::vector<JobId> ids;
    for (const store::Finish& finish : expect<Exchange>().finishes) {
      if (finish.event == job::JobEvent::Release) ids.push_back(finish.claim.job);
    }
    return ids;
  }
};

}  // namespace

TEST(ClaimAhead, BeginsWhenEnoughRunsOfAKindWereBrief) {
  Bench bench(ahead_options());
  for (JobId id = 1; id <= kEnough; ++id) {
    const auto exchange = bench.expect<Exchange>();
    EXPECT_EQ(exchange.requests.size(), 1u) << id;
    const auto starts = bench.answer(exchange, {claim_of(id)});
    bench.core.on_ended(starts.at(0).slot, ran(10us));
  }
  const auto exchange = bench.expect<Exchange>();
  ASSERT_EQ(exchange.requests.size(), 2u);
  EXPECT_EQ(exchange.requests[0].limit, 1);
  EXPECT_EQ(exchange.requests[1].limit, 256);
  ASSERT_EQ(exchange.requests[1].kinds.size(), 1u);
  EXPECT_EQ(exchange.requests[1].kinds[0].kind, "k");
  EXPECT_EQ(exchange.requests[1].commands.max, 0);
}

TEST(ClaimAhead, IsBoundedByTheTimeThatItIsExpectedToTake) {
  Bench bench(ahead_options());
  for (JobId id = 1; id <= 40; ++id) bench.core.on_ended(bench.claim({claim_of(id)}).at(0).slot, ran(500us));
  EXPECT_EQ(Brief::beyond(bench.expect<Exchange>()), 20) << "10 ms of one slot";
}

TEST(ClaimAhead, EndsAtOnceWhenAKindTurnsLong) {
  Brief bench;
  bench.core.on_ended(bench.claim({claim_of(9)}).at(0).slot, ran(10ms));
  EXPECT_EQ(Brief::beyond(bench.expect<Exchange>()), 0);
}

TEST(ClaimAhead, EndsWhenTwoOfAHundredTookAMillisecond) {
  Brief bench;
  bench.core.on_ended(bench.claim({claim_of(9)}).at(0).slot, ran(1ms));
  EXPECT_GT(Brief::beyond(bench.expect<Exchange>()), 0) << "one may be the machine's doing";
  static_cast<void>(bench.core.on_exchanged(bench.now, bench.now, {{store::FinishAnswer::Finished}, {{}, {}}, 0}));
  bench.core.on_ring();
  bench.core.on_ended(bench.claim({claim_of(10)}).at(0).slot, ran(1ms));
  EXPECT_EQ(Brief::beyond(bench.expect<Exchange>()), 0);
}

TEST(ClaimAhead, NeverTakesACommand) {
  Bench bench(ahead_options());
  for (JobId id = 1; id <= 2 * kEnough; ++id) {
    const auto exchange = bench.expect<Exchange>();
    EXPECT_EQ(Brief::beyond(exchange), 0) << id;
    const auto starts = bench.answer(exchange, {claim_of(id, 0s, job::Content::Command)});
    bench.core.on_ended(starts.at(0).slot, ran(10us));
  }
}

TEST(ClaimAhead, TheSlotThatEndsTakesTheNextOne) {
  Brief bench;
  const auto starts = bench.claim_ahead(10, 3);
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].claim.id.job, 10);
  for (const JobId next : {11, 12}) {
    bench.core.on_ended(starts[0].slot, ran(10us));
    const auto start = bench.core.next(starts[0].slot, bench.now);
    ASSERT_TRUE(start);
    EXPECT_EQ(start->slot, starts[0].slot);
    EXPECT_EQ(start->claim.id.job, next);
  }
  bench.core.on_ended(starts[0].slot, ran(10us));
  EXPECT_FALSE(bench.core.next(starts[0].slot, bench.now));
  EXPECT_EQ(bench.expect<Exchange>().finishes.size(), 3u);
}

TEST(ClaimAhead, WakesNoMoreSlotsThanTheWorkIsWorth) {
  Brief bench(ahead_options(10));
  EXPECT_EQ(bench.claim_ahead(10, 20).size(), 1u) << "200 us in all";
  EXPECT_EQ(bench.core.ahead(), 19u);
}

TEST(ClaimAhead, ATimeOutCountsFromTheStartAndALeaseFromTheClaim) {
  Brief bench;
  const auto exchange = bench.expect<Exchange>();
  store::FinishAndClaimAnswer answer{{store::FinishAnswer::Finished}, {}, 0};
  answer.claimed.resize(exchange.requests.size());
  answer.claimed.back().claims = {claim_of(10), claim_of(11, 3s)};
  answer.claimed.back().claims[1].deadline = 2s;
  const auto starts = bench.core.on_exchanged(bench.now, bench.now, answer);
  bench.now += 15ms;
  bench.core.on_ended(starts.at(0).slot, ran(10us));
  const auto start = bench.core.next(starts[0].slot, bench.now);
  ASSERT_TRUE(start);
  EXPECT_EQ(start->deadline, bench.now - 15ms + 2s) << "a deadline is the job's, whenever it starts";
  EXPECT_EQ(bench.core.running().all().at(starts[0].slot).held_until, bench.now - 15ms + limits::kLease);
}

TEST(ClaimAhead, AnIdleSlotTakesWhatABusyOneDoesNotComeFor) {
  Brief bench(ahead_options(2));
  const auto first = bench.claim_ahead(10, 3);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_LE(bench.core.next_deadline(), bench.now + 2ms);
  EXPECT_TRUE(bench.core.overtake(bench.now + 1ms).empty());
  const auto starts = bench.core.overtake(bench.now + 2ms);
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_NE(starts[0].slot, first[0].slot);
  EXPECT_EQ(starts[0].claim.id.job, 11);
}

TEST(ClaimAhead, IsGivenBackWhenItsSlotTurnsOutToBeBusy) {
  Brief bench;
  static_cast<void>(bench.claim_ahead(10, 3));
  EXPECT_LE(bench.core.next_deadline(), bench.now + 20ms);
  bench.now += 19ms;
  EXPECT_TRUE(bench.core.overtake(bench.now).empty());
  EXPECT_EQ(bench.core.ahead(), 2u);
  bench.now += 1ms;
  EXPECT_TRUE(bench.core.overtake(bench.now).empty());
  EXPECT_EQ(bench.core.ahead(), 0u);
  EXPECT_EQ(bench.released(), (std::vector<JobId>{11, 12}));
  EXPECT_EQ(bench.core.next_deadline(), bench.core.running().next_deadline());
}

TEST(ClaimAhead, IsGivenBackAtAStopAndNothingMoreOfItStarts) {
  Brief bench;
  const auto starts = bench.claim_ahead(10, 3);
  bench.core.stop(bench.now);
  bench.core.on_ended(starts.at(0).slot, ran(10us));
  EXPECT_FALSE(bench.core.next(starts[0].slot, bench.now));
  EXPECT_EQ(bench.released(), (std::vector<JobId>{11, 12}));
}

TEST(ClaimAhead, IsGivenBackWhenAPersonMayHaveCancelledOrPausedIt) {
  Brief bench;
  const auto starts = bench.claim_ahead(10, 3);
  bench.core.on_ended(starts.at(0).slot, ran(10us));
  ASSERT_TRUE(bench.core.next(starts[0].slot, bench.now));
  const auto exchange = bench.expect<Exchange>();
  bench.signals = 7;
  static_cast<void>(bench.answer(exchange));
  EXPECT_EQ(bench.core.ahead(), 0u);
  bench.renew(bench.expect<Renew>());
  EXPECT_EQ(bench.released(), (std::vector<JobId>{12}));
}

TEST(ClaimAhead, WhoseLeaseIsAlmostOverIsGivenBackAndNotStarted) {
  Brief bench;
  const auto starts = bench.claim_ahead(10, 2);
  bench.now += 25s;  // the process was stopped
  bench.core.on_ended(starts.at(0).slot, ran(10us));
  EXPECT_FALSE(bench.core.next(starts[0].slot, bench.now));
  EXPECT_EQ(bench.core.ahead(), 0u);
}

TEST(ClaimAhead, KeepsAWorkerFromItsEndUntilItIsGivenBack) {
  CoreOptions wanted = ahead_options();
  wanted.drain = true;
  Brief bench(wanted);
  const auto starts = bench.claim_ahead(10, 2);
  bench.core.on_ended(starts.at(0).slot, ran(10us));
  bench.core.stop(bench.now);
  EXPECT_FALSE(std::holds_alternative<Done>(bench.plan()));
}

TEST(ClaimAhead, LetsAKindThatIsNotBriefHaveItsTurn) {
  CoreOptions wanted = ahead_options();
  wanted.can.kinds = {"k", "rare"};
  Brief bench(wanted);
  const auto starts = bench.claim_ahead(10, 256);
  bench.core.on_ended(starts.at(0).slot, ran(10us));
  ASSERT_TRUE(bench.core.next(starts[0].slot, bench.now));
  bench.core.on_ring();
  bench.now += 10ms;
  EXPECT_EQ(Brief::beyond(bench.expect<Exchange>()), 0) << "until the slot is free, and offered to both";
}

}  // namespace galley::engine
