// What simulations have found: claims that come late, and one start that failed.

#include "engine/core_bench.hpp"

namespace galley::engine {

namespace {

/// Answers what comes for `time`, without claims.
void live(Bench& bench, Duration time) {
  const Mono until = bench.now + time;
  while (bench.now < until && !bench.core.stopping()) {
    const Plan next = bench.run_dry();
    if (std::holds_alternative<Done>(next)) return;
    bench.now = std::min(until, std::get<Wait>(next).until);
  }
}

}  // namespace

TEST(LateClaim, WhoseLeaseIsOverIsGivenBackAndNotStarted) {
  Bench bench;
  const Exchange exchange = bench.expect<Exchange>();
  store::FinishAndClaimAnswer answer;
  answer.claimed.resize(exchange.requests.size());
  answer.claimed.front().claims = {claim_of(1)};
  const Mono sent = bench.now;
  bench.now += 31s;
  EXPECT_TRUE(bench.core.on_exchanged(sent, bench.now, std::move(answer)).empty());

  const Exchange back = bench.expect<Exchange>();
  ASSERT_EQ(back.finishes.size(), 1u);
  EXPECT_EQ(back.finishes[0].event, job::JobEvent::Release);
}

TEST(LateClaim, WithTimeLeftIsStarted) {
  Bench bench;
  const Exchange exchange = bench.expect<Exchange>();
  store::FinishAndClaimAnswer answer;
  answer.claimed.resize(exchange.requests.size());
  answer.claimed.front().claims = {claim_of(1)};
  const Mono sent = bench.now;
  bench.now += 23s;
  EXPECT_EQ(bench.core.on_exchanged(sent, bench.now, std::move(answer)).size(), 1u);
}

TEST(NotStarted, OnceAndThenAnotherThatRunsForMinutesIsNoStall) {
  Bench bench;
  bench.core.on_not_started(bench.claim({claim_of(1)}).at(0).slot, bench.now);
  live(bench, 2s);
  bench.core.on_ring();
  EXPECT_EQ(bench.claim({claim_of(2)}).size(), 1u);
  live(bench, 5min);
  EXPECT_FALSE(bench.core.stopping()) << bench.core.stalled();
}

}  // namespace galley::engine
