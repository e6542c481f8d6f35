#include "base/duration.hpp"

#include <gtest/gtest.h>

#include "base/expect.hpp"
#include "base/limits.hpp"
#include "base/random.hpp"
#include "base/rubbish.hpp"

namespace galley::base {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::refusal;

Duration duration(std::string_view text) { return parse_duration("delay", text).value(); }

TEST(ParseDuration, ReadsEveryUnit) {
  EXPECT_EQ(duration("10us"), 10us);
  EXPECT_EQ(duration("250ms"), 250ms);
  EXPECT_EQ(duration("90s"), 90s);
  EXPECT_EQ(duration("5m"), 5min);
  EXPECT_EQ(duration("3h"), 3h);
  EXPECT_EQ(duration("2d"), 48h);
  EXPECT_EQ(duration("0s"), 0s);
}

TEST(ParseDuration, TakesABareNumberAsSeconds) {
  EXPECT_EQ(duration("90"), 90s);
  EXPECT_EQ(duration("0"), 0s);
  EXPECT_EQ(duration("0.5"), 500ms);
}

TEST(ParseDuration, AddsPartsFromLargeToSmall) {
  EXPECT_EQ(duration("1h30m"), 90min);
  EXPECT_EQ(duration("1d2h3m4s5ms6us"), 26h + 3min + 4s + 5ms + 6us);
  EXPECT_EQ(duration("1h05m"), 65min);
}

TEST(ParseDuration, ReadsFractionsExactly) {
  EXPECT_EQ(duration("1.5h"), 90min);
  EXPECT_EQ(duration("0.1s"), 100ms);
  EXPECT_EQ(duration("1.000001s"), 1s + 1us);
  EXPECT_EQ(duration("3659.99999999d"), 3659 * 24h + 86'399'999'136us);
  EXPECT_EQ(duration("1.50000000000000000000m"), 90s);
}

TEST(ParseDuration, AllowsTenYearsAndNotAMicrosecondMore) {
  EXPECT_EQ(duration("3660d"), Duration(limits::kMaxDelay));
  EXPECT_NE(refusal(parse_duration("delay", "3660d1us")), "");
}

TEST(ParseDuration, RefusesWhatIsNotADuration) {
  for (const std::string& bad : {""s,
                                 " "s,
                                 "s"s,
                                 "-1s"s,
                                 "+1s"s,
                                 "1 s"s,
                                 " 1s"s,
                                 "1s "s,
                                 "1x"s,
                                 "1S"s,
                                 "1sec"s,
                                 "h1"s,
                                 "1h30"s,
                                 "30m1h"s,
                                 "1s1s"s,
                                 "1m1m"s,
                                 ".5s"s,
                                 "1.s"s,
                                 "1..5s"s,
                                 "1.2.3s"s,
                                 "1e3s"s,
                                 "0x10s"s,
                                 "nan"s,
                                 "inf"s,
                                 "1s\0"s,
                                 "1\xFFs"s,
                                 "1,5s"s,
                                 "0.1us"s,
                                 "0.0000001s"s,
                                 "1.123456789d"s,
                                 "3661d"s,
                                 "99999999999999999999s"s,
                                 "9223372036854775807us"s,
                                 "9223372036854775808us"s}) {
    EXPECT_NE(refusal(parse_duration("delay", bad)), "") << base::quoted(bad);
  }
}

TEST(ParseDuration, NamesFieldValueAndForm) {
  EXPECT_EQ(refusal(parse_duration("delay", "soon")),
            "delay: \"soon\" is not allowed; allowed is a duration such as \"90s\", \"1h30m\", \"1.5h\" or \"250ms\" "
            "(units d, h, m, s, ms, us), at most ten years");
}

TEST(FormatDuration, IsShortForPeople) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(850us), "850us");
  EXPECT_EQ(format_duration(1ms), "1ms");
  EXPECT_EQ(format_duration(12'500us), "12.5ms");
  EXPECT_EQ(format_duration(1'200ms), "1.2s");
  EXPECT_EQ(format_duration(30s), "30s");
  EXPECT_EQ(format_duration(3min + 20s), "3m20s");
  EXPECT_EQ(format_duration(3min), "3m");
  EXPECT_EQ(format_duration(65min), "1h05m");
  EXPECT_EQ(format_duration(1h), "1h");
  EXPECT_EQ(format_duration(51h), "2d03h");
  EXPECT_EQ(format_duration(3660 * 24h), "3660d");
}

TEST(FormatDuration, InMessagesAboutBoundsRoundsNothingAway) {
  EXPECT_EQ(format_duration_exactly(8 * 24h), "8d");
  EXPECT_EQ(format_duration_exactly(90min), "1h30m");
  EXPECT_EQ(format_duration_exactly(-5s), "-5s");
  EXPECT_EQ(format_duration_exactly(7 * 24h + 1us), "604800000001us");
  EXPECT_EQ(format_duration_exactly(-1'500'001us), "-1500001us");
  EXPECT_EQ(format_duration_exactly(Duration::max()), std::to_string(Duration::max().count()) + "us");
}

TEST(FormatDuration, NeverRoundsUpIntoTheNextUnit) {
  EXPECT_EQ(format_duration(999'999us), "999.9ms");
  EXPECT_EQ(format_duration(59'999'999us), "59.9s");
  EXPECT_EQ(format_duration(1h - 1us), "59m59s");
  EXPECT_EQ(format_duration(24h - 1us), "23h59m");
}

TEST(FormatDuration, ShowsNegativeOnesDownToTheLeast) {
  EXPECT_EQ(format_duration(-90s), "-1m30s");
  EXPECT_EQ(format_duration(Duration::min()).front(), '-');
  EXPECT_EQ(format_duration(Duration::max()).back(), 'h');
}

TEST(FormatDuration, IsReadBackWithinWhatItShows) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto scale = std::int64_t{1} << (random.bits() % 48);
    const Duration exact(static_cast<std::int64_t>(random.unit() * static_cast<double>(scale)));
    const Duration shown = duration(format_duration(exact));
    EXPECT_LE(shown, exact);
    EXPECT_LE(exact - shown, exact / 10) << format_duration(exact);
    EXPECT_EQ(format_duration(shown), format_duration(exact));
  }
}

TEST(ParseDuration, SurvivesRubbish) {
  test::expect_survives(
      {"90", "90s", "1h30m", "1.5h", "250ms", "10us", "2d", "1d2h3m4s5ms6us"},
      [](const std::string& text) { return parse_duration("delay", text); },
      [](Duration value) {
        EXPECT_GE(value, 0s);
        EXPECT_LE(value, limits::kMaxDelay);
      });
}

Time time(std::string_view text) { return parse_time("at", text).value(); }
Time seconds_since_1970(std::int64_t seconds) { return Time(std::chrono::seconds(seconds)); }

TEST(ParseTime, ReadsRfc3339) {
  EXPECT_EQ(time("1970-01-01T00:00:00Z"), seconds_since_1970(0));
  EXPECT_EQ(time("2026-01-01T00:00:00Z"), seconds_since_1970(1'767'225'600));
  EXPECT_EQ(time("2026-01-01t00:00:00z"), seconds_since_1970(1'767'225'600));
  EXPECT_EQ(time("2026-01-01 00:00:00Z"), seconds_since_1970(1'767'225'600));
  EXPECT_EQ(time("2024-02-29T12:34:56Z"), seconds_since_1970(1'709'210'096));
  EXPECT_EQ(time("9999-12-31T23:59:59.999999Z"), kMaxTime);
}

TEST(ParseTime, ReadsFractionsDownToTheMicrosecond) {
  EXPECT_EQ(time("1970-01-01T00:00:00.5Z"), seconds_since_1970(0) + 500ms);
  EXPECT_EQ(time("1970-01-01T00:00:00.000001Z"), seconds_since_1970(0) + 1us);
  EXPECT_EQ(time("1970-01-01T00:00:00.123456789Z"), seconds_since_1970(0) + 123'456us);
}

TEST(ParseTime, SubtractsTheOffset) {
  EXPECT_EQ(time("2026-01-01T02:00:00+02:00"), seconds_since_1970(1'767'225'600));
  EXPECT_EQ(time("2025-12-31T18:30:00-05:30"), seconds_since_1970(1'767'225'600));
  EXPECT_EQ(time("2026-01-01T00:00:00-00:00"), seconds_since_1970(1'767'225'600));
}

TEST(ParseTime, ReadsSecondsSince1970) {
  EXPECT_EQ(time("@0"), seconds_since_1970(0));
  EXPECT_EQ(time("@1767225600"), seconds_since_1970(1'767'225'600));
  EXPECT_EQ(time("@1767225600.25"), seconds_since_1970(1'767'225'600) + 250ms);
  EXPECT_EQ(time("@253402300799"), seconds_since_1970(253'402'300'799));
}

TEST(ParseTime, RefusesWhatIsNotATime) {
  for (const std::string& bad : {""s,
                                 "now"s,
                                 "2026"s,
                                 "2026-01-01"s,
                                 "2026-01-01T00:00Z"s,
                                 "2026-01-01T00:00:00"s,
                                 "2026-1-1T0:0:0Z"s,
                                 "2026-13-01T00:00:00Z"s,
                                 "2026-00-01T00:00:00Z"s,
                                 "2026-02-29T00:00:00Z"s,
                                 "2026-04-31T00:00:00Z"s,
                                 "2026-01-00T00:00:00Z"s,
                                 "2026-01-01T24:00:00Z"s,
                                 "2026-01-01T23:60:00Z"s,
                                 "2026-01-01T23:59:60Z"s,
                                 "2026-01-01T00:00:00.Z"s,
                                 "2026-01-01T00:00:00.1234567890Z"s,
                                 "2026-01-01T00:00:00,5Z"s,
                                 "2026-01-01T00:00:00+24:00"s,
                                 "2026-01-01T00:00:00+02:60"s,
                                 "2026-01-01T00:00:00+0200"s,
                                 "2026-01-01T00:00:00+02"s,
                                 "2026-01-01T00:00:00ZZ"s,
                                 " 2026-01-01T00:00:00Z"s,
                                 "2026-01-01T00:00:00Z "s,
                                 "12026-01-01T00:00:00Z"s,
                                 "-026-01-01T00:00:00Z"s,
                                 "1969-12-31T23:59:59Z"s,
                                 "1970-01-01T00:00:00+00:01"s,
                                 "9999-12-31T23:59:59-00:01"s,
                                 "@"s,
                                 "@-1"s,
                                 "@+1"s,
                                 "@1x"s,
                                 "@1."s,
                                 "@253402300800"s,
                                 "@99999999999999999999"s,
                                 "1767225600"s,
                                 "2026-01-01T00:00:00Z\0"s}) {
    EXPECT_NE(refusal(parse_time("at", bad)), "") << base::quoted(bad);
  }
}

TEST(ParseTime, NamesFieldValueAndForms) {
  EXPECT_EQ(refusal(parse_time("at", "tomorrow")),
            "at: \"tomorrow\" is not allowed; allowed is a time from 1970 to 9999 such as \"2026-12-31T23:59:00Z\", "
            "\"2026-12-31T23:59:00.5+02:00\" or \"@1767225600\"");
}

TEST(FormatTime, IsUtcWithMilliseconds) {
  EXPECT_EQ(format_time(Time{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(seconds_since_1970(1'798'761'540) + 123'999us), "2026-12-31T23:59:00.123Z");
  EXPECT_EQ(format_time(Time(-1us)), "1969-12-31T23:59:59.999Z");
}

TEST(FormatTime, StaysWithinTheYearsItCanWrite) {
  EXPECT_EQ(format_time(kMaxTime), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(format_time(Time::max()), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(format_time(Time::min()), "0000-01-01T00:00:00.000Z");
}

TEST(FormatTime, IsReadBackToTheMillisecond) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto most = static_cast<double>(kMaxTime.time_since_epoch().count());
    const Time exact(Duration(static_cast<std::int64_t>(random.unit() * most)));
    EXPECT_EQ(time(format_time(exact)), std::chrono::floor<std::chrono::milliseconds>(exact));
  }
}

TEST(ParseTime, SurvivesRubbish) {
  test::expect_survives(
      {"2026-12-31T23:59:00Z", "2026-12-31T23:59:00.5+02:00", "@1767225600", "@1767225600.25"},
      [](const std::string& text) { return parse_time("at", text); },
      [](Time value) {
        EXPECT_GE(value, Time{});
        EXPECT_LE(value, kMaxTime);
      });
}

}  // namespace galley::base
