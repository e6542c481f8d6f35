#pragma once
// Time zones of the system's database, with their daylight changes. Read once, then immutable.
//
// Thread-safety: plain values, safe from any thread; copies share what was read.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley::base {

struct ZoneTable;

/// What the clocks on the wall show.
using LocalTime = std::chrono::local_time<Duration>;

/// From `begin` until before `end` local time is UTC + offset. Time::min() and Time::max() where it has no bound.
struct OffsetSpan {
  Time begin = Time::min();
  Time end = Time::max();
  std::chrono::seconds offset{0};
};

enum class LocalKind : std::uint8_t {
  Unique,   ///< the clocks show it once
  Gap,      ///< never: they are put forward over it
  Overlap,  ///< twice: they are put back over it
};

/// When the clocks show a local time.
struct LocalMapping {
  LocalKind kind = LocalKind::Unique;
  Time first{};   ///< in a gap: the first moment after it
  Time second{};  ///< in an overlap: the later moment; else as `first`
};

/// Answers are right for the years -9999 to 9999; beyond them those of the nearest moment are given.
class TimeZone {
 public:
  /// Where Linux systems keep the database.
  static constexpr std::string_view kDatabase = "/usr/share/zoneinfo";

  [[nodiscard]] static TimeZone utc();
  /// "UTC" (which needs no database), "Europe/Berlin", or an alias such as "US/Eastern". The file is read at each call,
  /// so an updated database counts from the next call on. Does file I/O. Errors: InvalidInput naming the zone and what
  /// is allowed, also where the database is missing.
  [[nodiscard]] static Result<TimeZone> named(std::string_view name, std::string_view database = kDatabase);

  /// As it was given to `named`.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] OffsetSpan span_at(Time time) const;
  [[nodiscard]] LocalTime to_local(Time time) const;
  [[nodiscard]] LocalMapping to_utc(LocalTime local) const;

 private:
  TimeZone(std::string name, std::shared_ptr<const ZoneTable> table)
      : name_(std::move(name)), table_(std::move(table)) {}

  std::string name_;
  std::shared_ptr<const ZoneTable> table_;
};

}  // namespace galley::base
