// What a batch takes and refuses, how it is found, and how long it is kept.

#include "contract/batch_support.hpp"

namespace galley::store::contract {

class BatchBounds : public BatchContract {};
INSTANTIATE_TEST_SUITE_P(Every, BatchBounds, testing::ValuesIn(backends()), backend_name);

TEST_P(BatchBounds, ACallbackOfWhatCanNeverComeIsRefusedWithTheReason) {
  const BatchId done = open();
  seal(done);
  const Enqueued failure = try_to_add(callback(done, Trigger::Failure));
  EXPECT_EQ(failure.refused, Errc::WrongState);
  EXPECT_NE(failure.reason.find("has succeeded"), std::string::npos) << failure.reason;
  const BatchId lost = open();
  erase(add(in_batch(lost)));
  EXPECT_EQ(try_to_add(callback(lost, Trigger::Success)).refused, Errc::WrongState);
  EXPECT_EQ(try_to_add(callback(lost + 7, Trigger::Success)).refused, Errc::NotFound);
}

TEST_P(BatchBounds, ASealedOneTakesJobsAsLongAsOneOfItHasNotEnded) {
  const BatchId id = open();
  add(in_batch(id));
  seal(id);
  const job::Claim running = claim_one();
  EXPECT_EQ(try_to_add(in_batch(id)).refused, std::nullopt) << "from its running job, for instance";
  finish(running, JobEvent::Complete);
  run_one();
  const Enqueued late = try_to_add(in_batch(id));
  EXPECT_EQ(late.refused, Errc::WrongState);
  EXPECT_NE(late.reason.find("sealed"), std::string::npos) << late.reason;
  EXPECT_EQ(try_to_add(in_batch(id + 7)).refused, Errc::NotFound);
  EXPECT_EQ(counted(id), "2=2+0, sealed, finished");
}

TEST_P(BatchBounds, ARefusedItemLeavesTheOthersOfItsEnqueueAlone) {
  const BatchId id = open();
  const std::vector<job::NewJob> jobs{a_job(), in_batch(id + 1), in_batch(id)};
  const auto answer = store.enqueue(jobs).value();
  EXPECT_FALSE(answer[0].refused);
  EXPECT_EQ(answer[1].refused, Errc::NotFound);
  EXPECT_FALSE(answer[2].refused);
  EXPECT_EQ(list().size(), 2U);
  EXPECT_EQ(counted(id), "1=0+0");
}

TEST_P(BatchBounds, ATokenOpensTheSameOne) {
  const BatchId id = open("nightly", "2026-01-01");
  EXPECT_EQ(open("again", "2026-01-01"), id);
  EXPECT_NE(open("nightly", "2026-01-02"), id);
  EXPECT_NE(open("nightly"), open("nightly"));
  EXPECT_EQ(store.find_batch(id)->name, "nightly");
}

TEST_P(BatchBounds, AJobThatIsThereAlreadyStaysInTheBatchItIsIn) {
  const BatchId first = open();
  const BatchId second = open();
  const JobId id = add(in_batch(first, a_job().token("t")));
  EXPECT_EQ(add(in_batch(second, a_job().token("t"))), id);
  EXPECT_EQ(find(id).batch, first);
  EXPECT_EQ(counted(second), "0=0+0");
}

TEST_P(BatchBounds, TheyAreListedById) {
  Ids opened;
  for (int i = 0; i < 5; ++i) opened.push_back(open("b" + std::to_string(i)));
  const auto page = store.batches(opened[1], 2).value();
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].id, opened[2]);
  EXPECT_EQ(page[1].name, "b3");
  EXPECT_TRUE(store.batches(opened[4], 2)->empty());
  EXPECT_REFUSED(store.batches(0, 0));
  EXPECT_REFUSED(store.batches(0, limits::kMaxPage + 1));
}

TEST_P(BatchBounds, OneThatIsNotThereIsNotFound) {
  EXPECT_EQ(store.find_batch(7).error().code, Errc::NotFound);
  EXPECT_EQ(store.seal_batch(7).error().code, Errc::NotFound);
}

TEST_P(BatchBounds, NamesAndTokensHaveBounds) {
  EXPECT_REFUSED(store.open_batch("", ""));
  EXPECT_REFUSED(store.open_batch(std::string(limits::kMaxNameBytes + 1, 'n'), ""));
  EXPECT_REFUSED(store.open_batch("line\nbreak", ""));
  EXPECT_REFUSED(store.open_batch("n", std::string(limits::kMaxTokenBytes + 1, 't')));
  EXPECT_TRUE(store.open_batch("the night's work", std::string(limits::kMaxTokenBytes, 't')));
}

TEST_P(BatchBounds, ItTakesABoundedNumberOfCallbacks) {
  const BatchId id = open();
  const std::vector<job::NewJob> many(limits::kMaxBatchCallbacks + 1, callback(id, Trigger::Success));
  const auto answer = store.enqueue(many).value();
  EXPECT_FALSE(answer[limits::kMaxBatchCallbacks - 1].refused);
  EXPECT_EQ(answer[limits::kMaxBatchCallbacks].refused, Errc::WrongState);
  seal(id);
  EXPECT_EQ(claim(ClaimBuilder(worker).kind("callback")).size(), limits::kMaxBatchCallbacks);
}

TEST_P(BatchBounds, ItGoesWhenItsLastJobAndCallbackAreGoneAndItFinishedLongAgo) {
  const BatchId id = open();
  const BatchId abandoned = open("abandoned");
  const JobId dead = add(in_batch(id));
  add(in_batch(id));
  const JobId after = add(callback(id, Trigger::Finished, a_job()));
  seal(id);
  run_one(JobEvent::Die);
  run_one();
  run_one();
  clock.advance(limits::kKeepCompleted + 1s);
  EXPECT_EQ(step().pruned, 2) << "the completed job and the callback";
  EXPECT_EQ(store.find(after).error().code, Errc::NotFound);
  EXPECT_TRUE(store.find_batch(id)) << "a dead job is kept for a person, and its batch with it";
  erase(dead);
  step();
  EXPECT_EQ(store.find_batch(id).error().code, Errc::NotFound);
  clock.advance(24h * 30);
  step();
  EXPECT_TRUE(store.find_batch(abandoned)) << "it was never sealed";
  EXPECT_GT(open(), abandoned) << "ids are not used again";
}

TEST_P(BatchBounds, AStepLetsGoOfABoundedNumber) {
  for (int i = 0; i < 3; ++i) seal(open());
  clock.advance(limits::kKeepCompleted + 1s);
  EXPECT_TRUE(step(2).more);
  EXPECT_EQ(store.batches(0, 10)->size(), 1U);
  EXPECT_FALSE(step(2).more);
  EXPECT_TRUE(store.batches(0, 10)->empty());
}

TEST_P(BatchBounds, AnImpossibleCallbackIsRefusedWhole) {
  const BatchId id = open();
  const auto refused = [&](const job::NewJob& job) { return refusal(store.enqueue(std::span(&job, 1))); };
  EXPECT_EQ(refused(callback(id, Trigger::Success, a_job().delay(1s))), Errc::InvalidInput);
  EXPECT_EQ(refused(callback(id, Trigger::Success, a_job().at(clock.wall()))), Errc::InvalidInput);
  EXPECT_EQ(refused(callback(id, Trigger::Success, in_batch(id))), Errc::InvalidInput);
  EXPECT_EQ(refused(callback(id, static_cast<Trigger>(9))), Errc::InvalidInput);
  EXPECT_EQ(refused(callback(-1, Trigger::Success)), Errc::InvalidInput);
  EXPECT_EQ(refused(in_batch(-1)), Errc::InvalidInput);
  job::NewJob replacing = callback(id, Trigger::Success);
  replacing.unique = {"u", UniqueUntil::Finish, OnConflict::Replace};
  EXPECT_EQ(refused(replacing), Errc::InvalidInput);
}

}  // namespace galley::store::contract
