#include "base/duration.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace galley::base {

namespace {

struct Unit {
  std::string_view name;
  double us;
};
// Longest name first, so that "ms" is not read as "m".
constexpr std::array kUnits{Unit{"us", 1},         Unit{"ms", 1e3},     Unit{"s", 1e6},
                            Unit{"m", 60e6},       Unit{"h", 3600e6},   Unit{"d", 86400e6}};

Error bad(std::string_view field, std::string_view text, std::string_view allowed) {
  return {Errc::InvalidInput,
          std::string(field) + ": " + quoted(text) + " is not allowed; allowed is " + std::string(allowed)};
}

constexpr std::string_view kDurationForm = "a duration like 30s, 250ms, 1h30m or 2d, at most ten years";
constexpr std::string_view kTimeForm = "a time like 2026-12-31T23:59:00Z, 2026-12-31T23:59:00+02:00 or @1767225600";

/// Reads digits with at most one point; the rest stays in `text`. No sign, no exponent.
std::optional<double> take_number(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '.')) ++end;
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + end, value, std::chars_format::fixed);
  if (error != std::errc{} || stop != text.data() + end) return std::nullopt;
  text.remove_prefix(end);
  return value;
}

std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Duration> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return Duration{0};
  const int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
  if (sign == 0) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (std::chrono::hours(*hours) + std::chrono::minutes(*minutes));
}

std::optional<Duration> take_fraction(std::string_view& text) {
  if (!take(text, '.')) return Duration{0};
  std::int64_t us = 0;
  std::int64_t place = 100'000;
  std::size_t digits = 0;
  for (; digits < text.size() && digits < 9 && text[digits] >= '0' && text[digits] <= '9'; ++digits, place /= 10) {
    us += (text[digits] - '0') * place;
  }
  text.remove_prefix(digits);
  return digits == 0 ? std::nullopt : std::optional(Duration(us));
}

std::optional<Time> time_from(std::string_view text) {
  if (take(text, '@')) {
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc{} || end != text.data() + text.size() || seconds < 0 || seconds > 253'402'300'799) return std::nullopt;
    return Time(std::chrono::seconds(seconds));
  }
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(day.value_or(0))));
  if (!day || !date.ok() || *year < 1970 || !(take(text, 'T') || take(text, 't') || take(text, ' '))) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const auto fraction = take_fraction(text);
  const auto offset = fraction ? take_offset(text) : std::nullopt;
  if (!offset || !text.empty()) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + *fraction - *offset;
}

/// printf into a string; for numbers only.
template <class... Values>
std::string printed(const char* form, Values... values) {
  std::array<char, 64> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), form, values...);
  return {buffer.data(), static_cast<std::size_t>(size)};
}

}  // namespace

Result<Duration> parse_duration(std::string_view field, std::string_view text) {
  const std::string_view whole = text;
  const double most = std::chrono::duration<double, std::micro>(limits::kMaxDelay).count();
  double us = 0;
  do {
    const auto value = take_number(text);
    if (!value) return bad(field, whole, kDurationForm);
    double unit_us = 0;
    for (const Unit& unit : kUnits) {
      const bool longer = unit.name == "m" && text.substr(0, 2) == "ms";
      if (!longer && text.substr(0, unit.name.size()) == unit.name) {
        unit_us = unit.us;
        text.remove_prefix(unit.name.size());
        break;
      }
    }
    if (unit_us == 0 && us == 0 && text.empty()) unit_us = 1e6;  // a bare number is seconds
    if (unit_us == 0) return bad(field, whole, kDurationForm);
    us += *value * unit_us;
    if (!(us <= most)) return bad(field, whole, kDurationForm);
  } while (!text.empty());
  return Duration(static_cast<std::int64_t>(us + 0.5));
}

std::string format_duration(Duration duration) {
  const std::int64_t us = duration.count();
  if (us < 0) return "-" + format_duration(-duration);
  if (us == 0) return "0s";
  if (us < 1'000) return printed("%dus", static_cast<int>(us));
  if (us < 1'000'000) return printed("%.3gms", static_cast<double>(us / 10) / 100);
  const std::int64_t s = us / 1'000'000;
  if (s < 60) return printed("%.3gs", static_cast<double>(us / 10'000) / 100);
  if (s < 3'600) return s % 60 == 0 ? printed("%dm", static_cast<int>(s / 60)) : printed("%dm%02ds", static_cast<int>(s / 60), static_cast<int>(s % 60));
  if (s < 86'400) return s % 3'600 < 60 ? printed("%dh", static_cast<int>(s / 3'600)) : printed("%dh%02dm", static_cast<int>(s / 3'600), static_cast<int>(s % 3'600 / 60));
  return printed("%lldd%02dh", static_cast<long long>(s / 86'400), static_cast<int>(s % 86'400 / 3'600));
}

Result<Time> parse_time(std::string_view field, std::string_view text) {
  const auto time = time_from(text);
  if (!time) return bad(field, text, kTimeForm);
  return *time;
}

std::string format_time(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time - day).count();
  return printed("%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), static_cast<int>(ms / 3'600'000), static_cast<int>(ms / 60'000 % 60),
                 static_cast<int>(ms / 1'000 % 60), static_cast<int>(ms % 1'000));
}

}  // namespace galley::base
