#include "job/settle.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace galley::job {

using namespace std::chrono_literals;

namespace {

constexpr int kMostInt = std::numeric_limits<int>::max();
constexpr Counters kBefore{.attempts = 7, .errors = 2, .pauses = 3, .snoozes = 4, .crashes = 1};

Policy fixed_policy() {
  Policy policy;
  policy.backoff.kind = Backoff::Kind::Fixed;
  policy.backoff.base = 4s;
  return policy;
}

Settlement settled(const Policy& policy, Ending ending, Duration wanted = 0s, const Counters& before = kBefore) {
  return settle(policy, before, ending, wanted, 0.5);
}

/// `kBefore` with this attempt, and one change.
Counters after(int Counters::*one_more = nullptr) {
  Counters counters = kBefore;
  ++counters.attempts;
  if (one_more != nullptr) ++(counters.*one_more);
  return counters;
}

void expect_settled(const Settlement& got, JobEvent event, Duration delay, const Counters& counters) {
  EXPECT_EQ(got.event, event) << name(got.event);
  EXPECT_EQ(got.delay, delay);
  EXPECT_EQ(got.counters, counters);
  EXPECT_EQ(got.reason, "");
}

void expect_dead(const Settlement& got, const Counters& counters, std::string_view reason) {
  EXPECT_EQ(got.event, JobEvent::Die) << name(got.event);
  EXPECT_EQ(got.delay, 0s);
  EXPECT_EQ(got.counters, counters);
  EXPECT_EQ(got.reason, reason);
}

}  // namespace

TEST(Settle, CompletesDiscardsAndCancelsAsToldAndCountsTheAttempt) {
  expect_settled(settled({}, Ending::Completed, 9s), JobEvent::Complete, 0s, after());
  expect_settled(settled({}, Ending::Discarded, 9s), JobEvent::Discard, 0s, after());
  expect_settled(settled({}, Ending::Cancelled, 9s), JobEvent::Cancel, 0s, after());
}

TEST(Settle, RetriesAnErrorAfterTheBackoff) {
  expect_settled(settled(fixed_policy(), Ending::Failed, 9s), JobEvent::Retry, 4s, after(&Counters::errors));
}

TEST(Settle, BacksOffByErrorsAndNotByAttempts) {
  Policy policy;
  policy.backoff = {Backoff::Kind::List, 0s, 0s, {1s, 2s, 3s, 4s}};
  EXPECT_EQ(settled(policy, Ending::Failed).delay, 3s) << "the third error of the eighth attempt";
}

TEST(Settle, JittersByTheNumberItIsGiven) {
  Policy policy;
  policy.backoff.base = 1s;
  EXPECT_EQ(settle(policy, {}, Ending::Failed, 0s, 0.0).delay, 500ms);
  EXPECT_EQ(settle(policy, {}, Ending::Failed, 0s, 0.5).delay, 750ms);
}

TEST(Settle, KillsAJobAtItsLastAllowedError) {
  Policy policy = fixed_policy();
  policy.max_attempts = 4;
  EXPECT_EQ(settled(policy, Ending::Failed).event, JobEvent::Retry);
  policy.max_attempts = 3;
  expect_dead(settled(policy, Ending::Failed), after(&Counters::errors), "after 3 errors");
  policy.max_attempts = 1;
  EXPECT_EQ(settled(policy, Ending::Failed, 0s, {}).reason, "after 1 error");
}

TEST(Settle, CountsNoPauseSnoozeOrCrashAsATry) {
  Policy policy = fixed_policy();
  policy.max_attempts = 2;
  const Counters before{.attempts = 60, .errors = 0, .pauses = 20, .snoozes = 38, .crashes = 2};
  EXPECT_EQ(settled(policy, Ending::Failed, 0s, before).event, JobEvent::Retry);
}

TEST(Settle, PausesATimeOutWherePolicySaysSo) {
  Policy policy = fixed_policy();
  policy.on_timeout = OnTimeout::Pause;
  expect_settled(settled(policy, Ending::TimedOut), JobEvent::Pause, 0s, after(&Counters::pauses));
  expect_settled(settled(policy, Ending::TimedOut, 1s), JobEvent::Retry, 1s, after(&Counters::pauses));
}

TEST(Settle, TreatsATimeOutAsAnErrorWherePolicySaysSo) {
  Policy policy = fixed_policy();
  policy.on_timeout = OnTimeout::Retry;
  expect_settled(settled(policy, Ending::TimedOut, 9s), JobEvent::Retry, 4s, after(&Counters::errors));
  policy.max_attempts = 3;
  expect_dead(settled(policy, Ending::TimedOut), after(&Counters::errors), "after 3 errors");
}

TEST(Settle, KillsATimeOutAtOnceWherePolicySaysSo) {
  Policy policy;
  policy.on_timeout = OnTimeout::Dead;
  expect_dead(settled(policy, Ending::TimedOut), after(), "timed out");
}

TEST(Settle, PutsAPausedJobBackAtOnceOrAfterTheShutdownsDelay) {
  expect_settled(settled({}, Ending::Paused), JobEvent::Pause, 0s, after(&Counters::pauses));
  expect_settled(settled({}, Ending::Paused, 1s), JobEvent::Retry, 1s, after(&Counters::pauses));
  expect_settled(settled({}, Ending::Paused, -1s), JobEvent::Pause, 0s, after(&Counters::pauses));
  EXPECT_EQ(settled({}, Ending::Paused, Duration::max()).delay, limits::kMaxDelay);
}

TEST(Settle, KillsAJobThatPausesTooOften) {
  Policy policy;
  policy.max_pauses = 4;
  EXPECT_EQ(settled(policy, Ending::Paused).event, JobEvent::Pause) << "the fourth";
  policy.max_pauses = 3;
  expect_dead(settled(policy, Ending::Paused), after(&Counters::pauses), "paused more than 3 times");
  expect_dead(settled(policy, Ending::Paused, 1s), after(&Counters::pauses), "paused more than 3 times");
  policy.on_timeout = OnTimeout::Pause;
  expect_dead(settled(policy, Ending::TimedOut), after(&Counters::pauses), "paused more than 3 times");
  policy.max_pauses = 0;
  EXPECT_EQ(settled(policy, Ending::Paused, 0s, {}).event, JobEvent::Die);
}

TEST(Settle, SnoozesForTheDelayThatIsAllowed) {
  expect_settled(settled({}, Ending::Snoozed, 9s), JobEvent::Retry, 9s, after(&Counters::snoozes));
  EXPECT_EQ(settled({}, Ending::Snoozed, 0s).delay, 0s);
  EXPECT_EQ(settled({}, Ending::Snoozed, -9s).delay, 0s);
  EXPECT_EQ(settled({}, Ending::Snoozed, Duration::max()).delay, limits::kMaxDelay);
}

TEST(Settle, KillsAJobThatSnoozesTooOften) {
  EXPECT_EQ(settled({}, Ending::Snoozed, 1s, {.snoozes = limits::kMaxSnoozes - 1}).event, JobEvent::Retry);
  const Settlement last = settled({}, Ending::Snoozed, 1s, {.snoozes = limits::kMaxSnoozes});
  EXPECT_EQ(last.event, JobEvent::Die);
  EXPECT_EQ(last.reason, "snoozed more than 10000 times");
}

TEST(Settle, NeverOverflowsACounter) {
  const Counters full{kMostInt, kMostInt, kMostInt, kMostInt, kMostInt};
  for (int ending = 0; ending <= static_cast<int>(Ending::Expired); ++ending) {
    EXPECT_EQ(settled({}, static_cast<Ending>(ending), 1s, full).counters, full);
  }
}

TEST(Settle, AnAttemptAtItsDeadlineIsTheLastWhateverIsLeft) {
  const Settlement got = settled({}, Ending::Expired, 9s);
  expect_settled(got, JobEvent::Expire, 0s, after(nullptr));
}

TEST(Settle, AnswersOnlyWithEventsThatLeaveRunning) {
  for (int ending = 0; ending <= static_cast<int>(Ending::Expired); ++ending) {
    for (const OnTimeout on_timeout : {OnTimeout::Pause, OnTimeout::Retry, OnTimeout::Dead}) {
      for (const Duration wanted : {Duration{0}, Duration{1s}}) {
        for (const int max : {1, 1'000}) {
          Policy policy;
          policy.on_timeout = on_timeout;
          policy.max_attempts = max;
          policy.max_pauses = max;
          const Settlement got = settled(policy, static_cast<Ending>(ending), wanted);
          EXPECT_TRUE(next(JobState::Running, got.event)) << name(got.event);
          EXPECT_NE(got.event, JobEvent::Crash);
          EXPECT_EQ(got.reason.empty(), got.event != JobEvent::Die);
        }
      }
    }
  }
}

TEST(Ending, HasTheNameThatIsKeptWithTheAttempt) {
  EXPECT_EQ(name(Ending::Completed), "completed");
  EXPECT_EQ(name(Ending::Failed), "failed");
  EXPECT_EQ(name(Ending::TimedOut), "timed_out");
  EXPECT_EQ(name(Ending::Paused), "paused");
  EXPECT_EQ(name(Ending::Snoozed), "snoozed");
  EXPECT_EQ(name(Ending::Discarded), "discarded");
  EXPECT_EQ(name(Ending::Cancelled), "cancelled");
  EXPECT_EQ(name(Ending::Expired), "expired");
}

}  // namespace galley::job
