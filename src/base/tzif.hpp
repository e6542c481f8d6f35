#pragma once
// The compiled form of a time zone (TZif, RFC 8536), as /usr/share/zoneinfo holds it. Pure: bytes in, a table out.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace galley::base {

/// From `at` (seconds since 1970, UTC) on the clocks show UTC + `offset` seconds.
struct ZoneChange {
  std::int64_t at = 0;
  std::int32_t offset = 0;
};

/// The Gregorian calendar repeats itself, weekdays too, after 400 years; so does a rule of the calendar.
inline constexpr std::int64_t kCalendarCycleSeconds = 146'097LL * 86'400;

struct ZoneTable {
  std::int32_t first_offset = 0;           ///< before the first change
  std::vector<ZoneChange> changes;         ///< ascending; each differs from the one before it
  std::optional<std::int64_t> cycle_from;  ///< from here on the changes repeat every kCalendarCycleSeconds
};

/// Reads version 2 and later, with the rule in its footer: "slim" files hold only that for today's changes, and "fat"
/// ones end in 2037. Nothing for what is damaged, and for files that count leap seconds (the folder right/).
[[nodiscard]] std::optional<ZoneTable> zone_table_from(std::string_view tzif);

}  // namespace galley::base
