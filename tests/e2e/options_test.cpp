// What the options of `galley enqueue` and the verbs of `galley jobs` do, seen from outside.

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

Finished work(const Bench& bench) { return bench.run({"work", "--allow-commands", "--drain", "--log-level", "off"}); }

TEST(Unique, AHeldKeyGivesTheHoldersId) {
  const Bench bench;
  EXPECT_EQ(bench.run({"enqueue", "--unique", "report", "--", "true"}).out, "1\n");
  EXPECT_EQ(bench.run({"enqueue", "--unique", "report", "--", "true"}).out, "1\n");
  const Finished refused = bench.run({"enqueue", "--unique", "report", "--on-conflict", "error", "--", "true"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("job 1"), std::string::npos) << refused.err;
  ASSERT_EQ(work(bench).exit_code, 0);
  EXPECT_EQ(bench.run({"enqueue", "--unique", "report", "--", "true"}).out, "2\n");
}

TEST(Unique, ADebouncedJobKeepsTheLastOfMany) {
  const Bench bench;
  for (const char* word : {"one", "two", "three"}) {
    EXPECT_EQ(bench.run({"enqueue", "--unique", "index", "--debounce", "1h", "--", "echo", word}).out, "1\n");
  }
  EXPECT_EQ(bench.job(1).at("command").at("argv").at(1), "three");
  EXPECT_EQ(bench.state(1), "scheduled");
}

TEST(Group, SmallJobsBecomeOneRun) {
  const Bench bench;
  for (const char* payload : {"1", "2", "3"}) {
    EXPECT_EQ(bench.run({"enqueue", "--kind", "index", "--json", payload, "--group", "docs", "--group-jobs", "3"}).out,
              "1\n");
  }
  const auto job = bench.job(1);
  EXPECT_EQ(job.at("state"), "ready");
  EXPECT_EQ(boost::json::serialize(job.at("payload")), "[1,2,3]");
  EXPECT_EQ(job.at("group").at("jobs"), 3);
}

TEST(Expiry, AJobWhoseTimeIsOverIsNotRun) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--expires", "1us", "--", "touch", "ran"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--deadline", "1us", "--", "touch", "ran"}).exit_code, 0);
  ASSERT_EQ(work(bench).exit_code, 0);
  EXPECT_EQ(bench.state(1), "expired");
  EXPECT_EQ(bench.state(2), "expired");
  EXPECT_FALSE(bench.exists("ran"));
}

TEST(Expiry, ADeadlineStopsACommandThatRuns) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--deadline", "300ms", "--attempts", "5", "--", "sleep", "600"}).exit_code, 0);
  ASSERT_EQ(work(bench).exit_code, 0);
  EXPECT_EQ(bench.state(1), "expired");
  EXPECT_EQ(bench.job(1).at("attempts"), 1);
}

TEST(Limit, AFullQueueRefusesAndSaysSo) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  ASSERT_EQ(bench.run({"queues", "limit", "default", "--max-waiting", "2"}).exit_code, 0);
  const Finished run = bench.run({"enqueue", "--each", "--", "echo", "{}"}, "a\nb\nc\n");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "2\n") << "what there was room for is in";
  EXPECT_NE(run.err.find("default"), std::string::npos) << run.err;
  EXPECT_EQ(bench.run({"queues", "limit", "default", "--max-waiting", "0"}).exit_code, 2);
  ASSERT_EQ(bench.run({"queues", "limit", "default", "--max-waiting", "none"}).exit_code, 0);
  EXPECT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
}

TEST(Limits, AreSetShownExplainedAndRemoved) {
  const Bench bench;
  const auto enqueue = [&](std::vector<std::string> options) {
    std::vector<std::string> arguments{"enqueue"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    for (const char* word : {"--", "sleep", "600"}) arguments.emplace_back(word);
    return bench.run(arguments).exit_code;
  };
  ASSERT_EQ(enqueue({"--limit", "smtp", "--key", "ann", "--ordered", "--expect", "2s"}), 0);
  ASSERT_EQ(bench.run({"limits", "set", "smtp", "--running", "1", "--rate", "1/1h"}).exit_code, 0);
  ASSERT_EQ(bench.run({"limits", "set", "--queue", "default", "--each-key", "--running", "2"}).exit_code, 0);
  EXPECT_EQ(bench.run({"limits", "set", "--each-key", "--running", "2"}).exit_code, 2);
  EXPECT_EQ(bench.run({"limits", "set", "smtp", "--rate", "fast"}).exit_code, 2);
  EXPECT_EQ(bench.run({"limits", "set", "smtp"}).exit_code, 2);
  EXPECT_EQ(bench.job(1).at("limits").as_array().size(), 1U);
  EXPECT_EQ(bench.job(1).at("expect_ms"), 2'000);
  const Finished shown = bench.run({"limits"});
  EXPECT_NE(shown.out.find("each key of queue default"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("1/1h"), std::string::npos) << shown.out;
  ASSERT_EQ(bench.run({"limits", "remove", "smtp"}).exit_code, 0);
  EXPECT_EQ(bench.run({"limits", "remove", "smtp"}).exit_code, 1);
  ASSERT_EQ(bench.run({"queues", "set", "default", "--order", "shortest", "--weight", "ann=3"}).exit_code, 0);
  EXPECT_EQ(bench.run({"queues", "set", "default", "--weight", "ann"}).exit_code, 2);
  EXPECT_EQ(bench.run({"queues", "set", "default"}).exit_code, 2);
  EXPECT_EQ(enqueue({"--ordered"}), 2) << "without a key";
}

TEST(Limit, AnEnqueueWaitsForRoomAsLongAsItIsTold) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  ASSERT_EQ(bench.run({"queues", "limit", "default", "--max-waiting", "1"}).exit_code, 0);
  EXPECT_EQ(bench.run({"enqueue", "--wait-for-room", "10ms", "--", "true"}).exit_code, 1);
  Process waiting(bench.dir(), {.arguments = {"enqueue", "--wait-for-room", "1h", "--", "true"}});
  ASSERT_EQ(work(bench).exit_code, 0);
  EXPECT_EQ(waiting.finish().exit_code, 0);
}

TEST(Cancel, StopsACommandThatRunsInAnotherProcess) {
  const Bench bench;
  const Fifo started(bench.dir().file("started"));
  ASSERT_EQ(bench.run({"enqueue", "--attempts", "5", "--", "sh", "-c", "echo > started; exec sleep 600"}).exit_code, 0);
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands", "--drain"}});
  ASSERT_TRUE(started.wait());
  EXPECT_EQ(bench.run({"jobs", "cancel", "1"}).exit_code, 0);
  EXPECT_EQ(worker.finish().exit_code, 0);
  EXPECT_EQ(bench.state(1), "cancelled") << "and it is not tried again";
}

TEST(Limit, AFullStoreRefusesWhatIsNew) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 0);
  ASSERT_EQ(bench.run({"store", "limit", "--max-bytes", "1"}).exit_code, 0);
  EXPECT_EQ(bench.run({"enqueue", "--", "true"}).exit_code, 1);
  EXPECT_EQ(work(bench).exit_code, 0) << "what is there is run";
  EXPECT_EQ(bench.run({"store", "--json"}).objects().at(0).at("max_bytes"), 1);
}

TEST(Marks, TagsHeadersAndErrorClassesAreFound) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--tag", "red", "--tag", "big", "--header", "tenant=ann", "--", "true"}).exit_code,
            0);
  ASSERT_EQ(bench.run({"enqueue", "--tag", "red", "--", "sh", "-c", "exit 3"}).exit_code, 0);
  ASSERT_EQ(bench.run({"enqueue", "--key", "ann", "--", "true"}).exit_code, 0);
  (void)work(bench);
  EXPECT_EQ(bench.run({"jobs", "--tag", "red", "--json"}).objects().size(), 2U);
  EXPECT_EQ(bench.run({"jobs", "--tag", "big", "--json"}).objects().size(), 1U);
  EXPECT_EQ(bench.run({"jobs", "--key", "ann", "--json"}).objects().at(0).at("id"), 3);
  EXPECT_EQ(bench.run({"jobs", "--error-class", "exit:3", "--json"}).objects().at(0).at("id"), 2);
  EXPECT_EQ(bench.run({"jobs", "--since", "1h", "--json"}).objects().size(), 3U);
  EXPECT_EQ(bench.run({"jobs", "--until", "1h", "--json"}).objects().size(), 0U);
  EXPECT_EQ(bench.run({"jobs", "--ended-since", "1h", "--state", "dead", "--json"}).objects().size(), 1U);
  EXPECT_EQ(bench.run({"jobs", "--tag", ""}).exit_code, 2);
  EXPECT_EQ(bench.run({"jobs", "--since", "soon"}).exit_code, 2);
  EXPECT_EQ(bench.job(1).at("headers").at("tenant"), "ann");
}

TEST(Marks, ARedactedJobShowsNeitherCommandNorPayload) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--redact", "--", "echo", "secret-word"}).exit_code, 0);
  for (const auto& look : {bench.run({"jobs"}), bench.run({"jobs", "--json"}), bench.run({"jobs", "show", "1"}),
                           bench.run({"jobs", "show", "1", "--json"})}) {
    EXPECT_EQ(look.exit_code, 0);
    EXPECT_EQ(look.out.find("secret-word"), std::string::npos) << look.out;
  }
  EXPECT_NE(bench.run({"jobs", "show", "1"}).out.find("redacted"), std::string::npos);
  ASSERT_EQ(bench.run({"work", "--allow-commands", "--drain"}).exit_code, 0);
  const Finished text = bench.run({"jobs", "show", "1"});
  EXPECT_NE(text.out.find("stdout"), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find("secret-word"), std::string::npos) << "what it wrote: " << text.out;
  EXPECT_EQ(bench.run({"jobs", "show", "1", "--json"}).out.find("secret-word"), std::string::npos);
}

TEST(Marks, ATraceGoesOnInTheCommand) {
  const Bench bench;
  ASSERT_EQ(bench
                .run({"enqueue", "--header", "traceparent=00-ab-cd-01", "--", "sh", "-c",
                      "echo $TRACEPARENT $GALLEY_JOB $GALLEY_ATTEMPT > trace"})
                .exit_code,
            0);
  ASSERT_EQ(work(bench).exit_code, 0);
  EXPECT_EQ(bench.read("trace"), "00-ab-cd-01 1 1\n");
}

TEST(Bulk, IsCountedFirstWhenAsked) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--each", "--", "false"}, "a\nb\nc\n").exit_code, 0);
  (void)work(bench);
  EXPECT_EQ(bench.run({"jobs", "retry", "--all", "--count"}).out, "3\n");
  EXPECT_EQ(bench.run({"jobs", "retry", "--all", "--kind", "other", "--count"}).out, "0\n");
  EXPECT_EQ(bench.run({"jobs", "retry", "--count"}).exit_code, 2);
  EXPECT_EQ(bench.state(1), "dead");
  EXPECT_EQ(bench.run({"jobs", "retry", "--all", "--kind", "false", "--ended-since", "1h"}).out, "retried 3 jobs\n");
}

TEST(Bulk, JobsAreMovedGivenAnotherPriorityAndRunNow) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--each", "--delay", "1h", "--", "true"}, "a\nb\n").exit_code, 0);
  EXPECT_EQ(bench.run({"jobs", "move", "--to", "bulk", "--all"}).out, "moved 2 jobs\n");
  EXPECT_EQ(bench.job(1).at("queue"), "bulk");
  EXPECT_EQ(bench.run({"jobs", "priority", "--to", "7", "2"}).out, "changed 1 job\n");
  EXPECT_EQ(bench.job(2).at("priority"), 7);
  EXPECT_EQ(bench.run({"jobs", "run", "1"}).out, "made due 1 job\n");
  EXPECT_EQ(bench.state(1), "ready");
  EXPECT_EQ(bench.state(2), "scheduled");
  EXPECT_EQ(bench.run({"jobs", "move", "--to", "no spaces", "1"}).exit_code, 2);
  EXPECT_EQ(bench.run({"jobs", "move", "1"}).exit_code, 2);
}

TEST(Options, WhatDoesNotGoTogetherIsRefused) {
  const Bench bench;
  const std::vector<std::vector<std::string>> bad{{"--until", "start"},
                                                  {"--on-conflict", "error"},
                                                  {"--debounce", "1s"},
                                                  {"--group-jobs", "3"},
                                                  {"--unique", ""},
                                                  {"--header", "no equals sign"},
                                                  {"--token", ""},
                                                  {"--on-timeout", "dead"},
                                                  {"--unique", "k", "--debounce", "1s", "--delay", "2s"},
                                                  {"--expires", "-1s"},
                                                  {"--tag", std::string(65, 'x')}};
  for (const auto& options : bad) {
    std::vector<std::string> arguments{"enqueue"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.insert(arguments.end(), {"--", "true"});
    const Finished run = bench.run(arguments);
    EXPECT_EQ(run.exit_code, 2) << options[0] << " " << run.err;
    EXPECT_FALSE(bench.exists("galley.db")) << options[0];
  }
}

TEST(Errors, CarryTheirCode) {
  const Bench bench;
  const Finished run = bench.run({"enqueue", "--queue", "a b", "--", "true"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("[invalid_input]"), std::string::npos) << run.err;
}

TEST(Errors, OfSingleJobsCarryTheirCodeToo) {
  const Bench bench;
  ASSERT_EQ(bench.run({"enqueue", "--unique", "report", "--", "true"}).exit_code, 0);
  ASSERT_EQ(bench.run({"queues", "limit", "default", "--max-waiting", "1"}).exit_code, 0);
  const auto refused = [&](std::vector<std::string> arguments, std::string_view why) {
    const Finished run = bench.run(std::move(arguments));
    EXPECT_EQ(run.exit_code, 1) << run.err;
    EXPECT_NE(run.err.find(why), std::string::npos) << run.err;
  };
  refused({"enqueue", "--unique", "report", "--on-conflict", "error", "--", "true"},
          "unique key \"report\": job 1 holds it [conflict]");
  refused({"enqueue", "--", "true"}, "[queue_full]");
  const Finished each =
      bench.run({"enqueue", "--each", "--queue", "other", "--unique", "report", "--on-conflict", "error", "--", "true"},
                "a\n\nc\n");
  EXPECT_EQ(each.exit_code, 1);
  EXPECT_NE(each.err.find("line 1: unique key"), std::string::npos) << each.err;
  EXPECT_NE(each.err.find("line 3: unique key"), std::string::npos) << "an empty line counts: " << each.err;
  refused({"jobs", "show", "7"}, "there is no job 7 [not_found]");
  refused({"jobs", "cancel", "7"}, "there is no job 7 [not_found]");
  refused({"explain", "7"}, "there is no job 7 [not_found]");
  refused({"jobs", "run", "1"}, "[wrong_state]");
}

}  // namespace
}  // namespace galley::test
