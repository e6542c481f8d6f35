#pragma once
// Durations and times as people write them: "30s", "1h30m", "250ms", "2026-12-31T23:59:00Z". Pure.

#include <string>
#include <string_view>

#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley::base {

/// The last time that RFC 3339 can write.
inline constexpr Time kMaxTime = Time(std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1)) - Duration(1);

/// Reads "90", "90s", "1h30m", "1.5h", "250ms", "10us", "2d"; units us, ms, s, m, h, d, a bare number is seconds.
/// Errors: InvalidInput naming `field`, the text and the form; negative, empty, over ten years.
[[nodiscard]] Result<Duration> parse_duration(std::string_view field, std::string_view text);

/// Shortest exact-enough form for people: "0s", "850us", "12.5ms", "1.2s", "3m20s", "1h05m", "2d03h".
[[nodiscard]] std::string format_duration(Duration duration);
/// The same where that is exact, else in microseconds ("604800000001us"): for messages about what is out of range.
[[nodiscard]] std::string format_duration_exactly(Duration duration);

/// Reads RFC 3339: "2026-12-31T23:59:00Z", optional fraction, offset "+02:00", or "@1767225600" (seconds since 1970).
/// The years 1970 to 9999.
/// Errors: InvalidInput naming `field`, the text and the forms.
[[nodiscard]] Result<Time> parse_time(std::string_view field, std::string_view text);

/// RFC 3339 in UTC with milliseconds: "2026-12-31T23:59:00.123Z". Outside the years 0 to 9999: the nearest of them.
[[nodiscard]] std::string format_time(Time time);

}  // namespace galley::base
