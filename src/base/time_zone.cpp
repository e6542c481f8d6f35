#include "base/time_zone.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "base/tzif.hpp"

namespace galley::base {

namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kReach = 2 * 86'400;  // more than any offset: a local time is that near to its moment
constexpr Time kLeast = Time(-kMaxTime.time_since_epoch());

Error refuse(std::string_view name, std::string_view database) {
  std::error_code ignored;
  const bool there = fs::exists(fs::path(database) / "Etc" / "UTC", ignored);
  return {Errc::InvalidInput,
          "zone: " + quoted(name) + R"( is not allowed; allowed is "UTC" or a name such as "Europe/Berlin" from )" +
              std::string(database) + (there ? "" : ", which is missing here: install the package tzdata")};
}

/// Letters, digits, '_', '+', '-', in parts between slashes: so no path leads out of the database. "localtime" and
/// "posixrules" are the machine's choice and differ between workers.
bool is_zone_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
           c == '-' || c == '/';
  };
  return !name.empty() && name.size() <= limits::kMaxZoneBytes && std::all_of(name.begin(), name.end(), allowed) &&
         name.front() != '/' && name.back() != '/' && name.find("//") == std::string_view::npos &&
         name != "localtime" && name != "posixrules";
}

std::optional<std::string> contents_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || fs::file_size(path, ignored) > limits::kMaxZoneFileBytes) {
    return std::nullopt;
  }
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad() || bytes.empty()) return std::nullopt;
  return bytes;
}

/// Whole cycles of the calendar by which `at` lies behind the table, in seconds.
std::int64_t cycles_before(const ZoneTable& table, std::int64_t at) noexcept {
  if (!table.cycle_from || at < *table.cycle_from) return 0;
  return (at - *table.cycle_from) / kCalendarCycleSeconds * kCalendarCycleSeconds;
}

/// The number of changes up to `at`. The n-th span reaches from change n - 1 to before change n.
std::size_t span_number(const ZoneTable& table, std::int64_t at) noexcept {
  const auto later = [](std::int64_t t, const ZoneChange& change) { return t < change.at; };
  const auto found = std::upper_bound(table.changes.begin(), table.changes.end(), at, later);
  return static_cast<std::size_t>(found - table.changes.begin());
}

std::int64_t begin_of(const ZoneTable& table, std::size_t n) noexcept {
  return n == 0 ? -kAlways : table.changes[n - 1].at;
}
std::int64_t end_of(const ZoneTable& table, std::size_t n) noexcept {
  return n == table.changes.size() ? kAlways : table.changes[n].at;
}
std::int32_t offset_of(const ZoneTable& table, std::size_t n) noexcept {
  return n == 0 ? table.first_offset : table.changes[n - 1].offset;
}

}  // namespace

TimeZone TimeZone::utc() { return {"UTC", std::make_shared<const ZoneTable>()}; }

Result<TimeZone> TimeZone::named(std::string_view name, std::string_view database) {
  if (name == "UTC") return utc();
  if (!is_zone_name(name)) return refuse(name, database);
  const auto bytes = contents_of(fs::path(database) / name);
  if (!bytes) return refuse(name, database);
  auto table = zone_table_from(*bytes);
  if (!table) return refuse(name, database);
  return TimeZone(std::string(name), std::make_shared<const ZoneTable>(std::move(*table)));
}

OffsetSpan TimeZone::span_at(Time time) const {
  const std::int64_t at = std::chrono::floor<seconds>(std::clamp(time, kLeast, kMaxTime)).time_since_epoch().count();
  const std::int64_t shift = cycles_before(*table_, at);
  const std::size_t n = span_number(*table_, at - shift);
  OffsetSpan span;
  if (const std::int64_t begin = begin_of(*table_, n); begin != -kAlways) span.begin = Time(seconds(begin + shift));
  if (const std::int64_t end = end_of(*table_, n); end != kAlways) span.end = Time(seconds(end + shift));
  span.offset = seconds(offset_of(*table_, n));
  return span;
}

LocalTime TimeZone::to_local(Time time) const {
  return LocalTime(std::clamp(time, kLeast, kMaxTime).time_since_epoch() + span_at(time).offset);
}

LocalMapping TimeZone::to_utc(LocalTime local) const {
  constexpr auto kMore = seconds(kReach);  // the clocks may show the next year, or still the last one
  const Time shown = std::clamp(Time(local.time_since_epoch()), kLeast - kMore, kMaxTime + kMore);
  const Time whole = std::chrono::floor<seconds>(shown);
  const std::int64_t shift = cycles_before(*table_, whole.time_since_epoch() / seconds(1));
  const std::int64_t at = whole.time_since_epoch() / seconds(1) - shift;
  const auto moment = [&](std::int64_t utc) { return Time(seconds(utc + shift)); };

  std::optional<std::int64_t> first;
  std::int64_t second = 0;
  std::int64_t after_gap = at;
  for (std::size_t n = span_number(*table_, at - kReach); begin_of(*table_, n) <= at + kReach; ++n) {
    const std::int64_t utc = at - offset_of(*table_, n);
    const std::int64_t end = end_of(*table_, n);
    if (utc >= begin_of(*table_, n) && utc < end) {
      second = utc;
      if (!first) first = utc;
    }
    if (end == kAlways) break;
    if (utc >= end && at - offset_of(*table_, n + 1) < end) after_gap = end;
  }
  if (!first) return {LocalKind::Gap, moment(after_gap), moment(after_gap)};
  const LocalKind kind = *first == second ? LocalKind::Unique : LocalKind::Overlap;
  return {kind, moment(*first) + (shown - whole), moment(second) + (shown - whole)};
}

}  // namespace galley::base
