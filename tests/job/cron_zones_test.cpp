// What has to hold in every zone of the system's database.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/duration.hpp"
#include "base/random.hpp"
#include "base/zone_names.hpp"
#include "job/cron.hpp"

namespace galley::job {

using namespace std::chrono_literals;
using base::LocalTime;
using base::TimeZone;
using test::at;

constexpr Time kBegin = Time(std::chrono::sys_days(std::chrono::year(2020) / 1 / 1));
constexpr Time kEnd = Time(std::chrono::sys_days(std::chrono::year(2031) / 1 / 1));

/// What the clocks and the calendar on the wall show.
struct Wall {
  unsigned minute;
  unsigned hour;
  unsigned day;
  unsigned month;
  unsigned weekday;
};

Wall wall_at(std::chrono::minutes since_1970) {
  const std::chrono::sys_time<std::chrono::minutes> time(since_1970);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto minutes = static_cast<unsigned>((time - day).count());
  return {minutes % 60, minutes / 60, static_cast<unsigned>(date.day()), static_cast<unsigned>(date.month()),
          std::chrono::weekday(day).c_encoding()};
}

/// An expression, and the same said in C++.
struct Rule {
  std::string_view text;
  bool every_hour;
  bool (*matches)(const Wall& wall);
};

constexpr std::array kRules{
    Rule{"*/15 * * * *", true, [](const Wall& w) { return w.minute % 15 == 0; }},
    Rule{"7 * * * SUN", true, [](const Wall& w) { return w.minute == 7 && w.weekday == 0; }},
    Rule{"30 2 * * *", false, [](const Wall& w) { return w.minute == 30 && w.hour == 2; }},
    Rule{"0 0 * * *", false, [](const Wall& w) { return w.minute == 0 && w.hour == 0; }},
    Rule{"45 23 * * *", false, [](const Wall& w) { return w.minute == 45 && w.hour == 23; }},
    Rule{"*/7 0-3 * * *", false, [](const Wall& w) { return w.minute % 7 == 0 && w.hour < 4; }},
    Rule{"0 */2 * * *", false, [](const Wall& w) { return w.minute == 0 && w.hour % 2 == 0; }},
    Rule{"* 1,2 25-31 3,10 *", false,
         [](const Wall& w) { return (w.hour == 1 || w.hour == 2) && w.day >= 25 && (w.month == 3 || w.month == 10); }},
    Rule{"59 1,23 1 * SUN", false,
         [](const Wall& w) {
           return w.minute == 59 && (w.hour == 1 || w.hour == 23) && (w.day == 1 || w.weekday == 0);
         }},
};

std::chrono::minutes minutes_shown(const TimeZone& zone, Time time) {
  return std::chrono::floor<std::chrono::minutes>(zone.to_local(time).time_since_epoch());
}

/// The ticks after `begin` up to `end`, by looking at the clocks in each minute, from two days before on.
std::vector<Time> looked_up(const Rule& rule, const TimeZone& zone, Time begin, Time end) {
  std::vector<Time> ticks;
  std::set<std::chrono::minutes> seen;
  for (Time time = std::chrono::floor<std::chrono::minutes>(begin - 48h); time <= end; time += 1min) {
    const std::chrono::minutes shown = minutes_shown(zone, time);
    bool ticks_now = rule.matches(wall_at(shown));
    if (!rule.every_hour) {
      ticks_now = ticks_now && !seen.contains(shown);
      const std::chrono::minutes before = minutes_shown(zone, time - 1min);
      for (auto skipped = before + 1min; skipped < shown; skipped += 1min) {
        ticks_now = ticks_now || rule.matches(wall_at(skipped));
      }
    }
    seen.insert(shown);
    if (ticks_now && time > begin) ticks.push_back(time);
  }
  return ticks;
}

std::vector<Time> jumped_to(const Cron& cron, const TimeZone& zone, Time begin, Time end) {
  std::vector<Time> ticks;
  for (auto tick = cron.next(begin, zone); tick && *tick <= end; tick = cron.next(*tick, zone)) ticks.push_back(*tick);
  return ticks;
}

std::string shown(const std::vector<Time>& ticks) {
  std::string text;
  for (const Time tick : ticks) text += base::format_time(tick) + "\n";
  return text;
}

TEST(CronInEveryZone, AgreesWithAMinuteByMinuteLookRoundDaylightChanges) {
  base::Random random(3);
  int windows = 0;
  for (const std::string& name : test::zone_names(false)) {
    const TimeZone zone = TimeZone::named(name).value();
    auto changes = test::changes_of(zone, kBegin, kEnd);
    if (changes.empty()) changes.push_back(at(2024, 2, 29));
    for (int i = 0; i < 4; ++i) {
      const Time change = changes[random.bits() % changes.size()];
      const Rule& rule = kRules[random.bits() % kRules.size()];
      const Time begin = change - Duration(static_cast<std::int64_t>(random.unit() * 1.2e11));  // up to 33 hours
      const Time end = change + 30h;
      const auto expected = looked_up(rule, zone, begin, end);
      const Cron cron = Cron::parse(rule.text).value();
      const auto found = jumped_to(cron, zone, begin, end);
      ASSERT_EQ(found, expected) << name << " " << rule.text << " from " << base::format_time(begin) << "\n"
                                 << shown(found) << "and not\n"
                                 << shown(expected);
      if (!found.empty()) {
        ASSERT_EQ(cron.previous(end, zone), found.back()) << name << " " << rule.text;
      }
      ++windows;
    }
  }
  EXPECT_GT(windows, 1'000);
}

TEST(CronInEveryZone, RunsADailyJobExactlyOnceOnEachLocalDate) {
  for (const std::string& name : test::zone_names(false)) {
    const TimeZone zone = TimeZone::named(name).value();
    for (const std::string_view text : {"30 2 * * *", "15 0 * * *"}) {
      const Cron cron = Cron::parse(text).value();
      auto tick = cron.next(kBegin, zone);
      auto expected = std::chrono::floor<std::chrono::days>(zone.to_local(*tick));
      for (; *tick < kEnd; expected += std::chrono::days(1)) {
        ASSERT_EQ(std::chrono::floor<std::chrono::days>(zone.to_local(*tick)), expected)
            << name << " " << text << " " << base::format_time(*tick);
        const auto next = cron.next(*tick, zone);
        ASSERT_TRUE(next && *next > *tick) << name << " " << text << " " << base::format_time(*tick);
        tick = next;
      }
    }
  }
}

TEST(CronInEveryZone, MovesATickToTheNextDateOnlyWhereTheGapEndsAtMidnight) {
  const Cron cron = Cron::parse("45 23 * * *").value();
  int moved = 0;
  for (const std::string& name : test::zone_names(false)) {
    const TimeZone zone = TimeZone::named(name).value();
    const auto is_moved = [&](std::chrono::local_days date) {
      const base::LocalMapping mapping = zone.to_utc(date + 23h + 45min);
      return mapping.kind == base::LocalKind::Gap && zone.to_local(mapping.first) == date + 24h;
    };
    for (const Time change : test::changes_of(zone, kBegin, kEnd)) {
      const auto ticks = jumped_to(cron, zone, change - 96h, change + 96h);
      const auto middle = std::chrono::floor<std::chrono::days>(zone.to_local(change));
      for (auto date = middle - std::chrono::days(2); date <= middle + std::chrono::days(2);
           date += std::chrono::days(1)) {
        const auto on_date = std::count_if(ticks.begin(), ticks.end(), [&](Time tick) {
          return std::chrono::floor<std::chrono::days>(zone.to_local(tick)) == date;
        });
        const int expected = (is_moved(date) ? 0 : 1) + (is_moved(date - std::chrono::days(1)) ? 1 : 0);
        ASSERT_EQ(on_date, expected) << name << " " << base::format_time(change);
        moved += is_moved(date) ? 1 : 0;
      }
    }
  }
  EXPECT_GT(moved, 0) << "Nuuk's clocks do so";
}

}  // namespace galley::job
