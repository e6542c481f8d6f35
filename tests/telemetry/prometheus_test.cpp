#include "telemetry/prometheus.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <limits>

#include "store/temp_dir.hpp"

namespace galley::telemetry {
namespace {

using namespace std::chrono_literals;

struct Verdict {
  int exit_code = -1;
  std::string words;
};

/// What Prometheus's own checker says: syntax, and the conventions of names and units.
Verdict promtool(const std::string& text) {
  const test::TempDir dir;
  std::ofstream(dir.file("metrics"), std::ios::binary) << text;
  const std::string command = "PATH=\"" GALLEY_TOOLS ":$PATH\" promtool check metrics 2>&1 <" + dir.file("metrics");
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  Verdict verdict;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    verdict.words.append(buffer.data(), got);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) verdict.exit_code = WEXITSTATUS(status);
  if (verdict.exit_code == 127) verdict.words += "(promtool is missing: ./dev test fetches it)";
  return verdict;
}

void expect_accepted(const std::string& text) {
  const Verdict verdict = promtool(text);
  EXPECT_EQ(verdict.exit_code, 0) << verdict.words << text;
}

TEST(Prometheus, WritesCountersAndGauges) {
  std::string text;
  PrometheusWriter writer(text);
  writer.family("galley_jobs_ended_total", MetricType::Counter, "Jobs that ended.");
  writer.sample({{"queue", "fast"}, {"state", "completed"}}, std::int64_t{9'007'199'254'740'993});
  writer.sample({{"queue", "fast"}, {"state", "dead"}}, 0);
  writer.family("galley_oldest_waiting_seconds", MetricType::Gauge, "Age of the oldest ready job.");
  writer.sample({}, 0.25);
  EXPECT_EQ(text,
            "# HELP galley_jobs_ended_total Jobs that ended.\n"
            "# TYPE galley_jobs_ended_total counter\n"
            "galley_jobs_ended_total{queue=\"fast\",state=\"completed\"} 9007199254740993\n"
            "galley_jobs_ended_total{queue=\"fast\",state=\"dead\"} 0\n"
            "# HELP galley_oldest_waiting_seconds Age of the oldest ready job.\n"
            "# TYPE galley_oldest_waiting_seconds gauge\n"
            "galley_oldest_waiting_seconds 0.25\n");
  expect_accepted(text);
}

TEST(Prometheus, WritesAHistogramInSecondsThatGrowsToItsCount) {
  Histogram histogram;
  histogram.add(1ms, 3);
  histogram.add(700ms, 2);
  histogram.add(2min);
  std::string text;
  PrometheusWriter writer(text);
  writer.family("galley_run_seconds", MetricType::Histogram, "How long attempts ran.");
  const std::array<Duration, 4> edges{500us, 5ms, 1s, 60s};
  writer.sample({{"kind", "resize"}}, histogram, edges);
  EXPECT_EQ(text,
            "# HELP galley_run_seconds How long attempts ran.\n"
            "# TYPE galley_run_seconds histogram\n"
            "galley_run_seconds_bucket{kind=\"resize\",le=\"0.0005\"} 0\n"
            "galley_run_seconds_bucket{kind=\"resize\",le=\"0.005\"} 3\n"
            "galley_run_seconds_bucket{kind=\"resize\",le=\"1\"} 5\n"
            "galley_run_seconds_bucket{kind=\"resize\",le=\"60\"} 5\n"
            "galley_run_seconds_bucket{kind=\"resize\",le=\"+Inf\"} 6\n"
            "galley_run_seconds_sum{kind=\"resize\"} 121.403\n"
            "galley_run_seconds_count{kind=\"resize\"} 6\n");
  expect_accepted(text);
}

TEST(Prometheus, WritesAHistogramWithoutLabelsOrValues) {
  std::string text;
  PrometheusWriter writer(text);
  writer.family("galley_wait_seconds", MetricType::Histogram, "How long jobs waited.");
  writer.sample({}, Histogram(), {});
  EXPECT_NE(text.find("galley_wait_seconds_bucket{le=\"+Inf\"} 0\n"), std::string::npos) << text;
  expect_accepted(text);
}

TEST(Prometheus, EscapesWhatALabelOrAHelpTextMayHold) {
  std::string text;
  PrometheusWriter writer(text);
  writer.family("galley_slots", MetricType::Gauge, "One \\ line\nand \"another\".");
  writer.sample({{"name", "a\\b\"c\nd}e,f=\xff\xc3\xa4"}}, 1);
  EXPECT_NE(text.find("# HELP galley_slots One \\\\ line\\nand \"another\".\n"), std::string::npos) << text;
  EXPECT_NE(text.find("galley_slots{name=\"a\\\\b\\\"c\\nd}e,f=\xef\xbf\xbd\xc3\xa4\"} 1\n"), std::string::npos)
      << text;
  expect_accepted(text);
}

TEST(Prometheus, WritesValuesThatAreNoOrdinaryNumbers) {
  std::string text;
  PrometheusWriter writer(text);
  writer.family("galley_load", MetricType::Gauge, "Any number.");
  using Limits = std::numeric_limits<double>;
  const std::vector<std::pair<double, std::string>> values{{Limits::quiet_NaN(), "NaN"},
                                                           {Limits::infinity(), "+Inf"},
                                                           {-Limits::infinity(), "-Inf"},
                                                           {-0.1, "-0.1"},
                                                           {1e300, "1e+300"},
                                                           {-Limits::denorm_min(), "-5e-324"}};
  for (const auto& [value, shown] : values) {
    writer.sample({{"n", shown}}, value);
    EXPECT_NE(text.find("{n=\"" + shown + "\"} " + shown + "\n"), std::string::npos) << text;
  }
  expect_accepted(text);
}

TEST(Prometheus, IsCheckedByAToolThatRefuses) {
  EXPECT_EQ(promtool("galley_jobs{queue=\"a} 1\n").exit_code, 1);
  EXPECT_EQ(promtool("# HELP galley_jobs_count Named as a histogram's count.\n"
                     "# TYPE galley_jobs_count gauge\ngalley_jobs_count 1\n")
                .exit_code,
            3);
}

using PrometheusDeathTest = testing::Test;

TEST(PrometheusDeathTest, AssertsThatTheProgramsOwnNamesAreValid) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::string text;
  PrometheusWriter writer(text);
  EXPECT_DEATH(writer.family("galley-jobs", MetricType::Gauge, ""), "is_name");
  EXPECT_DEATH(writer.family("9jobs", MetricType::Gauge, ""), "is_name");
  EXPECT_DEATH(writer.family("", MetricType::Gauge, ""), "is_name");
  EXPECT_DEATH(writer.family("jobs_total", MetricType::Gauge, ""), "_total");
  EXPECT_DEATH(writer.family("jobs", MetricType::Counter, ""), "_total");
  EXPECT_DEATH(writer.sample({}, 1), "name_");
  writer.family("jobs", MetricType::Histogram, "");
  EXPECT_DEATH(writer.family("jobs", MetricType::Gauge, ""), "insert");
  EXPECT_DEATH(writer.sample({}, 1), "Histogram");
  EXPECT_DEATH(writer.sample({{"le", "1"}}, Histogram(), {}), "le");
  EXPECT_DEATH(writer.sample({{"__name", "1"}}, Histogram(), {}), "__");
  EXPECT_DEATH(writer.sample({{"a:b", "1"}}, Histogram(), {}), "is_name");
  const std::array<Duration, 2> falling{2s, 1s};
  EXPECT_DEATH(writer.sample({}, Histogram(), falling), "edges");
  writer.family("ends_total", MetricType::Counter, "");
  EXPECT_DEATH(writer.sample({}, -1), "value >= 0");
}

}  // namespace
}  // namespace galley::telemetry
