// Batches. A row of galley_batches counts its jobs, so that the end of one costs the same however many there are;
// galley_callbacks has a row for each job that waits, or has waited, for a batch. `present` counts the jobs and
// callbacks that are still stored, because a batch goes when the last of them has gone.

#include "store/batch_rules.hpp"

#include <algorithm>

#include "job/order.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/times.hpp"

namespace galley::store::sqlite {

namespace {

BatchStats batch_of(const Query& row) {
  BatchStats batch;
  batch.id = row.integer(0);
  batch.name = row.text(1);
  batch.opened_at = time_of(row.integer(2));
  batch.sealed = row.small(3) != 0;
  batch.total = row.integer(4);
  batch.succeeded = row.integer(5);
  batch.failed = row.integer(6);
  batch.lost = row.integer(7);
  batch.failed_at = time_of(row.maybe(8));
  batch.finished_at = time_of(row.maybe(9));
  return batch;
}

std::vector<JobId> ids_of(Query& rows) {
  std::vector<JobId> ids;
  while (rows.row()) ids.push_back(rows.integer(0));
  return ids;
}

std::int64_t gone_before(const Transaction& tx) {
  return tx.wall_us() - std::chrono::duration_cast<Duration>(limits::kKeepCompleted).count();
}

}  // namespace

std::optional<BatchStats> Backend::read_batch(BatchId id) {
  Query row(db_, Sql::FindBatch);
  row.bind(id);
  return row.row() ? std::optional(batch_of(row)) : std::nullopt;
}

std::vector<JobId> Backend::callbacks_of(BatchId id) {
  Query rows(db_, Sql::CallbacksOf);
  rows.bind(id);
  auto ids = ids_of(rows);
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// Counts, and does for the callbacks what the change brings. `present`: rows that came or went with it.
template <class Change>
void Backend::change_batch(Transaction& tx, BatchId id, int present, Change change) {
  const auto before = read_batch(id);
  if (!before) throw SqlError(SQLITE_CORRUPT, "batch " + std::to_string(id) + ", which has jobs, is missing");
  BatchStats after = *before;
  change(after);
  Query(db_, Sql::ChangeBatch)
      .bind(after.sealed, after.total, after.succeeded, after.failed, after.lost, us_of(after.failed_at),
            us_of(after.finished_at), present, id)
      .run();
  for (const job::Trigger trigger : kTriggers) {
    if (has_come_true(after, trigger) && !has_come_true(*before, trigger)) release_callbacks(tx, id, trigger, {});
    if (never(*before, trigger)) continue;
    if (const auto why = never(after, trigger)) release_callbacks(tx, id, trigger, why);
  }
}

/// Those that still wait become ready, or are cancelled where there is a `why`.
void Backend::release_callbacks(Transaction& tx, BatchId id, job::Trigger trigger,
                                const std::optional<std::string>& why) {
  std::vector<JobId> waiting;
  {
    Query rows(db_, Sql::CallbacksBy);
    rows.bind(id, name(trigger));
    waiting = ids_of(rows);
  }
  for (const JobId job : waiting) {
    const auto row = read_row(db_, job);
    if (!row) throw SqlError(SQLITE_CORRUPT, "callback " + std::to_string(job) + " is missing");
    if (row->place.state == JobState::Blocked) release_callback(tx, *row, why);
  }
}

void Backend::release_callback(Transaction& tx, const JobRow& row, const std::optional<std::string>& why) {
  Place place = row.place;
  tx.leave(place);
  JobMove move;
  move.state = *job::next(place.state, why ? job::JobEvent::Cancel : job::JobEvent::Unblock);
  Stand stands;
  if (!why) stands = stand(tx, row);
  move.position = why ? tx.wall_us() : stands.position;
  move.counters = row.counters;
  move.started_us = row.started_us;
  move.epoch = row.epoch;
  move.set_error = why.has_value();
  move.error = why;
  if (why) move.error_class = "batch";
  write_row(db_, place.id, move);
  note_since(place.id, stands);
  place.state = move.state;
  place.position = move.position;
  tx.enter(place);
  if (is_ended(place.state)) ended(tx, row, place.state);
}

std::optional<Enqueued> Backend::meet_batch(Transaction&, const job::NewJob& job) {
  if (job.batch != 0) {
    const auto batch = read_batch(job.batch);
    if (auto refused = refuse_member(job.batch, batch ? &*batch : nullptr)) return refused;
  }
  if (job.awaits == 0) return std::nullopt;
  const auto batch = read_batch(job.awaits);
  return refuse_callback(job.awaits, batch ? &*batch : nullptr, callbacks_of(job.awaits).size(), job.trigger);
}

void Backend::entered_batch(Transaction& tx, const Place& place, const job::NewJob& job) {
  if (job.batch != 0) change_batch(tx, job.batch, 1, [](BatchStats& batch) { job_entered(batch); });
  if (job.awaits == 0) return;
  Query(db_, Sql::InsertCallback).bind(job.awaits, name(job.trigger), place.id).run();
  change_batch(tx, job.awaits, 1, [](BatchStats&) {});
  if (!has_come_true(*read_batch(job.awaits), job.trigger)) return;
  release_callback(tx, *read_row(db_, place.id), {});
}

void Backend::ended_in_batch(Transaction& tx, BatchId batch, JobState state) {
  change_batch(tx, batch, 0, [&](BatchStats& one) { job_ended(one, state, tx.now()); });
}

void Backend::revived_in_batch(Transaction& tx, BatchId batch) {
  change_batch(tx, batch, 0, [](BatchStats& one) { job_revived(one); });
}

void Backend::erased_in_batch(Transaction& tx, BatchId batch, JobState state) {
  change_batch(tx, batch, -1, [&](BatchStats& one) { job_erased(one, state, tx.now()); });
}

void Backend::drop_callback(Transaction& tx, JobId id) {
  job::JobRecord job;
  job.id = id;
  read_callback(job);
  Query(db_, Sql::DropCallback).bind(id).run();
  change_batch(tx, job.awaits, -1, [](BatchStats&) {});
}

void Backend::read_callback(job::JobRecord& job) {
  Query row(db_, Sql::FindCallback);
  row.bind(job.id);
  if (!row.row()) throw SqlError(SQLITE_CORRUPT, "what job " + std::to_string(job.id) + " waits for is missing");
  job.awaits = row.integer(0);
  job.trigger = job::trigger_from(row.text(1)).value_or(job::Trigger::Finished);
}

bool Backend::has_empty_batches(const Transaction& tx) {
  Query rows(db_, Sql::EmptyBatches);
  rows.bind(gone_before(tx), 1);
  return rows.row();
}

bool Backend::drop_empty_batches(const Transaction& tx, std::size_t limit) {
  std::vector<BatchId> gone;
  {
    Query rows(db_, Sql::EmptyBatches);
    rows.bind(gone_before(tx), limit);
    gone = ids_of(rows);
  }
  for (const BatchId id : gone) Query(db_, Sql::DropBatch).bind(id).run();
  return gone.size() == limit;
}

// ---- the verbs --------------------------------------------------------------------------------------------------

Result<BatchId> Backend::open_batch(const std::string& name, const std::string& token) {
  if (auto valid = check_batch(name, token); !valid) return valid.error();
  return write(Sync::Yes, Rings::No, [&](Transaction& tx) -> BatchId {
    const auto key = token.empty() ? std::nullopt : std::optional<std::string_view>(token);
    {
      Query known(db_, Sql::BatchByToken);
      known.bind(key);
      if (known.row()) return known.integer(0);
    }
    Query(db_, Sql::InsertBatch).bind(name, key, tx.wall_us()).run();
    return sqlite3_last_insert_rowid(db_.raw());
  });
}

Result<void> Backend::seal_batch(BatchId batch) {
  auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    if (!read_batch(batch)) throw Refused{no_such_batch(batch)};
    change_batch(tx, batch, 0, [&](BatchStats& one) { seal(one, tx.now()); });
    return true;
  });
  if (!done) return done.error();
  return {};
}

Result<BatchStats> Backend::find_batch(BatchId id) {
  return read([&](Transaction&) {
    auto batch = read_batch(id);
    if (!batch) throw Refused{no_such_batch(id)};
    batch->callbacks = callbacks_of(id);
    return *std::move(batch);
  });
}

Result<std::vector<BatchStats>> Backend::batches(BatchId after, std::size_t limit) {
  if (auto valid = check_limit(limit, limits::kMaxPage); !valid) return valid.error();
  return read([&](Transaction&) {
    std::vector<BatchStats> batches;
    Query rows(db_, Sql::BatchesAfter);
    rows.bind(after, limit);
    while (rows.row()) batches.push_back(batch_of(rows));
    return batches;
  });
}

}  // namespace galley::store::sqlite
