#pragma once
// When a recurring job ticks: an expression of cron's, and its next tick in a time zone. Pure.
//
//   five fields    minute hour day-of-month month day-of-week
//   six fields     second, then these
//   in a field     * or a list of values and ranges: "1,15-20"; ranges and * with a step: "*/15", "9-17/2"
//   names          JAN..DEC and SUN..SAT, in any case; 7 is Sunday too; L is the last day of the month
//   words          @yearly @annually @monthly @weekly @daily @midnight @hourly
//   periods        @every 90s: counted from an anchor, so that it does not drift
//
// Days, as Vixie's cron has it: where day-of-month and day-of-week are both restricted (neither begins with *), a day
// that matches either of them counts; else it has to match both.
//
// Daylight changes, as cron(8) of Debian has it. What has an hour field that leaves hours out runs at a specific time:
//   - a tick in a gap (02:30 where 02:00 becomes 03:00) runs once, at the first moment after the gap; several in one
//   gap,
//     together with one at that moment, are one tick;
//   - a tick in an overlap (02:30 where 03:00 becomes 02:00) runs once, the first time.
// What runs in every hour ("*/15 * * * *", "@hourly") runs whenever the clocks show its time: twice in an overlap and
// not at all in a gap. Unlike there, changes of more than three hours are treated alike.
//
// Thread-safety: plain values.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time_zone.hpp"
#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley::job {

/// What the fields allow: bit n stands for the value n.
struct CronFields {
  std::uint64_t seconds = 1;
  std::uint64_t minutes = 0;
  std::uint64_t hours = 0;
  std::uint64_t days = 0;  ///< bit 0 stands for L
  std::uint64_t months = 0;
  std::uint64_t weekdays = 0;  ///< from Sunday, 0
  bool either_day = false;     ///< both day fields are restricted: one of them has to match
};

class Cron {
 public:
  /// Errors: InvalidInput naming the field, the value and what is allowed; also for days that no year has ("30 2").
  [[nodiscard]] static Result<Cron> parse(std::string_view text);

  /// The first tick strictly after `after`. Each expression that `parse` accepts has one within limits::kCronYears;
  /// there is none only beyond the year 9999. The ticks of "@every" are anchor + n periods, n from 1; others need no
  /// anchor. Costs about a microsecond, whatever the distance: it jumps from field to field. Only inside the second run
  /// of an overlap it passes one by one over what ran in the first.
  [[nodiscard]] std::optional<Time> next(Time after, const base::TimeZone& zone, Time anchor = Time{}) const;

  /// The last tick at or before `latest`, of those within limits::kCronYears. It is made of some 50 calls of `next`.
  [[nodiscard]] std::optional<Time> previous(Time latest, const base::TimeZone& zone, Time anchor = Time{}) const;

  /// The expression as it was given, with one blank between its parts.
  [[nodiscard]] const std::string& to_text() const noexcept { return text_; }

  /// Of "@every"; else 0.
  [[nodiscard]] Duration period() const noexcept { return period_; }

 private:
  Cron() = default;
  [[nodiscard]] std::optional<Time> next_period(Time after, Time anchor) const;
  [[nodiscard]] std::optional<Time> next_in_every_hour(Time after, const base::TimeZone& zone) const;
  [[nodiscard]] std::optional<Time> next_at_fixed_hours(Time after, const base::TimeZone& zone) const;

  std::string text_;
  CronFields fields_;
  Duration period_{0};
};

}  // namespace galley::job
