#include "job/order.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/key_lanes.hpp"

namespace galley::store::sqlite {

namespace {

std::optional<std::string_view> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

/// A person's wish to cancel wins over another try.
job::JobEvent with_cancel(job::JobEvent event, bool cancel) {
  using enum job::JobEvent;
  return cancel && event != Complete && event != Discard ? Cancel : event;
}

bool worth_keeping(const Finish& finish) {
  const job::AttemptReport& report = finish.report;
  return finish.event != job::JobEvent::Complete || report.exit_code || report.signal || !report.log.empty() ||
         !report.out.empty() || !report.err.empty() || !report.error.empty();
}

}  // namespace

std::string Backend::worker_name(WorkerId worker) {
  Query row(db_, Sql::FindWorker);
  row.bind(worker);
  return row.row() ? row.text(0) : std::string();
}

JobRow Backend::row_of(const job::ClaimId& claim) {
  if (const auto held = held_.find(claim.job); held != held_.end()) {
    const JobRow row = held->second;
    held_.erase(held);
    if (row.epoch == claim.epoch) return row;
  }
  auto row = read_row(db_, claim.job);
  if (!row) throw SqlError(SQLITE_CORRUPT, "running job " + std::to_string(claim.job) + " is missing");
  return *std::move(row);
}

FinishAnswer Backend::finish_one(Transaction& tx, const Finish& finish) {
  const JobId id = finish.claim.job;
  LaneKey lane = 0;
  WorkerId worker = 0;
  std::int64_t started_us = 0;
  bool cancel = false;
  bool noted = false;
  std::vector<Hold> holds;
  {
    Query taken(db_, Sql::TakeRunning);
    taken.bind(id, finish.claim.epoch);
    if (!taken.row()) {
      const auto row = read_row(db_, id);
      return row && row->epoch != 0 && row->epoch == finish.claim.epoch ? FinishAnswer::AlreadyFinished
                                                                        : FinishAnswer::LeaseLost;
    }
    lane = taken.integer(0);
    worker = taken.integer(1);
    started_us = taken.integer(2);
    cancel = taken.integer(3) != 0;
    noted = taken.integer(4) != 0;
    if (!taken.null(5)) holds = holds_from(taken.text(5));
    (void)taken.row();  // to its end, or the deletion is not done
  }
  tx.count(lane, JobState::Running, -1);
  JobRow known = row_of(finish.claim);
  if (noted) known.extras |= kHasExtras;
  const JobRow* const row = &known;

  const job::JobEvent event = with_cancel(finish.event, cancel);
  const bool released = finish.event == job::JobEvent::Release;
  JobMove move;
  move.state = *job::next(JobState::Running, event);
  move.epoch = finish.claim.epoch;
  move.counters = released ? row->counters : finish.counters;
  move.started_us = released ? row->started_us : std::optional(started_us);
  const bool completed = event == job::JobEvent::Complete;
  move.set_error = completed ? row->has_error : !released && !finish.report.error.empty();
  if (!completed && move.set_error) {
    move.error = finish.report.error;
    move.error_class = unless_empty(finish.report.error_class);
  }
  const std::int64_t now = tx.wall_us();
  Stand stands;
  if (released && move.state == JobState::Ready) {
    move.position = row->place.position;  // it keeps its place
  } else if (move.state == JobState::Ready) {
    stands = stand(tx, *row);
    move.position = stands.position;
  } else {
    move.position = move.state == JobState::Scheduled ? now + finish.delay.count() : now;
  }
  const bool ended = is_ended(move.state);
  if (ended && (row->extras & kHasExtras) != 0) Query(db_, Sql::DropExtra).bind(id, "checkpoint").run();
  if (!ended && finish.checkpoint) {
    Query(db_, Sql::PutExtra).bind(id, "checkpoint").bind_blob(*finish.checkpoint).run();
    move.extras |= kHasExtras;
  }
  if (event == job::JobEvent::Complete && !finish.result.empty()) {
    Query(db_, Sql::PutExtra).bind(id, "result").bind_blob(finish.result).run();
    move.extras |= kHasExtras;
  }
  if (!released && worth_keeping(finish)) {
    keep_attempt(id, move.counters.attempts, finish, started_us, now, worker_name(worker));
    move.extras |= kHasAttempts;
  }
  write_row(db_, id, move);
  note_since(id, stands);
  end_holds(tx, holds, released ? std::optional(Duration(now - started_us)) : std::nullopt);
  Place place = row->place;
  place.lane = lane;
  place.state = move.state;
  place.position = move.position;
  place.expires_us = over_at(move.started_us.has_value(), row->expires_us, row->deadline_us);
  if (released && place.keyed())
    KeyLanes(tx, db_, directory_).released(place, weight_of(directory_.lane(lane).queue, place.key), !move.started_us);
  tx.enter(place);
  if (ended) this->ended(tx, *row, move.state);
  return FinishAnswer::Finished;
}

void Backend::keep_attempt(JobId id, int attempt, const Finish& finish, std::int64_t started_us, std::int64_t ended_us,
                           const std::string& worker) {
  const job::AttemptReport& report = finish.report;
  Query(db_, Sql::InsertAttempt)
      .bind(id, attempt, finish.outcome, started_us, ended_us, worker, report.run_time.count(),
            unless_empty(report.error), unless_empty(report.error_class), report.exit_code, report.signal,
            unless_empty(report.out), unless_empty(report.err), unless_empty(report.log))
      .run();
  if (attempt > limits::kMaxKeptAttempts) {
    Query(db_, Sql::TrimAttempts).bind(id, attempt - limits::kMaxKeptAttempts).run();
  }
}

}  // namespace galley::store::sqlite
