// Recurring jobs.

#include <algorithm>

#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

Result<void> MemoryStore::put_schedule(const Schedule& schedule) {
  if (auto fine = check(schedule); !fine) return fine;
  auto timetable = job::timetable_from(schedule.name, schedule.rule);
  if (!timetable) return timetable.error();
  {
    const std::scoped_lock lock(mutex_);
    const Now time = now();
    const auto at = schedules_.find(schedule.name);
    if (at == schedules_.end()) {
      if (schedules_.size() == limits::kMaxSchedules) return too_many_schedules();
      ScheduleState state;
      restart(*timetable, time.wall, state);
      schedules_.emplace(schedule.name, Recurring{schedule, *std::move(timetable), state});
    } else {
      Recurring& known = at->second;
      if (!same_ticks(known.schedule.rule, schedule.rule)) {
        TickBudget budget(limits::kMaxStep);
        (void)tick_one(known, budget, time);  // what has passed was the former rule's
        restart(*timetable, time.wall, known.state);
      }
      known.schedule = schedule;
      known.timetable = *std::move(timetable);
    }
  }
  chime_.ring();
  return {};
}

Result<void> MemoryStore::remove_schedule(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (schedules_.erase(name) == 0) return no_such_schedule(name);
  return {};
}

Result<void> MemoryStore::pause_schedule(const std::string& name, bool paused) {
  {
    const std::scoped_lock lock(mutex_);
    const auto at = schedules_.find(name);
    if (at == schedules_.end()) return no_such_schedule(name);
    TickBudget budget(limits::kMaxStep);
    (void)tick_one(at->second, budget, now());  // what has passed did so before this change
    at->second.state.paused = paused;
  }
  chime_.ring();
  return {};
}

Result<std::vector<ScheduleStats>> MemoryStore::schedules() {
  const std::scoped_lock lock(mutex_);
  std::vector<ScheduleStats> all;
  for (const auto& [name, one] : schedules_) {
    const ScheduleState& state = one.state;
    all.push_back({one.schedule, state.paused, state.next, state.last, state.last_job, state.enqueued, state.skipped});
  }
  return all;
}

MemoryStore::Ticked MemoryStore::tick(const std::string* queue, std::size_t limit, const Now& now) {
  std::vector<Recurring*> due;
  for (auto& [name, one] : schedules_) {
    if (queue && one.schedule.job.queue != *queue) continue;
    if (one.state.next && *one.state.next <= now.wall) due.push_back(&one);
  }
  std::stable_sort(due.begin(), due.end(),  // they come by name
                   [](const Recurring* a, const Recurring* b) { return a->state.next < b->state.next; });
  Ticked ticked{0, due.size() >= limit};
  if (due.size() > limit) due.resize(limit);
  TickBudget budget(limit);
  for (Recurring* const one : due) {
    if (budget.spent()) {
      ticked.more = true;
      break;
    }
    ticked.jobs += tick_one(*one, budget, now);
  }
  return ticked;
}

std::size_t MemoryStore::tick_one(Recurring& one, TickBudget& budget, const Now& now) {
  if (!one.state.next || *one.state.next > now.wall) return 0;
  const Entry* const last = one.state.last_job ? entry(*one.state.last_job) : nullptr;
  const bool busy = last && !is_ended(last->record.state);
  const int added = store::tick(one.timetable, one.schedule.job, busy, now.wall, budget, one.state,
                                [&](const job::NewJob& job) { return enqueue_one(job, now, Source::Schedule); });
  return static_cast<std::size_t>(added);
}

}  // namespace galley::store::memory
