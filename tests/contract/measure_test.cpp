#include "contract/support.hpp"

namespace galley::store::contract {

class Measures : public Contract {
 protected:
  static Measured measured(std::string kind, std::int64_t completed, Duration wait, Duration run) {
    Measured one;
    one.queue = "default";
    one.kind = std::move(kind);
    one.completed = completed;
    one.wait.add(wait);
    one.run.add(run);
    return one;
  }
  void report(const Measured& one) { ASSERT_TRUE(store.report(std::span(&one, 1))); }
  std::vector<Minute> minutes(int back = 5) { return store.minutes(back).value(); }
  Duration waited() {
    const job::Claim claim = claim_one();
    EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::Finished);
    return claim.waited;
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Measures, testing::ValuesIn(backends()), backend_name);

TEST_P(Measures, WhatIsEnqueuedIsCountedByMinuteQueueAndKind) {
  add({a_job(), a_job(), a_job().delay(1h), a_job().kind("other"), a_job().queue("slow")});
  clock.advance(1min);
  add(a_job());
  const auto all = minutes();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].measured.queue + all[0].measured.kind, "defaultk");
  EXPECT_EQ(all[0].enqueued, 3);
  EXPECT_EQ(all[1].measured.queue + all[1].measured.kind, "defaultother");
  EXPECT_EQ(all[1].enqueued, 1);
  EXPECT_EQ(all[2].measured.queue + all[2].measured.kind, "slowk");
  EXPECT_EQ(all[3].enqueued, 1);
  EXPECT_EQ(all[3].minute, all[0].minute + 1min);
  EXPECT_EQ(all[3].minute, std::chrono::floor<std::chrono::minutes>(clock.wall()));
}

TEST_P(Measures, AnEnqueueThatAddsNothingIsNotCounted) {
  add(a_job().token("t"));
  add(a_job().token("t"));
  ASSERT_EQ(minutes().size(), 1U);
  EXPECT_EQ(minutes()[0].enqueued, 1);
}

TEST_P(Measures, CommandsOfOneKindAreOneWhateverTheirProgram) {
  add({a_job().kind("resize").command("convert"), a_job().kind("resize").command("magick")});
  report(measured("resize", 2, 1ms, 1s));
  ASSERT_EQ(minutes().size(), 1U);
  EXPECT_EQ(minutes()[0].enqueued, 2);
  EXPECT_EQ(minutes()[0].measured.completed, 2);
}

TEST_P(Measures, ReportsOfOneMinuteAreMerged) {
  add(a_job());
  report(measured("k", 2, 10ms, 1s));
  Measured second = measured("k", 1, 30ms, 3s);
  second.failed = 4;
  report(second);
  ASSERT_EQ(minutes().size(), 1U);
  const Measured merged = minutes()[0].measured;
  EXPECT_EQ(minutes()[0].enqueued, 1);
  EXPECT_EQ(merged.completed, 3);
  EXPECT_EQ(merged.failed, 4);
  EXPECT_EQ(merged.wait.count(), 2);
  EXPECT_EQ(merged.wait.max(), 30ms);
  EXPECT_EQ(merged.run.sum(), 4s);
}

TEST_P(Measures, AKindThatTheStoreNeverSawMayBeReported) {
  report(measured("unseen", 1, 1ms, 1ms));
  ASSERT_EQ(minutes().size(), 1U);
  EXPECT_EQ(minutes()[0].measured.kind, "unseen");
  EXPECT_TRUE(store.lanes().value().empty());
}

TEST_P(Measures, OnlyTheMinutesAskedForAreGivenAndTheyAreKeptForAnHour) {
  add(a_job());
  clock.advance(2min);
  EXPECT_TRUE(minutes(1).empty());
  EXPECT_EQ(minutes(2).size(), 1U);
  clock.advance(58min);
  (void)step();
  EXPECT_EQ(minutes(60).size(), 1U);
  clock.advance(1min);
  (void)step();
  clock.step_wall(-1min);
  EXPECT_TRUE(minutes(60).empty()) << "a step drops what is older than an hour";
}

TEST_P(Measures, CountsStopAtTheLargestNumber) {
  report(measured("k", std::numeric_limits<std::int64_t>::max(), 1ms, 1ms));
  report(measured("k", 1, 1ms, 1ms));
  EXPECT_EQ(minutes()[0].measured.completed, std::numeric_limits<std::int64_t>::max());
}

TEST_P(Measures, WhatCannotBeIsRefused) {
  EXPECT_REFUSED(store.minutes(0));
  EXPECT_REFUSED(store.minutes(limits::kKeepMinutes + 1));
  Measured bad = measured("k", -1, 1ms, 1ms);
  EXPECT_REFUSED(store.report(std::span(&bad, 1)));
  bad = measured("a kind", 1, 1ms, 1ms);
  EXPECT_REFUSED(store.report(std::span(&bad, 1)));
  EXPECT_REFUSED(store.report(std::vector<Measured>(limits::kMaxClaimKinds + 1, measured("k", 1, 1ms, 1ms))));
  EXPECT_TRUE(store.report({}));
  EXPECT_TRUE(minutes().empty());
}

TEST_P(Measures, AJobWaitsFromItsEnqueue) {
  add(a_job());
  clock.advance(3s);
  EXPECT_EQ(waited(), 3s);
}

TEST_P(Measures, AScheduledJobWaitsFromItsDueTimeHoweverLateItWasSeen) {
  add(a_job().delay(10s));
  clock.advance(12s);
  EXPECT_EQ(waited(), 2s);
  add(a_job().delay(10s));
  clock.advance(12s);
  EXPECT_EQ(step().promoted, 1);
  clock.advance(1s);
  EXPECT_EQ(waited(), 3s);
}

TEST_P(Measures, APriorityDoesNotChangeHowLongAJobHasWaited) {
  add(a_job().priority(7));
  clock.advance(3s);
  EXPECT_EQ(waited(), 3s);
}

TEST_P(Measures, AJobThatWasPutBackWaitsFromThen) {
  add(a_job().delay(1s));
  clock.advance(2s);
  auto claim = claim_one();
  EXPECT_EQ(claim.waited, 1s);
  clock.advance(20s);
  finish(claim, JobEvent::Pause);
  clock.advance(2s);
  claim = claim_one();
  EXPECT_EQ(claim.waited, 2s);
  clock.advance(1s);
  finish(claim, JobEvent::Release);
  clock.advance(1s);
  claim = claim_one();
  EXPECT_EQ(claim.waited, 4s) << "it never started, so it goes on waiting";
  finish(claim, JobEvent::Retry, 5s);
  clock.advance(6s);
  EXPECT_EQ(waited(), 1s);
}

TEST_P(Measures, AWaitIsNeverNegative) {
  add(a_job());
  clock.step_wall(-1h);
  EXPECT_EQ(waited(), 0s);
}

}  // namespace galley::store::contract
