// What jobs are found by.

#include <algorithm>

#include "contract/support.hpp"

namespace galley::store::contract {

class Search : public Contract {
 protected:
  void fail(const job::Claim& claim, JobEvent event, const std::string& error_class) {
    Finish failed = a_finish(claim, event);
    failed.report.error = "text";
    failed.report.error_class = error_class;
    EXPECT_EQ(finish(failed), FinishAnswer::Finished);
  }
  Ids selected(const Filter& filter, std::size_t page) {
    Ids all;
    std::string cursor;
    do {
      IdPage one = store.select(filter, cursor, page).value();
      EXPECT_LE(one.ids.size(), page);
      all.insert(all.end(), one.ids.begin(), one.ids.end());
      cursor = one.next;
    } while (!cursor.empty());
    return all;
  }
  Ids found(const Filter& filter) {
    const Ids all = ids(list(filter));
    for (const std::size_t page : {std::size_t{1}, std::size_t{2}, std::size_t{7}, limits::kMaxPage}) {
      EXPECT_EQ(selected(filter, page), all) << "by " << page;
      EXPECT_EQ(ids(list(filter, page)), all) << "by " << page;
    }
    return all;
  }
  Ids by_error_class(std::string error_class) {
    Filter filter;
    filter.error_class = std::move(error_class);
    return found(filter);
  }
  /// Jobs of two queues, two kinds, with and without a key, a tag and an error, in every state that a test can reach.
  void fill() {
    for (int i = 0; i < 48; ++i) {
      job::NewJob job = a_job().queue(i % 2 == 0 ? "a" : "b").kind(i % 3 == 0 ? "x" : "y");
      if (i % 4 != 0) job.key = i % 4 == 1 ? "one" : "two";
      if (i % 5 != 0) job.tags = {i % 5 == 1 ? "red" : "blue", "all"};
      if (i % 7 == 0) job.delay = 1h;
      add(job);
      if (i % 7 == 3) end_one(i);
      clock.advance(1s);
    }
    (void)claim(ClaimBuilder(worker).queues({"b", "a"}).kind("x", 3).kind("y", 3));
  }
  void end_one(int i) {
    const auto claims = claim(ClaimBuilder(worker).queues({"a", "b"}).kind("x").kind("y").limit(1));
    constexpr std::array kEvents{JobEvent::Complete, JobEvent::Die, JobEvent::Retry, JobEvent::Discard};
    fail(claims.at(0), kEvents[static_cast<std::size_t>(i / 7) % kEvents.size()], i % 2 == 0 ? "exit:3" : "timeout");
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Search, testing::ValuesIn(backends()), backend_name);

namespace {

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

bool fits(const job::JobRecord& job, const Filter& filter) {
  return (!filter.queue || job.queue == *filter.queue) && (!filter.kind || job.kind == *filter.kind) &&
         (!filter.state || job.state == *filter.state) && (!filter.key || job.key == *filter.key) &&
         (!filter.tag || has(job.tags, *filter.tag)) &&
         (!filter.error_class || job.error_class == *filter.error_class) &&
         (!filter.since || job.enqueued_at >= *filter.since) && (!filter.until || job.enqueued_at < *filter.until) &&
         (!filter.ended_since || (job.finished_at && *job.finished_at >= *filter.ended_since)) &&
         (!filter.ended_until || (job.finished_at && *job.finished_at < *filter.ended_until));
}

/// Each bit of `choice` sets one thing; `seed` picks among its values.
Filter filter_of(unsigned choice, unsigned seed, Time begin) {
  const auto bit = [&](unsigned n) { return ((choice >> n) & 1U) != 0; };
  const auto second = [&](unsigned n) { return begin + std::chrono::seconds((seed * 7 + n * 13) % 50); };
  Filter filter;
  if (bit(0)) filter.queue = seed % 2 == 0 ? "a" : "b";
  if (bit(1)) filter.kind = seed % 3 == 0 ? "x" : "y";
  if (bit(2)) filter.state = static_cast<JobState>(seed % kJobStates);
  if (bit(3)) filter.key = seed % 5 == 0 ? "one" : "two";
  if (bit(4)) filter.tag = seed % 2 == 0 ? "all" : "red";
  if (bit(5)) filter.error_class = seed % 3 == 0 ? "timeout" : "exit:3";
  if (bit(6)) filter.since = second(1);
  if (bit(7)) filter.until = second(2);
  if (bit(8)) filter.ended_since = second(3);
  if (bit(9)) filter.ended_until = second(4);
  return filter;
}

bool is_by_id(const Filter& filter) {
  return filter.key || filter.tag || filter.error_class || filter.batch || filter.since || filter.until;
}

}  // namespace

TEST_P(Search, AllThatAFilterNamesMustHold) {
  const Time begin = clock.wall();
  fill();
  const auto all = list();
  ASSERT_EQ(all.size(), 48U);
  for (unsigned choice = 0; choice < 1024; ++choice) {
    const Filter filter = filter_of(choice, choice * 31 + 5, begin);
    Ids expected;
    for (const auto& job : all) {
      if (fits(job, filter)) expected.push_back(job.id);
    }
    if (is_by_id(filter)) std::sort(expected.begin(), expected.end());
    EXPECT_EQ(ids(list(filter, 3)), expected) << choice;
    EXPECT_EQ(selected(filter, 4), expected) << choice;
    if (HasFailure()) return;
  }
}

TEST_P(Search, WhatNobodyHasFindsNothing) {
  fill();
  Filter filter;
  filter.key = "";
  EXPECT_EQ(found(filter), (Ids{})) << "no key is not a key";
  filter = {};
  filter.error_class = "";
  EXPECT_EQ(found(filter), (Ids{}));
  filter = {};
  filter.tag = "al";
  EXPECT_EQ(found(filter), (Ids{}));
  filter = {};
  filter.batch = 0;
  EXPECT_EQ(found(filter), (Ids{}));
  filter.batch = 7;
  EXPECT_EQ(found(filter), (Ids{}));
}

TEST_P(Search, ABatchFindsItsJobsAndNotItsCallbacks) {
  const BatchId batch = store.open_batch("b", "").value();
  job::NewJob job = a_job();
  job.batch = batch;
  job::NewJob callback = a_job().kind("callback");
  callback.awaits = batch;
  const Ids all = add({job, callback, a_job(), job, callback});
  EXPECT_EQ(cancel(all[4]), Operated::Done) << "it waits no longer";
  Filter filter;
  filter.batch = batch;
  EXPECT_EQ(found(filter), (Ids{all[0], all[3]}));
  filter.batch.reset();
  filter.state = JobState::Blocked;
  EXPECT_EQ(found(filter), (Ids{all[1]}));
  filter.kind = "k";
  EXPECT_EQ(found(filter), (Ids{}));
  filter.kind = "callback";
  EXPECT_EQ(found(filter), (Ids{all[1]}));
}

TEST_P(Search, ATimeRangeHoldsItsBeginningAndNotItsEnd) {
  const JobId first = add(a_job());
  clock.advance(1us);
  const Time second_at = clock.wall();
  const JobId second = add(a_job());
  clock.advance(1us);
  const JobId third = add(a_job());
  Filter filter;
  filter.since = second_at;
  EXPECT_EQ(found(filter), (Ids{second, third}));
  filter.until = second_at + 1us;
  EXPECT_EQ(found(filter), (Ids{second}));
  filter.since.reset();
  EXPECT_EQ(found(filter), (Ids{first, second}));
  filter.until = second_at - 1us;
  EXPECT_EQ(found(filter), (Ids{}));
}

TEST_P(Search, TheTimeOfTheEndCountsForEndedJobsOnly) {
  const Ids all = add({a_job(), a_job(), a_job()});
  (void)run_one();
  clock.advance(1s);
  const Time then = clock.wall();
  (void)run_one(JobEvent::Die);
  Filter filter;
  filter.ended_since = then;
  EXPECT_EQ(found(filter), (Ids{all[1]}));
  filter.ended_since.reset();
  filter.ended_until = then;
  EXPECT_EQ(found(filter), (Ids{all[0]}));
  filter.ended_until = then + 1us;
  EXPECT_EQ(found(filter), (Ids{all[0], all[1]}));
}

TEST_P(Search, TheTimeOfTheEnqueueNeverGoesBack) {
  const JobId first = add(a_job());
  const Time then = clock.wall();
  clock.step_wall(-1h);
  const JobId second = add(a_job());
  EXPECT_EQ(find(second).enqueued_at, then);
  Filter filter;
  filter.since = then;
  EXPECT_EQ(found(filter), (Ids{first, second}));
  clock.step_wall(1h);
  clock.advance(1s);
  EXPECT_EQ(find(add(a_job())).enqueued_at, then + 1s);
}

TEST_P(Search, ATimeRangeIsFoundBetweenGaps) {
  Ids all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(add(a_job()));
    clock.advance(1s);
  }
  for (int i = 0; i < 20; ++i) {
    if (i % 4 == 1) continue;
    EXPECT_EQ(erase(all[static_cast<std::size_t>(i)]), Operated::Done);
  }
  Filter filter;
  filter.since = clock.wall() - 14s;
  filter.until = clock.wall() - 4s;
  EXPECT_EQ(found(filter), (Ids{all[9], all[13]}));
}

TEST_P(Search, AReplacedJobKeepsTheTimeOfItsEnqueue) {
  job::NewJob job = a_job().delay(1h);
  job.unique = {"u", UniqueUntil::Finish, OnConflict::Replace};
  const JobId id = add(job);
  const Time then = clock.wall();
  clock.advance(1s);
  add(a_job());
  clock.advance(1s);
  EXPECT_EQ(add(job), id);
  EXPECT_EQ(find(id).enqueued_at, then) << "its id stands for that time";
}

TEST_P(Search, AnErrorClassIsThatOfTheLastAttemptThatFailed) {
  const JobId id = add(a_job());
  fail(claim_one(), JobEvent::Retry, "std::out_of_range");
  EXPECT_EQ(by_error_class("std::out_of_range"), (Ids{id}));
  EXPECT_EQ(run_one(JobEvent::Pause), id);
  EXPECT_EQ(find(id).error_class, "std::out_of_range");
  fail(claim_one(), JobEvent::Die, "exit:3");
  EXPECT_EQ(by_error_class("std::out_of_range"), (Ids{}));
  EXPECT_EQ(by_error_class("exit:3"), (Ids{id}));
  EXPECT_EQ(retry(id), Operated::Done);
  EXPECT_EQ(by_error_class("exit:3"), (Ids{id})) << "until an attempt says otherwise";
  EXPECT_EQ(run_one(), id);
  EXPECT_EQ(by_error_class("exit:3"), (Ids{}));
  EXPECT_EQ(find(id).error_class, "");
  const auto records = attempts(id);
  EXPECT_EQ(records.at(0).report.error_class, "std::out_of_range");
  EXPECT_EQ(records.at(2).report.error_class, "exit:3");
}

TEST_P(Search, AQuarantinedJobIsFoundAsCrashed) {
  const JobId id = add(a_job().max_crashes(1));
  (void)claim_one();
  ASSERT_TRUE(store.leave(worker));
  EXPECT_EQ(step().quarantined, 1);
  EXPECT_EQ(by_error_class("crashed"), (Ids{id}));
}

TEST_P(Search, AnErrorClassHasABound) {
  add(a_job());
  Finish failed = a_finish(claim_one(), JobEvent::Retry);
  failed.report.error = "x";
  failed.report.error_class = std::string(limits::kMaxNameBytes + 1, 'x');
  EXPECT_REFUSED(store.finish(std::span(&failed, 1)));
}

TEST_P(Search, ACursorThatNoPageGaveIsRefused) {
  add({a_job().key("one"), a_job().key("one"), a_job().key("one")});
  Filter by_key;
  by_key.key = "one";
  const std::string of_ids = store.select(by_key, "", 1).value().next;
  const std::string of_states = store.select({}, "", 1).value().next;
  ASSERT_FALSE(of_ids.empty());
  ASSERT_FALSE(of_states.empty());
  for (const std::string& bad : {std::string("x"), of_states, of_ids + "x", std::string("id "), std::string("id -3"),
                                 std::string("id 99999999999999999999"), std::string(10'000, ' ')}) {
    EXPECT_REFUSED(store.list(by_key, bad, 1));
    EXPECT_REFUSED(store.select(by_key, bad, 1));
  }
  for (const std::string& bad : {std::string("1"), of_ids, of_states + " x", std::string("99 0 0 = =")}) {
    EXPECT_REFUSED(store.list({}, bad, 1));
    EXPECT_REFUSED(store.select({}, bad, 1));
  }
  EXPECT_REFUSED(store.select({}, "", 0));
  EXPECT_REFUSED(store.select({}, "", limits::kMaxPage + 1));
}

TEST_P(Search, AListGoesOnWithTheCursorOfASelect) {
  const Ids all = add({a_job().key("one"), a_job(), a_job().key("one"), a_job().key("one")});
  Filter by_key;
  by_key.key = "one";
  const IdPage first = store.select(by_key, "", 1).value();
  EXPECT_EQ(first.ids, (Ids{all[0]}));
  EXPECT_EQ(ids(store.list(by_key, first.next, 9).value().jobs), (Ids{all[2], all[3]}));
}

TEST_P(Search, APageIsFullWithItsPayloads) {
  constexpr std::size_t kJobs = limits::kMaxPageBytes / limits::kMaxPayloadBytes + 3;
  for (std::size_t i = 0; i < kJobs; ++i) add(a_job().bytes(std::string(limits::kMaxPayloadBytes, 'x')).key("big"));
  Filter by_key;
  by_key.key = "big";
  for (const Filter& filter : {Filter{}, by_key}) {
    const Page first = store.list(filter, "", limits::kMaxPage).value();
    EXPECT_EQ(first.jobs.size(), kJobs - 3);
    ASSERT_FALSE(first.next.empty());
    const Page second = store.list(filter, first.next, limits::kMaxPage).value();
    EXPECT_EQ(second.jobs.size(), 3U);
    EXPECT_TRUE(second.next.empty());
    EXPECT_EQ(store.select(filter, "", limits::kMaxPage).value().ids.size(), kJobs);
  }
}

TEST_P(Search, ManyProgramsOfOneKindAreOneOrder) {
  Ids all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(add(a_job().kind("sh").command("program" + std::to_string(i * i % 37))));
  }
  Filter filter;
  filter.state = JobState::Ready;
  EXPECT_EQ(found(filter), all);
}

}  // namespace galley::store::contract
