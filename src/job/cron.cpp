#include "job/cron.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "job/cron_fields.hpp"

namespace galley::job {

namespace {

using std::chrono::local_seconds;
using std::chrono::seconds;

struct Word {
  std::string_view name;
  std::string_view meaning;
};
constexpr std::array kWords{Word{"@yearly", "0 0 1 1 *"},  Word{"@annually", "0 0 1 1 *"},
                            Word{"@monthly", "0 0 1 * *"}, Word{"@weekly", "0 0 * * 0"},
                            Word{"@daily", "0 0 * * *"},   Word{"@midnight", "0 0 * * *"},
                            Word{"@hourly", "0 * * * *"}};

constexpr Time kFirst = Time(-base::kMaxTime.time_since_epoch());

Error refuse(std::string_view text) {
  return {Errc::InvalidInput,
          "cron expression: " + base::quoted(text) +
              " is not allowed; allowed is five fields (minute hour day-of-month month day-of-week), six with seconds "
              "before them, @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, or \"@every 90s\""};
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t at = text.find_first_not_of(" \t"); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(" \t", end);
  }
  return parts;
}

std::string joined(const std::vector<std::string_view>& parts) {
  std::string text;
  for (const std::string_view part : parts) text += (text.empty() ? "" : " ") + std::string(part);
  return text;
}

Result<Duration> period_from(std::string_view text) {
  constexpr std::string_view kField = "cron expression's @every";
  const auto period = base::parse_duration(kField, text);
  if (period && *period < limits::kMinPeriod) {
    return Error{Errc::InvalidInput, std::string(kField) + ": " + base::quoted(text) +
                                         " is not allowed; allowed is a period of one second to ten years"};
  }
  return period;
}

/// The year in which a search that starts at `from` ends.
std::chrono::year last_year(local_seconds from) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(from));
  return date.year() + std::chrono::years(limits::kCronYears);
}

std::optional<Time> unless_too_late(Time tick) {
  if (tick > base::kMaxTime) return std::nullopt;
  return tick;
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  if (text.size() > limits::kMaxCronBytes) {
    return Error{Errc::InvalidInput, "cron expression: " + base::quoted(text) + " is not allowed; allowed is at most " +
                                         std::to_string(limits::kMaxCronBytes) + " bytes"};
  }
  std::vector<std::string_view> parts = split(text);
  Cron cron;
  cron.text_ = joined(parts);
  if (parts.size() == 2 && parts[0] == "@every") {
    const auto period = period_from(parts[1]);
    if (!period) return period.error();
    cron.period_ = *period;
    return cron;
  }
  if (parts.size() == 1) {
    const auto named = [&](const Word& word) { return word.name == parts[0]; };
    const auto* const word = std::find_if(kWords.begin(), kWords.end(), named);
    if (word != kWords.end()) parts = split(word->meaning);
  }
  if (parts.size() != 5 && parts.size() != 6) return refuse(text);
  const auto fields = cron_fields_from(parts);
  if (!fields) return fields.error();
  cron.fields_ = *fields;
  return cron;
}

std::optional<Time> Cron::next(Time after, const base::TimeZone& zone, Time anchor) const {
  const Time from = std::clamp(after, kFirst, base::kMaxTime);
  if (period_ > Duration{0}) return next_period(from, std::clamp(anchor, kFirst, base::kMaxTime));
  return every_hour(fields_) ? next_in_every_hour(from, zone) : next_at_fixed_hours(from, zone);
}

std::optional<Time> Cron::next_period(Time after, Time anchor) const {
  const std::int64_t passed = after < anchor ? 0 : (after - anchor) / period_;
  return unless_too_late(anchor + (passed + 1) * period_);
}

std::optional<Time> Cron::next_in_every_hour(Time after, const base::TimeZone& zone) const {
  base::OffsetSpan span = zone.span_at(after);
  local_seconds from = std::chrono::floor<seconds>(zone.to_local(after)) + seconds(1);
  const std::chrono::year last = last_year(from);
  while (true) {
    const auto local = next_local(fields_, from, last);
    if (!local) return std::nullopt;
    const Time tick = Time(local->time_since_epoch() - span.offset);
    if (tick < span.end) return unless_too_late(tick);
    span = zone.span_at(span.end);
    from = std::chrono::ceil<seconds>(zone.to_local(span.begin));
  }
}

std::optional<Time> Cron::next_at_fixed_hours(Time after, const base::TimeZone& zone) const {
  local_seconds from = std::chrono::floor<seconds>(zone.to_local(after)) + seconds(1);
  const std::chrono::year last = last_year(from);
  while (true) {
    const auto local = next_local(fields_, from, last);
    if (!local) return std::nullopt;
    const Time tick = zone.to_utc(*local).first;
    if (tick > after) return unless_too_late(tick);  // else the clocks were put back, and it ran the first time
    from = *local + seconds(1);
  }
}

std::optional<Time> Cron::previous(Time latest, const base::TimeZone& zone, Time anchor) const {
  const Time until = std::clamp(latest, kFirst, base::kMaxTime);
  if (period_ > Duration{0}) {
    const Time from = std::clamp(anchor, kFirst, base::kMaxTime);
    if (until - from < period_) return std::nullopt;
    return from + (until - from) / period_ * period_;
  }
  constexpr Duration kLongest = std::chrono::days(366 * (limits::kCronYears + 1));
  std::optional<Time> found;
  for (Duration back = seconds(1); !found && back < 2 * kLongest; back *= 2) {
    found = next(until - back, zone);
    if (found && *found > until) found.reset();
  }
  if (!found) return std::nullopt;
  // There is a tick at `best` and none from `empty` to `until`. Ticks stand at whole seconds.
  Time best = *found;
  for (Time empty = until; empty - best >= seconds(1);) {
    const Time middle = best + (empty - best) / 2;
    const auto tick = next(middle, zone);
    if (tick && *tick <= until) {
      best = *tick;
    } else {
      empty = middle;
    }
  }
  return best;
}

}  // namespace galley::job
