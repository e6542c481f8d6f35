// Recurring jobs by the command line, and a worker that serves them.

#include <gtest/gtest.h>

#include "e2e/process.hpp"

namespace galley::test {
namespace {

std::string text(const boost::json::value& value) { return std::string(value.as_string()); }

/// The only schedule.
boost::json::object schedule(const Bench& bench) {
  const auto all = bench.run({"schedules", "--json"}).objects();
  EXPECT_EQ(all.size(), 1U);
  return all.empty() ? boost::json::object() : all[0];
}

TEST(Schedules, ACommandRunsAtEachTick) {
  const Bench bench;
  const Finished put =
      bench.run({"schedules", "put", "often", "--cron", "* * * * * *", "--", "sh", "-c", "echo x >> f"});
  ASSERT_EQ(put.exit_code, 0) << put.err;
  EXPECT_EQ(put.out.find("put often: next 20"), 0U) << put.out;
  Process worker(bench.dir(), {.arguments = {"work", "--allow-commands"}});
  ASSERT_TRUE(worker.wait_err("job.completed"));
  ASSERT_TRUE(worker.wait_err("job=2"));
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.finish().exit_code, 0);
  EXPECT_EQ(bench.read("f").substr(0, 2), "x\n");
  const auto kept = schedule(bench);
  EXPECT_EQ(kept.at("name"), "often");
  EXPECT_EQ(kept.at("cron"), "* * * * * *");
  EXPECT_GE(kept.at("enqueued").as_int64(), 1);
  EXPECT_EQ(kept.at("last_job"), kept.at("enqueued"));
}

TEST(Schedules, OptionsAreKeptAndListed) {
  const Bench bench;
  ASSERT_EQ(bench
                .run({"schedules",  "put",     "nightly",   "--cron", "0 3 * * *", "--zone", "Europe/Berlin",
                      "--misfire",  "all",     "--overlap", "skip",   "--jitter",  "5s",     "--spread",
                      "10m",        "--queue", "q",         "--kind", "k",         "--json", "{}",
                      "--priority", "3",       "--tag",     "red"})
                .exit_code,
            0);
  const auto kept = schedule(bench);
  EXPECT_EQ(kept.at("zone"), "Europe/Berlin");
  EXPECT_EQ(kept.at("misfire"), "all");
  EXPECT_EQ(kept.at("overlap"), "skip");
  EXPECT_EQ(kept.at("jitter_ms"), 5'000);
  EXPECT_EQ(kept.at("spread_ms"), 600'000);
  EXPECT_EQ(kept.at("queue"), "q");
  EXPECT_EQ(kept.at("kind"), "k");
  EXPECT_EQ(kept.at("paused"), false);
  EXPECT_TRUE(kept.at("last_job").is_null());
  const Finished table = bench.run({"schedules"});
  EXPECT_NE(table.out.find("Europe/Berlin"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find(" 03:00:00+0"), std::string::npos) << table.out;
}

TEST(Schedules, PauseResumeAndRemoveSayWhatTheyDid) {
  const Bench bench;
  ASSERT_EQ(bench.run({"schedules", "put", "s", "--cron", "@daily", "--", "true"}).exit_code, 0);
  EXPECT_EQ(bench.run({"schedules", "pause", "s"}).out, "paused s: its ticks pass without a job\n");
  EXPECT_EQ(schedule(bench).at("paused"), true);
  EXPECT_EQ(bench.run({"schedules", "resume", "s"}).out, "resumed s\n");
  EXPECT_EQ(schedule(bench).at("paused"), false);
  EXPECT_EQ(bench.run({"schedules", "remove", "s"}).out, "removed s: its jobs stay\n");
  const Finished gone = bench.run({"schedules", "remove", "s"});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_NE(gone.err.find("there is no such schedule"), std::string::npos) << gone.err;
  EXPECT_NE(bench.run({"schedules"}).err.find("there are no schedules"), std::string::npos);
}

TEST(Schedules, ShowWhatTheyRunUnlessItIsRedacted) {
  const Bench bench;
  ASSERT_EQ(bench.run({"schedules", "put", "s", "--cron", "@daily", "--", "echo", "a b"}).exit_code, 0);
  EXPECT_EQ(schedule(bench).at("command").at("argv").at(1), "a b");
  EXPECT_NE(bench.run({"schedules"}).out.find("echo 'a b'"), std::string::npos);
  ASSERT_EQ(bench.run({"schedules", "put", "s", "--cron", "@daily", "--redact", "--", "echo", "a b"}).exit_code, 0);
  EXPECT_TRUE(schedule(bench).at("command").is_null());
  EXPECT_EQ(bench.run({"schedules"}).out.find("a b"), std::string::npos);
}

TEST(Schedules, NextShowsWhenAnExpressionTicksWithoutAStore) {
  const Bench bench;
  const auto ticks =
      bench.run({"schedules", "next", "--cron", "30 2 29 3 *", "--zone", "Europe/Berlin", "--json"}).objects();
  ASSERT_EQ(ticks.size(), 5U);
  EXPECT_NE(text(ticks[0].at("local")).find("-03-29 0"), std::string::npos);
  EXPECT_EQ(bench.run({"schedules", "next", "--cron", "@every 90s", "-n", "2"}).lines().size(), 3U) << "with a header";
  EXPECT_FALSE(bench.exists("galley.db"));
}

TEST(Schedules, NextOfAScheduleBeginsWithItsNextTickAndShowsWhereSpreadMovesIt) {
  const Bench bench;
  ASSERT_EQ(bench.run({"schedules", "put", "s", "--cron", "@every 7m", "--spread", "1h", "--", "true"}).exit_code, 0);
  const auto ticks = bench.run({"schedules", "next", "s", "-n", "3", "--json"}).objects();
  ASSERT_EQ(ticks.size(), 3U);
  EXPECT_EQ(ticks[0].at("tick"), schedule(bench).at("next_at"));
  EXPECT_NE(ticks[0].at("due"), ticks[0].at("tick"));
  EXPECT_NE(ticks[0].at("tick"), ticks[1].at("tick"));
  EXPECT_NE(bench.run({"schedules", "next", "s"}).out.find("DUE"), std::string::npos);
}

TEST(Schedules, WhatIsWrongIsNamed) {
  const Bench bench;
  const auto refused = [&](std::vector<std::string> arguments, std::string_view why) {
    const Finished run = bench.run(std::move(arguments));
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_NE(run.err.find(why), std::string::npos) << run.err;
  };
  refused({"schedules", "put", "s", "--", "true"}, "--cron");
  refused({"schedules", "put", "s", "--cron", "61 * * * *", "--", "true"}, "61");
  refused({"schedules", "put", "s", "--cron", "@daily", "--zone", "Moon", "--", "true"}, "Moon");
  refused({"schedules", "put", "a b", "--cron", "@daily", "--", "true"}, "schedule: ");
  refused({"schedules", "put", "s", "--cron", "@daily"}, "there is nothing to enqueue");
  refused({"schedules", "put", "s", "--cron", "@daily", "true"}, "put -- before the command");
  refused({"schedules", "put", "s", "--cron", "@daily", "--jitter", "long", "--", "true"}, "--jitter");
  refused({"schedules", "put", "s", "--cron", "@daily", "--misfire", "never", "--", "true"}, "--misfire");
  refused({"schedules", "put", "s", "--cron", "@daily", "--delay", "5s", "--", "true"}, "--delay");
  refused({"schedules", "next"}, "--cron");
  refused({"schedules", "list", "--", "true"}, "list");
  refused({"schedules", "pause", "s", "--", "true"}, "behind --");
  EXPECT_FALSE(bench.exists("galley.db"));
}

}  // namespace
}  // namespace galley::test
