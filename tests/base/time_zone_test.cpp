#include "base/time_zone.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/duration.hpp"
#include "base/expect.hpp"
#include "base/random.hpp"
#include "base/rubbish.hpp"
#include "base/tzif.hpp"
#include "base/zone_names.hpp"
#include "store/temp_dir.hpp"

namespace galley::base {

using namespace std::chrono_literals;
using test::at;
using test::refusal;

TimeZone zone(std::string_view name) { return TimeZone::named(name).value(); }
LocalTime shown(Time time) { return LocalTime(time.time_since_epoch()); }

void append_number(std::string& bytes, std::uint64_t value, unsigned size) {
  for (unsigned n = size; n > 0; --n) bytes += static_cast<char>(value >> (8 * (n - 1)) & 0xFFU);
}

/// As `zic -b slim` writes it: no old block, these changes of the offset, and the rule.
std::string slim_file(std::int32_t first, const std::vector<ZoneChange>& changes, std::string_view footer) {
  std::string bytes = "TZif2" + std::string(39, '\0');
  bytes += "TZif2" + std::string(15 + 12, '\0');
  append_number(bytes, changes.size(), 4);
  append_number(bytes, changes.size() + 1, 4);
  append_number(bytes, 4, 4);
  for (const ZoneChange& change : changes) append_number(bytes, static_cast<std::uint64_t>(change.at), 8);
  for (std::size_t i = 0; i < changes.size(); ++i) bytes += static_cast<char>(i + 1);
  append_number(bytes, static_cast<std::uint32_t>(first), 4);
  bytes += std::string(2, '\0');
  for (const ZoneChange& change : changes) {
    append_number(bytes, static_cast<std::uint32_t>(change.offset), 4);
    bytes += std::string(2, '\0');
  }
  return bytes + std::string("XYZ\0\n", 5) + std::string(footer) + "\n";
}

void write_file(const std::string& path, std::string_view bytes) { std::ofstream(path, std::ios::binary) << bytes; }

TEST(TimeZone, UtcNeedsNoDatabase) {
  const TimeZone utc = TimeZone::named("UTC", "/nowhere").value();
  EXPECT_EQ(utc.name(), "UTC");
  EXPECT_EQ(utc.span_at(at(2026, 7, 1)).offset, 0s);
  EXPECT_EQ(utc.span_at(at(2026, 7, 1)).begin, Time::min());
  EXPECT_EQ(utc.span_at(at(2026, 7, 1)).end, Time::max());
  EXPECT_EQ(utc.to_utc(shown(at(2026, 7, 1, 12))).first, at(2026, 7, 1, 12));
}

TEST(TimeZone, SaysWhatToInstallWhereTheDatabaseIsMissing) {
  EXPECT_EQ(refusal(TimeZone::named("Europe/Berlin", "/nowhere")),
            "zone: \"Europe/Berlin\" is not allowed; allowed is \"UTC\" or a name such as \"Europe/Berlin\" from "
            "/nowhere, which is missing here: install the package tzdata");
}

TEST(TimeZone, RefusesWhatIsNoZoneAndNamesIt) {
  EXPECT_EQ(refusal(TimeZone::named("Mars/Base")),
            "zone: \"Mars/Base\" is not allowed; allowed is \"UTC\" or a name such as \"Europe/Berlin\" from "
            "/usr/share/zoneinfo");
  for (const std::string_view bad :
       {"", " ", "/", "Europe", "Europe/", "/Europe/Berlin", "Europe//Berlin", "../zoneinfo/Europe/Berlin",
        "Europe/../Europe/Berlin", "Europe/Berlin/x", "europe/berlin", "zone1970.tab", "tzdata.zi", "leapseconds",
        "localtime", "posixrules", "right/Europe/Berlin", "/etc/localtime", "Europe/Berlin\n"}) {
    EXPECT_NE(refusal(TimeZone::named(bad)), "") << quoted(bad);
  }
  EXPECT_NE(refusal(TimeZone::named(std::string_view("Europe/Berlin\0", 14))), "");
  EXPECT_NE(refusal(TimeZone::named(std::string(1'000, 'a'))), "");
}

TEST(TimeZone, RefusesADamagedFile) {
  const test::TempDir dir;
  const std::string good = slim_file(3'600, {}, "CET-1CEST,M3.5.0,M10.5.0/3");
  write_file(dir.file("Good"), good);
  write_file(dir.file("Cut"), std::string_view(good).substr(0, good.size() - 1));
  write_file(dir.file("Empty"), "");
  write_file(dir.file("Huge"), good + std::string(1 << 20, 'x'));
  const std::string path = dir.file("");
  EXPECT_TRUE(TimeZone::named("Good", path).has_value());
  for (const std::string_view bad : {"Cut", "Empty", "Huge"}) EXPECT_NE(refusal(TimeZone::named(bad, path)), "");
}

TEST(TimeZone, KnowsBothSidesOfEachChange) {
  const TimeZone berlin = zone("Europe/Berlin");
  const Time spring = at(2026, 3, 29, 1);
  const Time autumn = at(2026, 10, 25, 1);
  EXPECT_EQ(berlin.span_at(spring - 1us).offset, 1h);
  EXPECT_EQ(berlin.span_at(spring - 1us).end, spring);
  EXPECT_EQ(berlin.span_at(spring).offset, 2h);
  EXPECT_EQ(berlin.span_at(spring).begin, spring);
  EXPECT_EQ(berlin.span_at(spring).end, autumn);
  EXPECT_EQ(berlin.to_local(spring + 1us), shown(at(2026, 3, 29, 3) + 1us));
}

TEST(TimeZone, TellsGapsAndOverlapsFromOtherTimes) {
  const TimeZone berlin = zone("Europe/Berlin");
  const auto expect = [&](Time local, LocalKind kind, Time first, Time second) {
    const LocalMapping mapping = berlin.to_utc(shown(local));
    EXPECT_EQ(mapping.kind, kind) << format_time(local);
    EXPECT_EQ(mapping.first, first) << format_time(mapping.first);
    EXPECT_EQ(mapping.second, second) << format_time(mapping.second);
  };
  const Time spring = at(2026, 3, 29, 1);
  const Time autumn = at(2026, 10, 25, 1);
  expect(at(2026, 3, 29, 2) - 1us, LocalKind::Unique, spring - 1us, spring - 1us);
  expect(at(2026, 3, 29, 2), LocalKind::Gap, spring, spring);
  expect(at(2026, 3, 29, 3) - 1us, LocalKind::Gap, spring, spring);
  expect(at(2026, 3, 29, 3), LocalKind::Unique, spring, spring);
  expect(at(2026, 10, 25, 2) - 1us, LocalKind::Unique, autumn - 1h - 1us, autumn - 1h - 1us);
  expect(at(2026, 10, 25, 2), LocalKind::Overlap, autumn - 1h, autumn);
  expect(at(2026, 10, 25, 3) - 1us, LocalKind::Overlap, autumn - 1us, autumn + 1h - 1us);
  expect(at(2026, 10, 25, 3), LocalKind::Unique, autumn + 1h, autumn + 1h);
}

TEST(TimeZone, KnowsADayThatWasLeftOut) {
  const LocalMapping mapping = zone("Pacific/Apia").to_utc(shown(at(2011, 12, 30, 12)));
  EXPECT_EQ(mapping.kind, LocalKind::Gap);
  EXPECT_EQ(mapping.first, at(2011, 12, 30, 10));
}

TEST(TimeZone, FollowsTheRuleOfASlimFile) {
  const test::TempDir dir;
  write_file(dir.file("Slim"), slim_file(600, {{0, 3'600}}, "CET-1CEST,M3.5.0,M10.5.0/3"));
  write_file(dir.file("South"), slim_file(0, {{0, 36'000}}, "AEST-10AEDT,M10.1.0,M4.1.0/3"));
  write_file(dir.file("Days"), slim_file(0, {{0, -10'800}}, "<-03>3<-02>,J60/-1:30,300/24:00:01"));
  write_file(dir.file("Always"), slim_file(0, {{0, -14'400}}, "XXX3EDT4,0/0,J365/23"));
  const std::string path = dir.file("");
  const TimeZone slim = TimeZone::named("Slim", path).value();
  EXPECT_EQ(slim.span_at(Time(-1us)).offset, 10min);
  EXPECT_EQ(test::changes_of(slim, at(2026, 1, 1), at(2027, 1, 1)),
            (std::vector{at(2026, 3, 29, 1), at(2026, 10, 25, 1)}));
  EXPECT_EQ(slim.span_at(at(2026, 1, 1)).offset, 1h);
  const TimeZone south = TimeZone::named("South", path).value();
  EXPECT_EQ(south.span_at(at(2026, 1, 1)).offset, 11h);
  EXPECT_EQ(south.span_at(at(2026, 7, 1)).offset, 10h);
  const TimeZone by_days = TimeZone::named("Days", path).value();
  EXPECT_EQ(test::changes_of(by_days, at(2028, 1, 1), at(2029, 1, 1)),
            (std::vector{at(2028, 3, 1, 1, 30), at(2028, 10, 28, 2, 0, 1)}));
  EXPECT_EQ(test::changes_of(TimeZone::named("Always", path).value(), at(2000, 1, 1), at(2030, 1, 1)),
            std::vector<Time>{});
  EXPECT_EQ(TimeZone::named("Always", path).value().span_at(at(2028, 12, 31, 23)).offset, -4h);
}

TEST(TimeZone, KeepsItsRulesInTheFarFuture) {
  const TimeZone berlin = zone("Europe/Berlin");
  for (const int year : {2037, 2038, 2100, 2437, 2438, 2439, 2440, 2500, 9999}) {
    EXPECT_EQ(berlin.span_at(at(year, 1, 15)).offset, 1h) << year;
    EXPECT_EQ(berlin.span_at(at(year, 7, 15)).offset, 2h) << year;
    EXPECT_EQ(berlin.to_utc(shown(at(year, 7, 15, 12))).first, at(year, 7, 15, 10)) << year;
    const auto changes = test::changes_of(berlin, at(year, 1, 1), at(year, 12, 31));
    ASSERT_EQ(changes.size(), 2U) << year;
    EXPECT_EQ(berlin.to_utc(shown(changes[0] + 90min)).kind, LocalKind::Gap) << year;
    EXPECT_EQ(berlin.to_utc(shown(changes[1] + 90min)).kind, LocalKind::Overlap) << year;
  }
  EXPECT_EQ(berlin.span_at(Time::max()).offset, berlin.span_at(kMaxTime).offset);
  EXPECT_NE(berlin.span_at(Time::min()).offset, 1h);
  EXPECT_EQ(berlin.to_local(Time::max()), berlin.to_local(kMaxTime));
  EXPECT_EQ(berlin.to_utc(LocalTime::max()).kind, LocalKind::Unique);
  EXPECT_EQ(berlin.to_utc(LocalTime::min()).kind, LocalKind::Unique);
}

TEST(TimeZone, KnowsAliases) {
  EXPECT_EQ(zone("US/Eastern").span_at(at(2026, 7, 1)).offset, -4h);
  EXPECT_EQ(zone("Etc/GMT+5").span_at(at(2026, 7, 1)).offset, -5h);
  EXPECT_EQ(zone("US/Eastern").name(), "US/Eastern");
}

class GlibcZone {
 public:
  explicit GlibcZone(const std::string& name) {
    ::setenv("TZ", (":" + name).c_str(), 1);
    ::tzset();
  }
  ~GlibcZone() {
    ::unsetenv("TZ");
    ::tzset();
  }
  GlibcZone(const GlibcZone&) = delete;
  GlibcZone& operator=(const GlibcZone&) = delete;
  [[nodiscard]] std::chrono::seconds offset_at(Time time) const {
    const auto seconds =
        static_cast<::time_t>(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
    ::tm local{};
    ::localtime_r(&seconds, &local);
    return std::chrono::seconds(local.tm_gmtoff);
  }
};

TEST(TimeZone, AgreesWithTheSystemsLibraryInEveryZone) {
  const auto names = test::zone_names(true);
  ASSERT_GT(names.size(), 500U);
  Random random(1);
  for (const std::string& name : names) {
    const TimeZone ours = zone(name);
    const GlibcZone theirs(name);
    for (int i = 0; i < 30; ++i) {
      const Time time = at(1910, 1, 1) + Duration(static_cast<std::int64_t>(random.unit() * 9e15));  // up to 2195
      ASSERT_EQ(ours.span_at(time).offset, theirs.offset_at(time)) << name << " " << format_time(time);
    }
    for (const Time change : test::changes_of(ours, at(2020, 1, 1), at(2045, 1, 1))) {
      ASSERT_EQ(ours.span_at(change - 1s).offset, theirs.offset_at(change - 1s)) << name << " " << format_time(change);
      ASSERT_EQ(ours.span_at(change).offset, theirs.offset_at(change)) << name << " " << format_time(change);
    }
  }
}

TEST(TimeZone, MapsEveryMomentBackToItself) {
  Random random(2);
  for (const std::string& name : test::zone_names(false)) {
    const TimeZone zone_under_test = zone(name);
    for (const Time change : test::changes_of(zone_under_test, at(1900, 1, 1), at(2040, 1, 1))) {
      const Time time = change - 3h + Duration(static_cast<std::int64_t>(random.unit() * 2.16e10));
      const LocalMapping mapping = zone_under_test.to_utc(zone_under_test.to_local(time));
      ASSERT_NE(mapping.kind, LocalKind::Gap) << name << " " << format_time(time);
      ASSERT_TRUE(mapping.first == time || mapping.second == time) << name << " " << format_time(time);
      ASSERT_LE(mapping.first, mapping.second);
    }
  }
}

TEST(TimeZone, IsReadAndAskedByManyThreadsAtOnce) {
  const TimeZone shared = zone("America/New_York");
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (std::size_t n = 0; n < right.size(); ++n) {
    threads.emplace_back([&, copy = shared, n] {
      for (int day = 0; day < 365; ++day) {
        const Time time = at(2026, 1, 1) + day * 24h;
        right[n] += copy.span_at(time).offset == zone("America/New_York").span_at(time).offset ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, std::vector<int>(4, 365));
}

TEST(Tzif, SurvivesRubbish) {
  std::ifstream file(std::string(TimeZone::kDatabase) + "/Europe/Berlin", std::ios::binary);
  std::stringstream whole;
  whole << file.rdbuf();
  std::vector<std::string> valid{whole.str()};
  for (const std::string_view footer :
       {"CET-1CEST,M3.5.0,M10.5.0/3", "<-03>3<-02>,J60/-1:30,300/24:00:01", "UTC0", ""}) {
    valid.push_back(slim_file(0, {{0, 3'600}, {1'000'000, 7'200}}, footer));
  }
  for (const std::string& text : valid) EXPECT_TRUE(zone_table_from(text).has_value());
  test::Rubbish rubbish(valid);
  int good = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto table = zone_table_from(rubbish.next());
    if (!table) continue;
    ++good;
    for (std::size_t n = 1; n < table->changes.size(); ++n) {
      ASSERT_LT(table->changes[n - 1].at, table->changes[n].at) << "GALLEY_SEED=" << rubbish.seed();
    }
  }
  EXPECT_GT(good, 20);
}

}  // namespace galley::base
