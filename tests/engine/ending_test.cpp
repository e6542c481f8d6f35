#include "engine/ending.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace galley::engine {
namespace {

using namespace std::chrono_literals;
using job::Ending;

AttemptEnd returned(std::optional<Outcome> outcome, bool saw_stop) {
  AttemptEnd end;
  end.outcome = std::move(outcome);
  end.saw_stop = saw_stop;
  return end;
}

AttemptEnd threw(bool saw_stop) {
  AttemptEnd end = returned(Outcome::fail("boom"), saw_stop);
  end.implied = true;
  return end;
}

TEST(Ending, NothingReturnedIsDone) {
  EXPECT_EQ(judge(returned({}, false), StopReason::None).ending, Ending::Completed);
}

TEST(Ending, AHandlerThatNeverLookedAtTheStopIsDone) {
  for (const auto reason : {StopReason::TimedOut, StopReason::Cancelled, StopReason::Shutdown}) {
    EXPECT_EQ(judge(returned({}, false), reason).ending, Ending::Completed) << name(reason);
  }
}

TEST(Ending, AHandlerThatLookedAndSaidNothingWasStoppedEarly) {
  EXPECT_EQ(judge(returned({}, true), StopReason::TimedOut).ending, Ending::TimedOut);
  EXPECT_EQ(judge(returned({}, true), StopReason::Cancelled).ending, Ending::Cancelled);
  EXPECT_EQ(judge(returned({}, true), StopReason::Shutdown).ending, Ending::Paused);
  EXPECT_EQ(judge(returned({}, true), StopReason::LeaseEnding).ending, Ending::Paused);
}

TEST(Ending, AnExplicitOutcomeStandsWhateverWasAsked) {
  for (const auto reason : {StopReason::None, StopReason::TimedOut, StopReason::Shutdown, StopReason::LeaseEnding}) {
    EXPECT_EQ(judge(returned(Outcome::done(), true), reason).ending, Ending::Completed) << name(reason);
    EXPECT_EQ(judge(returned(Outcome::fail("x"), true), reason).ending, Ending::Failed) << name(reason);
    EXPECT_EQ(judge(returned(Outcome::discard("x"), true), reason).ending, Ending::Discarded) << name(reason);
    EXPECT_EQ(judge(returned(Outcome::pause(), true), reason).ending, Ending::Paused) << name(reason);
    const Verdict snoozed = judge(returned(Outcome::snooze(3s), true), reason);
    EXPECT_EQ(snoozed.ending, Ending::Snoozed) << name(reason);
    EXPECT_EQ(snoozed.delay, 3s);
  }
}

TEST(Ending, ACancelledJobEndsCancelledUnlessItCompletes) {
  EXPECT_EQ(judge(returned(Outcome::done(), true), StopReason::Cancelled).ending, Ending::Completed);
  EXPECT_EQ(judge(returned(Outcome::fail("x"), false), StopReason::Cancelled).ending, Ending::Cancelled);
  EXPECT_EQ(judge(returned(Outcome::snooze(1h), true), StopReason::Cancelled).ending, Ending::Cancelled);
  EXPECT_EQ(judge(threw(false), StopReason::Cancelled).ending, Ending::Cancelled);
}

TEST(Ending, AnExceptionAfterAStopThatItLookedAtIsStoppedEarly) {
  EXPECT_EQ(judge(threw(true), StopReason::Shutdown).ending, Ending::Paused);
  EXPECT_EQ(judge(threw(false), StopReason::Shutdown).ending, Ending::Failed);
  EXPECT_EQ(judge(threw(false), StopReason::None).ending, Ending::Failed);
}

TEST(Ending, ACommandStoppedByAShutdownIsPutBackASecondLater) {
  AttemptEnd end = returned(Outcome::fail("killed by SIGTERM"), true);
  end.implied = end.command = true;
  const Verdict verdict = judge(end, StopReason::Shutdown);
  EXPECT_EQ(verdict.ending, Ending::Paused);
  EXPECT_EQ(verdict.delay, 1s);
}

TEST(Ending, ASnoozeIsNeverNegativeOrEndless) {
  EXPECT_EQ(judge(returned(Outcome::snooze(-5s), false), StopReason::None).delay, 0s);
  EXPECT_EQ(judge(returned(Outcome::snooze(Duration::max()), false), StopReason::None).delay, limits::kMaxDelay);
}

ClaimRules rules() {
  ClaimRules claim;
  claim.id = {5, 2};
  claim.policy.timeout = 30s;
  claim.policy.backoff.kind = Backoff::Kind::Fixed;
  claim.policy.backoff.base = 4s;
  return claim;
}

TEST(Ending, AFailureBecomesARetryWithItsText) {
  const store::Finish finish = finish_of(rules(), threw(false), StopReason::None, 0.5);
  EXPECT_EQ(finish.claim, (job::ClaimId{5, 2}));
  EXPECT_EQ(finish.event, job::JobEvent::Retry);
  EXPECT_EQ(finish.delay, 4s);
  EXPECT_EQ(finish.outcome, "failed");
  EXPECT_EQ(finish.report.error, "boom");
  EXPECT_EQ(finish.counters.attempts, 1);
  EXPECT_EQ(finish.counters.errors, 1);
}

TEST(Ending, ATimeOutKeepsTheTextOfTheExceptionItCaused) {
  const store::Finish finish = finish_of(rules(), threw(true), StopReason::TimedOut, 0.5);
  EXPECT_EQ(finish.outcome, "timed_out");
  EXPECT_EQ(finish.report.error, "timed out after 30s: boom");
}

TEST(Ending, AnAttemptStoppedAtItsDeadlineExpiresItsJob) {
  store::Finish finish = finish_of(rules(), returned({}, true), StopReason::Deadline, 0.5);
  EXPECT_EQ(finish.event, job::JobEvent::Expire);
  EXPECT_EQ(finish.outcome, "expired");
  EXPECT_EQ(finish.report.error, "its deadline has passed");
  EXPECT_EQ(finish.report.error_class, "expired");
  EXPECT_EQ(finish.counters.attempts, 1);
  EXPECT_EQ(finish.counters.errors, 0);
  finish = finish_of(rules(), threw(true), StopReason::Deadline, 0.5);
  EXPECT_EQ(finish.event, job::JobEvent::Expire);
  EXPECT_EQ(finish.report.error, "its deadline has passed: boom");
}

TEST(Ending, WhatAHandlerSaysAtItsDeadlineStands) {
  EXPECT_EQ(judge(returned(Outcome::done(), true), StopReason::Deadline).ending, Ending::Completed);
  EXPECT_EQ(judge(returned(Outcome::fail("x"), true), StopReason::Deadline).ending, Ending::Failed)
      << "put back, and expired by the next step";
  EXPECT_EQ(judge(returned({}, false), StopReason::Deadline).ending, Ending::Completed) << "it never looked";
}

TEST(Ending, AnErrorIsFoundByItsTypeOrElseByHowItEnded) {
  const auto class_of = [](AttemptEnd end, StopReason reason, std::string seen) {
    end.report.error_class = std::move(seen);
    return finish_of(rules(), std::move(end), reason, 0.5).report.error_class;
  };
  EXPECT_EQ(class_of(threw(false), StopReason::None, "std::out_of_range"), "std::out_of_range");
  EXPECT_EQ(class_of(threw(true), StopReason::TimedOut, "std::out_of_range"), "timeout");
  EXPECT_EQ(class_of(returned(Outcome::fail("x"), false), StopReason::None, ""), "failed");
  EXPECT_EQ(class_of(returned(Outcome::discard("x"), false), StopReason::None, ""), "discarded");
  EXPECT_EQ(class_of(returned({}, false), StopReason::None, ""), "") << "there is no error";
  EXPECT_EQ(class_of(threw(false), StopReason::None, std::string(500, 'x')), std::string(limits::kMaxNameBytes, 'x'));
}

TEST(Ending, LongTextsAreCutAndRubbishIsMadeReadable) {
  AttemptEnd end = returned(Outcome::fail("\xff" + std::string(2 * limits::kMaxErrorBytes, 'x')), false);
  end.report.log = std::string(2 * limits::kMaxLogBytes, 'y');
  end.report.out = std::string(2 * limits::kMaxOutputBytes, 'z');
  const store::Finish finish = finish_of(rules(), end, StopReason::None, 0.5);
  EXPECT_EQ(finish.report.error.size(), limits::kMaxErrorBytes);
  EXPECT_TRUE(finish.report.error.starts_with("\xEF\xBF\xBD"));
  EXPECT_EQ(finish.report.log.size(), limits::kMaxLogBytes);
  EXPECT_EQ(finish.report.out.size(), limits::kMaxOutputBytes);
}

TEST(Ending, OnlyACompletedJobKeepsAResult) {
  AttemptEnd end = returned(Outcome::done(), false);
  end.result = "42";
  EXPECT_EQ(finish_of(rules(), end, StopReason::None, 0.5).result, "42");
  end.outcome = Outcome::fail("x");
  EXPECT_EQ(finish_of(rules(), end, StopReason::None, 0.5).result, "");
}

}  // namespace
}  // namespace galley::engine
