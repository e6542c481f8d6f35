#include <algorithm>
#include <set>

#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

class Grouped : public Contract {
 protected:
  static constexpr int kLarge = 1 << 20;
  /// A job of group "g" that is closed by a third member or after five seconds.
  static JobBuilder of_group(std::string payload = "1", int max_jobs = 3, int max_bytes = kLarge) {
    return a_job().payload(std::move(payload)).group({"g", max_jobs, max_bytes, 5s});
  }
  Enqueued put(const job::NewJob& job) { return store.enqueue(std::span(&job, 1)).value().at(0); }
};
INSTANTIATE_TEST_SUITE_P(Every, Grouped, testing::ValuesIn(backends()), backend_name);

TEST_P(Grouped, JobsOfOneGroupAreGatheredIntoOneJob) {
  const Enqueued first = put(of_group("{\"a\":1}"));
  EXPECT_FALSE(first.existed);
  clock.advance(2s);
  const Enqueued second = put(of_group("[2]"));
  EXPECT_EQ(second.id, first.id);
  EXPECT_TRUE(second.existed);
  EXPECT_FALSE(second.replaced);
  const auto job = find(first.id);
  EXPECT_EQ(job.state, JobState::Scheduled);
  EXPECT_EQ(job.due_at, clock.wall() + 3s) << "its age is the first member's";
  EXPECT_EQ(job.payload, "[{\"a\":1},[2]]");
  EXPECT_EQ(job.members, 2);
  EXPECT_EQ(job.group.key, "g");
  EXPECT_EQ(job.group.max_jobs, 3);
  EXPECT_EQ(job.group.max_bytes, kLarge);
  EXPECT_EQ(job.group.max_age, 5s);
  EXPECT_EQ(to_text(list()), to_text(std::vector{job}));
  expect_counts_match_contents();
}

TEST_P(Grouped, ItRunsWhenItsFirstMemberIsOldEnough) {
  const JobId id = add(of_group("1"));
  clock.advance(4s);
  EXPECT_EQ(add(of_group("2")), id);
  EXPECT_EQ(claim().size(), 0U);
  clock.advance(1s);
  EXPECT_EQ(claim_one().payload, "[1,2]");
}

TEST_P(Grouped, ItRunsAtOnceWhenItHasMaxJobs) {
  const Ids all = add({of_group("1"), of_group("2"), of_group("3"), of_group("4")});
  EXPECT_EQ(all[1], all[0]);
  EXPECT_EQ(all[2], all[0]);
  EXPECT_NE(all[3], all[0]) << "the next group";
  EXPECT_EQ(state(all[0]), JobState::Ready);
  EXPECT_EQ(state(all[3]), JobState::Scheduled);
  EXPECT_EQ(claim_one().payload, "[1,2,3]");
  expect_counts_match_contents();
}

TEST_P(Grouped, ItRunsAtOnceWhenTheArrayHasMaxBytes) {
  const Ids all = add({of_group("11", 100, 7), of_group("22", 100, 7), of_group("3", 100, 7)});
  EXPECT_EQ(all[1], all[0]);
  EXPECT_EQ(state(all[0]), JobState::Ready);
  EXPECT_EQ(claim_one().payload, "[11,22]");
  EXPECT_NE(all[2], all[0]);
}

TEST_P(Grouped, AMemberThatWouldExceedMaxBytesClosesTheGroupAndOpensTheNextOne) {
  const Ids all = add({of_group("11", 100, 8), of_group("2222", 100, 8), of_group("3", 100, 8)});
  EXPECT_NE(all[1], all[0]);
  EXPECT_EQ(state(all[0]), JobState::Ready);
  EXPECT_EQ(find(all[0]).payload, "[11]");
  EXPECT_EQ(state(all[1]), JobState::Ready) << "\"[2222,3]\" is full to the byte";
  EXPECT_EQ(all[2], all[1]);
  EXPECT_EQ(ids(claim()), (Ids{all[0], all[1]}));
}

TEST_P(Grouped, WhatIsTooLargeAloneIsAGroupOfItsOwnAndRunsBehindTheOneBeforeIt) {
  const Ids all = add({of_group("1", 100, 8), of_group("\"far too large\"", 100, 8), of_group("3", 100, 8)});
  EXPECT_EQ((std::set<JobId>(all.begin(), all.end()).size()), 3U);
  const auto claims = claim();
  EXPECT_EQ(ids(claims), (Ids{all[0], all[1]}));
  EXPECT_EQ(claims.at(1).payload, "[\"far too large\"]");
  EXPECT_EQ(state(all[2]), JobState::Scheduled);
}

TEST_P(Grouped, BoundsOfOneJobOrNoAgeMakeGroupsOfOne) {
  const Ids one = add({of_group("1", 1), of_group("2", 1)});
  const Ids none = add({a_job().kind("now").payload("3").group({"g", 9, kLarge, 0s}),
                        a_job().kind("now").payload("4").group({"g", 9, kLarge, 0s})});
  EXPECT_NE(one[0], one[1]);
  EXPECT_NE(none[0], none[1]);
  for (const JobId id : {one[0], one[1], none[0], none[1]}) EXPECT_EQ(state(id), JobState::Ready);
  EXPECT_EQ(claim_one().payload, "[1]");
}

TEST_P(Grouped, QueueKindAndKeyAreAGroup) {
  job::NewJob other_key = of_group();
  other_key.group.key = "h";
  Ids all = add({of_group(), of_group().queue("other"), of_group().kind("k2"), other_key});
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

TEST_P(Grouped, BoundsAndOptionsAreThoseOfTheFirstMember) {
  const JobId id = add(of_group("1", 3).priority(2).key("tenant 1"));
  EXPECT_EQ(add(of_group("2", 2).priority(9).key("tenant 2")), id);
  EXPECT_EQ(state(id), JobState::Scheduled) << "the second member's two are not the group's three";
  EXPECT_EQ(add(of_group("3", 100)), id);
  EXPECT_EQ(state(id), JobState::Ready);
  EXPECT_EQ(find(id).priority, 2);
  EXPECT_EQ(find(id).key, "tenant 1");
}

TEST_P(Grouped, OneRedactedMemberRedactsTheRun) {
  const JobId id = add(of_group("1"));
  EXPECT_FALSE(find(id).redacted);
  job::NewJob secret = of_group("2");
  secret.redacted = true;
  EXPECT_EQ(add(secret), id);
  EXPECT_EQ(add(of_group("3")), id);
  EXPECT_TRUE(find(id).redacted);
}

TEST_P(Grouped, ARunningGroupTakesNoMoreNotEvenBetweenItsTries) {
  const JobId id = add(of_group("1"));
  clock.advance(5s);
  const job::Claim claim = claim_one();
  const JobId next = add(of_group("2"));
  EXPECT_NE(next, id);
  EXPECT_EQ(finish(claim, JobEvent::Retry, 1h), FinishAnswer::Finished);
  EXPECT_EQ(state(id), JobState::Scheduled);
  EXPECT_EQ(add(of_group("3")), next);
  EXPECT_EQ(add(of_group("4")), next);
  EXPECT_NE(add(of_group("5")), id);
  EXPECT_EQ(find(id).payload, "[1]");
}

TEST_P(Grouped, AGroupThatHasRunTakesNoMoreWhenNobodyCameMeanwhile) {
  const JobId id = add(of_group("1"));
  clock.advance(5s);
  EXPECT_EQ(run_one(JobEvent::Retry, 1h), id);
  EXPECT_NE(add(of_group("2")), id);
  EXPECT_EQ(find(id).members, 1);
}

TEST_P(Grouped, RunningItNowAndAlteringItCloseIt) {
  const JobId now = add(of_group("1"));
  EXPECT_EQ(store.run_now(std::span(&now, 1)).value().at(0), Operated::Done);
  const JobId moved = add(of_group("2"));
  EXPECT_NE(moved, now);
  Alteration change;
  change.queue = "other";
  EXPECT_EQ(store.alter(std::span(&moved, 1), change).value().at(0), Operated::Done);
  EXPECT_NE(add(of_group("3")), moved);
  EXPECT_NE(add(of_group("4").queue("other")), moved);
  expect_counts_match_contents();
}

TEST_P(Grouped, AStepThatFindsItDueClosesIt) {
  const JobId id = add(of_group("1"));
  clock.advance(5s);
  EXPECT_EQ(step().promoted, 1);
  EXPECT_NE(add(of_group("2")), id);
}

TEST_P(Grouped, WhatAPersonDoesToItClosesIt) {
  const JobId cancelled = add(of_group("1"));
  EXPECT_EQ(cancel(cancelled), Operated::Done);
  const JobId retried = add(of_group("2"));
  EXPECT_NE(retried, cancelled);
  EXPECT_EQ(retry(retried), Operated::Done);
  const JobId erased = add(of_group("3"));
  EXPECT_NE(erased, retried);
  EXPECT_EQ(erase(erased), Operated::Done);
  const JobId last = add(of_group("4"));
  EXPECT_GT(last, erased);
  EXPECT_EQ(find(last).payload, "[4]");
  EXPECT_EQ(find(cancelled).payload, "[1]");
  expect_counts_match_contents();
}

TEST_P(Grouped, ARetryRunsTheWholeGroupAgain) {
  const JobId id = add({of_group("1"), of_group("2"), of_group("3")}).front();
  EXPECT_EQ(run_one(JobEvent::Die), id);
  EXPECT_EQ(retry(id), Operated::Done);
  const job::Claim again = claim_one();
  EXPECT_EQ(again.id.job, id);
  EXPECT_EQ(again.payload, "[1,2,3]");
  EXPECT_EQ(finish(again, JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(find(id).members, 3);
}

TEST_P(Grouped, ManyMembersKeepTheirOrder) {
  std::vector<job::NewJob> batch;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    batch.push_back(of_group(std::to_string(i), 500));
    expected += (i == 0 ? "[" : ",") + std::to_string(i);
  }
  EXPECT_FALSE(store.enqueue(batch).has_error());
  EXPECT_EQ(claim_one().payload, expected + "]");
  expect_counts_match_contents();
}

TEST_P(Grouped, AJobWithoutAGroupHasNoMembers) {
  const auto job = find(add(a_job()));
  EXPECT_EQ(job.members, 0);
  EXPECT_EQ(job.group.key, "");
}

TEST_P(Grouped, WhatCannotBeGatheredIsRefused) {
  const auto refused = [&](const job::NewJob& job) { EXPECT_REFUSED(store.enqueue(std::span(&job, 1))); };
  refused(of_group().token("t"));
  refused(of_group().unique("u"));
  refused(of_group().delay(1s));
  refused(of_group().bytes("x"));
  EXPECT_TRUE(list().empty());
}

}  // namespace galley::store::contract
