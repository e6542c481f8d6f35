#include "job/validate.hpp"

#include <gtest/gtest.h>

#include "base/duration.hpp"
#include "base/expect.hpp"
#include "base/text.hpp"

namespace galley::job {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::refusal;

namespace {

NewJob a_job() {
  NewJob job;
  job.kind = "thumbnail";
  return job;
}

NewJob a_command() {
  NewJob job = a_job();
  job.content = Content::Command;
  job.program = "convert";
  return job;
}

/// Changes one thing of a valid job and expects it to be accepted.
template <class Change>
void expect_fine(Change change, NewJob job = a_job()) {
  change(job);
  const auto answer = validate(job);
  EXPECT_TRUE(answer.has_value()) << answer.error().message;
}

/// The refusal of a job with one thing changed.
template <class Change>
std::string refused(Change change, NewJob job = a_job()) {
  change(job);
  std::string message = refusal(validate(job));
  EXPECT_TRUE(base::is_printable(message)) << message;
  return message;
}

}  // namespace

TEST(Validate, AcceptsAPlainJobAndAPlainCommand) {
  EXPECT_TRUE(validate(a_job()).has_value());
  EXPECT_TRUE(validate(a_command()).has_value());
}

TEST(Validate, BoundsTheNameOfAQueue) {
  expect_fine([](NewJob& job) { job.queue = "A-z_0.9"; });
  expect_fine([](NewJob& job) { job.queue.assign(limits::kMaxNameBytes, 'q'); });
  for (const std::string& bad : {""s, "a b"s, "a,b"s, "a*b"s, "a:b"s, "a/b"s, "ä"s, "a\0"s, "\n"s,
                                 std::string(limits::kMaxNameBytes + 1, 'q')}) {
    EXPECT_EQ(refused([&](NewJob& job) { job.queue = bad; }).find("queue: "), 0U) << base::quoted(bad);
  }
  EXPECT_EQ(refused([](NewJob& job) { job.queue = "a b"; }),
            "queue: \"a b\" is not allowed; allowed is 1 to 128 of letters, digits, '.', '_' and '-'");
}

TEST(Validate, BoundsAKind) {
  expect_fine([](NewJob& job) { job.kind = "image/resize:v2+[~]"; });
  expect_fine([](NewJob& job) { job.kind.assign(limits::kMaxNameBytes, 'k'); });
  for (const std::string& bad : {""s, "a b"s, "a,b"s, "a\"b"s, "a'b"s, "a\tb"s, "a\x7f"s, "ä"s, "a\0"s,
                                 std::string(limits::kMaxNameBytes + 1, 'k')}) {
    EXPECT_EQ(refused([&](NewJob& job) { job.kind = bad; }).find("kind: "), 0U) << base::quoted(bad);
  }
}

TEST(Validate, BoundsAUniqueKeyAndItsEnumerations) {
  const auto unique = [](Unique value) { return [value](NewJob& job) { job.unique = value; }; };
  expect_fine(unique({"Müller", UniqueUntil::Start, OnConflict::Replace}));
  expect_fine(unique({std::string(limits::kMaxKeyBytes, 'k'), UniqueUntil::Finish, OnConflict::Error}));
  EXPECT_EQ(refused(unique({std::string(limits::kMaxKeyBytes + 1, 'k')})).find("unique key: "), 0U);
  EXPECT_EQ(refused(unique({"a\nb"})).find("unique key: "), 0U);
  EXPECT_EQ(refused(unique({"k", static_cast<UniqueUntil>(2)})),
            "unique until: 2 is not allowed; allowed is start or finish");
  EXPECT_EQ(refused(unique({"k", UniqueUntil::Start, static_cast<OnConflict>(3)})),
            "unique on_conflict: 3 is not allowed; allowed is ignore, replace or error");
}

TEST(Validate, BoundsLimitsOrderAndExpectedRunTime) {
  expect_fine([](NewJob& job) { job.limits = {"smtp", "a", "b", "c"}; });
  expect_fine([](NewJob& job) { job.key = "k", job.ordered = true, job.expect = 1us; });
  EXPECT_NE(refused([](NewJob& job) { job.limits = {"a", "b", "c", "d", "e"}; }).find("0..4"), std::string::npos);
  EXPECT_NE(refused([](NewJob& job) { job.limits = {"a,b"}; }).find("a,b"), std::string::npos);
  EXPECT_NE(refused([](NewJob& job) { job.limits = {"a", "a"}; }).find("once"), std::string::npos);
  EXPECT_NE(refused([](NewJob& job) { job.ordered = true; }).find("needs a key"), std::string::npos);
  EXPECT_NE(refused([](NewJob& job) { job.expect = -1us; }).find("expect"), std::string::npos);
}

TEST(Validate, BoundsAGroup) {
  const auto group = [](Group value) {
    return [value](NewJob& job) {
      job.payload = "1";
      job.group = value;
    };
  };
  expect_fine(group({"g", 1, 1, 0s}));
  expect_fine(group(
      {std::string(limits::kMaxKeyBytes, 'k'), limits::kMaxGroupJobs, limits::kMaxGroupBytes, limits::kMaxDelay}));
  EXPECT_EQ(refused(group({std::string(limits::kMaxKeyBytes + 1, 'k')})).find("group key: "), 0U);
  for (const int bad : {0, limits::kMaxGroupJobs + 1}) {
    EXPECT_EQ(refused(group({"g", bad})).find("group max_jobs: "), 0U);
  }
  for (const int bad : {0, limits::kMaxGroupBytes + 1}) {
    EXPECT_EQ(refused(group({"g", 1, bad})).find("group max_bytes: "), 0U);
  }
  for (const Duration bad : {Duration{-1}, Duration(limits::kMaxDelay) + 1us}) {
    EXPECT_EQ(refused(group({"g", 1, 1, bad})).find("group max_age: "), 0U);
  }
}

TEST(Validate, AGroupedJobIsAPayloadAndNothingElse) {
  NewJob member = a_job();
  member.payload = "1";
  member.group.key = "g";
  expect_fine([](NewJob& job) { job.priority = 3; }, member);
  const auto why = [&](auto change) {
    const std::string message = refused(change, member);
    EXPECT_EQ(message.find("group: a grouped job cannot have "), 0U) << message;
    return message.substr(message.find("have ") + 5);
  };
  EXPECT_EQ(why([](NewJob& job) { job.content = Content::Bytes; }), "bytes or a command as its payload, only JSON");
  EXPECT_EQ(why([](NewJob& job) { job.payload.clear(); }), "an empty payload, only a JSON value");
  EXPECT_EQ(why([](NewJob& job) { job.unique.key = "u"; }), "a unique key");
  EXPECT_EQ(why([](NewJob& job) { job.token = "t"; }), "a token");
  EXPECT_EQ(why([](NewJob& job) { job.batch = 1; }), "a batch");
  EXPECT_EQ(why([](NewJob& job) { job.headers = {{"a", "b"}}; }), "headers");
  EXPECT_EQ(why([](NewJob& job) { job.tags = {"t"}; }), "tags");
  const std::string later = "a delay or an absolute time (at); its group's max_age is one";
  EXPECT_EQ(why([](NewJob& job) { job.delay = 1s; }), later);
  EXPECT_EQ(why([](NewJob& job) { job.at = Time(1s); }), later);
}

TEST(Validate, BoundsAKeyAndAToken) {
  const auto key = [](std::string text) { return [text](NewJob& job) { job.key = text; }; };
  const auto token = [](std::string text) { return [text](NewJob& job) { job.token = text; }; };
  expect_fine(key(""));
  expect_fine(key("Müller & Söhne, Köln"));
  expect_fine(key(std::string(limits::kMaxKeyBytes, 'k')));
  expect_fine(token("order 17/€"));
  expect_fine(token(std::string(limits::kMaxTokenBytes, 't')));
  for (const std::string& bad : {"a\0b"s, "\n"s, "\x1b"s, "\xFF"s, "\xC2\x85"s}) {
    EXPECT_EQ(refused(key(bad)).find("key: "), 0U) << base::quoted(bad);
    EXPECT_EQ(refused(token(bad)).find("token: "), 0U) << base::quoted(bad);
  }
  EXPECT_NE(refused(key(std::string(limits::kMaxKeyBytes + 1, 'k'))).find("at most 200 bytes"), std::string::npos);
  EXPECT_NE(refused(token(std::string(limits::kMaxTokenBytes + 1, 't'))).find("at most 64 bytes"), std::string::npos);
}

TEST(Validate, CutsTheValueInItsMessage) {
  const std::string message = refused([](NewJob& job) { job.key.assign(500, 'k'); });
  EXPECT_NE(message.find('"' + std::string(100, 'k') + "\"..."), std::string::npos) << message;
}

TEST(Validate, BoundsThePayload) {
  expect_fine([](NewJob& job) { job.payload.assign(limits::kMaxPayloadBytes, '\0'); });
  EXPECT_EQ(refused([](NewJob& job) { job.payload.assign(limits::kMaxPayloadBytes + 1, 'p'); }),
            "payload: \"1048577 bytes\" is not allowed; allowed is at most 1048576 bytes; keep larger data in a file");
}

TEST(Validate, WantsAProgramOfCommandsAndOfNothingElse) {
  const auto program = [](std::string text) { return [text](NewJob& job) { job.program = text; }; };
  expect_fine(program("./a b/\xFF"), a_command());
  expect_fine(program(std::string(limits::kMaxProgramBytes, 'p')), a_command());
  for (const std::string& bad : {""s, "a\0b"s, std::string(limits::kMaxProgramBytes + 1, 'p')}) {
    EXPECT_EQ(refused(program(bad), a_command()).find("program: "), 0U) << base::quoted(bad);
  }
  EXPECT_EQ(refused(program("convert")),
            "program: \"convert\" is not allowed; allowed is none, because only a command has one");
  EXPECT_NE(refused([](NewJob& job) {
              job.content = Content::Bytes;
              job.program = "convert";
            }),
            "");
  EXPECT_EQ(refused([](NewJob& job) { job.content = static_cast<Content>(3); }),
            "content: 3 is not allowed; allowed is json, bytes or command");
}

TEST(Validate, BoundsThePriority) {
  expect_fine([](NewJob& job) { job.priority = -10; });
  expect_fine([](NewJob& job) { job.priority = 10; });
  EXPECT_EQ(refused([](NewJob& job) { job.priority = 11; }), "priority: 11 is not allowed; allowed is -10..10");
  EXPECT_EQ(refused([](NewJob& job) { job.priority = -11; }), "priority: -11 is not allowed; allowed is -10..10");
}

TEST(Validate, BoundsTheDelay) {
  expect_fine([](NewJob& job) { job.delay = limits::kMaxDelay; });
  EXPECT_EQ(refused([](NewJob& job) { job.delay = -1us; }),
            "delay: \"-1us\" is not allowed; allowed is 0 to ten years");
  EXPECT_NE(refused([](NewJob& job) { job.delay = limits::kMaxDelay + 1us; }), "");
}

TEST(Validate, BoundsTheDueTime) {
  expect_fine([](NewJob& job) { job.at = Time{}; });
  expect_fine([](NewJob& job) { job.at = base::kMaxTime; });
  EXPECT_EQ(refused([](NewJob& job) { job.at = Time(-1us); }).find("at: "), 0U);
  EXPECT_EQ(refused([](NewJob& job) { job.at = base::kMaxTime + 1us; }).find("at: "), 0U);
  EXPECT_EQ(refused([](NewJob& job) { job.at = Time::max(); }).find("at: "), 0U);
}

TEST(Validate, RefusesADelayTogetherWithADueTime) {
  EXPECT_EQ(refused([](NewJob& job) {
              job.at = Time{};
              job.delay = 5s;
            }),
            "delay: \"5s\" is not allowed; allowed is a delay or an absolute time (at), not both");
}

TEST(Validate, BoundsTimeOutAndGrace) {
  expect_fine([](NewJob& job) { job.policy.timeout = limits::kMaxTimeout; });
  expect_fine([](NewJob& job) { job.policy.grace = limits::kMaxTimeout; });
  expect_fine([](NewJob& job) { job.policy.grace = 0s; });
  for (const Duration bad : {Duration(-1), limits::kMaxTimeout + Duration(1), Duration::min(), Duration::max()}) {
    EXPECT_EQ(refused([&](NewJob& job) { job.policy.timeout = bad; }).find("timeout: "), 0U);
    EXPECT_EQ(refused([&](NewJob& job) { job.policy.grace = bad; }).find("grace: "), 0U);
  }
  EXPECT_EQ(refused([](NewJob& job) { job.policy.on_timeout = static_cast<OnTimeout>(3); }),
            "on_timeout: 3 is not allowed; allowed is pause, retry or dead");
}

TEST(Validate, BoundsTheCounts) {
  const auto with = [](int Policy::*field, int value) { return [=](NewJob& job) { job.policy.*field = value; }; };
  expect_fine(with(&Policy::max_attempts, 1));
  expect_fine(with(&Policy::max_attempts, 1'000));
  expect_fine(with(&Policy::max_pauses, 0));
  expect_fine(with(&Policy::max_pauses, 1'000'000));
  expect_fine(with(&Policy::max_crashes, 1));
  expect_fine(with(&Policy::max_crashes, 1'000));
  EXPECT_EQ(refused(with(&Policy::max_attempts, 0)), "attempts: 0 is not allowed; allowed is 1..1000");
  EXPECT_EQ(refused(with(&Policy::max_attempts, 1'001)), "attempts: 1001 is not allowed; allowed is 1..1000");
  EXPECT_EQ(refused(with(&Policy::max_pauses, -1)), "max_pauses: -1 is not allowed; allowed is 0..1000000");
  EXPECT_EQ(refused(with(&Policy::max_pauses, 1'000'001)), "max_pauses: 1000001 is not allowed; allowed is 0..1000000");
  EXPECT_EQ(refused(with(&Policy::max_crashes, 0)), "max_crashes: 0 is not allowed; allowed is 1..1000");
  EXPECT_EQ(refused(with(&Policy::max_crashes, 1'001)), "max_crashes: 1001 is not allowed; allowed is 1..1000");
}

TEST(Validate, BoundsTheBackoff) {
  const auto with = [](Backoff backoff) { return [backoff](NewJob& job) { job.policy.backoff = backoff; }; };
  using Kind = Backoff::Kind;
  constexpr Duration kMost = limits::kMaxDelay;
  expect_fine(with({Kind::Exponential, 0s, 0s, {}}));
  expect_fine(with({Kind::Exponential, kMost, kMost, {}}));
  expect_fine(with({Kind::Fixed, 2h, 1h, {}}));                                  // a fixed one has no cap
  expect_fine(with({Kind::List, -1s, -2s, std::vector<Duration>(100, kMost)}));  // a list has neither
  EXPECT_EQ(refused(with({Kind::Exponential, -1us, 1s, {}})).find("backoff's base: "), 0U);
  EXPECT_EQ(refused(with({Kind::Exponential, 2s, 1s, {}})).find("backoff's cap: "), 0U);
  EXPECT_EQ(refused(with({Kind::Exponential, 1s, kMost + 1us, {}})).find("backoff's cap: "), 0U);
  EXPECT_EQ(refused(with({Kind::Fixed, -1us, 1s, {}})).find("backoff's base: "), 0U);
  EXPECT_EQ(refused(with({Kind::Fixed, kMost + 1us, 1s, {}})).find("backoff's base: "), 0U);
  EXPECT_EQ(refused(with({Kind::List, 0s, 0s, {}})),
            "backoff's number of entries: 0 is not allowed; allowed is 1..100");
  EXPECT_NE(refused(with({Kind::List, 0s, 0s, std::vector<Duration>(101, 1s)})), "");
  EXPECT_EQ(refused(with({Kind::List, 0s, 0s, {1s, -1us}})).find("backoff's entry: "), 0U);
  EXPECT_EQ(refused(with({Kind::List, 0s, 0s, {kMost + 1us}})).find("backoff's entry: "), 0U);
  EXPECT_EQ(refused(with({static_cast<Kind>(3), 0s, 0s, {}})),
            "backoff's kind: 3 is not allowed; allowed is exponential, fixed or list");
}

TEST(Apply, CarriesEveryOptionOver) {
  JobOptions options;
  options.priority = 3;
  options.delay = 4s;
  options.timeout = 5s;
  options.grace = 6s;
  options.on_timeout = OnTimeout::Dead;
  options.max_attempts = 7;
  options.max_pauses = 8;
  options.max_crashes = 9;
  options.backoff = {Backoff::Kind::Fixed, 10s, 1h, {}};
  options.resumable = true;
  options.key = "key";
  options.token = "token";
  NewJob job = a_job();
  ASSERT_TRUE(apply(options, job).has_value());
  EXPECT_EQ(job.priority, 3);
  EXPECT_EQ(job.delay, 4s);
  EXPECT_EQ(job.at, std::nullopt);
  EXPECT_EQ(job.policy.timeout, 5s);
  EXPECT_EQ(job.policy.grace, 6s);
  EXPECT_EQ(job.policy.on_timeout, OnTimeout::Dead);
  EXPECT_EQ(job.policy.max_attempts, 7);
  EXPECT_EQ(job.policy.max_pauses, 8);
  EXPECT_EQ(job.policy.max_crashes, 9);
  EXPECT_EQ(job.policy.backoff.kind, Backoff::Kind::Fixed);
  EXPECT_EQ(job.policy.backoff.base, 10s);
  EXPECT_TRUE(job.policy.resumable);
  EXPECT_EQ(job.key, "key");
  EXPECT_EQ(job.token, "token");
  EXPECT_EQ(job.kind, "thumbnail") << "what is not an option stays";
}

TEST(Validate, TagsAreFewShortPrintableAndDifferent) {
  const auto tagged = [](std::vector<std::string> tags) { return [tags](NewJob& job) { job.tags = tags; }; };
  expect_fine(tagged({"a", "b c", std::string(limits::kMaxTagBytes, 't')}));
  EXPECT_EQ(refused(tagged({"a", "b", "a"})), "tag: \"a\" is not allowed; allowed is each tag once");
  EXPECT_EQ(refused(tagged({""})), "tag: \"\" is not allowed; allowed is 1 to 64 bytes");
  EXPECT_NE(refused(tagged({std::string(limits::kMaxTagBytes + 1, 't')})), "");
  EXPECT_NE(refused(tagged({"a\tb"})), "");
  EXPECT_NE(refused(tagged({"\xff"})), "");
  std::vector<std::string> many;
  for (std::size_t i = 0; i <= limits::kMaxTags; ++i) many.push_back(std::to_string(i));
  EXPECT_EQ(refused(tagged(many)), "number of tags: 17 is not allowed; allowed is 0..16");
}

TEST(Validate, HeadersHavePlainNamesAndPrintableValues) {
  const auto with = [](std::vector<Header> headers) { return [headers](NewJob& job) { job.headers = headers; }; };
  expect_fine(with({{"traceparent", "00-1-2"}, {"Traceparent", ""}, {"x.y_z-1", " \xC3\xA9 "}}));
  EXPECT_EQ(refused(with({{"a", "1"}, {"a", "2"}})), "header's name: \"a\" is not allowed; allowed is each name once");
  EXPECT_NE(refused(with({{"", "1"}})), "");
  EXPECT_NE(refused(with({{"a b", "1"}})), "");
  EXPECT_NE(refused(with({{std::string(limits::kMaxHeaderNameBytes + 1, 'n'), ""}})), "");
  EXPECT_EQ(refused(with({{"a", "1\n2"}})), "header a: \"1\\n2\" is not allowed; allowed is printable UTF-8");
  EXPECT_NE(refused(with({{"a", std::string(limits::kMaxHeaderBytes, 'v')}})), "") << "with its name it is too much";
}

TEST(Apply, CarriesTagsHeadersAndRedactionOver) {
  JobOptions options;
  options.tags = {"b", "a", "b"};
  options.headers = {{"h", "1"}};
  options.redacted = true;
  NewJob job = a_job();
  ASSERT_TRUE(apply(options, job).has_value());
  EXPECT_EQ(job.tags, (std::vector<std::string>{"b", "a"})) << "twice is once";
  EXPECT_EQ(job.headers, options.headers);
  EXPECT_TRUE(job.redacted);
}

TEST(Validate, ExpiresAndDeadlineAreZeroToTenYears) {
  expect_fine([](NewJob& job) { job.expires = job.deadline = limits::kMaxDelay; });
  EXPECT_EQ(refused([](NewJob& job) { job.expires = Duration(-1); }),
            "expires: \"-1us\" is not allowed; allowed is 0 (none) to ten years");
  EXPECT_NE(refused([](NewJob& job) { job.expires = limits::kMaxDelay + Duration(1); }), "");
  EXPECT_EQ(refused([](NewJob& job) { job.deadline = Duration(-1); }),
            "deadline: \"-1us\" is not allowed; allowed is 0 (none) to ten years");
  EXPECT_NE(refused([](NewJob& job) { job.deadline = limits::kMaxDelay + Duration(1); }), "");
}

TEST(Apply, CarriesExpiresAndDeadlineOver) {
  JobOptions options;
  options.expires = 10min;
  options.deadline = 1h;
  NewJob job = a_job();
  ASSERT_TRUE(apply(options, job).has_value());
  EXPECT_EQ(job.expires, 10min);
  EXPECT_EQ(job.deadline, 1h);
}

TEST(Apply, TheWaitForRoomIsZeroToTenYears) {
  JobOptions options;
  NewJob job = a_job();
  options.wait_for_room = limits::kMaxDelay;
  EXPECT_TRUE(apply(options, job).has_value());
  options.wait_for_room = Duration(-1);
  EXPECT_EQ(refusal(apply(options, job)), "wait_for_room: \"-1us\" is not allowed; allowed is 0 to ten years");
}

TEST(Apply, CarriesADueTimeOver) {
  JobOptions options;
  options.at = Time(17s);
  NewJob job = a_job();
  ASSERT_TRUE(apply(options, job).has_value());
  EXPECT_EQ(job.at, Time(17s));
}

TEST(Apply, PausesAResumableJobAtItsTimeOutUnlessToldOtherwise) {
  JobOptions options;
  NewJob job = a_job();
  ASSERT_TRUE(apply(options, job).has_value());
  EXPECT_EQ(job.policy.on_timeout, OnTimeout::Retry);
  options.resumable = true;
  ASSERT_TRUE(apply(options, job).has_value());
  EXPECT_EQ(job.policy.on_timeout, OnTimeout::Pause);
  options.on_timeout = OnTimeout::Retry;
  ASSERT_TRUE(apply(options, job).has_value());
  EXPECT_EQ(job.policy.on_timeout, OnTimeout::Retry);
}

TEST(Apply, RefusesWhatValidateRefuses) {
  JobOptions options;
  options.priority = 11;
  NewJob job = a_job();
  EXPECT_EQ(refusal(apply(options, job)), "priority: 11 is not allowed; allowed is -10..10");
  options = {};
  options.delay = 1s;
  options.at = Time{};
  EXPECT_NE(refusal(apply(options, job)), "");
}

}  // namespace galley::job
