#include "job/template.hpp"

#include <gtest/gtest.h>

namespace galley::job {

using namespace std::chrono_literals;

namespace {

/// No field has its default.
NewJob full_job() {
  NewJob job;
  job.queue = "q";
  job.kind = "k";
  job.key = "tenant ä";
  job.limits = {"smtp", "disk"};
  job.ordered = true;
  job.expect = 18us;
  job.content = Content::Command;
  job.program = "/bin/\x80\xff\xc3é";
  job.payload = std::string("\0\xff", 2);
  job.priority = -3;
  job.delay = 1us;
  job.at = Time(2us);
  job.policy = {3us, 4us, OnTimeout::Dead, 5, 6, 7, {Backoff::Kind::List, 8us, 9us, {10us, 11us}}, true};
  job.token = "token \"quoted\"";
  job.unique = {"unique", UniqueUntil::Start, OnConflict::Replace};
  job.group = {"group", 12, 13, 14us};
  job.expires = 15us;
  job.deadline = 16us;
  job.tags = {"red", "two words"};
  job.headers = {{"traceparent", "00-1"}, {"tenant", "a: b"}};
  job.redacted = true;
  job.batch = 17;
  job.awaits = std::int64_t{1} << 60;
  job.trigger = Trigger::Finished;
  return job;
}

void replace(std::string& text, std::string_view what, std::string_view by) {
  const auto at = text.find(what);
  ASSERT_NE(at, std::string::npos) << what;
  text.replace(at, what.size(), by);
}

Errc refused(const std::string& text) {
  const auto read = template_from(text, "");
  EXPECT_FALSE(read) << text;
  return read ? Errc::InvalidInput : read.error().code;
}

}  // namespace

TEST(Template, KeepsEveryFieldOfAJob) {
  const NewJob job = full_job();
  const NewJob back = template_from(template_text(job), job.payload).value();
  EXPECT_EQ(back.queue, job.queue);
  EXPECT_EQ(back.kind, job.kind);
  EXPECT_EQ(back.key, job.key);
  EXPECT_EQ(back.limits, job.limits);
  EXPECT_EQ(back.ordered, job.ordered);
  EXPECT_EQ(back.expect, job.expect);
  EXPECT_EQ(back.content, job.content);
  EXPECT_EQ(back.program, job.program);
  EXPECT_EQ(back.payload, job.payload);
  EXPECT_EQ(back.priority, job.priority);
  EXPECT_EQ(back.delay, job.delay);
  EXPECT_EQ(back.at, job.at);
  EXPECT_EQ(back.policy.timeout, job.policy.timeout);
  EXPECT_EQ(back.policy.grace, job.policy.grace);
  EXPECT_EQ(back.policy.on_timeout, job.policy.on_timeout);
  EXPECT_EQ(back.policy.max_attempts, job.policy.max_attempts);
  EXPECT_EQ(back.policy.max_pauses, job.policy.max_pauses);
  EXPECT_EQ(back.policy.max_crashes, job.policy.max_crashes);
  EXPECT_EQ(back.policy.backoff.kind, job.policy.backoff.kind);
  EXPECT_EQ(back.policy.backoff.base, job.policy.backoff.base);
  EXPECT_EQ(back.policy.backoff.cap, job.policy.backoff.cap);
  EXPECT_EQ(back.policy.backoff.list, job.policy.backoff.list);
  EXPECT_EQ(back.policy.resumable, job.policy.resumable);
  EXPECT_EQ(back.token, job.token);
  EXPECT_EQ(back.unique.key, job.unique.key);
  EXPECT_EQ(back.unique.until, job.unique.until);
  EXPECT_EQ(back.unique.on_conflict, job.unique.on_conflict);
  EXPECT_EQ(back.group.key, job.group.key);
  EXPECT_EQ(back.group.max_jobs, job.group.max_jobs);
  EXPECT_EQ(back.group.max_bytes, job.group.max_bytes);
  EXPECT_EQ(back.group.max_age, job.group.max_age);
  EXPECT_EQ(back.expires, job.expires);
  EXPECT_EQ(back.deadline, job.deadline);
  EXPECT_EQ(back.tags, job.tags);
  EXPECT_EQ(back.headers, job.headers);
  EXPECT_EQ(back.redacted, job.redacted);
  EXPECT_EQ(back.batch, job.batch);
  EXPECT_EQ(back.awaits, job.awaits);
  EXPECT_EQ(back.trigger, job.trigger);
}

TEST(Template, HasAFieldForEachMemberOfNewJob) {
  // Whoever gives NewJob a member finds this line, and template.cpp.
  [[maybe_unused]] const auto& [queue, kind, key, limits, ordered, expect, content, program, payload, priority, delay,
                                at, policy, token, unique, group, expires, deadline, tags, headers, redacted, batch,
                                awaits, trigger] = full_job();
  EXPECT_NE(template_text(full_job()), template_text(NewJob{}));
}

TEST(Template, KeepsADefaultJobToo) {
  EXPECT_EQ(template_text(template_from(template_text({}), "").value()), template_text({}));
}

TEST(Template, RefusesWhatANewerGalleyWrote) {
  std::string text = template_text(full_job());
  replace(text, "\"version\":2", "\"version\":3");
  EXPECT_EQ(refused(text), Errc::NewerSchema);
}

TEST(Template, ReadsWhatTheFirstVersionWrote) {
  std::string text = template_text(full_job());
  replace(text, "\"version\":2", "\"version\":1");
  EXPECT_EQ(refused(text), Errc::Io) << "it had no limits";
  replace(text, "\"limits\":[\"smtp\",\"disk\"],\"ordered\":true,\"expect_us\":18,", "");
  const NewJob back = template_from(text, "").value();
  EXPECT_EQ(back.key, full_job().key);
  EXPECT_TRUE(back.limits.empty() && !back.ordered && back.expect == Duration{0});
}

TEST(Template, RefusesMembersThatAreUnknownMissingOrOfAnotherType) {
  for (const auto& [what, by] :
       std::vector<std::pair<std::string, std::string>>{{"\"kind\"", "\"more\":1,\"kind\""},
                                                        {"\"priority\":-3,", ""},
                                                        {"\"priority\":-3", "\"priority\":\"-3\""},
                                                        {"\"priority\":-3", "\"priority\":3000000000"},
                                                        {"\"redacted\":true", "\"redacted\":1"},
                                                        {"\"on_timeout\":\"dead\"", "\"on_timeout\":\"never\""},
                                                        {"[\"red\"", "[1"},
                                                        {"[\"tenant\",\"a: b\"]", "[\"tenant\"]"},
                                                        {"\"/bin/", "\"/bin/\u20ac"}}) {
    std::string text = template_text(full_job());
    replace(text, what, by);
    EXPECT_EQ(refused(text), Errc::Io) << text;
  }
  for (const std::string text : {"", "{", "[]", "{}", "{\"version\":1}"}) EXPECT_EQ(refused(text), Errc::Io) << text;
}

}  // namespace galley::job
