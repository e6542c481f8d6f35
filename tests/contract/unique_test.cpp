#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

constexpr UniqueUntil kStart = UniqueUntil::Start;
constexpr UniqueUntil kFinish = UniqueUntil::Finish;
using enum OnConflict;

class UniqueKey : public Contract {
 protected:
  Enqueued put(const job::NewJob& job) { return store.enqueue(std::span(&job, 1)).value().at(0); }
  void expect_free(const std::string& key) {
    const Enqueued answer = put(a_job().unique(key));
    EXPECT_FALSE(answer.existed) << key;
    EXPECT_EQ(erase(answer.id), Operated::Done);
  }
};
INSTANTIATE_TEST_SUITE_P(Every, UniqueKey, testing::ValuesIn(backends()), backend_name);

TEST_P(UniqueKey, AHeldKeyAnswersWithItsJobAndAddsNothing) {
  const JobId first = add(a_job().payload("[1]").unique("u"));
  const Enqueued again = put(a_job().payload("[2]").unique("u").queue("other"));
  EXPECT_EQ(again.id, first);
  EXPECT_TRUE(again.existed);
  EXPECT_FALSE(again.replaced);
  EXPECT_EQ(again.refused, std::nullopt);
  EXPECT_EQ(ids(list()), Ids{first});
  EXPECT_EQ(find(first).payload, "[1]");
  EXPECT_EQ(find(first).unique.key, "u");
}

TEST_P(UniqueKey, IsOfOneKindInTheWholeStore) {
  const JobId first = add(a_job().unique("u"));
  EXPECT_EQ(add(a_job().unique("u").queue("other")), first);
  EXPECT_NE(add(a_job().unique("u").kind("k2")), first);
  EXPECT_NE(add(a_job().unique("v")), first);
  EXPECT_NE(add(a_job()), first);
  EXPECT_EQ(list().size(), 4U);
}

TEST_P(UniqueKey, TwiceInOneBatchIsOneJob) {
  const std::vector<job::NewJob> batch{a_job().unique("u").payload("1"), a_job(),
                                       a_job().unique("u", kFinish, Replace).payload("2"),
                                       a_job().unique("u", kFinish, Error)};
  const auto answer = store.enqueue(batch).value();
  EXPECT_FALSE(answer.at(0).existed);
  EXPECT_TRUE(answer.at(2).replaced);
  EXPECT_EQ(answer.at(2).id, answer.at(0).id);
  EXPECT_EQ(answer.at(3).refused, Errc::Conflict);
  EXPECT_EQ(list().size(), 2U);
  EXPECT_EQ(find(answer.at(0).id).payload, "2");
}

TEST_P(UniqueKey, UntilFinishIsHeldThroughAllTriesAndGivenUpAtEveryEnd) {
  for (const JobEvent end : {JobEvent::Complete, JobEvent::Die, JobEvent::Discard, JobEvent::Cancel}) {
    const JobId id = add(a_job().unique("u"));
    EXPECT_EQ(run_one(JobEvent::Retry), id);
    EXPECT_EQ(add(a_job().unique("u")), id) << "it waits for its next try";
    const job::Claim claim = claim_one();
    EXPECT_EQ(add(a_job().unique("u")), id) << "it runs";
    EXPECT_EQ(find(id).unique.key, "u");
    EXPECT_EQ(finish(claim, end), FinishAnswer::Finished);
    EXPECT_EQ(find(id).unique.key, "");
    expect_free("u");
  }
}

TEST_P(UniqueKey, UntilStartIsGivenUpByTheFirstClaim) {
  const JobId id = add(a_job().unique("u", kStart));
  EXPECT_EQ(add(a_job().unique("u", kStart)), id);
  const job::Claim claim = claim_one();
  EXPECT_EQ(find(id).unique.key, "");
  const JobId next = add(a_job().unique("u", kStart));
  EXPECT_NE(next, id) << "one may wait while the other runs";
  EXPECT_EQ(add(a_job().unique("u", kStart)), next);
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::Finished);
  EXPECT_EQ(add(a_job().unique("u", kStart)), next) << "the end of the first one is not the second one's";
}

TEST_P(UniqueKey, UntilStartDoesNotComeBackWithAReleaseARetryOrARevival) {
  const JobId id = add(a_job().unique("u", kStart));
  for (const JobEvent event : {JobEvent::Release, JobEvent::Retry, JobEvent::Die}) {
    EXPECT_EQ(run_one(event), id);
    EXPECT_EQ(find(id).unique.key, "");
    expect_free("u");
  }
  EXPECT_EQ(retry(id), Operated::Done);
  EXPECT_EQ(find(id).unique.key, "");
  expect_free("u");
}

TEST_P(UniqueKey, UntilStartIsGivenUpByAnEndBeforeTheStart) {
  const JobId id = add(a_job().unique("u", kStart));
  EXPECT_EQ(cancel(id), Operated::Done);
  EXPECT_EQ(find(id).unique.key, "");
  expect_free("u");
  EXPECT_EQ(retry(id), Operated::Done);
  EXPECT_EQ(find(id).unique.key, "");
  expect_free("u");
}

TEST_P(UniqueKey, CancellingAndDeletingGiveItUp) {
  const JobId first = add(a_job().unique("u"));
  EXPECT_EQ(cancel(first), Operated::Done);
  const JobId second = add(a_job().unique("u"));
  EXPECT_NE(second, first);
  EXPECT_EQ(erase(first), Operated::Done);
  EXPECT_EQ(add(a_job().unique("u")), second) << "deleting a job without the key frees nobody's";
  EXPECT_EQ(erase(second), Operated::Done);
  expect_free("u");
}

TEST_P(UniqueKey, ACrashedAndQuarantinedHolderGivesItUp) {
  const JobId id = add(a_job().unique("u").max_crashes(2));
  for (int crash = 1; crash <= 2; ++crash) {
    EXPECT_EQ(add(a_job().unique("u")), id);
    (void)claim_one();
    clock.advance(1h);
    step();
  }
  EXPECT_EQ(state(id), JobState::Dead);
  expect_free("u");
}

TEST_P(UniqueKey, ARetryTakesItAgainUnlessAnotherJobHasIt) {
  const JobId first = add(a_job().unique("u"));
  EXPECT_EQ(cancel(first), Operated::Done);
  EXPECT_EQ(retry(first), Operated::Done);
  EXPECT_EQ(find(first).unique.key, "u");
  EXPECT_EQ(add(a_job().unique("u")), first);

  EXPECT_EQ(cancel(first), Operated::Done);
  const JobId second = add(a_job().unique("u"));
  const std::string before = to_text(find(first));
  EXPECT_EQ(retry(first), Operated::Conflict);
  EXPECT_EQ(to_text(find(first)), before);
  EXPECT_EQ(cancel(second), Operated::Done);
  const Ids both{second, first};
  EXPECT_EQ(store.retry(both).value(), (std::vector{Operated::Done, Operated::Conflict})) << "within one call too";
  expect_counts_match_contents();
}

TEST_P(UniqueKey, ARetryOfAScheduledHolderIsNoConflictWithItself) {
  const JobId id = add(a_job().unique("u").delay(1h));
  EXPECT_EQ(retry(id), Operated::Done);
  EXPECT_EQ(add(a_job().unique("u")), id);
}

TEST_P(UniqueKey, AnErrorNamesTheHolderAndSpoilsNoOtherItem) {
  const JobId first = add(a_job().unique("u").payload("[1]"));
  const std::vector<job::NewJob> batch{a_job(), a_job().unique("u", kFinish, Error).payload("[2]"), a_job()};
  const auto answer = store.enqueue(batch).value();
  EXPECT_EQ(answer.at(1).refused, Errc::Conflict);
  EXPECT_EQ(answer.at(1).id, first);
  EXPECT_FALSE(answer.at(1).existed);
  EXPECT_NE(answer.at(1).reason.find("job " + std::to_string(first)), std::string::npos) << answer.at(1).reason;
  EXPECT_EQ(find(first).payload, "[1]");
  EXPECT_EQ(list().size(), 3U);
}

TEST_P(UniqueKey, AReplacementMakesTheWaitingHolderWhatItIs) {
  job::Policy policy;
  policy.timeout = 90s;
  policy.max_attempts = 3;
  policy.backoff = {.kind = Backoff::Kind::Fixed, .base = 7s, .cap = 1h, .list = {}};
  const JobId id = add(a_job().unique("u").key("tenant 1").payload("[1]").delay(1h));
  const Time then = clock.wall();
  clock.advance(10s);
  const Enqueued answer = put(a_job()
                                  .unique("u", kStart, Replace)
                                  .queue("other")
                                  .key("tenant 2")
                                  .bytes("2")
                                  .priority(4)
                                  .policy(policy)
                                  .delay(5s));
  EXPECT_EQ(answer.id, id);
  EXPECT_TRUE(answer.existed);
  EXPECT_TRUE(answer.replaced);

  job::JobRecord expected;
  expected.id = id;
  expected.state = JobState::Scheduled;
  expected.queue = "other";
  expected.kind = "k";
  expected.key = "tenant 2";
  expected.content = job::Content::Bytes;
  expected.payload = "2";
  expected.priority = 4;
  expected.policy = policy;
  expected.enqueued_at = then;
  expected.due_at = clock.wall() + 5s;
  expected.unique = {"u", kStart, Ignore};
  EXPECT_EQ(to_text(find(id)), to_text(expected));
  expect_counts_match_contents();
  clock.advance(5s);
  EXPECT_EQ(ids(claim(ClaimBuilder(worker).queues({"other"}).kind("k"))), Ids{id});
  expect_free("u");
}

TEST_P(UniqueKey, AReplacementMayTurnAHandlersJobIntoACommand) {
  const JobId id = add(a_job().unique("u"));
  EXPECT_TRUE(put(a_job().unique("u", kFinish, Replace).command("p")).replaced);
  EXPECT_EQ(claim().size(), 0U);
  const auto claims = claim(ClaimBuilder(worker).any_command(1));
  EXPECT_EQ(ids(claims), Ids{id});
  EXPECT_EQ(claims.at(0).program, "p");
  expect_counts_match_contents();
}

TEST_P(UniqueKey, AReplacedReadyJobStandsAtTheEndOfTheLine) {
  const Ids all = add({a_job().unique("u"), a_job()});
  EXPECT_TRUE(put(a_job().unique("u", kFinish, Replace)).replaced);
  EXPECT_EQ(ids(claim()), (Ids{all[1], all[0]}));
}

TEST_P(UniqueKey, AReplacementKeepsTheCountersAndDropsTheCheckpoint) {
  const JobId id = add(a_job().unique("u"));
  Finish failed = a_finish(claim_one(), JobEvent::Retry, 1h);
  failed.report.error = "boom";
  failed.checkpoint = "half";
  EXPECT_EQ(finish(failed), FinishAnswer::Finished);
  EXPECT_TRUE(put(a_job().unique("u", kFinish, Replace).payload("[2]")).replaced);
  EXPECT_EQ(find(id).error, "boom");
  EXPECT_EQ(attempts(id).size(), 1U);
  const job::Claim claim = claim_one();
  EXPECT_EQ(claim.id.job, id);
  EXPECT_EQ(claim.counters.errors, 1);
  EXPECT_EQ(claim.checkpoint, "") << "it was of the former payload";
  EXPECT_EQ(claim.payload, "[2]");
}

TEST_P(UniqueKey, ARunningHolderIsNotReplaced) {
  const JobId id = add(a_job().unique("u").payload("[1]"));
  const job::Claim claim = claim_one();
  const std::string before = to_text(find(id));
  const Enqueued answer = put(a_job().unique("u", kFinish, Replace).payload("[2]"));
  EXPECT_EQ(answer.id, id);
  EXPECT_TRUE(answer.existed);
  EXPECT_FALSE(answer.replaced);
  EXPECT_EQ(to_text(find(id)), before);
  EXPECT_EQ(finish(claim, JobEvent::Complete), FinishAnswer::Finished);
}

TEST_P(UniqueKey, AReplacementsTokenTakesThePlaceOfTheHolders) {
  const JobId id = add(a_job().unique("u").token("t1").payload("[1]"));
  EXPECT_TRUE(put(a_job().unique("u", kFinish, Replace).payload("[2]")).replaced);
  EXPECT_FALSE(put(a_job().token("t1")).replaced) << "without a token of its own the holder keeps what it has";
  EXPECT_TRUE(put(a_job().unique("u", kFinish, Replace).token("t2").payload("[3]")).replaced);
  const Enqueued repeated = put(a_job().unique("u", kFinish, Replace).token("t2").payload("[3]"));
  EXPECT_EQ(repeated.id, id);
  EXPECT_FALSE(repeated.replaced) << "a token that is known does nothing twice";
  EXPECT_NE(add(a_job().token("t1")), id);
  EXPECT_EQ(add(a_job().token("t2")), id);
  EXPECT_EQ(erase(id), Operated::Done);
  EXPECT_NE(add(a_job().token("t2")), id);
}

TEST_P(UniqueKey, ATokenOfAnIgnoredJobIsNotKept) {
  const JobId id = add(a_job().unique("u"));
  EXPECT_EQ(add(a_job().unique("u").token("t")), id);
  EXPECT_NE(add(a_job().token("t")), id);
}

TEST_P(UniqueKey, ADebouncedJobRunsOnceWithTheLastPayloadAfterTheQuiet) {
  const auto debounced = [](std::string payload) {
    return a_job().unique("u", kStart, Replace).delay(5s).payload(std::move(payload));
  };
  const JobId id = add(debounced("[0]"));
  for (int i = 1; i <= 4; ++i) {
    clock.advance(4s);
    EXPECT_TRUE(put(debounced("[" + std::to_string(i) + "]")).replaced);
    EXPECT_EQ(claim().size(), 0U) << "each one starts the delay anew";
  }
  clock.advance(5s);
  const job::Claim claim = claim_one();
  EXPECT_EQ(claim.id.job, id);
  EXPECT_EQ(claim.payload, "[4]");
  EXPECT_NE(add(debounced("[5]")), id) << "while it runs, the next one is gathered";
  expect_counts_match_contents();
}

}  // namespace galley::store::contract
