#include "store/schedule_rules.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace galley::store {

void TickBudget::spend(const job::TickPlan& plan) noexcept {
  --schedules_;
  jobs_ -= std::min(jobs_, plan.ticks.size());
  ticks_ -= static_cast<std::int64_t>(plan.ticks.size()) + plan.skipped;
}

bool same_ticks(const job::ScheduleRule& left, const job::ScheduleRule& right) {
  return left.expression == right.expression && left.zone == right.zone;
}

void restart(const job::Timetable& timetable, Time now, ScheduleState& state) {
  state.anchor = now;
  state.last.reset();
  state.next = job::plan_ticks(timetable, {.anchor = now, .last = now}, now).next;
}

int tick(const job::Timetable& timetable, const job::NewJob& pattern, bool busy, Time now, TickBudget& budget,
         ScheduleState& state, const std::function<Enqueued(const job::NewJob&)>& enqueue) {
  const Time last = state.last.value_or(state.anchor);
  const job::TickPlan plan = job::plan_ticks(timetable, {state.anchor, last, state.paused, busy}, now);
  budget.spend(plan);
  state.next = plan.next;
  if (plan.last != last) state.last = plan.last;
  state.skipped += plan.skipped;
  int added = 0;
  job::NewJob job = plan.ticks.empty() ? job::NewJob{} : pattern;
  for (const Time one : plan.ticks) {
    job.at = job::due_at(timetable, one);
    const Enqueued answer = enqueue(job);
    if (answer.refused || (answer.existed && !answer.replaced)) {
      ++state.skipped;
      continue;
    }
    state.last_job = answer.id;
    ++state.enqueued;
    ++added;
  }
  return added;
}

void put_off(Time now, ScheduleState& state) { state.next = now + limits::kSafetyLook; }

Error no_such_schedule(const std::string& name) {
  return {Errc::NotFound, "schedule " + base::quoted(name) + ": there is no such schedule"};
}

Error too_many_schedules() {
  return {Errc::InvalidInput, "there are " + std::to_string(limits::kMaxSchedules) +
                                  " schedules, which is the most that is allowed; remove one first"};
}

}  // namespace galley::store
