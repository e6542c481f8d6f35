#include <gtest/gtest.h>

#include "runtime/stop_rules.hpp"

namespace galley::runtime {
namespace {

using namespace std::chrono_literals;
using Kind = StopAction::Kind;
using Actions = std::vector<StopAction>;

base::Mono at(Duration moment) { return base::Mono(moment); }

TEST(StopRules, DrainOnePartAfterTheOtherInReverseAndThenCloseThem) {
  StopRules rules(5s, 30s, 3s);
  EXPECT_EQ(rules.stage(), Stage::Running);
  EXPECT_FALSE(rules.deadline());
  EXPECT_TRUE(rules.stop(2, at(0s)).empty());
  EXPECT_EQ(rules.stage(), Stage::NotReady);
  EXPECT_EQ(rules.deadline(), at(5s));
  EXPECT_TRUE(rules.tick(at(5s) - 1us).empty());
  EXPECT_EQ(rules.tick(at(5s)), (Actions{{Kind::StopAccepting, 1}, {Kind::StopAccepting, 0}, {Kind::Drain, 1}}));
  EXPECT_EQ(rules.deadline(), at(35s));
  EXPECT_EQ(rules.drained(1), (Actions{{Kind::Drain, 0}}));
  EXPECT_TRUE(rules.drained(1).empty());
  EXPECT_EQ(rules.drained(0), (Actions{{Kind::Close, 1}, {Kind::Close, 0}, {Kind::End, -1}}));
  EXPECT_EQ(rules.stage(), Stage::Ended);
  EXPECT_FALSE(rules.deadline());
  EXPECT_FALSE(rules.abandoned(0));
  EXPECT_FALSE(rules.cancelled(1));
}

TEST(StopRules, CancelWhatDidNotEndInTimeAndAbandonWhatDoesNotEndThen) {
  StopRules rules(0s, 30s, 3s);
  EXPECT_EQ(rules.stop(3, at(0s)).back(), (StopAction{Kind::Drain, 2}));
  EXPECT_EQ(rules.drained(2), (Actions{{Kind::Drain, 1}}));
  EXPECT_EQ(rules.tick(at(30s)), (Actions{{Kind::Cancel, 1}, {Kind::Drain, 0}, {Kind::Cancel, 0}}));
  EXPECT_EQ(rules.stage(), Stage::Cancelling);
  EXPECT_EQ(rules.deadline(), at(33s));
  EXPECT_TRUE(rules.drained(0).empty());
  EXPECT_EQ(rules.tick(at(33s)), (Actions{{Kind::Close, 2}, {Kind::Close, 1}, {Kind::Close, 0}, {Kind::End, -1}}));
  EXPECT_FALSE(rules.abandoned(0));
  EXPECT_TRUE(rules.abandoned(1));
  EXPECT_FALSE(rules.abandoned(2));
  EXPECT_FALSE(rules.cancelled(2));
  EXPECT_TRUE(rules.cancelled(0));
}

TEST(StopRules, EndAsSoonAsAllThatWasCancelledHasEnded) {
  StopRules rules(0s, 1s, 1h);
  (void)rules.stop(2, at(0s));
  (void)rules.tick(at(1s));
  EXPECT_TRUE(rules.drained(0).empty());
  EXPECT_EQ(rules.drained(1).back(), (StopAction{Kind::End, -1}));
}

TEST(StopRules, AreHurriedByTheSecondRequestAndEndedByTheThird) {
  StopRules rules(5s, 30s, 3s);
  (void)rules.stop(1, at(0s));
  EXPECT_EQ(rules.stop(1, at(1s)), (Actions{{Kind::StopAccepting, 0}, {Kind::Drain, 0}, {Kind::Cancel, 0}}));
  EXPECT_EQ(rules.stage(), Stage::Cancelling);
  EXPECT_EQ(rules.deadline(), at(4s));
  EXPECT_EQ(rules.stop(1, at(2s)), (Actions{{Kind::Close, 0}, {Kind::End, -1}}));
  EXPECT_TRUE(rules.abandoned(0));
  EXPECT_EQ(rules.hurried(), 2);
  EXPECT_TRUE(rules.stop(1, at(2s)).empty());
}

TEST(StopRules, EndAtOnceWhereThereIsNothingToStop) {
  StopRules rules(0s, 30s, 3s);
  EXPECT_EQ(rules.stop(0, at(0s)), (Actions{{Kind::End, -1}}));
}

}  // namespace
}  // namespace galley::runtime
