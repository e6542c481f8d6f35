#include "base/tzif.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>

namespace galley::base {

namespace {

constexpr std::size_t kHeaderBytes = 44;
constexpr std::size_t kTypeBytes = 6;
constexpr std::int32_t kMaxOffset = 26 * 3'600;   // RFC 8536, 3.2: "should be between -89999 and 93599"
constexpr std::int64_t kFar = 1'000'000'000'000;  // the year 33658; zic writes -2^59 for "always"

struct Counts {
  std::size_t leaps = 0;
  std::size_t times = 0;
  std::size_t types = 0;
  std::size_t others = 0;  // bytes of what nothing here needs: names, and whether a rule was meant in UTC or standard
};

std::uint64_t big_endian(std::string_view bytes) noexcept {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

std::int32_t offset_of_type(std::string_view types, std::size_t type) noexcept {
  return static_cast<std::int32_t>(big_endian(types.substr(type * kTypeBytes, 4)));
}

std::optional<Counts> take_header(std::string_view& bytes) {
  if (bytes.size() < kHeaderBytes || !bytes.starts_with("TZif") || bytes[4] < '2') return std::nullopt;
  const auto count = [&](std::size_t n) { return static_cast<std::size_t>(big_endian(bytes.substr(20 + 4 * n, 4))); };
  const Counts counts{count(2), count(3), count(4), count(0) + count(1) + count(5)};
  bytes.remove_prefix(kHeaderBytes);
  return counts;
}

std::optional<std::string_view> take_block(std::string_view& bytes, const Counts& counts, std::size_t time_bytes) {
  const std::size_t size =
      counts.times * (time_bytes + 1) + counts.types * kTypeBytes + counts.leaps * (time_bytes + 4) + counts.others;
  if (bytes.size() < size) return std::nullopt;
  const std::string_view block = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return block;
}

bool take(std::string_view& text, char wanted) noexcept {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<int> take_number(std::string_view& text, int least, int most) {
  int value = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < least || value > most) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// "[+-]hh[:mm[:ss]]" in seconds.
std::optional<int> take_clock(std::string_view& text, int most_hours) {
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  const auto hours = take_number(text, 0, most_hours);
  if (!hours) return std::nullopt;
  int seconds = *hours * 3'600;
  for (int unit = 60; unit > 0 && take(text, ':'); unit /= 60) {
    const auto part = take_number(text, 0, 59);
    if (!part) return std::nullopt;
    seconds += *part * unit;
  }
  return negative ? -seconds : seconds;
}

/// "CET" or "<+01>".
bool take_name(std::string_view& text) {
  const bool bracketed = take(text, '<');
  const auto belongs = [&](char c) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return letter || (bracketed && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
  };
  std::size_t size = 0;
  while (size < text.size() && belongs(text[size])) ++size;
  text.remove_prefix(size);
  return size > 0 && (!bracketed || take(text, '>'));
}

/// One day of each year, and a time of that day: "M3.5.0", "J60", "59", then perhaps "/2".
struct RuleDay {
  char form = 'M';
  int month = 1;
  int week = 1;
  int day = 0;
  int seconds = 7'200;
};

std::optional<RuleDay> take_day(std::string_view& text) {
  RuleDay rule;
  std::optional<int> day;
  if (take(text, 'M')) {
    const auto month = take_number(text, 1, 12);
    if (!month || !take(text, '.')) return std::nullopt;
    const auto week = take_number(text, 1, 5);
    if (!week || !take(text, '.')) return std::nullopt;
    rule.month = *month;
    rule.week = *week;
    day = take_number(text, 0, 6);
  } else {
    rule.form = take(text, 'J') ? 'J' : 'N';
    day = rule.form == 'J' ? take_number(text, 1, 365) : take_number(text, 0, 365);
  }
  if (!day) return std::nullopt;
  rule.day = *day;
  if (take(text, '/')) {
    const auto seconds = take_clock(text, 167);
    if (!seconds) return std::nullopt;
    rule.seconds = *seconds;
  }
  return rule;
}

struct Rule {
  std::int32_t standard = 0;
  std::optional<std::int32_t> daylight;
  RuleDay begin;
  RuleDay end;
};

/// POSIX's TZ with the extensions of RFC 8536: "CET-1CEST,M3.5.0,M10.5.0/3". Its offsets count westwards.
std::optional<Rule> rule_from(std::string_view text) {
  Rule rule;
  if (!take_name(text)) return std::nullopt;
  const auto standard = take_clock(text, 24);
  if (!standard) return std::nullopt;
  rule.standard = -*standard;
  if (text.empty()) return rule;

  if (!take_name(text)) return std::nullopt;
  rule.daylight = rule.standard + 3'600;
  if (!text.starts_with(',')) {
    const auto daylight = take_clock(text, 24);
    if (!daylight) return std::nullopt;
    rule.daylight = -*daylight;
  }
  if (!take(text, ',')) return std::nullopt;
  const auto begin = take_day(text);
  if (!begin || !take(text, ',')) return std::nullopt;
  const auto end = take_day(text);
  if (!end || !text.empty()) return std::nullopt;
  rule.begin = *begin;
  rule.end = *end;
  return rule;
}

std::int64_t seconds_at(std::chrono::sys_days day) noexcept {
  return std::int64_t{day.time_since_epoch().count()} * 86'400;
}

/// Seconds since 1970 as the clocks on the wall count them.
std::int64_t local_seconds_of(const RuleDay& rule, std::chrono::year year) {
  using namespace std::chrono;
  if (rule.form == 'M') {
    const auto month_of_year = year / month(static_cast<unsigned>(rule.month));
    const weekday day(static_cast<unsigned>(rule.day));
    const sys_days date = rule.week == 5 ? sys_days(month_of_year / day[last])
                                         : sys_days(month_of_year / day[static_cast<unsigned>(rule.week)]);
    return seconds_at(date) + rule.seconds;
  }
  const bool after_leap_day = rule.form == 'J' && year.is_leap() && rule.day >= 60;
  const int day_of_year = rule.form == 'J' ? rule.day - 1 + static_cast<int>(after_leap_day) : rule.day;
  return seconds_at(sys_days(year / January / 1) + days(day_of_year)) + rule.seconds;
}

void add(ZoneTable& table, std::int64_t at, std::int32_t offset) {
  if (at > kFar) return;
  if (at < -kFar) {
    table.first_offset = offset;
    return;
  }
  const std::int32_t before = table.changes.empty() ? table.first_offset : table.changes.back().offset;
  if (offset != before) table.changes.push_back({at, offset});
}

/// The changes of the rule after `last`, for one cycle of the calendar and the years at both its ends.
bool extend(ZoneTable& table, std::string_view footer, std::int64_t last) {
  using namespace std::chrono;
  if (footer.empty()) return true;  // nobody knows what comes after the last change
  const auto rule = rule_from(footer);
  if (!rule) return false;
  if (!rule->daylight) return true;
  const sys_days last_day(days(static_cast<int>(std::clamp(last, -kFar, kFar) / 86'400)));
  const year first_year = std::max(year_month_day(last_day).year(), year(1'900));
  if (first_year > year(2'500)) return false;  // no zone is settled so far ahead
  std::vector<ZoneChange> changes;
  for (year y = first_year; y <= first_year + years(402); ++y) {
    // Daylight time all year is written as an end and a begin at the same moment: the begin is put behind the end.
    changes.push_back({local_seconds_of(rule->end, y) - *rule->daylight, rule->standard});
    changes.push_back({local_seconds_of(rule->begin, y) - rule->standard, *rule->daylight});
  }
  const auto earlier = [](const ZoneChange& a, const ZoneChange& b) { return a.at < b.at; };
  std::stable_sort(changes.begin(), changes.end(), earlier);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const bool overruled = i + 1 < changes.size() && changes[i + 1].at == changes[i].at;
    if (!overruled && changes[i].at > last) add(table, changes[i].at, changes[i].offset);
  }
  table.cycle_from = seconds_at(sys_days((first_year + years(2)) / January / 1));
  return true;
}

}  // namespace

std::optional<ZoneTable> zone_table_from(std::string_view tzif) {
  const auto old_counts = take_header(tzif);
  if (!old_counts || !take_block(tzif, *old_counts, 4)) return std::nullopt;
  const auto counts = take_header(tzif);
  if (!counts || counts->leaps != 0 || counts->types == 0 || counts->types > 256) return std::nullopt;
  const auto block = take_block(tzif, *counts, 8);
  if (!block || !take(tzif, '\n')) return std::nullopt;
  const std::size_t footer_size = tzif.find('\n');
  if (footer_size == std::string_view::npos) return std::nullopt;

  const std::string_view types = block->substr(counts->times * 9);
  for (std::size_t type = 0; type < counts->types; ++type) {
    const std::int32_t offset = offset_of_type(types, type);
    if (offset < -kMaxOffset || offset > kMaxOffset) return std::nullopt;
  }
  ZoneTable table;
  table.first_offset = offset_of_type(types, 0);
  std::optional<std::int64_t> last;
  for (std::size_t i = 0; i < counts->times; ++i) {
    const auto at = static_cast<std::int64_t>(big_endian(block->substr(i * 8, 8)));
    const auto type = static_cast<unsigned char>((*block)[counts->times * 8 + i]);
    if (type >= counts->types || (last && at <= *last)) return std::nullopt;
    add(table, at, offset_of_type(types, type));
    last = at;
  }
  if (!extend(table, tzif.substr(0, footer_size), last.value_or(0))) return std::nullopt;
  return table;
}

}  // namespace galley::base
