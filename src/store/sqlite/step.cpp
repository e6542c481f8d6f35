#include <algorithm>

#include "job/order.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

// How often the locks of other processes' workers are tried: their jobs run elsewhere within a second or two.
constexpr std::chrono::milliseconds kDeathLook{500};

}  // namespace

Result<StepAnswer> Backend::step(std::size_t limit) {
  if (auto valid = check_limit(limit, limits::kMaxStep); !valid) return valid.error();
  auto idle = read([&](Transaction& tx) {
    const StepPlan plan = plan_step(tx, 1);
    if (!plan.ticks.empty()) {
      for (const auto& [name, queue] : directory_.queues()) read_timetables(due_schedules(tx, queue, limit));
    }
    return std::pair(!plan.over && plan.due.empty() && plan.ticks.empty() && plan.lapsed.empty() && plan.dead.empty() &&
                         prunable(tx, 1).empty() && !has_old_minutes(tx) && !has_empty_batches(tx) &&
                         !has_idle_keys(tx),
                     plan.next);
  });
  if (!idle) return idle.error();
  if (idle->first) {
    StepAnswer nothing;
    nothing.next = idle->second;
    return nothing;
  }
  return write(Sync::No, Rings::Yes, [&](Transaction& tx) {
    StepAnswer answer;
    answer.expired = expire(tx, limit);  // first: what is over must not become due
    StepPlan plan = plan_step(tx, limit);
    for (const Due& due : plan.due) promote_one(tx, due.queue, due.due_us, due.id);
    answer.promoted = static_cast<int>(plan.due.size());
    const Ticked ticked = tick(tx, plan.ticks, limit);
    answer.ticked = ticked.jobs;
    for (const auto& [epoch, id] : plan.lapsed) recover_one(tx, id, epoch, answer);
    answer.dead_workers.assign(plan.bereft.begin(), plan.bereft.end());
    if (plan.lapsed.size() < limit) {
      for (const WorkerId worker : plan.dead) Query(db_, Sql::DeleteWorker).bind(worker).run();
    }
    const bool more_completed = prune(tx, limit, answer);
    const bool more_minutes = drop_old_minutes(tx);
    const bool more_batches = drop_empty_batches(tx, limit);
    drop_idle_keys(tx, limit);  // what is left of them does nobody harm
    const auto full = [&](std::size_t done) { return done >= limit; };
    answer.more = ticked.more || more_completed || more_minutes || more_batches || full(plan.due.size()) ||
                  full(plan.lapsed.size()) || full(static_cast<std::size_t>(answer.expired));
    answer.next = answer.more ? Duration{0} : plan_step(tx, 1).next;
    return answer;
  });
}

Backend::StepPlan Backend::plan_step(Transaction& tx, std::size_t limit) {
  StepPlan plan;
  plan.next = limits::kSafetyLook;
  if (const auto expiry = next_expiry(tx)) {
    plan.over = *expiry <= Duration{0};
    plan.next = std::clamp(*expiry, Duration{0}, plan.next);
  }
  for (const auto& [name, queue] : directory_.queues()) {
    Query rows(db_, Sql::DueHead);
    rows.bind(queue, tx.wall_us(), limit);
    while (rows.row()) plan.due.push_back({queue, rows.integer(0), rows.integer(1)});
    const auto ticks = due_schedules(tx, queue, limit);
    plan.ticks.insert(plan.ticks.end(), ticks.begin(), ticks.end());
    if (const auto soonest = next_due(tx, {name})) plan.next = std::min(plan.next, *soonest);
  }
  std::sort(plan.due.begin(), plan.due.end(),
            [](const Due& a, const Due& b) { return std::pair(a.due_us, a.id) < std::pair(b.due_us, b.id); });
  plan.due.resize(std::min(plan.due.size(), limit));
  std::sort(plan.ticks.begin(), plan.ticks.end());
  plan.ticks.resize(std::min(plan.ticks.size(), limit));

  std::set<WorkerId> alive;
  {
    Query rows(db_, Sql::AllWorkers);
    while (rows.row()) {
      const WorkerId id = rows.integer(0);
      const bool dead = rows.integer(6) != 0 || rows.text(3) != boot_id_ || locks_.proves_death(id, rows.text(4));
      (dead ? plan.dead : alive).insert(id);
      if (!dead && !locks_.holds(id)) plan.next = std::min(plan.next, Duration(kDeathLook));
    }
  }
  Query rows(db_, Sql::RunningAfter);
  rows.bind(0, kMaxRunningLook);
  while (rows.row()) {
    const std::int64_t lease_us = rows.integer(4);
    if (!alive.contains(rows.integer(2)) || lease_us < tx.mono_us()) {
      plan.lapsed.push_back({rows.integer(1), rows.integer(0)});
    } else {
      plan.next = std::min(plan.next, Duration(lease_us - tx.mono_us() + 1));
    }
  }
  std::sort(plan.lapsed.begin(), plan.lapsed.end());
  plan.lapsed.resize(std::min(plan.lapsed.size(), limit));
  for (const auto& [epoch, id] : plan.lapsed) {
    Query row(db_, Sql::FindRunning);
    row.bind(id);
    if (row.row() && plan.dead.contains(row.integer(1))) plan.bereft.insert(row.integer(1));
  }
  return plan;
}

void Backend::recover_one(Transaction& tx, JobId id, std::int64_t epoch, StepAnswer& answer) {
  Query taken(db_, Sql::TakeRunning);
  taken.bind(id, epoch);
  if (!taken.row()) throw SqlError(SQLITE_CORRUPT, "running job " + std::to_string(id) + " vanished");
  const LaneKey lane = taken.integer(0);
  const std::string worker = worker_name(taken.integer(1));
  const std::int64_t started_us = taken.integer(2);
  const bool cancel = taken.integer(3) != 0;
  const std::vector<Hold> holds = taken.null(5) ? std::vector<Hold>() : holds_from(taken.text(5));
  (void)taken.row();
  tx.count(lane, JobState::Running, -1);
  const auto row = read_row(db_, id);
  if (!row) throw SqlError(SQLITE_CORRUPT, "running job " + std::to_string(id) + " is missing");

  JobMove move;
  move.counters = row->counters;
  ++move.counters.attempts;
  ++move.counters.crashes;
  const bool quarantine = move.counters.crashes >= row->max_crashes;
  using enum job::JobEvent;
  const job::JobEvent event = cancel ? Cancel : quarantine ? Die : Crash;
  move.state = *job::next(JobState::Running, event);
  Stand stands;
  if (event == Crash) stands = stand(tx, *row);
  move.position = event == Crash ? stands.position : tx.wall_us();
  move.epoch = row->epoch;  // not this one: a late finish of it is told that the lease is lost
  move.started_us = started_us;
  move.extras = kHasAttempts;
  if (event == Die) {
    move.set_error = true;
    move.error_class = "crashed";
    move.error = "quarantined: " + std::to_string(move.counters.crashes) + " workers died while they ran it";
  }
  if (is_ended(move.state) && (row->extras & kHasExtras) != 0) Query(db_, Sql::DropExtra).bind(id, "checkpoint").run();
  Finish crashed;
  crashed.outcome = "crashed";
  crashed.report.run_time = Duration(std::max<std::int64_t>(0, tx.wall_us() - started_us));
  keep_attempt(id, move.counters.attempts, crashed, started_us, tx.wall_us(), worker);
  write_row(db_, id, move);
  note_since(id, stands);
  end_holds(tx, holds, std::nullopt);
  Place place = row->place;
  place.lane = lane;
  place.state = move.state;
  place.position = move.position;
  place.expires_us = row->deadline_us;
  tx.enter(place);
  if (is_ended(move.state)) ended(tx, *row, move.state);
  ++(event == Die ? answer.quarantined : answer.recovered);
}

void Backend::erase_job(Transaction& tx, const JobRow& row) {
  const JobId id = row.place.id;
  tx.leave(row.place);
  erased(tx, row);
  if ((row.extras & kHasExtras) != 0) Query(db_, Sql::DropExtras).bind(id).run();
  if ((row.extras & kHasAttempts) != 0) Query(db_, Sql::DropAttempts).bind(id).run();
  Query(db_, Sql::DeleteJob).bind(id).run();
}

}  // namespace galley::store::sqlite
