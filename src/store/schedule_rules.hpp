#pragma once
// What every backend does with a schedule whose time has come, and what it keeps of it: pure rules round job/schedule.

#include <functional>
#include <optional>

#include "store/store.hpp"

namespace galley::store {

/// What is kept of a schedule between two looks, beside what it is.
struct ScheduleState {
  Time anchor{};             ///< when its ticks were last put: "@every" counts from here
  std::optional<Time> next;  ///< when to look again: the next tick; nothing: there is none
  std::optional<Time> last;  ///< the last tick that was decided on since the anchor
  std::optional<JobId> last_job;
  bool paused = false;
  std::int64_t enqueued = 0;
  std::int64_t skipped = 0;
};

/// What one transaction may do for schedules, so that a second in which 10,000 of them tick, or the first look after a
/// day without workers, is cut into pieces of some 50 ms each.
class TickBudget {
 public:
  /// As many schedules, and after as many jobs no further schedule is looked at.
  explicit TickBudget(std::size_t limit) : schedules_(limit), jobs_(limit) {}

  [[nodiscard]] bool spent() const noexcept { return schedules_ == 0 || jobs_ == 0 || ticks_ <= 0; }
  void spend(const job::TickPlan& plan) noexcept;

 private:
  std::size_t schedules_;
  std::size_t jobs_;
  std::int64_t ticks_ = limits::kMaxCountedTicks;  // that are counted, with or without a job: ~1 us each
};

/// The same ticks: what else is different leaves the next one where it is.
[[nodiscard]] bool same_ticks(const job::ScheduleRule& left, const job::ScheduleRule& right);

/// Ticks are counted from now on; what the schedule has done so far stays.
void restart(const job::Timetable& timetable, Time now, ScheduleState& state);

/// Decides on the ticks up to now. `enqueue` adds the job of one; what it refuses, or what is there already because of
/// its unique key, counts as skipped. `busy`: the job of an earlier tick has not ended; asked for Overlap::Skip alone.
/// Returns how many jobs were added.
[[nodiscard]] int tick(const job::Timetable& timetable, const job::NewJob& pattern, bool busy, Time now,
                       TickBudget& budget, ScheduleState& state,
                       const std::function<Enqueued(const job::NewJob&)>& enqueue);

/// This process cannot read the schedule (its zone is not installed here, it was written by a newer Galley): no tick is
/// decided on, and it is looked at again later, perhaps by a process that can.
void put_off(Time now, ScheduleState& state);

[[nodiscard]] Error no_such_schedule(const std::string& name);
[[nodiscard]] Error too_many_schedules();

}  // namespace galley::store
