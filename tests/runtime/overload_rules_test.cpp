// The overload guard, event by event.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "galley/error.hpp"
#include "galley/runtime/overload_guard.hpp"

namespace galley::test {
namespace {

using namespace std::chrono_literals;
using Nanos = std::chrono::nanoseconds;

OverloadOptions seeded() {
  OverloadOptions options;
  options.seed = 7;
  return options;
}

Arrival arrival(Nanos at, RequestClass request_class = RequestClass::Normal) {
  Arrival made;
  made.at = at;
  made.request_class = request_class;
  return made;
}

/// Takes one each millisecond from `from` until `until`, each after `wait`.
void take_all(OverloadGuard& guard, Nanos from, Nanos until, Nanos wait) {
  for (Nanos now = from; now < until; now += 1ms) static_cast<void>(guard.take(arrival(now - wait), now));
}

/// A guard that is Busy from 2 s on: all waited 30 ms for an interval.
std::unique_ptr<OverloadGuard> busy_guard(const OverloadOptions& options = seeded()) {
  auto guard = std::make_unique<OverloadGuard>(options);
  take_all(*guard, 1'901ms, 2'001ms, 30ms);
  EXPECT_FALSE(guard->busy());
  take_all(*guard, 2'001ms, 2'002ms, 30ms);
  EXPECT_TRUE(guard->busy());
  return guard;
}

/// And most have waited for more than twice the target from 2,001 to 2,101 ms. The best rate is 1 a millisecond,
/// fading.
std::unique_ptr<OverloadGuard> closed_guard() {
  auto guard = busy_guard();
  take_all(*guard, 2'001ms, 2'101ms, 41ms);
  EXPECT_TRUE(guard->accept(2'100ms).open) << "not for an interval yet";
  take_all(*guard, 2'101ms, 2'102ms, 41ms);
  return guard;
}

std::string refusal_of(const OverloadOptions& options) {
  try {
    const OverloadGuard guard(options);
    return "none";
  } catch (const Exception& failure) {
    EXPECT_EQ(failure.error().code, Errc::InvalidInput);
    return failure.what();
  }
}

std::string refusal_with(const std::function<void(OverloadOptions&)>& change) {
  OverloadOptions options;
  change(options);
  return refusal_of(options);
}

TEST(OverloadGuard, RefusesOptionsByName) {
  EXPECT_EQ(refusal_of({}), "none");
  EXPECT_EQ(refusal_with([](auto& o) { o.target = 999us; }), "target 999us is not allowed: 1ms..10s");
  EXPECT_EQ(refusal_with([](auto& o) { o.interval = 9ms; }), "interval 9ms is not allowed: 10ms..1m");
  EXPECT_EQ(refusal_with([](auto& o) { o.max_wait = 20ms; }),
            "max_wait 20ms is not allowed: more than the target of 20ms, or 0 for no limit");
  EXPECT_EQ(refusal_with([](auto& o) { o.deadline = -1us; }), "deadline -1us is not allowed: up to 1h, or 0 for none");
  EXPECT_EQ(refusal_with([](auto& o) { o.max_refusing = 0; }), "max_refusing 0.000000 is not allowed: 0.01..1");
  EXPECT_EQ(refusal_with([](auto& o) { o.max_refusing = std::nan(""); }), "max_refusing nan is not allowed: 0.01..1");
  EXPECT_EQ(refusal_with([](auto& o) { o.retry_after_min = 1'500ms; }),
            "retry_after_min 1.5s is not allowed: whole seconds, 1s..1h");
  EXPECT_EQ(refusal_with([](auto& o) { o.retry_after_min = 6s; }),
            "retry_after_max 5s is not allowed: whole seconds, from retry_after_min (6s) to 1h");
}

TEST(OverloadGuard, LetsABurstThatIsGoneWithinAnIntervalThrough) {
  OverloadGuard guard(seeded());
  // 60 at once, 1 ms each: waits up to 59 ms, all late ones within 40 ms.
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(guard.take(arrival(1s), 1s + i * 1ms).admitted) << i;
  EXPECT_EQ(guard.status(1'060ms).state, OverloadState::Normal);
}

TEST(OverloadGuard, IsBusyAfterAnIntervalOfLateRequestsAndNormalAfterAnIntervalOfPromptOnes) {
  const auto guard = busy_guard();
  EXPECT_FALSE(guard->take(arrival(2s - 21ms), 2'001ms).admitted);
  EXPECT_TRUE(guard->take(arrival(2s - 19ms), 2'001ms).admitted);
  take_all(*guard, 2'002ms, 2'100ms, 10ms);
  EXPECT_TRUE(guard->busy());
  take_all(*guard, 2'100ms, 2'102ms, 10ms);
  EXPECT_FALSE(guard->busy());
  EXPECT_TRUE(guard->take(arrival(2'102ms - 25ms), 2'102ms).admitted);
}

TEST(OverloadGuard, OnePromptRequestInAnIntervalKeepsItNormal) {
  OverloadGuard guard(seeded());
  for (Nanos now = 1s; now < 2s; now += 90ms) {
    take_all(guard, now, now + 80ms, 30ms);
    take_all(guard, now + 80ms, now + 81ms, 20ms);
  }
  EXPECT_FALSE(guard.busy());
}

TEST(OverloadGuard, AWaitBetweenHalfTheTargetAndTheTargetChangesNothing) {
  const auto guard = busy_guard();
  take_all(*guard, 2'002ms, 5s, 15ms);
  EXPECT_TRUE(guard->busy());
  OverloadGuard other(seeded());
  take_all(other, 2'002ms, 5s, 15ms);
  EXPECT_FALSE(other.busy());
}

TEST(OverloadGuard, AWaitThatGrowsByTwiceTheTargetIsBusyAtOnce) {
  OverloadGuard guard(seeded());
  for (int i = 0; i < 39; ++i) static_cast<void>(guard.take(arrival(1s), 1'021ms + i * 1ms));
  EXPECT_TRUE(guard.take(arrival(1s), 1'060ms).admitted);
  EXPECT_FALSE(guard.busy());
  EXPECT_FALSE(guard.take(arrival(1s), 1'061ms).admitted);
  EXPECT_TRUE(guard.busy());
}

TEST(OverloadGuard, GrowthCountsFromTheLeastWaitOfTheLine) {
  OverloadGuard guard(seeded());
  EXPECT_TRUE(guard.take(arrival(900ms), 1s).admitted);  // after a stall
  EXPECT_TRUE(guard.take(arrival(971ms), 1'001ms).admitted);
  EXPECT_TRUE(guard.take(arrival(972ms), 1'041ms).admitted);
  EXPECT_FALSE(guard.take(arrival(972ms), 1'042ms).admitted);  // 70 ms, after 30
}

TEST(OverloadGuard, AStallOfABusyServerIsNoSilence) {
  const auto guard = busy_guard();
  EXPECT_FALSE(guard->take(arrival(2'050ms), 2'150ms).admitted);
  EXPECT_TRUE(guard->busy());
  static_cast<void>(guard->take(arrival(2'251ms), 2'300ms));  // nobody had waited for an interval when it came
  EXPECT_FALSE(guard->busy());
}

TEST(OverloadGuard, SilenceCountsFromTwiceTheServiceOn) {
  const auto guard = busy_guard();
  guard->finished(300ms);
  EXPECT_EQ(guard->status(2'600ms).state, OverloadState::Busy);
  EXPECT_EQ(guard->status(2'601ms).state, OverloadState::Normal);
}

TEST(OverloadGuard, AfterAStallOfAnIdleServerNobodyIsRefused) {
  OverloadOptions options = seeded();
  options.max_wait = Duration{0};
  OverloadGuard guard(options);
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(guard.take(arrival(1s + i * 25ms), 2s + i * 1ms).admitted) << i;
  EXPECT_FALSE(guard.busy());
  EXPECT_TRUE(guard.take(arrival(5s), 5'030ms).admitted);  // late again, much later: no line that has stood since
  EXPECT_FALSE(guard.busy());
}

TEST(OverloadGuard, TheLineOfALongStallIsBusyAfterHalfAnInterval) {
  OverloadOptions options = seeded();
  options.max_wait = Duration{0};
  OverloadGuard guard(options);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(guard.take(arrival(1s + i * 1ms), 2s + i * 1ms).admitted) << i;
  EXPECT_FALSE(guard.take(arrival(1'050ms), 2'050ms).admitted);
}

TEST(OverloadGuard, ALineThatIsEmptyForAnIntervalIsNormal) {
  const auto guard = busy_guard();
  EXPECT_EQ(guard->status(2'100ms).state, OverloadState::Busy);
  const OverloadStatus status = guard->status(2'101ms);
  EXPECT_EQ(status.state, OverloadState::Normal);
  EXPECT_EQ(status.wait, Nanos{0});
}

TEST(OverloadGuard, RequestsThatWaitInTheLineAreNoSilence) {
  const auto guard = busy_guard();
  EXPECT_TRUE(guard->admit(arrival(2'002ms), 2'002ms).admitted);
  EXPECT_EQ(guard->status(3s).state, OverloadState::Busy);
  EXPECT_EQ(guard->status(3s).waiting, 1);
  guard->abandon();
  EXPECT_EQ(guard->status(3s).waiting, 0);
  EXPECT_EQ(guard->status(3s).state, OverloadState::Normal);
}

TEST(OverloadGuard, ShedsTheLowestClassFirstAndTheSystemNever) {
  const auto guard = busy_guard();
  const auto admitted = [&](RequestClass request_class, Nanos wait) {
    return guard->take(arrival(2'001ms - wait, request_class), 2'001ms).admitted;
  };
  EXPECT_TRUE(admitted(RequestClass::Low, 10ms));
  EXPECT_FALSE(admitted(RequestClass::Low, 11ms));
  EXPECT_TRUE(admitted(RequestClass::Normal, 20ms));
  EXPECT_FALSE(admitted(RequestClass::Normal, 21ms));
  EXPECT_TRUE(admitted(RequestClass::High, 40ms));
  EXPECT_FALSE(admitted(RequestClass::High, 41ms));
  EXPECT_TRUE(admitted(RequestClass::System, 2s));
  const OverloadStatus status = guard->status(2'001ms);
  EXPECT_EQ(status.wait, 41ms);  // not the 2 s of the system's
  EXPECT_EQ(status.refused[0][0], 1);
  EXPECT_EQ(status.refused[2][0], 1);
  EXPECT_EQ(status.started[3], 1);
}

TEST(OverloadGuard, RefusesBeforeParsingByTheWaitOfTheLineBehind) {
  const auto guard = busy_guard();
  EXPECT_TRUE(guard->admit(arrival(2'001ms), 2'001ms).admitted);   // nobody in the line: it will start at once
  const Verdict second = guard->admit(arrival(2'001ms), 2'001ms);  // the last one to start has waited 30 ms
  EXPECT_FALSE(second.admitted);
  EXPECT_EQ(second.refusal, Refusal::Overload);
  EXPECT_TRUE(guard->admit(arrival(2'001ms, RequestClass::High), 2'001ms).admitted);
}

TEST(OverloadGuard, WhoIsAdmittedAndSlowToSendTheRestHoldsUpNobody) {
  const auto guard = busy_guard();
  EXPECT_TRUE(guard->admit(arrival(2'001ms), 2'001ms).admitted);  // and it never starts
  EXPECT_FALSE(guard->take(arrival(2'050ms), 2'050ms).admitted);
  take_all(*guard, 2'101ms, 2'202ms, 0ms);
  EXPECT_FALSE(guard->busy());
}

TEST(OverloadGuard, DropsAtDequeueWhoHasWaitedTooLong) {
  const auto guard = busy_guard();
  const std::int64_t before = guard->status(2'001ms).refused_by(Refusal::Waited);
  EXPECT_TRUE(guard->admit(arrival(2'001ms), 2'001ms).admitted);
  const Verdict verdict = guard->start(arrival(2'001ms), 2'022ms);
  EXPECT_FALSE(verdict.admitted);
  EXPECT_EQ(verdict.refusal, Refusal::Waited);
  EXPECT_EQ(guard->status(2'022ms).refused_by(Refusal::Waited), before + 1);
  EXPECT_EQ(guard->status(2'022ms).waiting, 0);
}

TEST(OverloadGuard, WhileNormalOnlyMaxWaitIsTooLong) {
  OverloadGuard guard(seeded());
  EXPECT_TRUE(guard.take(arrival(1s), 2s).admitted);
  EXPECT_FALSE(guard.take(arrival(1s), 2s + 1ns).admitted);
}

TEST(OverloadGuard, ADeadlineThatServiceWouldMissIsRefused) {
  OverloadOptions options = seeded();
  options.deadline = 200ms;
  OverloadGuard guard(options);
  EXPECT_TRUE(guard.take(arrival(1s), 1'199ms).admitted);
  EXPECT_EQ(guard.take(arrival(1s), 1'200ms).refusal, Refusal::Deadline);
  guard.finished(50ms);
  guard.finished(58ms);
  EXPECT_EQ(guard.status(2s).service, 51ms);  // one eighth of the difference
  guard.finished(43ms);
  EXPECT_EQ(guard.status(2s).service, 50ms);
  EXPECT_TRUE(guard.take(arrival(3s), 3'150ms).admitted);
  EXPECT_FALSE(guard.take(arrival(3s), 3'151ms).admitted);
  Arrival patient = arrival(3s);
  patient.deadline = 3'300ms;
  EXPECT_TRUE(guard.take(patient, 3'151ms).admitted);
}

TEST(OverloadGuard, WhoComesTooLateForHisDeadlineShowsTheWaitToo) {
  OverloadOptions options = seeded();
  options.deadline = 25ms;
  OverloadGuard guard(options);
  take_all(guard, 1s, 1'101ms, 30ms);
  EXPECT_EQ(guard.status(1'100ms).refused_by(Refusal::Deadline), 101);
  EXPECT_TRUE(guard.busy());
}

TEST(OverloadGuard, AServiceLongerThanAllDeadlinesIsTriedAgain) {
  OverloadOptions options = seeded();
  options.deadline = 200ms;
  OverloadGuard guard(options);
  guard.finished(1s);
  int refused = 0;
  while (!guard.take(arrival(1s + refused * 1ms), 1s + refused * 1ms).admitted) ASSERT_LT(++refused, 1'000);
  EXPECT_EQ(refused, 103);  // (63/64)^103 < 0.2
}

TEST(OverloadGuard, RetryAfterIsSpreadAndRepeatsWithItsSeed) {
  const auto drawn = [](std::uint64_t seed) {
    OverloadOptions options;
    options.seed = seed;
    options.retry_after_min = 2s;
    options.retry_after_max = 4s;
    OverloadGuard guard(options);
    std::vector<int> all;
    for (int i = 0; i < 300; ++i) all.push_back(guard.take(arrival(1s), 3s).retry_after_s);
    return all;
  };
  const auto all = drawn(1);
  EXPECT_EQ(std::set<int>(all.begin(), all.end()), (std::set<int>{2, 3, 4}));
  for (const int seconds : {2, 3, 4}) EXPECT_GT(std::count(all.begin(), all.end(), seconds), 70);
  EXPECT_EQ(all, drawn(1));
  EXPECT_NE(all, drawn(2));
}

TEST(OverloadGuard, GatesThatAreOffLetEverybodyThrough) {
  OverloadOptions options = seeded();
  options.accept_gate = options.admit_gate = options.start_gate = false;
  const auto guard = busy_guard(options);
  EXPECT_TRUE(guard->take(arrival(1s), 2'001ms).admitted);
  EXPECT_TRUE(guard->accept(2'001ms).open);
  options.admit_gate = true;
  const auto by_admit = busy_guard(options);
  EXPECT_EQ(by_admit->take(arrival(1s), 2'001ms).refusal, Refusal::Overload);
  options.admit_gate = false;
  options.start_gate = true;
  const auto by_start = busy_guard(options);
  EXPECT_EQ(by_start->take(arrival(1s), 2'001ms).refusal, Refusal::Waited);
}

TEST(OverloadGuard, ClosesTheAcceptGateWhenMostHaveWaitedBeyondTwiceTheTargetAndLetsThroughWhatCanBeServed) {
  const auto guard = closed_guard();
  const AcceptAnswer shut = guard->accept(2'101ms);
  EXPECT_FALSE(shut.open);
  EXPECT_EQ(shut.backlog, 20);  // 1.1 * 0.95 a millisecond
  EXPECT_NEAR(static_cast<double>(shut.ask_at.count()), 2'101e6 + 1e6 / 1.045, 1e5);
  EXPECT_TRUE(guard->accept(shut.ask_at).open);
  EXPECT_FALSE(guard->accept(shut.ask_at).open);
  EXPECT_EQ(guard->status(shut.ask_at).times_closed, 1);
  EXPECT_FALSE(guard->status(shut.ask_at).accepting);
  static_cast<void>(guard->take(arrival(2'103ms), 2'103ms));
  EXPECT_TRUE(guard->status(2'103ms).accepting);
  EXPECT_EQ(guard->accept(2'103ms).backlog, 0);
}

TEST(OverloadGuard, TheAcceptGateStaysOpenWhereHalfHaveNotWaitedThatLong) {
  for (const bool one_more : {false, true}) {
    const auto guard = busy_guard();
    take_all(*guard, 2'002ms, 2'051ms, 40ms);
    take_all(*guard, 2'051ms, 2'101ms, 41ms);
    if (one_more) static_cast<void>(guard->take(arrival(2'000ms), 2'100ms));
    take_all(*guard, 2'101ms, 2'102ms, 41ms);
    EXPECT_EQ(guard->accept(2'101ms).open, !one_more);
  }
}

TEST(OverloadGuard, EachRefusalMakesRoomForAnother) {
  const auto guard = closed_guard();
  EXPECT_FALSE(guard->accept(2'101ms).open);  // closing forgets what was before
  for (int i = 0; i < 5; ++i) static_cast<void>(guard->take(arrival(2'000ms), 2'101ms));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(guard->accept(2'101ms).open) << i;
  EXPECT_FALSE(guard->accept(2'101ms).open);
}

TEST(OverloadGuard, ClosesTheAcceptGateWhenSayingNoCostsTooMuch) {
  const auto guard = busy_guard();
  take_all(*guard, 2'001ms, 2'101ms, 15ms);
  EXPECT_TRUE(guard->status(2'100ms).accepting);
  guard->spent_refusing(30ms, 2'101ms);
  EXPECT_NEAR(guard->status(2'101ms).refusing, 0.3, 1e-6);
  EXPECT_FALSE(guard->accept(2'101ms).open);
  EXPECT_EQ(guard->accept(2'101ms).backlog, 22);
  // Without refusals the kernel may keep more and more, until the gate is open.
  int intervals = 0;
  for (Nanos now = 2'101ms; !guard->status(now).accepting; now += 100ms) {
    take_all(*guard, now, now + 100ms, 15ms);
    ASSERT_LT(++intervals, 100);
  }
  EXPECT_EQ(intervals, 24);  // 22 * 1.25^24 > 4,096
  EXPECT_TRUE(guard->busy());
}

TEST(OverloadGuard, TheAcceptGateOpensWhenNobodyIsSeenToWaitBeyondTwiceTheTarget) {
  const auto guard = closed_guard();
  EXPECT_TRUE(guard->admit(arrival(2'101ms, RequestClass::System), 2'101ms).admitted);  // or it would be Normal by then
  EXPECT_FALSE(guard->status(2'200ms).accepting);
  EXPECT_TRUE(guard->status(2'201ms).accepting);
}

TEST(OverloadGuard, ACostlyGateKeepsLessInTheKernelWhenItCostsAgainAndOpensWithTheEndOfTheOverload) {
  const auto guard = busy_guard();
  take_all(*guard, 2'001ms, 2'101ms, 15ms);
  guard->spent_refusing(30ms, 2'101ms);
  std::vector<int> backlogs;
  for (Nanos now = 2'101ms; now < 2'701ms; now += 100ms) {
    backlogs.push_back(guard->accept(now).backlog);
    take_all(*guard, now, now + 100ms, 15ms);
    if (now == 2'401ms) guard->spent_refusing(6ms, 2'500ms);
  }
  EXPECT_EQ(backlogs, (std::vector<int>{22, 27, 34, 42, 22, 27}));
  take_all(*guard, 2'701ms, 2'802ms, 0ms);
  EXPECT_FALSE(guard->busy());
  EXPECT_TRUE(guard->status(2'802ms).accepting);
}

TEST(OverloadGuard, TheSystemsRequestsAreNotTakenForCapacity) {
  OverloadGuard guard(seeded());
  for (Nanos now = 1'901ms; now < 2'002ms; now += 1ms) {
    static_cast<void>(guard.take(arrival(now, RequestClass::System), now));
    static_cast<void>(guard.take(arrival(now - 30ms), now));
  }
  take_all(guard, 2'002ms, 2'103ms, 41ms);
  EXPECT_EQ(guard.accept(2'102ms).backlog, 20);  // of 1 a millisecond, not 2
}

TEST(OverloadGuard, AMomentBeforeTheLatestCountsAsTheLatest) {
  const auto guard = busy_guard();
  EXPECT_FALSE(guard->take(arrival(1'975ms), 1'980ms).admitted);
  EXPECT_TRUE(guard->take(arrival(9s), 2'001ms).admitted);  // one from the future has not waited
}

TEST(OverloadGuard, CountsEachRequestOnceWhateverThreadBringsIt) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5'000;
  OverloadGuard guard(seeded());
  std::atomic<int> abandoned{0};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < kEach; ++i) {
          const Nanos now = i * 1ms;
          const Arrival one = arrival(now - i % 50 * 1ms, static_cast<RequestClass>((i + thread) % kRequestClasses));
          static_cast<void>(guard.accept(now));
          if (!guard.admit(one, now).admitted) {
            guard.spent_refusing(20us, now);
          } else if (i % 7 == 0) {
            guard.abandon();
            ++abandoned;
          } else if (guard.start(one, now).admitted) {
            guard.finished(1ms);
          }
          static_cast<void>(guard.busy());
        }
      });
    }
  }
  const OverloadStatus status = guard.status(kEach * 1ms);
  std::int64_t seen = abandoned;
  for (const auto count : status.started) seen += count;
  for (const Refusal reason : {Refusal::Overload, Refusal::Waited, Refusal::Deadline})
    seen += status.refused_by(reason);
  EXPECT_EQ(seen, kThreads * kEach);
  EXPECT_EQ(status.waiting, 0);
  EXPECT_EQ(status.refused[3], (std::array<std::int64_t, kRefusals>{}));
}

TEST(OverloadGuard, HasNamesForWhatItReports) {
  EXPECT_EQ(name(RequestClass::Low), "low");
  EXPECT_EQ(name(RequestClass::System), "system");
  EXPECT_EQ(name(Refusal::Deadline), "deadline");
  EXPECT_EQ(name(OverloadState::Busy), "busy");
}

}  // namespace
}  // namespace galley::test
