// Histories made by hand: what is allowed passes, and each rule finds what breaks it, and it alone.

#include "history/checker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace galley::history {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Events at the times that are given: each call from `from` to `to`.
class Told {
 public:
  Told& enqueued(std::int64_t from, std::int64_t to, std::int64_t job, Event how = {}) {
    how.what = What::Enqueued;
    how.job = job;
    if (how.say.empty()) how.say = "new";
    if (how.queue.empty()) how.queue = "q";
    return call(from, to, "producer", "enqueue", {}, {how});
  }
  Told& claimed(std::int64_t from, std::int64_t to, std::int64_t job, std::int64_t epoch, int attempt,
                const std::string& by = "worker", std::int64_t lease = 10'000) {
    return call(from, to, by, "exchange", {},
                {{.what = What::Claimed, .job = job, .epoch = epoch, .attempt = attempt, .worker = 1, .lease = lease}});
  }
  Told& ended(std::int64_t from, std::int64_t to, std::int64_t job, std::int64_t epoch,
              const std::string& event = "complete", const std::string& answer = "finished",
              const std::string& outcome = "", std::int64_t delay = 0) {
    const Event asked{
        .what = What::Finishing, .job = job, .epoch = epoch, .delay = delay, .say = event, .outcome = outcome};
    return call(from, to, "worker", "exchange", {asked},
                {{.what = What::Finished, .job = job, .epoch = epoch, .say = answer}});
  }
  Told& renewed(std::int64_t from, std::int64_t to, std::int64_t job, std::int64_t epoch, bool held) {
    return call(from, to, "worker", "renew", {{.what = What::Renewing, .job = job, .epoch = epoch, .lease = 10'000}},
                {{.what = What::Renewed, .job = job, .epoch = epoch, .flag = held}});
  }
  Told& operated(std::int64_t from, std::int64_t to, const std::string& verb, std::int64_t job,
                 const std::string& answer = "done") {
    return call(from, to, "person", verb, {{.what = What::Operating, .verb = verb, .job = job}},
                {{.what = What::Operated, .verb = verb, .job = job, .say = answer}});
  }
  Told& cancelled_twice(std::int64_t from, std::int64_t to, std::int64_t job) {
    const Event asked{.what = What::Operating, .verb = "cancel", .job = job};
    Event done{.what = What::Operated, .verb = "cancel", .job = job, .say = "done"};
    Event again = done;
    again.say = "wrong_state";
    return call(from, to, "person", "cancel", {asked, asked}, {done, again});
  }
  /// A call that never came back.
  Told& lost(std::int64_t from, const std::string& by, const std::string& verb, std::vector<Event> asked = {}) {
    return call(from, -1, by, verb, std::move(asked), {});
  }
  Told& killed(std::int64_t from, std::int64_t to, const std::string& name) {
    add(from, {.by = "killer", .what = What::Kill, .name = name});
    add(to, {.by = "killer", .what = What::Died, .name = name});
    return *this;
  }
  Told& failed(std::int64_t from, std::int64_t to, const std::string& verb, std::vector<Event> asked, bool maybe) {
    call(from, -1, "worker", verb, std::move(asked), {});
    add(to, {.by = "worker", .call = calls_, .what = What::Failed, .flag = maybe});
    return *this;
  }
  Told& kept(std::int64_t job, const std::string& state) {
    add(1'000'000, {.by = "end", .what = What::Kept, .job = job, .say = state});
    return *this;
  }

  /// The invariants that do not hold, and the checker's words.
  std::vector<std::string> violated(bool cut = false) {
    add(1'000'001, {.by = "end", .what = What::Close, .flag = cut});
    std::stable_sort(events_.begin(), events_.end(), [](const Event& one, const Event& other) {
      return std::pair(one.at, !is_asked(one.what)) < std::pair(other.at, !is_asked(other.what));
    });
    Checker checker;
    for (const Event& event : events_) checker.add(event);
    checker.finish();
    text = checker.text();
    std::vector<std::string> invariants;
    for (const Violation& violation : checker.violations()) invariants.push_back(violation.invariant);
    return invariants;
  }
  std::string text;

 private:
  Told& call(std::int64_t from, std::int64_t to, const std::string& by, const std::string& verb,
             std::vector<Event> asked, std::vector<Event> answers) {
    asked.insert(asked.begin(), {.what = What::Call, .verb = verb});
    if (to >= 0) answers.push_back({.what = What::Answered});
    ++calls_;
    for (auto* part : {&asked, &answers}) {
      for (Event& event : *part) {
        event.by = by;
        event.call = calls_;
        add(part == &asked ? from : to, event);
      }
    }
    return *this;
  }
  void add(std::int64_t at, Event event) {
    event.at = at;
    events_.push_back(std::move(event));
  }
  std::vector<Event> events_;
  std::int64_t calls_ = 0;
};

Event finishing(std::int64_t job, std::int64_t epoch, const std::string& event) {
  return {.what = What::Finishing, .job = job, .epoch = epoch, .say = event};
}

TEST(History, OfAJobThatIsTriedTwiceAndCompletesIsAllowed) {
  Told told;
  told.enqueued(0, 10, 1, {.max_attempts = 3}).claimed(5, 20, 1, 1, 1);
  told.ended(30, 40, 1, 1, "retry", "finished", "failed", 100'000).claimed(140'000, 141'000, 1, 2, 2);
  told.renewed(142'000, 143'000, 1, 2, true).ended(150'000, 150'010, 1, 2).kept(1, "completed");
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
}

TEST(History, OfWhatAKilledProcessMayHaveDoneIsAllowed) {
  Told told;
  told.lost(0, "dead producer", "enqueue").killed(5, 9, "dead producer").claimed(20, 30, 1, 1, 1);  // it was enqueued
  told.enqueued(40, 50, 2).claimed(51, 60, 2, 2, 1, "dead worker");
  told.lost(70, "dead worker", "exchange", {finishing(2, 2, "complete")}).killed(80, 90, "dead worker");
  told.ended(100, 110, 1, 1).kept(1, "completed");  // job 2 had completed, and was pruned
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
}

TEST(History, OfAKilledWorkersClaimThatNobodyHeardOfIsAllowed) {
  Told told;
  told.enqueued(0, 10, 1).lost(20, "dead worker", "exchange").killed(30, 40, "dead worker");
  told.claimed(50, 60, 1, 2, 2).ended(70, 80, 1, 2).kept(1, "completed");
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
}

TEST(History, OfALapsedClaimWhoseLateWordsAreRefusedIsAllowed) {
  Told told;
  told.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).claimed(10'030, 10'040, 1, 2, 2, "other");
  told.renewed(10'050, 10'060, 1, 1, false).ended(10'070, 10'080, 1, 1, "complete", "lease_lost");
  told.ended(10'090, 10'100, 1, 2).kept(1, "completed");
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
}

TEST(History, OfAnEndThatIsToldTwiceBecauseItsAnswerWasLostIsAllowed) {
  Told told;
  told.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).failed(40, 50, "exchange", {finishing(1, 1, "complete")}, true);
  told.ended(60, 70, 1, 1, "complete", "already_finished").kept(1, "completed");
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
}

TEST(History, OfACancelledJobThatAPersonRevivesIsAllowed) {
  Told told;
  told.enqueued(0, 10, 1).operated(20, 30, "cancel", 1).operated(40, 50, "retry", 1);
  told.claimed(60, 70, 1, 1, 1).ended(80, 90, 1, 1, "die", "finished", "failed");
  told.enqueued(100, 110, 2).operated(120, 130, "cancel", 2).kept(1, "dead").kept(2, "cancelled");
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
}

TEST(History, OfACallThatAsksForTheSameTwiceIsAllowed) {
  Told told;
  told.enqueued(0, 10, 1).cancelled_twice(20, 30, 1).kept(1, "cancelled");
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
}

TEST(History, OfACutRunMayLeaveJobs) {
  Told told;
  told.enqueued(0, 10, 1).kept(1, "ready");
  EXPECT_THAT(told.violated(true), IsEmpty()) << told.text;
  EXPECT_THAT(Told().enqueued(0, 10, 1).kept(1, "ready").violated(false), ElementsAre("end"));
}

TEST(HistoryRule, NothingAcknowledgedIsLost) {
  Told told;
  told.enqueued(0, 10, 1).enqueued(11, 20, 2).kept(1, "dead");
  EXPECT_THAT(told.violated(), ElementsAre("lost"));
  EXPECT_NE(told.text.find("lost: job 2: it was acknowledged"), std::string::npos) << told.text;
  EXPECT_NE(told.text.find("\"what\":\"enqueued\""), std::string::npos) << "the events round it: " << told.text;
}

TEST(HistoryRule, NothingRunsThatNobodyEnqueued) {
  EXPECT_THAT(Told().claimed(0, 10, 1, 1, 1).ended(20, 30, 1, 1).violated(), ElementsAre("known"));
}

TEST(HistoryRule, OneClaimIsHeldAtATime) {
  Told told;
  told.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).claimed(10'000, 10'010, 1, 2, 2);
  EXPECT_THAT(told.ended(10'030, 10'040, 1, 2).violated(), ElementsAre("overlap")) << "its lease is until 10,020";
  Told renewed;
  renewed.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).renewed(5'000, 5'010, 1, 1, true);
  renewed.claimed(14'000, 14'010, 1, 2, 2).ended(14'030, 14'040, 1, 2);
  EXPECT_THAT(renewed.violated(), ElementsAre("overlap")) << "it was renewed until 15,000";
}

TEST(HistoryRule, ALeaseThatLastsIsNotLost) {
  Told told;
  told.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1, "complete", "lease_lost").kept(1, "dead");
  EXPECT_THAT(told.violated(), ElementsAre("lease"));
  Told renewed;
  renewed.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).renewed(40, 50, 1, 1, false).kept(1, "dead");
  EXPECT_THAT(renewed.violated(), ElementsAre("lease"));
}

TEST(HistoryRule, EpochsGrow) {
  Told twice;
  twice.enqueued(0, 10, 1)
      .claimed(20, 30, 1, 1, 1)
      .ended(40, 50, 1, 1, "pause")
      .claimed(60, 70, 1, 1, 2)
      .kept(1, "dead");
  EXPECT_THAT(twice.violated(), ElementsAre("epochs"));
  Told shrunk;
  shrunk.enqueued(0, 10, 1).claimed(20, 30, 1, 5, 1).ended(40, 50, 1, 5, "pause").claimed(60, 70, 1, 4, 1);
  EXPECT_THAT(shrunk.kept(1, "dead").violated(), ElementsAre("epochs"));
}

TEST(HistoryRule, ALateEndIsRefused) {
  Told told;
  told.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).claimed(10'030, 10'040, 1, 2, 2);
  told.ended(10'050, 10'060, 1, 1, "pause").ended(10'070, 10'080, 1, 2).kept(1, "completed");
  EXPECT_THAT(told.violated(), ElementsAre("fencing"));
}

TEST(HistoryRule, AClaimEndsOnce) {
  Told told;
  told.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1, "die").ended(60, 70, 1, 1, "die");
  EXPECT_THAT(told.kept(1, "dead").violated(), ElementsAre("answers"));
  Told already;
  already.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1, "complete", "already_finished");
  EXPECT_THAT(already.kept(1, "dead").violated(), ElementsAre("answers")) << "nobody had";
}

TEST(HistoryRule, ACompletedJobNeverStartsAgain) {
  Told told;
  told.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1).claimed(60, 70, 1, 2, 2);
  EXPECT_THAT(told.violated(), ElementsAre("once"));
  Told overlapping;  // the claim is asked for before the end is answered
  overlapping.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1).claimed(45, 70, 1, 2, 2);
  EXPECT_THAT(overlapping.kept(1, "completed").violated(), ElementsAre("once"));
  Told dead;
  dead.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1, "die").claimed(60, 70, 1, 2, 2).kept(1, "dead");
  EXPECT_THAT(dead.violated(), ElementsAre("once"));
}

TEST(HistoryRule, AttemptsAreNumberedWithoutGaps) {
  EXPECT_THAT(Told().enqueued(0, 10, 1).claimed(20, 30, 1, 1, 2).ended(40, 50, 1, 1).violated(),
              ElementsAre("numbering"));
  Told gap;
  gap.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1, "pause").claimed(60, 70, 1, 2, 3).kept(1, "dead");
  EXPECT_THAT(gap.violated(), ElementsAre("numbering"));
  Told released;
  released.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1, "release").claimed(60, 70, 1, 2, 1);
  EXPECT_THAT(released.kept(1, "dead").violated(), IsEmpty()) << "it never started";
}

TEST(HistoryRule, ErrorsAreBounded) {
  Told told;
  told.enqueued(0, 10, 1, {.max_attempts = 2});
  for (int i = 1; i <= 3; ++i) {
    told.claimed(i * 100, i * 100 + 10, 1, i, i).ended(i * 100 + 20, i * 100 + 30, 1, i, "retry", "finished", "failed");
  }
  EXPECT_THAT(told.kept(1, "dead").violated(), ElementsAre("attempts"));
}

TEST(HistoryRule, ErrorsAreCountedAnewWhenAPersonRetries) {
  Told told;
  told.enqueued(0, 10, 1, {.max_attempts = 2}).claimed(20, 30, 1, 1, 1);
  told.ended(40, 50, 1, 1, "retry", "finished", "failed", 1'000).operated(60, 70, "retry", 1);
  told.claimed(80, 90, 1, 2, 2).ended(100, 110, 1, 2, "retry", "finished", "failed");
  told.claimed(120, 130, 1, 3, 3).ended(140, 150, 1, 3, "die", "finished", "failed").kept(1, "dead");
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
}

TEST(HistoryRule, CrashesAreBounded) {
  Told told;
  told.enqueued(0, 10, 1, {.max_crashes = 2});
  for (int i = 1; i <= 3; ++i) {
    const std::string worker = "worker " + std::to_string(i);
    told.claimed(i * 100, i * 100 + 10, 1, i, i, worker).killed(i * 100 + 20, i * 100 + 30, worker);
  }
  EXPECT_THAT(told.kept(1, "dead").violated(), ElementsAre("crashes"));
}

TEST(HistoryRule, ACancelledJobNeverStarts) {
  Told told;
  told.enqueued(0, 10, 1).operated(20, 30, "cancel", 1).claimed(40, 50, 1, 1, 1).kept(1, "cancelled");
  EXPECT_THAT(told.violated(), ElementsAre("cancel"));
  Told running;
  running.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).operated(40, 50, "cancel", 1, "requested");
  running.ended(60, 70, 1, 1, "retry").claimed(80, 90, 1, 2, 2).kept(1, "cancelled");
  EXPECT_THAT(running.violated(), ElementsAre("cancel")) << "nor again";
}

TEST(HistoryRule, ADeletedJobIsGone) {
  Told told;
  told.enqueued(0, 10, 1).operated(20, 30, "erase", 1).enqueued(40, 50, 2).operated(60, 70, "erase", 2);
  EXPECT_THAT(told.violated(), IsEmpty()) << told.text;
  EXPECT_THAT(Told().enqueued(0, 10, 1).operated(20, 30, "erase", 1).claimed(40, 50, 1, 1, 1).violated(),
              ElementsAre("once"));
  EXPECT_THAT(Told().enqueued(0, 10, 1).operated(20, 30, "erase", 1).kept(1, "dead").violated(), ElementsAre("end"));
}

TEST(HistoryRule, NothingStartsBeforeItIsDue) {
  EXPECT_THAT(Told().enqueued(0, 10, 1, {.delay = 50'000}).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1).violated(),
              ElementsAre("due"));
  Told retried;
  retried.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1, "retry", "finished", "failed", 50'000);
  retried.claimed(60, 70, 1, 2, 2).kept(1, "dead");
  EXPECT_THAT(retried.violated(), ElementsAre("due"));
}

TEST(HistoryRule, ALaneRunsInTheOrderOfItsEnqueues) {
  Told told;
  told.enqueued(0, 10, 1).enqueued(20, 30, 2).claimed(40, 50, 2, 1, 1).claimed(60, 70, 1, 2, 1);
  told.ended(80, 90, 1, 2).ended(91, 99, 2, 1);
  EXPECT_THAT(told.violated(), ElementsAre("order"));
  Told at_once;  // either may have been first
  at_once.enqueued(0, 25, 1).enqueued(20, 30, 2).claimed(40, 50, 2, 1, 1).claimed(60, 70, 1, 2, 1);
  EXPECT_THAT(at_once.ended(80, 90, 1, 2).ended(91, 99, 2, 1).violated(), IsEmpty());
}

TEST(HistoryRule, AUniqueKeyHasOneHolder) {
  Told told;
  told.enqueued(0, 10, 1, {.unique = "u"}).enqueued(20, 30, 2, {.unique = "u"}).kept(1, "dead").kept(2, "dead");
  EXPECT_THAT(told.violated(), ElementsAre("unique"));
  Told ended;
  ended.enqueued(0, 10, 1, {.unique = "u"}).claimed(11, 12, 1, 1, 1).ended(15, 40, 1, 1);
  EXPECT_THAT(ended.enqueued(20, 30, 2, {.unique = "u"}).kept(2, "dead").violated(), IsEmpty()) << "it may have ended";
}

TEST(HistoryRule, ATokenIsOneJob) {
  Told told;
  told.enqueued(0, 10, 1, {.token = "t"}).enqueued(20, 30, 2, {.token = "t"}).kept(1, "dead").kept(2, "dead");
  EXPECT_THAT(told.violated(), ElementsAre("token"));
}

TEST(HistoryRule, WhatIsKeptIsWhatHappened) {
  EXPECT_THAT(Told().enqueued(0, 10, 1).kept(1, "completed").violated(), ElementsAre("end"));
  EXPECT_THAT(Told().enqueued(0, 10, 1).kept(1, "cancelled").violated(), ElementsAre("end"));
  Told told;
  told.enqueued(0, 10, 1).claimed(20, 30, 1, 1, 1).ended(40, 50, 1, 1).kept(1, "dead");
  EXPECT_THAT(told.violated(), ElementsAre("end"));
}

TEST(History, HoldsOneBitOfEachJobThatHasCompleted) {
  Checker checker;
  for (int job = 1; job <= 10'000; ++job) {
    const std::int64_t at = job * 10;
    const auto add = [&](int call, std::vector<Event> events) {
      for (Event& event : events) {
        event.at = at + call;
        event.by = "p";
        event.call = job * 10 + call;
        checker.add(event);
      }
    };
    add(1, {{.what = What::Call}, {.what = What::Enqueued, .job = job, .say = "new"}, {.what = What::Answered}});
    add(2, {{.what = What::Call},
            {.what = What::Claimed, .job = job, .epoch = job, .attempt = 1, .lease = 10'000},
            {.what = What::Answered}});
    add(3, {{.what = What::Call},
            finishing(job, job, "complete"),
            {.what = What::Finished, .job = job, .epoch = job, .say = "finished"},
            {.what = What::Answered}});
  }
  EXPECT_LE(checker.most_held(), 3U);
  EXPECT_EQ(checker.completed(), 10'000);
  checker.add({.at = 200'000, .by = "p", .what = What::Claimed, .job = 5'000, .epoch = 20'000, .attempt = 2});
  checker.finish();
  ASSERT_EQ(checker.violations().size(), 1U);
  EXPECT_EQ(checker.violations()[0].invariant, "once");
}

TEST(HistoryEvent, IsReadAsItWasWritten) {
  const Event event{.at = 91,
                    .by = "w",
                    .call = 7,
                    .what = What::Claimed,
                    .job = 3,
                    .epoch = 8,
                    .attempt = 2,
                    .say = "a \"b\"\n",
                    .flag = true};
  const auto read = from_line(to_line(event));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(to_line(*read), to_line(event));
  EXPECT_EQ(read->say, event.say);
  EXPECT_FALSE(from_line("{\"what\":\"rubbish\"}").has_value());
  EXPECT_FALSE(from_line("{\"what\":\"call\",\"at\":\"x\"}").has_value());
}

}  // namespace
}  // namespace galley::history
