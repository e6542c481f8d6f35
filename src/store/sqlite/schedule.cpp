// Recurring jobs. A row of galley_schedules is what is enqueued, when, and how far that has come; steps and claims
// decide on its ticks in their own transaction, so that each tick has one job whoever comes first.

#include <algorithm>

#include "job/template.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/times.hpp"

namespace galley::store::sqlite {

namespace {

/// Of columns that begin with expression, zone, misfire, overlap, jitter_us, spread_us.
job::ScheduleRule read_rule(const Query& row, int first) {
  job::ScheduleRule rule;
  rule.expression = row.text(first);
  rule.zone = row.text(first + 1);
  rule.misfire = misfire_from(row.text(first + 2)).value_or(rule.misfire);
  rule.overlap = overlap_from(row.text(first + 3)).value_or(rule.overlap);
  rule.jitter = Duration(row.integer(first + 4));
  rule.spread = Duration(row.integer(first + 5));
  return rule;
}

}  // namespace

/// As FindSchedule and SchedulesAfter give it.
Backend::KeptSchedule Backend::kept_schedule(const Query& row) {
  KeptSchedule kept;
  kept.name = row.text(0);
  kept.rule = read_rule(row, 1);
  kept.job = job::template_from(row.text(7), row.text(8));
  ScheduleState& state = kept.state;
  state.paused = row.integer(9) != 0;
  state.anchor = time_of(row.integer(10));
  state.next = time_of(row.maybe(11));
  state.last = time_of(row.maybe(12));
  state.last_job = row.maybe(13);
  state.enqueued = row.integer(14);
  state.skipped = row.integer(15);
  return kept;
}

std::optional<Backend::KeptSchedule> Backend::find_schedule(const std::string& name) {
  Query row(db_, Sql::FindSchedule);
  row.bind(name);
  return row.row() ? std::optional(kept_schedule(row)) : std::nullopt;
}

Result<void> Backend::put_schedule(const Schedule& schedule) {
  if (auto valid = check(schedule); !valid) return valid;
  auto timetable = job::timetable_from(schedule.name, schedule.rule);
  if (!timetable) return timetable.error();
  const std::string text = job::template_text(schedule.job);
  const auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    const Time now = tx.now();
    auto known = find_schedule(schedule.name);
    ScheduleState state;
    if (!known) {
      Query count(db_, Sql::CountSchedules);
      if (count.row() && count.integer(0) >= static_cast<std::int64_t>(limits::kMaxSchedules)) {
        throw Refused{too_many_schedules()};
      }
      restart(*timetable, now, state);
    } else {
      if (!same_ticks(known->rule, schedule.rule)) {
        TickBudget budget(limits::kMaxStep);
        (void)tick_one(tx, *known, budget);  // what has passed was the former rule's
        restart(*timetable, now, known->state);
      }
      state = known->state;
    }
    const job::ScheduleRule& rule = schedule.rule;
    Query put(db_, Sql::PutSchedule);
    put.bind(schedule.name, directory_.queue(schedule.job.queue), rule.expression, rule.zone, name(rule.misfire),
             name(rule.overlap), rule.jitter.count(), rule.spread.count(), text);
    put.bind_blob(schedule.job.payload);
    put.bind(state.anchor.time_since_epoch().count(), us_of(state.next), us_of(state.last), state.last_job,
             state.enqueued, state.skipped);
    put.run();
    return true;
  });
  if (!done) return done.error();
  return {};
}

Result<void> Backend::remove_schedule(const std::string& name) {
  const auto done = write(Sync::Yes, Rings::No, [&](Transaction&) {
    if (Query(db_, Sql::DropSchedule).bind(name).run() == 0) throw Refused{no_such_schedule(name)};
    timetables_.erase(name);
    return true;
  });
  if (!done) return done.error();
  return {};
}

Result<void> Backend::pause_schedule(const std::string& name, bool paused) {
  const auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    auto known = find_schedule(name);
    if (!known) throw Refused{no_such_schedule(name)};
    TickBudget budget(limits::kMaxStep);
    (void)tick_one(tx, *known, budget);  // what has passed did so before this change
    Query(db_, Sql::PauseSchedule).bind(paused, name).run();
    return true;
  });
  if (!done) return done.error();
  return {};
}

Result<std::vector<ScheduleStats>> Backend::schedules() {
  return read([&](Transaction&) {
    std::vector<ScheduleStats> all;
    Query rows(db_, Sql::SchedulesAfter);
    rows.bind("", limits::kMaxSchedules);
    while (rows.row()) {
      KeptSchedule kept = kept_schedule(rows);
      if (!kept.job) {
        Error error = kept.job.error();
        error.message = "schedule " + kept.name + ": " + error.message;
        throw Refused{std::move(error)};
      }
      const ScheduleState& state = kept.state;
      all.push_back({{std::move(kept.name), std::move(kept.rule), *std::move(kept.job)},
                     state.paused,
                     state.next,
                     state.last,
                     state.last_job,
                     state.enqueued,
                     state.skipped});
    }
    return all;
  });
}

/// nullptr: it cannot be read here.
const job::Timetable* Backend::timetable(const std::string& schedule, const job::ScheduleRule& rule) {
  const auto known = timetables_.find(schedule);
  if (known != timetables_.end() && known->second.rule == rule) return &known->second;
  auto read = job::timetable_from(schedule, rule);
  if (!read) return nullptr;
  if (timetables_.size() >= limits::kMaxSchedules) timetables_.clear();  // most are of schedules that have gone
  return &timetables_.insert_or_assign(schedule, *std::move(read)).first->second;
}

std::vector<Backend::DueSchedule> Backend::due_schedules(const Transaction& tx, QueueKey queue, std::size_t limit) {
  std::vector<DueSchedule> due;
  if (!tx.has_schedules()) return due;
  Query rows(db_, Sql::DueSchedules);
  rows.bind(queue, tx.wall_us(), limit);
  while (rows.row()) due.emplace_back(rows.integer(0), rows.text(1));
  return due;
}

void Backend::read_timetables(std::span<const DueSchedule> due) {
  for (const auto& [when, schedule] : due) {
    Query row(db_, Sql::ScheduleRule);
    row.bind(schedule);
    if (row.row()) (void)timetable(schedule, read_rule(row, 0));
  }
}

std::optional<std::int64_t> Backend::next_schedule(const Transaction& tx, QueueKey queue) {
  if (!tx.has_schedules()) return std::nullopt;
  Query row(db_, Sql::NextSchedule);
  row.bind(queue);
  return row.row() ? row.maybe(0) : std::nullopt;
}

Backend::Ticked Backend::tick(Transaction& tx, std::span<const DueSchedule> due, std::size_t limit) {
  Ticked ticked{0, due.size() >= limit};
  TickBudget budget(limit);
  for (const auto& [when, schedule] : due) {
    if (budget.spent()) {
      ticked.more = true;
      break;
    }
    if (auto kept = find_schedule(schedule)) ticked.jobs += tick_one(tx, *kept, budget);
  }
  return ticked;
}

int Backend::tick_one(Transaction& tx, KeptSchedule& kept, TickBudget& budget) {
  ScheduleState& state = kept.state;
  const Time now = tx.now();
  if (!state.next || *state.next > now) return 0;
  int jobs = 0;
  if (const job::Timetable* const times = kept.job ? timetable(kept.name, kept.rule) : nullptr) {
    const bool looks = kept.rule.overlap == Overlap::Skip && state.last_job;
    const auto last = looks ? read_row(db_, *state.last_job) : std::nullopt;
    const bool busy = last && !is_ended(last->place.state);
    jobs = store::tick(*times, *kept.job, busy, now, budget, state,
                       [&](const job::NewJob& job) { return enqueue_one(tx, job, Source::Schedule); });
  } else {
    put_off(now, state);
  }
  Query(db_, Sql::TickSchedule)
      .bind(us_of(state.next), us_of(state.last), state.last_job, state.enqueued, state.skipped, kept.name)
      .run();
  return jobs;
}

}  // namespace galley::store::sqlite
