#include "job/cron_fields.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <string>

#include "base/text.hpp"

namespace galley::job {

namespace {

using Bits = std::uint64_t;

constexpr Bits kLastDay = 1;
constexpr Bits kEveryHour = (Bits{1} << 24U) - 1;
constexpr std::array<unsigned, 12> kLongestMonths{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
constexpr std::string_view kMonths = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
constexpr std::string_view kWeekdays = "SUNMONTUEWEDTHUFRISAT";

struct Field {
  std::string_view name;
  unsigned first;
  unsigned last;  // of what "*" means
  unsigned most;  // of what may be written
  std::string_view names;
  unsigned first_name;
  std::string_view allowed;
};

constexpr Field kSecond{"second", 0, 59, 59, "", 0, R"(0-59, lists, ranges and steps such as "*/15")"};
constexpr Field kMinute{"minute", 0, 59, 59, "", 0, R"(0-59, lists, ranges and steps such as "*/15")"};
constexpr Field kHour{"hour", 0, 23, 23, "", 0, R"(0-23, lists, ranges and steps such as "9-17/2")"};
constexpr Field kDay{
    "day of month", 1, 31, 31, "", 0, R"(1-31, L (the last one), lists, ranges and steps such as "*/2")"};
constexpr Field kMonth{"month", 1, 12, 12, kMonths, 1, "1-12 or JAN-DEC, lists, ranges and steps such as \"*/3\""};
constexpr Field kWeekday{
    "day of week", 0, 6, 7, kWeekdays, 0, "0-7 (0 and 7 are Sunday) or SUN-SAT, lists and ranges such as \"MON-FRI\""};

Error refuse(const Field& field, std::string_view text) {
  return {Errc::InvalidInput, "cron expression's " + std::string(field.name) + ": " + base::quoted(text) +
                                  " is not allowed; allowed is " + std::string(field.allowed)};
}

Bits bit(unsigned n) noexcept { return Bits{1} << n; }

/// The lowest value in `bits` that is at least `from`.
std::optional<unsigned> next_bit(Bits bits, unsigned from) noexcept {
  if (from > 63) return std::nullopt;
  const Bits rest = bits >> from << from;
  if (rest == 0) return std::nullopt;
  return static_cast<unsigned>(std::countr_zero(rest));
}
unsigned lowest(Bits bits) noexcept { return static_cast<unsigned>(std::countr_zero(bits)); }

std::optional<unsigned> number_from(std::string_view text) noexcept {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<unsigned> value_from(const Field& field, std::string_view text) {
  if (text.size() == 3) {
    std::array<char, 3> upper{};
    std::transform(text.begin(), text.end(), upper.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    for (std::size_t at = 0; at < field.names.size(); at += 3) {
      if (std::equal(upper.begin(), upper.end(), field.names.begin() + static_cast<std::ptrdiff_t>(at))) {
        return static_cast<unsigned>(at / 3) + field.first_name;
      }
    }
  }
  const auto value = number_from(text);
  if (!value || *value < field.first || *value > field.most) return std::nullopt;
  return value;
}

/// One entry of a list: "*", "5", "1-5", and the ranges with "/2".
std::optional<Bits> entry_from(const Field& field, std::string_view text) {
  if (text == "L" && field.name == kDay.name) return kLastDay;
  const auto slash = text.find('/');
  const std::string_view range = text.substr(0, slash);
  const auto dash = range.find('-');
  unsigned low = field.first;
  unsigned high = field.last;
  if (range != "*") {
    const auto from = value_from(field, range.substr(0, dash));
    const auto to = dash == std::string_view::npos ? from : value_from(field, range.substr(dash + 1));
    if (!from || !to) return std::nullopt;
    low = *from;
    high = *to == 0 && low > 0 ? field.most : *to;  // only days of the week have a 0 that may end a range: FRI-SUN
    if (field.most == field.last && *to < low) return std::nullopt;
  }
  if (high < low) return std::nullopt;

  unsigned step = 1;
  if (slash != std::string_view::npos) {
    if (range != "*" && dash == std::string_view::npos) return std::nullopt;  // "5/15": from 5 on, or every 15 at 5?
    const auto given = number_from(text.substr(slash + 1));
    // A longer step than the whole would silently mean something else: "*/90" minutes is not every 90 minutes.
    if (!given || *given < 1 || *given > field.last - field.first + 1) return std::nullopt;
    step = *given;
  }
  Bits bits = 0;
  for (unsigned value = low; value <= high; value += step) bits |= bit(value > field.last ? field.first : value);
  return bits;
}

Result<Bits> bits_from(const Field& field, std::string_view text) {
  Bits bits = 0;
  std::string_view rest = text;
  while (true) {
    const auto comma = rest.find(',');
    const auto entry = entry_from(field, rest.substr(0, comma));
    if (!entry) return refuse(field, text);
    bits |= *entry;
    if (comma == std::string_view::npos) return bits;
    rest.remove_prefix(comma + 1);
  }
}

bool has_a_day(const CronFields& fields) noexcept {
  if (fields.either_day || (fields.days & kLastDay) != 0) return true;
  for (auto month = next_bit(fields.months, 1); month; month = next_bit(fields.months, *month + 1)) {
    if (lowest(fields.days) <= kLongestMonths[*month - 1]) return true;
  }
  return false;
}

/// The days of one month that the fields allow.
Bits days_of(const CronFields& fields, std::chrono::year year, unsigned month) {
  using namespace std::chrono;
  const year_month_day first = year / std::chrono::month(month) / 1;
  const auto size = static_cast<unsigned>((year / std::chrono::month(month) / last).day());
  const Bits whole = (bit(size + 1) - 1) & ~kLastDay;
  const Bits dates = (fields.days | ((fields.days & kLastDay) != 0 ? bit(size) : 0)) & whole;
  const unsigned first_weekday = weekday(local_days(first)).c_encoding();
  Bits weekdays = 0;
  for (unsigned n = 0; n < 7; ++n) {
    if ((fields.weekdays & bit((first_weekday + n) % 7)) == 0) continue;
    constexpr Bits kWeekly = 1 | 1U << 7U | 1U << 14U | 1U << 21U | 1U << 28U;
    weekdays |= kWeekly << (n + 1);
  }
  return (fields.either_day ? dates | weekdays : dates & weekdays) & whole;
}

std::optional<std::chrono::local_days> next_day(const CronFields& fields, std::chrono::local_days from,
                                                std::chrono::year last) {
  using namespace std::chrono;
  const year_month_day date(from);
  auto first_month = static_cast<unsigned>(date.month());
  auto first_day = static_cast<unsigned>(date.day());
  for (year y = date.year(); y <= last; ++y) {
    for (auto m = next_bit(fields.months, first_month); m; m = next_bit(fields.months, *m + 1)) {
      if (*m != first_month) first_day = 1;
      if (const auto d = next_bit(days_of(fields, y, *m), first_day)) return local_days(y / month(*m) / day(*d));
      first_day = 1;
    }
    first_month = 1;
    first_day = 1;
  }
  return std::nullopt;
}

std::optional<std::chrono::seconds> next_clock(const CronFields& fields, std::chrono::seconds from) {
  const auto total = static_cast<unsigned>(from.count());
  unsigned minute = total / 60 % 60;
  unsigned second = total % 60;
  for (auto h = next_bit(fields.hours, total / 3'600); h; h = next_bit(fields.hours, *h + 1)) {
    if (*h != total / 3'600) minute = second = 0;
    for (auto m = next_bit(fields.minutes, minute); m; m = next_bit(fields.minutes, *m + 1)) {
      if (*m != minute) second = 0;
      if (const auto s = next_bit(fields.seconds, second)) return std::chrono::seconds(*h * 3'600 + *m * 60 + *s);
      second = 0;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<CronFields> cron_fields_from(const std::vector<std::string_view>& parts) {
  CronFields fields;
  std::size_t at = 0;
  const auto read = [&](const Field& field, Bits& bits) -> Result<void> {
    const auto read_bits = bits_from(field, parts[at++]);
    if (!read_bits) return read_bits.error();
    bits = *read_bits;
    return {};
  };
  if (parts.size() == 6) {
    if (auto r = read(kSecond, fields.seconds); !r) return r.error();
  }
  if (auto r = read(kMinute, fields.minutes); !r) return r.error();
  if (auto r = read(kHour, fields.hours); !r) return r.error();
  if (auto r = read(kDay, fields.days); !r) return r.error();
  if (auto r = read(kMonth, fields.months); !r) return r.error();
  if (auto r = read(kWeekday, fields.weekdays); !r) return r.error();
  const std::string_view days = parts[parts.size() - 3];
  const std::string_view months = parts[parts.size() - 2];
  fields.either_day = !days.starts_with('*') && !parts.back().starts_with('*');
  if (!has_a_day(fields)) {
    return Error{Errc::InvalidInput, "cron expression's day of month: " + base::quoted(days) + " in the month " +
                                         base::quoted(months) + " is not allowed; allowed is a day that some year has"};
  }
  return fields;
}

bool every_hour(const CronFields& fields) noexcept { return fields.hours == kEveryHour; }

std::optional<std::chrono::local_seconds> next_local(const CronFields& fields, std::chrono::local_seconds from,
                                                     std::chrono::year last) {
  const auto today = std::chrono::floor<std::chrono::days>(from);
  auto day = next_day(fields, today, last);
  if (!day) return std::nullopt;
  if (*day == today) {
    if (const auto clock = next_clock(fields, from - today)) return *day + *clock;
    day = next_day(fields, today + std::chrono::days(1), last);
    if (!day) return std::nullopt;
  }
  return *day +
         std::chrono::seconds(lowest(fields.hours) * 3'600 + lowest(fields.minutes) * 60 + lowest(fields.seconds));
}

}  // namespace galley::job
