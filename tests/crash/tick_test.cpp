// Workers killed with SIGKILL while schedules tick: each tick has exactly one job, whoever lived through it.

#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "base/duration.hpp"
#include "e2e/process.hpp"

namespace galley::test {
namespace {

constexpr int kSchedules = 10;
constexpr int kWorkers = 3;
constexpr int kKills = 6;

const Start kWork{.arguments = {"work", "--pool", "default=1", "--allow-commands", "--log-level", "info"}};

Time time_of(const boost::json::value& value) {
  return base::parse_time("time", std::string(value.as_string())).value();
}

std::string name_of(int schedule) { return "s" + std::to_string(schedule); }

void expect_one_job_a_second(const Bench& bench, const boost::json::object& schedule, Time first) {
  const std::string name(schedule.at("name").as_string());
  ASSERT_TRUE(schedule.at("last_at").is_string()) << name << " never ticked";
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(time_of(schedule.at("last_at")) - first);
  EXPECT_GE(passed.count(), kKills - 1) << name;
  EXPECT_EQ(schedule.at("enqueued").as_int64(), passed.count() + 1) << name;
  EXPECT_EQ(schedule.at("skipped").as_int64(), 0) << name;
  const auto jobs = bench.run({"jobs", "--kind", name, "--json", "--limit", "0"}).objects();
  EXPECT_EQ(static_cast<std::int64_t>(jobs.size()), passed.count() + 1) << name;
}

TEST(Killed, WorkersGiveEachTickExactlyOneJob) {
  const Bench bench;
  std::vector<Time> first;
  for (int i = 0; i < kSchedules; ++i) {
    const Finished put = bench.run({"schedules", "put", name_of(i), "--cron", "* * * * * *", "--misfire", "all",
                                    "--kind", name_of(i), "--json", "{}"});
    ASSERT_EQ(put.exit_code, 0) << put.err;
    first.push_back(time_of(bench.run({"schedules", "--json"}).objects().back().at("next_at")));
  }
  std::vector<std::unique_ptr<Process>> workers;
  for (int i = 0; i < kWorkers; ++i) workers.push_back(std::make_unique<Process>(bench.dir(), kWork));
  for (auto& worker : workers) ASSERT_TRUE(worker->wait_err("worker.start"));
  for (int i = 0; i < kKills; ++i) {
    // A job that is due at a tick's moment ends just behind it: then a worker dies, while the others may still be at
    // it.
    const std::string tick = base::format_time(first.back() + std::chrono::seconds(i + 1));
    ASSERT_EQ(bench.run({"enqueue", "--wait", "--at", tick, "--", "true"}).exit_code, 0);
    auto& victim = workers[static_cast<std::size_t>(i % kWorkers)];
    victim->signal(SIGKILL);
    (void)victim->finish();
    victim = std::make_unique<Process>(bench.dir(), kWork);
    ASSERT_TRUE(victim->wait_err("worker.start"));
  }
  for (auto& worker : workers) worker->signal(SIGTERM);
  for (auto& worker : workers) EXPECT_EQ(worker->finish().exit_code, 0);
  const auto schedules = bench.run({"schedules", "--json"}).objects();
  ASSERT_EQ(schedules.size(), first.size());
  for (int i = 0; i < kSchedules; ++i) {
    const auto at = static_cast<std::size_t>(i);
    expect_one_job_a_second(bench, schedules[at], first[at]);
  }
}

}  // namespace
}  // namespace galley::test
