#include "job/cron.hpp"

#include <gtest/gtest.h>

#include "base/duration.hpp"
#include "base/expect.hpp"
#include "base/limits.hpp"
#include "base/rubbish.hpp"
#include "base/zone_names.hpp"

namespace galley::job {

using namespace std::chrono_literals;
using base::TimeZone;
using test::at;
using test::refusal;

Cron cron(std::string_view text) { return Cron::parse(text).value(); }
Time utc(std::string_view text) { return base::parse_time("time", text).value(); }
TimeZone zone(std::string_view name) { return TimeZone::named(name).value(); }

struct Ticks {
  std::string expression;
  std::string after;
  std::vector<std::string> ticks;
};

/// The times are written in UTC.
void expect_ticks(const TimeZone& where, const std::vector<Ticks>& table) {
  for (const Ticks& row : table) {
    Time after = utc(row.after);
    for (const std::string& tick : row.ticks) {
      const auto next = cron(row.expression).next(after, where);
      ASSERT_TRUE(next.has_value()) << row.expression;
      EXPECT_EQ(*next, utc(tick)) << row.expression << " after " << base::format_time(after) << ": "
                                  << base::format_time(*next) << " and not " << tick;
      EXPECT_EQ(cron(row.expression).previous(*next, where), *next) << row.expression;
      after = *next;
    }
  }
}

TEST(Cron, TicksInUtc) {
  expect_ticks(TimeZone::utc(),
               {
                   {"* * * * *", "2026-01-01T00:00:00Z", {"2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"}},
                   {"* * * * *", "2026-12-31T23:59:59.999999Z", {"2027-01-01T00:00:00Z"}},
                   {"* * * * * *", "2026-01-01T00:00:58.5Z", {"2026-01-01T00:00:59Z", "2026-01-01T00:01:00Z"}},
                   {"*/20 30 4 * * *",
                    "2026-01-01T04:30:01Z",
                    {"2026-01-01T04:30:20Z", "2026-01-01T04:30:40Z", "2026-01-02T04:30:00Z"}},
                   {"59 59 23 31 12 *", "2026-12-31T23:59:59Z", {"2027-12-31T23:59:59Z"}},
                   {"*/15 9-17/4 * * *",
                    "2026-01-01T09:30:00Z",
                    {"2026-01-01T09:45:00Z", "2026-01-01T13:00:00Z", "2026-01-01T13:15:00Z"}},
                   {"5,10-12,50-59/4 3 * * *",
                    "2026-01-01T03:04:00Z",
                    {"2026-01-01T03:05:00Z", "2026-01-01T03:10:00Z", "2026-01-01T03:11:00Z", "2026-01-01T03:12:00Z",
                     "2026-01-01T03:50:00Z", "2026-01-01T03:54:00Z", "2026-01-01T03:58:00Z", "2026-01-02T03:05:00Z"}},
                   {"0 0 1 1,7 *", "2026-01-01T00:00:00Z", {"2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"}},
                   {"0 12 31 * *", "2026-01-31T12:00:00Z", {"2026-03-31T12:00:00Z", "2026-05-31T12:00:00Z"}},
                   {"0 0 29 2 *", "2096-02-29T00:00:00Z", {"2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"}},
                   {"0 0 29 2 */7", "2088-02-29T00:00:00Z", {"2128-02-29T00:00:00Z"}},
                   {"0 0 L * *",
                    "2028-01-31T00:00:00Z",
                    {"2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z", "2028-04-30T00:00:00Z"}},
                   {"0 0 1,L 2 *", "2026-02-01T00:00:00Z", {"2026-02-28T00:00:00Z", "2027-02-01T00:00:00Z"}},
                   {"0 6 * * MON", "2026-01-01T00:00:00Z", {"2026-01-05T06:00:00Z", "2026-01-12T06:00:00Z"}},
                   {"0 6 * jan-MAR fri-sun", "2026-03-28T06:00:00Z", {"2026-03-29T06:00:00Z", "2027-01-01T06:00:00Z"}},
                   {"0 0 * * 7", "2026-01-01T00:00:00Z", {"2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"}},
                   {"0 0 * * 0-1", "2026-01-01T00:00:00Z", {"2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z"}},
                   {"0 0 * * 5-7/2", "2026-01-01T00:00:00Z", {"2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z"}},
                   {"0 */24 * * *", "2026-01-01T00:00:00Z", {"2026-01-02T00:00:00Z"}},
                   {" 0\t0  * * * ", "2026-01-01T00:00:00Z", {"2026-01-02T00:00:00Z"}},
               });
}

TEST(Cron, LetsEitherDayFieldMatchWhereBothAreRestricted) {
  expect_ticks(TimeZone::utc(),
               {
                   {"0 0 13 * FRI",
                    "2026-01-08T00:00:00Z",
                    {"2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"}},
                   {"0 0 30 2 MON", "2026-01-08T00:00:00Z", {"2026-02-02T00:00:00Z"}},
                   {"0 0 */10 * FRI", "2026-01-01T00:00:00Z", {"2026-05-01T00:00:00Z", "2026-07-31T00:00:00Z"}},
                   {"0 0 13 * */5", "2026-01-01T00:00:00Z", {"2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z"}},
               });
}

TEST(Cron, LooksBackAsFarAsItLooksAhead) {
  const Cron rare = cron("0 0 29 2 */7");
  EXPECT_EQ(rare.previous(utc("2128-02-28T23:59:59Z"), TimeZone::utc()), utc("2088-02-29T00:00:00Z"));
  EXPECT_EQ(cron("@yearly").previous(utc("2026-12-31T23:59:59Z"), TimeZone::utc()), utc("2026-01-01T00:00:00Z"));
  EXPECT_EQ(cron("* * * * *").previous(utc("2026-01-01T00:00:59.9Z"), TimeZone::utc()), utc("2026-01-01T00:00:00Z"));
  EXPECT_EQ(cron("30 2 * * *").previous(utc("2026-10-25T01:45:00Z"), zone("Europe/Berlin")),
            utc("2026-10-25T00:30:00Z"));
}

TEST(Cron, KnowsTheWords) {
  expect_ticks(TimeZone::utc(), {
                                    {"@yearly", "2026-02-01T00:00:00Z", {"2027-01-01T00:00:00Z"}},
                                    {"@annually", "2026-02-01T00:00:00Z", {"2027-01-01T00:00:00Z"}},
                                    {"@monthly", "2026-02-02T00:00:00Z", {"2026-03-01T00:00:00Z"}},
                                    {"@weekly", "2026-01-01T00:00:00Z", {"2026-01-04T00:00:00Z"}},
                                    {"@daily", "2026-01-01T00:00:00Z", {"2026-01-02T00:00:00Z"}},
                                    {"@midnight", "2026-01-01T00:00:00Z", {"2026-01-02T00:00:00Z"}},
                                    {"@hourly", "2026-01-01T00:00:00Z", {"2026-01-01T01:00:00Z"}},
                                });
}

TEST(Cron, CountsPeriodsFromTheAnchorSoThatTheyDoNotDrift) {
  const Cron every = cron("@every 1m30s");
  const Time anchor = utc("2026-01-01T00:00:07.25Z");
  EXPECT_EQ(every.period(), 90s);
  EXPECT_EQ(every.next(anchor - 1h, TimeZone::utc(), anchor), anchor + 90s);
  EXPECT_EQ(every.next(anchor, TimeZone::utc(), anchor), anchor + 90s);
  EXPECT_EQ(every.next(anchor + 90s - 1us, TimeZone::utc(), anchor), anchor + 90s);
  EXPECT_EQ(every.next(anchor + 90s, TimeZone::utc(), anchor), anchor + 180s);
  EXPECT_EQ(every.next(anchor + 901s, TimeZone::utc(), anchor), anchor + 990s);
  EXPECT_EQ(every.previous(anchor + 89s, TimeZone::utc(), anchor), std::nullopt);
  EXPECT_EQ(every.previous(anchor + 90s, TimeZone::utc(), anchor), anchor + 90s);
  EXPECT_EQ(every.previous(anchor + 1'000s, TimeZone::utc(), anchor), anchor + 990s);
  EXPECT_EQ(cron("@hourly").period(), 0s);
}

TEST(Cron, RunsATickInAGapOnceAtTheFirstMomentAfterIt) {
  expect_ticks(zone("Europe/Berlin"),
               {
                   {"30 2 * * *",
                    "2026-03-27T12:00:00Z",
                    {"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
                   {"*/20 2 * * *",
                    "2026-03-28T01:30:00Z",
                    {"2026-03-28T01:40:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
                   {"30 2 29 3 *", "2026-01-01T00:00:00Z", {"2026-03-29T01:00:00Z", "2027-03-29T00:30:00Z"}},
                   {"0 2-4 * * *",
                    "2026-03-29T00:00:00Z",
                    {"2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", "2026-03-30T00:00:00Z"}},
                   {"15 2,3 * * *", "2026-03-29T00:00:00Z", {"2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"}},
               });
  // In Nuuk 23:00 becomes 00:00 of the next day.
  expect_ticks(zone("America/Nuuk"), {{"45 23 * * *",
                                       "2026-03-28T01:00:00Z",
                                       {"2026-03-28T01:45:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:45:00Z"}}});
  // Samoa had no 30 December 2011.
  expect_ticks(zone("Pacific/Apia"),
               {{"0 3 * * *", "2011-12-29T13:00:00Z", {"2011-12-30T10:00:00Z", "2011-12-30T13:00:00Z"}}});
}

TEST(Cron, RunsATickInAnOverlapOnceAtItsFirstTime) {
  expect_ticks(zone("Europe/Berlin"),
               {
                   {"30 2 * * *", "2026-10-24T12:00:00Z", {"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
                   {"30 2 * * *", "2026-10-25T01:10:00Z", {"2026-10-26T01:30:00Z"}},
                   {"* 2 * * *", "2026-10-25T00:58:30Z", {"2026-10-25T00:59:00Z", "2026-10-26T01:00:00Z"}},
                   {"0 1-3 * * *",
                    "2026-10-24T12:00:00Z",
                    {"2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"}},
               });
  // In Beirut 00:00 becomes 23:00 of the day before.
  expect_ticks(zone("Asia/Beirut"),
               {
                   {"30 23 * * *", "2026-10-24T12:00:00Z", {"2026-10-24T20:30:00Z", "2026-10-25T21:30:00Z"}},
                   {"0 0 * * *", "2026-10-24T12:00:00Z", {"2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z"}},
               });
}

TEST(Cron, GoesThroughDaylightChangesAsTheClocksDoWhereItRunsInEveryHour) {
  expect_ticks(zone("Europe/Berlin"),
               {
                   {"*/30 * * * *",
                    "2026-03-29T00:00:00Z",
                    {"2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"}},
                   {"*/30 * * * *",
                    "2026-10-25T00:00:00Z",
                    {"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
                   {"30 0-23 * * *", "2026-10-25T00:00:00Z", {"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}},
                   {"59 59 * * * *", "2026-10-25T00:59:59.5Z", {"2026-10-25T01:59:59Z"}},
               });
  // Lord Howe moves by half an hour, from 02:00 to 02:30 and back.
  expect_ticks(zone("Australia/Lord_Howe"),
               {
                   {"15 * * * *", "2026-10-03T14:00:00Z", {"2026-10-03T14:45:00Z", "2026-10-03T16:15:00Z"}},
                   {"45 * * * *", "2026-04-04T14:00:00Z", {"2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"}},
               });
}

TEST(Cron, GivesTheExpressionBack) {
  EXPECT_EQ(cron("0 0 * * *").to_text(), "0 0 * * *");
  EXPECT_EQ(cron(" */5\t1-3,7  L jan MON-fri ").to_text(), "*/5 1-3,7 L jan MON-fri");
  EXPECT_EQ(cron("@daily").to_text(), "@daily");
  EXPECT_EQ(cron(" @every   90s").to_text(), "@every 90s");
}

TEST(Cron, NamesFieldValueAndWhatIsAllowed) {
  EXPECT_EQ(refusal(Cron::parse("0 0 * *")),
            "cron expression: \"0 0 * *\" is not allowed; allowed is five fields (minute hour day-of-month month "
            "day-of-week), six with seconds before them, @yearly, @annually, @monthly, @weekly, @daily, @midnight, "
            "@hourly, or \"@every 90s\"");
  EXPECT_EQ(refusal(Cron::parse("0 24 * * *")),
            "cron expression's hour: \"24\" is not allowed; allowed is 0-23, lists, ranges and steps such as "
            "\"9-17/2\"");
  EXPECT_EQ(refusal(Cron::parse("0 0 30 2 *")),
            "cron expression's day of month: \"30\" in the month \"2\" is not allowed; allowed is a day that some year "
            "has");
  EXPECT_EQ(refusal(Cron::parse("@every 10ms")),
            "cron expression's @every: \"10ms\" is not allowed; allowed is a period of one second to ten years");
  EXPECT_NE(refusal(Cron::parse("@every soon")).find("cron expression's @every: \"soon\""), std::string::npos);
}

void expect_refused(const std::vector<std::string_view>& texts) {
  for (const std::string_view bad : texts) EXPECT_NE(refusal(Cron::parse(bad)), "") << base::quoted(bad);
}

TEST(Cron, RefusesValuesOutOfRange) {
  expect_refused({"60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8"});
  expect_refused({"60 * * * * *", "-1 * * * *", "99999999999 * * * *", "5-1 * * * *", "*/0 * * * *", "*/61 * * * *"});
  expect_refused({"* * * * SAT-MON", "* * * DEC-JAN *", "0 0 31 2,4,6,9,11 *", "0 0 30,31 2 *"});
  expect_refused({"@every 0s", "@every -1s", "@every 99999d", "@every 999999us"});
  const std::string long_text(limits::kMaxCronBytes, ' ');
  EXPECT_TRUE(Cron::parse(long_text.substr(9) + "* * * * *").has_value());
  EXPECT_NE(refusal(Cron::parse(long_text.substr(8) + "* * * * *")), "");
}

TEST(Cron, RefusesWhatIsNoExpression) {
  expect_refused({"", " ", "*", "* * * *", "* * * * * * *", "* * * * *\n", "* * * * *;", {"* * * * *\0", 10}});
  expect_refused({"+1 * * * *", "1- * * * *", "1,, * * * *", ",1 * * * *", "1, * * * *", "0x1 * * * *", "1.5 * * * *"});
  expect_refused({"*/ * * * *", "5/15 * * * *", "*-5 * * * *", "** * * * *", "1-2-3 * * * *", "1/2/3 * * * *"});
  expect_refused({"MON * * * *", "* * * MON *", "* * * * JAN", "* * * * MO", "* * * * MONDAY"});
  expect_refused({"L * * * *", "* * l * *", "* * L-1 * *", "* * 1-L * *", "* * L/2 * *", "* * * * L", "* * ? * *"});
  expect_refused({"@", "@reboot", "@Daily", "@daily *", "@every", "@every 11d 1h"});
}

TEST(Cron, SurvivesRubbish) {
  const TimeZone berlin = zone("Europe/Berlin");
  const Time after = at(2026, 3, 1);
  test::expect_survives(
      {"*/15 9-17/2 1,15-20 JAN-MAR MON-FRI", "0 30 2 L * *", "0 0 29 2 */7", "@daily", "@every 90s", "* * * * *"},
      [](const std::string& text) { return Cron::parse(text); },
      [&](const Cron& good) {
        const auto next = good.next(after, berlin);
        ASSERT_TRUE(next.has_value()) << good.to_text();
        EXPECT_GT(*next, after);
        EXPECT_EQ(Cron::parse(good.to_text()).value().next(after, berlin), next);
      });
}

TEST(Cron, EndsWithTheYear9999) {
  const TimeZone berlin = zone("Europe/Berlin");
  for (const std::string_view text : {"@yearly", "* * * * *", "0 3 * * *", "@every 3660d"}) {
    EXPECT_EQ(cron(text).next(Time::max(), berlin), std::nullopt) << text;
    EXPECT_EQ(cron(text).next(base::kMaxTime, berlin, Time::max()), std::nullopt) << text;
    EXPECT_TRUE(cron(text).next(Time::min(), berlin).has_value()) << text;
    EXPECT_EQ(cron(text).previous(Time::min(), berlin), std::nullopt) << text;
    const auto last = cron(text).previous(Time::max(), berlin, Time::min());
    ASSERT_TRUE(last.has_value()) << text;
    EXPECT_LE(*last, base::kMaxTime) << text;
    EXPECT_EQ(cron(text).next(*last, berlin, Time::min()), std::nullopt) << text;
  }
  expect_ticks(berlin, {{"@yearly", "9999-12-31T22:30:00Z", {"9999-12-31T23:00:00Z"}}});
}

}  // namespace galley::job
