#pragma once
// The rules of recurring jobs: which ticks become jobs now, and when those are due. Pure, but for `timetable_from`,
// which reads the zone's file. Every worker computes the same, so that it does not matter which of them comes first.
//
// Thread-safety: plain values.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time_zone.hpp"
#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/recurrence.hpp"
#include "job/cron.hpp"

namespace galley::job {

using galley::Misfire;
using galley::Overlap;

struct ScheduleRule {
  std::string expression;    ///< as Cron::parse reads it
  std::string zone = "UTC";  ///< as base::TimeZone::named reads it
  Misfire misfire = Misfire::Once;
  Overlap overlap = Overlap::Allow;
  Duration jitter{0};  ///< Moves each job by its own share of this, 0 up to 7 days; 0: none.
  Duration spread{0};  ///< Moves all jobs of one schedule by the same share of this, so that many schedules of one
                       ///< expression do not come at once; 0 up to 7 days; 0: none.
  friend bool operator==(const ScheduleRule&, const ScheduleRule&) = default;
};

/// Errors: InvalidInput naming the field, the value and what is allowed. Reads the zone's file.
[[nodiscard]] Result<void> validate(const ScheduleRule& rule);

/// A rule made ready: reading it costs file I/O, so do it before a transaction and keep it while the rule is the same.
struct Timetable {
  ScheduleRule rule;
  Cron cron;
  base::TimeZone zone;
  std::uint64_t seed = 0;  ///< of the schedule's name: what its offsets are drawn from
};

/// Errors: as validate.
[[nodiscard]] Result<Timetable> timetable_from(std::string_view schedule, const ScheduleRule& rule);

/// What is kept of a schedule between two looks.
struct TickState {
  Time anchor{};        ///< when the schedule was put: "@every" counts from here
  Time last{};          ///< the last tick that was decided on; before the first one, the anchor
  bool paused = false;  ///< its ticks pass without a job
  bool busy = false;    ///< a job of an earlier tick has not ended; matters for Overlap::Skip alone
};

struct TickPlan {
  std::vector<Time> ticks;   ///< each gets a job, due at `due_at`; ascending, at most limits::kMaxCatchUp
  std::int64_t skipped = 0;  ///< ticks that passed without a job; counted up to limits::kMaxCountedTicks
  Time last{};               ///< to be kept as TickState::last
  std::optional<Time> next;  ///< the first tick to come; nothing: there is none
};

/// Decides on the ticks after `state.last` up to `now`, each exactly once if `last` is kept in the same transaction.
/// Where the calendar was stepped back behind `last`, nothing ticks again before it has passed `last`.
[[nodiscard]] TickPlan plan_ticks(const Timetable& timetable, const TickState& state, Time now);

/// tick + the schedule's share of `spread` + the tick's share of `jitter`. A share is hash mod range, in microseconds;
/// the hash is FNV-1a (64 bits) of the name, for jitter followed by the tick's microseconds since 1970 (8 bytes, the
/// lowest first), then mixed by the last steps of splitmix64.
[[nodiscard]] Time due_at(const Timetable& timetable, Time tick);

}  // namespace galley::job
