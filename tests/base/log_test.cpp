#include "base/log.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

#include "base/duration.hpp"
#include "base/expect.hpp"

namespace galley::base {

namespace {

using test::refusal;

/// What `act` writes to stderr.
template <class Act>
std::string written(Act act) {
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

constexpr std::size_t kTimeSize = 24;  // "2026-12-31T23:59:00.123Z"

/// A line without its time, which must be one.
std::string after_time(const std::string& line) {
  if (line.size() < kTimeSize || !parse_time("time", line.substr(0, kTimeSize))) return "no time: " + line;
  return line.substr(kTimeSize);
}

std::string text_of(std::initializer_list<Field> fields) {
  return after_time(written([&] { Logger(LogLevel::Info, LogFormat::Text).info("e", fields); }));
}

boost::json::value json_of(std::initializer_list<Field> fields) {
  return boost::json::parse(written([&] { Logger(LogLevel::Info, LogFormat::Json).info("e", fields); }));
}

}  // namespace

TEST(Logger, WritesOneLineOfTextPerEvent) {
  const std::string out = written([] {
    Logger(LogLevel::Debug, LogFormat::Text).info("job.retry", {{"id", 17}, {"attempt", 3}, {"delay", "4s"}});
  });
  EXPECT_EQ(after_time(out), " INFO job.retry id=17 attempt=3 delay=4s\n");
}

TEST(Logger, WritesOneJsonObjectPerEvent) {
  const std::string out = written([] {
    Logger(LogLevel::Debug, LogFormat::Json).warn("job.retry", {{"id", 17}, {"share", 0.5}, {"delay", "4s"}});
  });
  ASSERT_GT(out.size(), 9 + kTimeSize);
  EXPECT_EQ(out.substr(0, 9), "{\"time\":\"");
  EXPECT_EQ(after_time(out.substr(9)),
            "\",\"level\":\"warn\",\"event\":\"job.retry\",\"id\":17,\"share\":0.5,\"delay\":\"4s\"}\n");
}

TEST(Logger, QuotesValuesThatAreNotOnePlainWord) {
  EXPECT_EQ(text_of({{"v", "plain-Grüße/1:2"}}), " INFO e v=plain-Grüße/1:2\n");
  EXPECT_EQ(text_of({{"v", ""}}), " INFO e v=\"\"\n");
  EXPECT_EQ(text_of({{"v", "two words"}}), " INFO e v=\"two words\"\n");
  EXPECT_EQ(text_of({{"v", "a=b"}}), " INFO e v=\"a=b\"\n");
  EXPECT_EQ(text_of({{"v", "say \"hi\" \\o/"}}), " INFO e v=\"say \\\"hi\\\" \\\\o/\"\n");
}

TEST(Logger, LetsNoValueBeginALineOrDriveATerminal) {
  EXPECT_EQ(text_of({{"v", "a\nb\r\x1b[1m\x7f"}}), " INFO e v=\"a\\nb\\u000d\\u001b[1m\\u007f\"\n");
  EXPECT_EQ(text_of({{"v",
                      "\xC2\x9B"
                      "31m"}}),
            " INFO e v=\"\\u009b31m\"\n");
  EXPECT_EQ(text_of({{"v", "\xFF"}}), " INFO e v=\"\xEF\xBF\xBD\"\n");
  EXPECT_EQ(text_of({{"v", "{} {0}"}}), " INFO e v=\"{} {0}\"\n");
}

TEST(Logger, WritesValidJsonForAnyValue) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  std::string expected;
  for (int i = 0; i < 128; ++i) expected += static_cast<char>(i);
  for (int i = 128; i < 256; ++i) expected += "\xEF\xBF\xBD";
  const auto line = json_of({{"v", bytes}, {"least", std::numeric_limits<std::int64_t>::min()}});
  EXPECT_EQ(line.at("v").as_string(), expected);
  EXPECT_EQ(line.at("least").as_int64(), std::numeric_limits<std::int64_t>::min());
}

TEST(Logger, WritesNumbersThatJsonLacksAsNull) {
  EXPECT_TRUE(json_of({{"v", std::nan("")}}).at("v").is_null());
  EXPECT_TRUE(json_of({{"v", -std::numeric_limits<double>::infinity()}}).at("v").is_null());
  EXPECT_EQ(text_of({{"v", std::numeric_limits<double>::infinity()}}), " INFO e v=inf\n");
}

TEST(Logger, SaysOnlyWhatItsLevelLetsThrough) {
  constexpr LogLevel kLevels[] = {LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error};
  for (const LogLevel level : kLevels) {
    const Logger logger(level, LogFormat::Text);
    for (const LogLevel said : kLevels) {
      EXPECT_EQ(logger.enabled(said), said >= level);
      EXPECT_EQ(written([&] { logger.log(said, "e"); }).empty(), said < level);
    }
    EXPECT_FALSE(logger.enabled(LogLevel::Off));
    EXPECT_EQ(written([&] { logger.log(LogLevel::Off, "e"); }), "");
  }
}

TEST(Logger, NamesTheLevelOfEachShorthand) {
  const Logger logger(LogLevel::Debug, LogFormat::Text);
  EXPECT_EQ(after_time(written([&] { logger.debug("e"); })), " DEBUG e\n");
  EXPECT_EQ(after_time(written([&] { logger.info("e"); })), " INFO e\n");
  EXPECT_EQ(after_time(written([&] { logger.warn("e"); })), " WARN e\n");
  EXPECT_EQ(after_time(written([&] { logger.error("e"); })), " ERROR e\n");
}

TEST(Logger, SaysNothingWhenSilentOrOff) {
  for (const Logger& logger : {Logger::silent(), Logger(LogLevel::Off, LogFormat::Json)}) {
    EXPECT_FALSE(logger.enabled(LogLevel::Error));
    EXPECT_EQ(written([&] { logger.error("e"); }), "");
  }
}

TEST(Logger, NeverMixesTheLinesOfSeveralThreads) {
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  const std::string word(200, 'x');
  const std::string out = written([&] {
    const Logger logger(LogLevel::Info, LogFormat::Text);
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([copy = logger, &word] {
        for (int n = 0; n < kLines; ++n) copy.info("e", {{"v", word}});
      });
    }
  });
  std::istringstream lines(out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_EQ(after_time(line), " INFO e v=" + word);
  EXPECT_EQ(count, kThreads * kLines);
}

TEST(LogLevel, IsReadByNameOrRefusedWithTheChoices) {
  EXPECT_EQ(log_level_from("debug").value(), LogLevel::Debug);
  EXPECT_EQ(log_level_from("info").value(), LogLevel::Info);
  EXPECT_EQ(log_level_from("warn").value(), LogLevel::Warn);
  EXPECT_EQ(log_level_from("error").value(), LogLevel::Error);
  EXPECT_EQ(log_level_from("off").value(), LogLevel::Off);
  EXPECT_EQ(refusal(log_level_from("loud")),
            "log level: \"loud\" is not allowed; allowed is debug, info, warn, error, off");
  EXPECT_NE(refusal(log_level_from("")), "");
  EXPECT_NE(refusal(log_level_from("INFO")), "");
}

TEST(LogFormat, IsReadByNameOrRefusedWithTheChoices) {
  EXPECT_EQ(log_format_from("text").value(), LogFormat::Text);
  EXPECT_EQ(log_format_from("json").value(), LogFormat::Json);
  EXPECT_EQ(refusal(log_format_from("xml")), "log format: \"xml\" is not allowed; allowed is text, json");
}

}  // namespace galley::base
