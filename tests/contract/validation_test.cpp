// Each bound refuses the whole batch before the first write.

#include "contract/describe.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

class Validation : public Contract {
 protected:
  [[nodiscard]] std::string contents() {
    std::string text = to_text(list()) + to_text(store.queues()) + to_text(store.lanes());
    for (const auto& job : list()) text += to_text(store.attempts(job.id));
    return text;
  }

  /// The job that is bad comes last, so that a store that checks while it writes is found out.
  void expect_job_refused(const job::NewJob& bad, const char* what) {
    const std::vector<job::NewJob> batch{a_job().queue("new"), bad};
    EXPECT_EQ(refusal(store.enqueue(batch)), Errc::InvalidInput) << what;
    EXPECT_TRUE(list().empty()) << what;
  }

  void expect_finish_refused(const Finish& good, const Finish& bad, const char* what) {
    const std::string before = contents();
    EXPECT_EQ(refusal(store.finish(std::vector{good, bad})), Errc::InvalidInput) << what;
    EXPECT_TRUE(contents() == before) << what << " has changed something";
  }

  void expect_claim_refused(const ClaimRequest& bad, const char* what) {
    const std::string before = contents();
    const std::vector<ClaimRequest> requests{ClaimBuilder(worker).kind("k"), bad};
    EXPECT_EQ(refusal(store.finish_and_claim({}, requests)), Errc::InvalidInput) << what;
    EXPECT_TRUE(contents() == before) << what << " has changed something";
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Validation, testing::ValuesIn(backends()), backend_name);

TEST_P(Validation, ABadJobRefusesItsBatch) {
  job::Policy policy;
  policy.max_attempts = 0;
  expect_job_refused(a_job().queue(""), "no queue");
  expect_job_refused(a_job().queue("a b"), "a blank in the queue's name");
  expect_job_refused(a_job().queue(std::string(limits::kMaxNameBytes + 1, 'q')), "a long queue's name");
  expect_job_refused(a_job().kind(""), "no kind");
  expect_job_refused(a_job().kind(std::string(limits::kMaxNameBytes + 1, 'k')), "a long kind");
  expect_job_refused(a_job().key(std::string(limits::kMaxKeyBytes + 1, 'k')), "a long key");
  expect_job_refused(a_job().token(std::string(limits::kMaxTokenBytes + 1, 't')), "a long token");
  expect_job_refused(a_job().bytes(std::string(limits::kMaxPayloadBytes + 1, 'p')), "a large payload");
  expect_job_refused(a_job().priority(limits::kMaxPriority + 1), "a high priority");
  expect_job_refused(a_job().priority(-limits::kMaxPriority - 1), "a low priority");
  expect_job_refused(a_job().delay(-1us), "a negative delay");
  expect_job_refused(a_job().delay(limits::kMaxDelay + 1us), "a long delay");
  expect_job_refused(a_job().policy(policy), "no attempts");
  expect_job_refused(a_job().max_crashes(0), "no crashes");
}

TEST_P(Validation, TheLargestJobIsAccepted) {
  const JobId id = add(a_job()
                           .queue(std::string(limits::kMaxNameBytes, 'q'))
                           .kind(std::string(limits::kMaxNameBytes, 'k'))
                           .key(std::string(limits::kMaxKeyBytes, 'k'))
                           .token(std::string(limits::kMaxTokenBytes, 't'))
                           .bytes(std::string(limits::kMaxPayloadBytes, 'p'))
                           .priority(limits::kMaxPriority)
                           .delay(limits::kMaxDelay));
  EXPECT_EQ(find(id).payload.size(), limits::kMaxPayloadBytes);
}

TEST_P(Validation, AnEnqueueHasBetweenOneJobAndAFullBatch) {
  EXPECT_REFUSED(store.enqueue({}));
  std::vector<job::NewJob> batch(limits::kMaxEnqueueBatch + 1, a_job());
  EXPECT_REFUSED(store.enqueue(batch));
  EXPECT_TRUE(store.lanes().value().empty());
  batch.pop_back();
  EXPECT_EQ(store.enqueue(batch).value().size(), limits::kMaxEnqueueBatch);
}

TEST_P(Validation, AnEnqueuesPayloadsAreBoundedTogether) {
  std::vector<job::NewJob> batch(limits::kMaxEnqueueBytes / limits::kMaxPayloadBytes,
                                 a_job().bytes(std::string(limits::kMaxPayloadBytes, 'p')));
  batch.push_back(a_job().bytes("p"));
  EXPECT_REFUSED(store.enqueue(batch));
  EXPECT_TRUE(list().empty());
}

TEST_P(Validation, ABadFinishRefusesItsBatch) {
  add({a_job(), a_job()});
  const auto claims = claim();
  const Finish good = a_finish(claims[0], JobEvent::Complete);
  const auto expect = [&](const char* what, auto change) {
    Finish bad = a_finish(claims[1], JobEvent::Complete);
    change(bad);
    expect_finish_refused(good, bad, what);
  };
  for (const JobEvent event : {JobEvent::Due, JobEvent::Unblock, JobEvent::Claim, JobEvent::Crash, JobEvent::Revive}) {
    expect(name(event).data(), [&](Finish& f) { f.event = event; });
  }
  expect("a negative delay", [](Finish& f) { f.delay = -1us; });
  expect("a long delay", [](Finish& f) { f.delay = limits::kMaxDelay + 1us; });
  expect("error", [](Finish& f) { f.report.error.assign(limits::kMaxErrorBytes + 1, 'e'); });
  expect("out", [](Finish& f) { f.report.out.assign(limits::kMaxOutputBytes + 1, 'o'); });
  expect("err", [](Finish& f) { f.report.err.assign(limits::kMaxOutputBytes + 1, 'o'); });
  expect("log", [](Finish& f) { f.report.log.assign(limits::kMaxLogBytes + 1, 'l'); });
  expect("result", [](Finish& f) { f.result.assign(limits::kMaxResultBytes + 1, 'r'); });
  expect("checkpoint", [](Finish& f) { f.checkpoint = std::string(limits::kMaxCheckpointBytes + 1, 'c'); });
  EXPECT_REFUSED(store.finish(std::vector<Finish>(limits::kMaxFinishBatch + 1, good)));
  EXPECT_EQ(finish(good), FinishAnswer::Finished) << "nothing of the above has ended it";
}

TEST_P(Validation, TheLargestFinishIsAccepted) {
  add(a_job());
  Finish finish_it = a_finish(claim_one(), JobEvent::Complete);
  finish_it.report.error.assign(limits::kMaxErrorBytes, 'e');
  finish_it.report.out.assign(limits::kMaxOutputBytes, 'o');
  finish_it.report.err.assign(limits::kMaxOutputBytes, 'o');
  finish_it.report.log.assign(limits::kMaxLogBytes, 'l');
  finish_it.result.assign(limits::kMaxResultBytes, 'r');
  finish_it.checkpoint = std::string(limits::kMaxCheckpointBytes, 'c');
  EXPECT_EQ(finish(finish_it), FinishAnswer::Finished);
}

TEST_P(Validation, ABadRequestRefusesAllOfThem) {
  add(a_job());
  const int most = static_cast<int>(limits::kMaxClaimBatch);
  expect_claim_refused(ClaimBuilder(worker).kind("k").limit(most + 1), "a large limit");
  expect_claim_refused(ClaimBuilder(worker).kind("k").limit(-1), "a negative limit");
  expect_claim_refused(ClaimBuilder(worker).kind("k", -1), "a negative number of a kind");
  expect_claim_refused(ClaimBuilder(worker).any_command(-1), "a negative number of commands");
  expect_claim_refused(ClaimBuilder(worker).kind("k").lease(0s), "no lease");
  expect_claim_refused(ClaimBuilder(worker).kind("k").lease(-1s), "a negative lease");
  expect_claim_refused(ClaimBuilder(worker).kind("k").lease(limits::kMaxTimeout + 1us), "a long lease");
  expect_claim_refused(ClaimBuilder(worker).queues(std::vector<std::string>(limits::kMaxClaimQueues + 1, "q")),
                       "many queues");
  expect_claim_refused(
      ClaimBuilder(worker).kind("k").commands(1, std::vector<std::string>(limits::kMaxClaimKinds, "p")),
      "many kinds and programs");
  const std::vector<ClaimRequest> many(limits::kMaxPools + 1, ClaimBuilder(worker).kind("k"));
  EXPECT_REFUSED(store.finish_and_claim({}, many));
  EXPECT_EQ(claim().size(), 1U) << "nothing of the above has claimed it";
}

TEST_P(Validation, ABadRequestRefusesTheFinishesBesideIt) {
  const JobId id = add(a_job());
  const Finish done = a_finish(claim_one(), JobEvent::Complete);
  const ClaimRequest bad = ClaimBuilder(worker).kind("k").limit(-1);
  EXPECT_REFUSED(store.finish_and_claim(std::span(&done, 1), std::span(&bad, 1)));
  EXPECT_EQ(state(id), JobState::Running);
}

TEST_P(Validation, ABadRenewalRefusesItsBatch) {
  const Ids all = add({a_job(), a_job()});
  const auto claims = claim();
  const Renewal good{claims[0].id, "x", "y"};
  const Renewal long_progress{claims[1].id, std::string(limits::kMaxProgressBytes + 1, 'p'), {}};
  const Renewal large_checkpoint{claims[1].id, {}, std::string(limits::kMaxCheckpointBytes + 1, 'c')};
  EXPECT_REFUSED(store.renew(std::vector{good, long_progress}, 30s));
  EXPECT_REFUSED(store.renew(std::vector{good, large_checkpoint}, 30s));
  EXPECT_REFUSED(store.renew(std::vector{good}, 0s));
  EXPECT_REFUSED(store.renew(std::vector{good}, -1s));
  EXPECT_REFUSED(store.renew(std::vector{good}, limits::kMaxTimeout + 1us));
  EXPECT_REFUSED(store.renew(std::vector<Renewal>(limits::kMaxFinishBatch + 1, good), 30s));
  EXPECT_EQ(find(all[0]).progress, "");
  EXPECT_EQ(find(all[0]).checkpoint, "");
}

TEST_P(Validation, LooksAndOperatorsVerbsAreBounded) {
  const JobId id = add(a_job());
  const Ids many(limits::kMaxPage + 1, id);
  EXPECT_REFUSED(store.states(many));
  EXPECT_REFUSED(store.retry(many));
  EXPECT_REFUSED(store.cancel(many));
  EXPECT_REFUSED(store.erase(many));
  EXPECT_REFUSED(store.list({}, "", 0));
  EXPECT_REFUSED(store.list({}, "", limits::kMaxPage + 1));
  EXPECT_REFUSED(store.step(0));
  EXPECT_REFUSED(store.step(limits::kMaxStep + 1));
  EXPECT_EQ(state(id), JobState::Ready);
}

TEST_P(Validation, ACursorThatNoPageGaveIsRefused) {
  add(a_job());
  for (const char* cursor :
       {"rubbish", "1", "1 2 3 4 5 6 7", "99 qa kb 1 1", "99 1 1 a b", "-1 1 1 a b", "x 1 1 a b"}) {
    EXPECT_EQ(refusal(store.list({}, cursor, 10)), Errc::InvalidInput) << cursor;
  }
}

TEST_P(Validation, ABadQueueIsNeitherPausedNorResumed) {
  EXPECT_REFUSED(store.pause(""));
  EXPECT_REFUSED(store.pause("a b"));
  EXPECT_REFUSED(store.resume("a/b\n"));
  EXPECT_TRUE(store.queues().value().empty());
}

}  // namespace galley::store::contract
