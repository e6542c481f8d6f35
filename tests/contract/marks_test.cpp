// Tags and headers, and whether a job may be shown.

#include <algorithm>

#include "contract/support.hpp"

namespace galley::store::contract {

using Tags = std::vector<std::string>;
using Headers = std::vector<Header>;

class Marks : public Contract {
 protected:
  Ids tagged(const std::string& tag) {
    Filter filter;
    filter.tag = tag;
    return ids(list(filter));
  }
  std::optional<Errc> refused(const job::NewJob& job) { return refusal(store.enqueue(std::span(&job, 1))); }
};
INSTANTIATE_TEST_SUITE_P(Every, Marks, testing::ValuesIn(backends()), backend_name);

TEST_P(Marks, AJobShowsItsTagsAndHeadersAsTheyWereGiven) {
  const Headers headers{{"traceparent", "00-4bf9-00f0-01"}, {"X.y_z-1", ""}, {"note", " a: b: \xC3\xA9 "}};
  const JobId id = add(a_job().tags({"z", "two words", "a:b", "\xC3\xA9"}).headers(headers).redacted());
  const job::JobRecord job = find(id);
  EXPECT_EQ(job.tags, (Tags{"z", "two words", "a:b", "\xC3\xA9"}));
  EXPECT_EQ(job.headers, headers);
  EXPECT_TRUE(job.redacted);
}

TEST_P(Marks, AJobWithoutThemHasNone) {
  const job::JobRecord job = find(add(a_job()));
  EXPECT_TRUE(job.tags.empty());
  EXPECT_TRUE(job.headers.empty());
  EXPECT_FALSE(job.redacted);
}

TEST_P(Marks, EachClaimBringsTheHeaders) {
  const Headers headers{{"traceparent", "00-1"}};
  add(a_job().headers(headers));
  const job::Claim first = claim_one();
  EXPECT_EQ(first.headers, headers);
  Finish finished = a_finish(first, JobEvent::Retry);
  finished.checkpoint = "page 2";
  EXPECT_EQ(finish(finished), FinishAnswer::Finished);
  const job::Claim second = claim_one();
  EXPECT_EQ(second.headers, headers);
  EXPECT_EQ(second.checkpoint, "page 2");
}

TEST_P(Marks, TheyAreKeptWhenTheJobHasEnded) {
  const JobId id = add(a_job().tags({"a"}).headers({{"h", "1"}}));
  Finish done = a_finish(claim_one(), JobEvent::Complete);
  done.result = "42";
  EXPECT_EQ(finish(done), FinishAnswer::Finished);
  EXPECT_EQ(find(id).tags, (Tags{"a"}));
  EXPECT_EQ(find(id).headers, (Headers{{"h", "1"}}));
  EXPECT_EQ(find(id).result, "42");
  EXPECT_EQ(tagged("a"), (Ids{id}));
}

TEST_P(Marks, AJobIsFoundByEachOfItsTagsUntilItIsGone) {
  const Ids all = add({a_job().tags({"a", "b"}), a_job().tags({"b"}), a_job(), a_job().tags({"ab"})});
  EXPECT_EQ(tagged("a"), (Ids{all[0]}));
  EXPECT_EQ(tagged("b"), (Ids{all[0], all[1]}));
  EXPECT_EQ(tagged(""), (Ids{}));
  EXPECT_EQ(tagged("A"), (Ids{}));
  EXPECT_EQ(erase(all[0]), Operated::Done);
  EXPECT_EQ(tagged("a"), (Ids{}));
  EXPECT_EQ(tagged("b"), (Ids{all[1]}));
}

TEST_P(Marks, APrunedJobIsNoLongerFound) {
  add(a_job().tags({"a"}));
  (void)run_one();
  clock.advance(limits::kKeepCompleted + 1s);
  EXPECT_EQ(step().pruned, 1);
  EXPECT_EQ(tagged("a"), (Ids{}));
}

TEST_P(Marks, AReplacedJobHasTheNewOnesOnly) {
  const auto with = [](Tags tags, Headers headers) {
    job::NewJob job = a_job().tags(std::move(tags)).headers(std::move(headers)).delay(1s);
    job.unique = {"u", UniqueUntil::Finish, OnConflict::Replace};
    return job;
  };
  const JobId id = add(with({"old", "both"}, {{"old", "1"}}));
  EXPECT_EQ(add(with({"both", "new"}, {})), id);
  EXPECT_EQ(find(id).tags, (Tags{"both", "new"}));
  EXPECT_TRUE(find(id).headers.empty());
  EXPECT_EQ(tagged("old"), (Ids{}));
  EXPECT_EQ(tagged("both"), (Ids{id}));
  EXPECT_EQ(tagged("new"), (Ids{id}));
  EXPECT_EQ(add(with({}, {{"h", "2"}})), id);
  EXPECT_EQ(tagged("new"), (Ids{}));
  EXPECT_EQ(find(id).headers, (Headers{{"h", "2"}}));
  EXPECT_EQ(add(with({}, {})), id);
  EXPECT_TRUE(find(id).headers.empty());
}

TEST_P(Marks, WhatIsTooMuchOrTwiceIsRefused) {
  Tags most;
  for (std::size_t i = 0; i < limits::kMaxTags; ++i) most.push_back(std::to_string(i));
  most.front() = std::string(limits::kMaxTagBytes, 't');
  EXPECT_EQ(refused(a_job().tags(most)), std::nullopt);
  most.push_back("one more");
  EXPECT_EQ(refused(a_job().tags(most)), Errc::InvalidInput);
  for (const Tags& bad : {Tags{""}, Tags{"a", "a"}, Tags{"a\nb"}, Tags{std::string(limits::kMaxTagBytes + 1, 't')}}) {
    EXPECT_EQ(refused(a_job().tags(bad)), Errc::InvalidInput);
  }
  const std::string name(limits::kMaxHeaderNameBytes, 'n');
  const std::string value(limits::kMaxHeaderBytes - name.size(), 'v');
  EXPECT_EQ(refused(a_job().headers({{name, value}})), std::nullopt);
  for (const Headers& bad : {Headers{{"", "v"}}, Headers{{"a b", "v"}}, Headers{{"a:", "v"}}, Headers{{name + "n", ""}},
                             Headers{{"a", "1"}, {"a", "2"}}, Headers{{"a", "1\n"}}, Headers{{"a", "\xff"}},
                             Headers{{name, value + "v"}}, Headers(limits::kMaxHeaders + 1, Header{"a", ""})}) {
    EXPECT_EQ(refused(a_job().headers(bad)), Errc::InvalidInput);
  }
}

}  // namespace galley::store::contract
