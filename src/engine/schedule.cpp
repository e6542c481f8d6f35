#include "galley/schedule.hpp"

#include <algorithm>
#include <utility>

#include "engine/new_job.hpp"
#include "job/schedule.hpp"
#include "store/store.hpp"

namespace galley {

namespace {

job::ScheduleRule rule_of(const Schedule& schedule) {
  return {schedule.cron, schedule.zone, schedule.misfire, schedule.overlap, schedule.jitter, schedule.spread};
}

Result<void> put(const StorePtr& store, const Schedule& schedule, Result<job::NewJob> job) {
  if (!job) return job.error();
  return store->put_schedule({schedule.name, rule_of(schedule), *std::move(job)});
}

ScheduleInfo info_of(store::ScheduleStats stats) {
  auto& [name, rule, job] = stats.schedule;
  ScheduleInfo info;
  info.schedule = {
      std::move(name), std::move(rule.expression), std::move(rule.zone), rule.misfire, rule.overlap, rule.jitter,
      rule.spread};
  info.queue = std::move(job.queue);
  info.kind = std::move(job.kind);
  info.paused = stats.paused;
  info.next_at = stats.next_at;
  info.last_at = stats.last_at;
  info.last_job = stats.last_job;
  info.enqueued = stats.enqueued;
  info.skipped = stats.skipped;
  return info;
}

}  // namespace

Result<void> put_schedule_json(const StorePtr& store, const Schedule& schedule, const std::string& queue,
                               std::string_view kind, std::string json, const JobOptions& options) {
  return put(store, schedule, engine::new_job(*store, queue, kind, job::Content::Json, std::move(json), options));
}

Result<void> put_schedule_bytes(const StorePtr& store, const Schedule& schedule, const std::string& queue,
                                std::string_view kind, std::string bytes, const JobOptions& options) {
  return put(store, schedule, engine::new_job(*store, queue, kind, job::Content::Bytes, std::move(bytes), options));
}

Result<void> put_schedule_command(const StorePtr& store, const Schedule& schedule, const std::string& queue,
                                  const Command& command, std::string_view kind, const JobOptions& options) {
  return put(store, schedule, engine::new_command_job(*store, queue, command, kind, options));
}

Result<void> remove_schedule(const StorePtr& store, const std::string& name) { return store->remove_schedule(name); }

Result<void> pause_schedule(const StorePtr& store, const std::string& name) {
  return store->pause_schedule(name, true);
}

Result<void> resume_schedule(const StorePtr& store, const std::string& name) {
  return store->pause_schedule(name, false);
}

Result<std::vector<ScheduleInfo>> schedules(const StorePtr& store) {
  auto all = store->schedules();
  if (!all) return all.error();
  std::vector<ScheduleInfo> infos;
  infos.reserve(all->size());
  for (store::ScheduleStats& one : *all) infos.push_back(info_of(std::move(one)));
  return infos;
}

Result<std::vector<Time>> next_ticks(const Schedule& schedule, Time after, std::size_t count) {
  const auto timetable = job::timetable_from(schedule.name, rule_of(schedule));
  if (!timetable) return timetable.error();
  std::vector<Time> ticks;
  std::optional<Time> tick = after;
  while (ticks.size() < std::min<std::size_t>(count, limits::kMaxCatchUp)) {
    tick = timetable->cron.next(*tick, timetable->zone, after);
    if (!tick) break;
    ticks.push_back(*tick);
  }
  return ticks;
}

}  // namespace galley
