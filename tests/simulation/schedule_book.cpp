#include "simulation/schedule_book.hpp"

#include <algorithm>
#include <utility>

namespace galley::simulation {

void ScheduleBook::put(const store::Schedule& schedule, Duration every) {
  Known& known = known_[schedule.name];
  known.put = schedule;
  known.put_every = every;
}

void ScheduleBook::paused(const std::string& name, bool is_paused) { known_.at(name).pause = is_paused; }

const job::NewJob* ScheduleBook::ticked(const std::string& payload) {
  const auto at = known_.find(payload);
  if (at == known_.end() || at->second.schedule.name.empty()) return nullptr;
  ++at->second.appeared;
  return &at->second.schedule.job;
}

/// How many of the ticks that were decided on just now get a job (recurrence.hpp), where nothing stands in the way.
std::int64_t ScheduleBook::expected(const Known& known, std::int64_t decided, Time wall) {
  const std::int64_t passed = decided - known.decided;
  std::int64_t in_time = 0;
  for (std::int64_t i = known.decided + 1; i <= decided; ++i) {
    if (known.anchor + i * known.every >= wall - limits::kMisfireGrace) ++in_time;
  }
  if (known.paused) return 0;
  switch (known.schedule.rule.misfire) {
    case job::Misfire::Skip: return in_time;
    case job::Misfire::Once: return std::min(passed, std::max<std::int64_t>(in_time, 1));
    default: return passed;
  }
}

void ScheduleBook::check_one(Known& known, const store::ScheduleStats& stats, const Now& now) const {
  const std::string& name = known.schedule.name;
  const std::int64_t decided = stats.enqueued + stats.skipped - known.base;
  if (stats.enqueued - known.enqueued != known.appeared) {
    violated(Rule::Schedule, name + " says that it has enqueued " + std::to_string(stats.enqueued - known.enqueued) +
                                 " jobs, and there are " + std::to_string(known.appeared) + " new ones");
  }
  const bool bounded = now.bounds.contains(known.schedule.job.queue);
  const bool overlaps = known.schedule.rule.overlap == job::Overlap::Allow;
  const std::int64_t due = expected(known, decided, now.wall);
  const std::int64_t most = overlaps ? due : std::min<std::int64_t>(due, 1);
  if (known.appeared > most || (known.appeared < due && overlaps && !bounded)) {
    violated(Rule::Schedule, name + " has " + std::to_string(known.appeared) + " new jobs, not " + std::to_string(due));
  }
  if (!overlaps && known.appeared > 0 && known.last_job && now.is_live(*known.last_job)) {
    violated(Rule::Schedule, name + " has a new job beside one that has not ended");
  }
  if (!known.put || known.put_every == known.every) {
    if (stats.last_at.value_or(known.anchor) != known.anchor + decided * known.every) {
      violated(Rule::Schedule, name + " has decided on " + std::to_string(decided) + " ticks, not on each one once");
    }
  }
  if (now.stepped && known.anchor + (decided + 1) * known.every <= now.wall) {
    violated(Rule::Schedule, name + " has a tick that is due, and a step has left it out");
  }
  known.decided = decided;
  known.enqueued = stats.enqueued;
  known.last_job = stats.last_job;
}

void ScheduleBook::check(const std::vector<store::ScheduleStats>& stats, const Now& now) {
  if (stats.size() != known_.size()) violated(Rule::Schedule, "there are not the schedules that were put");
  for (const store::ScheduleStats& one : stats) {
    const auto at = known_.find(one.schedule.name);
    if (at == known_.end()) violated(Rule::Schedule, one.schedule.name + " was not put");
    Known& known = at->second;
    if (!known.schedule.name.empty()) check_one(known, one, now);
    if (known.put) {
      const bool anew = known.schedule.name.empty() || known.put_every != known.every;
      known.schedule = *std::exchange(known.put, std::nullopt);
      known.every = known.put_every;
      if (anew) {
        known.anchor = now.wall;
        known.base = one.enqueued + one.skipped;
        known.decided = 0;
      }
      known.enqueued = one.enqueued;
    }
    if (known.pause) known.paused = *std::exchange(known.pause, std::nullopt);
    known.appeared = 0;
  }
}

}  // namespace galley::simulation
