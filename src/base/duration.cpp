#include "base/duration.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <optional>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace galley::base {

namespace {

constexpr std::string_view kDurationForm =
    R"(a duration such as "90s", "1h30m", "1.5h" or "250ms" (units d, h, m, s, ms, us), at most ten years)";
constexpr std::string_view kTimeForm =
    R"(a time from 1970 to 9999 such as "2026-12-31T23:59:00Z", "2026-12-31T23:59:00.5+02:00" or "@1767225600")";

struct Unit {
  std::string_view name;
  std::int64_t us;
};
// From large to small: the order in which they may follow each other.
constexpr std::array kUnits{Unit{"d", 86'400'000'000}, Unit{"h", 3'600'000'000}, Unit{"m", 60'000'000},
                            Unit{"s", 1'000'000},      Unit{"ms", 1'000},        Unit{"us", 1}};
constexpr std::size_t kSecond = 3;

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Takes the characters from the front of `text` for which `belongs` is true.
template <class Belongs>
std::string_view take_while(std::string_view& text, Belongs belongs) {
  std::size_t n = 0;
  while (n < text.size() && belongs(text[n])) ++n;
  const std::string_view taken = text.substr(0, n);
  text.remove_prefix(n);
  return taken;
}

std::optional<std::int64_t> to_number(std::string_view digits) noexcept {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// `fraction` of a unit, where it is a whole number of microseconds. At most 8 digits, so that their product with a
/// day's microseconds fits (10^8 * 8.64 * 10^10 < 2^63).
std::optional<std::int64_t> fraction_of(std::string_view fraction, std::int64_t unit_us) noexcept {
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  if (fraction.empty()) return 0;
  if (fraction.size() > 8) return std::nullopt;
  std::int64_t scale = 1;
  for (std::size_t i = 0; i < fraction.size(); ++i) scale *= 10;
  const std::int64_t product = *to_number(fraction) * unit_us;
  if (product % scale != 0) return std::nullopt;
  return product / scale;
}

/// One "1.5h" from the front of `text`; `from` is the first unit that may stand here and becomes the one after it.
std::optional<std::int64_t> take_part(std::string_view& text, std::size_t& from, bool first) {
  constexpr std::int64_t kMax = Duration(limits::kMaxDelay).count();
  const std::string_view whole = take_while(text, is_digit);
  std::string_view fraction;
  if (whole.empty()) return std::nullopt;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    fraction = take_while(text, is_digit);
    if (fraction.empty()) return std::nullopt;
  }
  const std::string_view name = take_while(text, [](char c) { return !is_digit(c); });
  std::size_t unit = from;
  if (name.empty() && first && text.empty()) {
    unit = kSecond;
  } else {
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
  }
  if (unit == kUnits.size()) return std::nullopt;
  from = unit + 1;
  const auto count = to_number(whole);
  const auto part = fraction_of(fraction, kUnits[unit].us);
  if (!count || !part || *count > kMax / kUnits[unit].us) return std::nullopt;
  return *count * kUnits[unit].us + *part;
}

Error refuse(std::string_view field, std::string_view text, std::string_view allowed) {
  return Error{Errc::InvalidInput,
               std::string(field) + ": " + quoted(text) + " is not allowed; allowed is " + std::string(allowed)};
}

void append_padded(std::string& out, std::int64_t value, std::size_t width) {
  const std::string digits = std::to_string(value);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

/// One decimal, cut and not rounded (so that nothing under a minute shows as "60s"), left out where it is 0.
std::string with_tenth(std::int64_t us, std::int64_t unit_us, std::string_view unit) {
  std::string out = std::to_string(us / unit_us);
  const std::int64_t tenth = us % unit_us / (unit_us / 10);
  if (tenth != 0) out += "." + std::to_string(tenth);
  return out + std::string(unit);
}

std::string two_units(std::int64_t us, std::size_t large) {
  const Unit& first = kUnits[large];
  const Unit& second = kUnits[large + 1];
  std::string out = std::to_string(us / first.us) + std::string(first.name);
  const std::int64_t rest = us % first.us / second.us;
  if (rest != 0) {
    append_padded(out, rest, 2);
    out += second.name;
  }
  return out;
}

/// Exactly `width` digits from the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take_one_of(std::string_view& text, std::string_view choices) {
  if (text.empty() || choices.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// ".123456789", 1 to 9 digits, or nothing; cut to microseconds.
std::optional<std::int64_t> take_fraction_us(std::string_view& text) {
  if (!take_one_of(text, ".")) return 0;
  const std::string_view digits = take_while(text, is_digit);
  if (digits.empty() || digits.size() > 9) return std::nullopt;
  std::string us(digits.substr(0, 6));
  us.resize(6, '0');
  return to_number(us);
}

/// "Z" or "+02:00": what is to be subtracted.
std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take_one_of(text, "Zz")) return std::chrono::minutes(0);
  if (text.empty()) return std::nullopt;
  const bool west = text.front() == '-';
  if (!take_one_of(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take_one_of(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return west ? -offset : offset;
}

std::optional<std::chrono::sys_days> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_one_of(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take_one_of(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

std::optional<std::chrono::seconds> take_clock(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  if (!hour || !take_one_of(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take_one_of(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return std::chrono::seconds(*hour * 3'600 + *minute * 60 + *second);
}

std::optional<Time> time_from(std::string_view text) {
  if (take_one_of(text, "@")) {
    const auto seconds = to_number(take_while(text, is_digit));
    const auto us = take_fraction_us(text);
    if (!seconds || !us || !text.empty() || *seconds > kMaxTime.time_since_epoch() / std::chrono::seconds(1)) {
      return std::nullopt;
    }
    return Time(std::chrono::seconds(*seconds) + Duration(*us));
  }
  const auto date = take_date(text);
  if (!date || !take_one_of(text, "Tt ")) return std::nullopt;
  const auto clock = take_clock(text);
  if (!clock) return std::nullopt;
  const auto us = take_fraction_us(text);
  if (!us) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  return Time(*date) + *clock + Duration(*us) - *offset;
}

}  // namespace

Result<Duration> parse_duration(std::string_view field, std::string_view text) {
  std::string_view rest = text;
  std::size_t from = 0;
  Duration sum{0};
  do {
    const auto part = take_part(rest, from, rest.size() == text.size());
    if (!part) return refuse(field, text, kDurationForm);
    sum += Duration(*part);  // six parts of at most ten years each do not overflow
  } while (!rest.empty());
  if (sum > limits::kMaxDelay) return refuse(field, text, kDurationForm);
  return sum;
}

std::string format_duration(Duration duration) {
  const std::int64_t us = duration.count();
  if (us < 0) {
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    return "-" + format_duration(Duration(us < -kMax ? kMax : -us));
  }
  if (us == 0) return "0s";
  if (us < 1'000) return std::to_string(us) + "us";
  if (us < 1'000'000) return with_tenth(us, 1'000, "ms");
  if (us < 60'000'000) return with_tenth(us, 1'000'000, "s");
  for (std::size_t large = 0; large < kSecond; ++large) {
    if (us >= kUnits[large].us) return two_units(us, large);
  }
  return {};
}

std::string format_duration_exactly(Duration duration) {
  const std::string text = format_duration(duration);
  const bool negative = text.starts_with('-');
  const auto read = parse_duration("", std::string_view(text).substr(negative ? 1 : 0));
  return read && (negative ? -*read : *read) == duration ? text : std::to_string(duration.count()) + "us";
}

Result<Time> parse_time(std::string_view field, std::string_view text) {
  const auto time = time_from(text);
  if (!time || *time < Time{} || *time > kMaxTime) return refuse(field, text, kTimeForm);
  return *time;
}

std::string format_time(Time time) {
  const Time shown = std::clamp(time, Time(std::chrono::sys_days(std::chrono::year(0) / 1 / 1)), kMaxTime);
  const auto day = std::chrono::floor<std::chrono::days>(shown);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(shown - day));
  std::string out;
  append_padded(out, static_cast<int>(date.year()), 4);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_padded(out, clock.hours().count(), 2);
  out += ':';
  append_padded(out, clock.minutes().count(), 2);
  out += ':';
  append_padded(out, clock.seconds().count(), 2);
  out += '.';
  append_padded(out, clock.subseconds().count(), 3);
  return out + 'Z';
}

}  // namespace galley::base
