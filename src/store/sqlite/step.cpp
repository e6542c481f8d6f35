#include <algorithm>

#include "job/order.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

// Rows that one step prunes with its jobs, ~1 us each: a thousand jobs have some ten thousand, but a thousand groups
// may have ten million.
constexpr int kMaxPrunedRows = 20'000;

// How often the locks of other processes' workers are tried: their jobs run elsewhere within a second or two.
constexpr std::chrono::milliseconds kDeathLook{500};

/// A lane's completed jobs that may go now.
struct Prunable {
  LaneKey lane;
  std::int64_t ended_us;
  JobId id;
};

std::vector<Prunable> oldest_completed(Database& db, LaneKey lane, std::size_t limit) {
  std::vector<Prunable> oldest;
  Query rows(db, Sql::EndedHead);
  rows.bind(lane, name(JobState::Completed), limit);
  while (rows.row()) oldest.push_back({lane, rows.integer(0), rows.integer(1)});
  return oldest;
}

/// What retention lets go of: older than kKeepCompleted, or beyond kKeepCompletedJobs of its queue, oldest first.
std::vector<Prunable> prunable(Database& db, const Directory& directory, std::int64_t now_us, std::size_t limit) {
  const std::int64_t cutoff = now_us - std::chrono::duration_cast<Duration>(limits::kKeepCompleted).count();
  std::map<QueueKey, std::vector<LaneKey>> lanes;
  std::map<QueueKey, std::int64_t> excess;
  {
    Query counts(db, Sql::LaneCounts);
    while (counts.row()) {
      const std::int64_t completed = counts.integer(1 + static_cast<int>(JobState::Completed));
      if (completed == 0) continue;
      const QueueKey queue = directory.lane(counts.integer(0)).queue;
      lanes[queue].push_back(counts.integer(0));
      excess.try_emplace(queue, -limits::kKeepCompletedJobs).first->second += completed;
    }
  }
  std::vector<Prunable> gone;
  for (const auto& [queue, members] : lanes) {
    if (gone.size() >= limit) break;
    const std::size_t left = limit - gone.size();
    std::vector<Prunable> oldest;
    for (const LaneKey lane : members) {
      const auto first = oldest_completed(db, lane, 1);
      if (excess[queue] <= 0 && (first.empty() || first.front().ended_us >= cutoff)) continue;
      const auto head = oldest_completed(db, lane, left);
      oldest.insert(oldest.end(), head.begin(), head.end());
    }
    std::sort(oldest.begin(), oldest.end(), [](const Prunable& a, const Prunable& b) {
      return std::pair(a.ended_us, a.id) < std::pair(b.ended_us, b.id);
    });
    std::int64_t beyond = excess[queue];
    for (const Prunable& one : oldest) {
      if (gone.size() >= limit || (one.ended_us >= cutoff && beyond <= 0)) break;
      gone.push_back(one);
      --beyond;
    }
  }
  return gone;
}

}  // namespace

Result<StepAnswer> Backend::step(std::size_t limit) {
  if (auto valid = check_limit(limit, limits::kMaxStep); !valid) return valid.error();
  auto idle = read([&](Transaction& tx) {
    const StepPlan plan = plan_step(tx, 1);
    if (!plan.ticks.empty()) {
      for (const auto& [name, queue] : directory_.queues()) read_timetables(due_schedules(tx, queue, limit));
    }
    return std::pair(!plan.over && plan.due.empty() && plan.ticks.empty() && plan.lapsed.empty() && plan.dead.empty() &&
                         prunable(db_, directory_, tx.wall_us(), 1).empty() && !has_old_minutes(tx) &&
                         !has_empty_batches(tx) && !has_idle_keys(tx),
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
  end_holds(tx, holds, false);
  Place place = row->place;
  place.lane = lane;
  place.state = move.state;
  place.position = move.position;
  place.expires_us = row->deadline_us;
  tx.enter(place);
  if (is_ended(move.state)) ended(tx, *row, move.state);
  ++(event == Die ? answer.quarantined : answer.recovered);
}

bool Backend::prune(Transaction& tx, std::size_t limit, StepAnswer& answer) {
  const auto gone = prunable(db_, directory_, tx.wall_us(), limit);
  const int before = sqlite3_total_changes(db_.raw());
  for (const Prunable& one : gone) {
    if (sqlite3_total_changes(db_.raw()) - before > kMaxPrunedRows) return true;
    const auto row = read_row(db_, one.id);
    if (!row) throw SqlError(SQLITE_CORRUPT, "completed job " + std::to_string(one.id) + " is missing");
    erase_job(tx, *row);
    ++answer.pruned;
  }
  return gone.size() >= limit;
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
