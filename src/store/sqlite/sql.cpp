// lint: table
#include "store/sqlite/sql.hpp"

#include <array>

namespace galley::store::sqlite {

namespace {

struct Statement {
  Sql name;
  const char* text;
};

// clang-format off
constexpr std::array<Statement, kSqlCount> kStatements{{
  {Sql::Begin,       "BEGIN"},
  {Sql::BeginWrite,  "BEGIN IMMEDIATE"},  // a deferred one that upgrades gets BUSY at once, whatever the handler says
  {Sql::Commit,      "COMMIT"},
  {Sql::Rollback,    "ROLLBACK"},
  {Sql::DataVersion, "PRAGMA data_version"},

  {Sql::ReadClock,   "SELECT next_id, tick, epoch, signals FROM galley_clock WHERE only = 1"},
  {Sql::WriteClock,  "UPDATE galley_clock SET next_id = ?, tick = ?, epoch = ?, signals = ? WHERE only = 1"},

  {Sql::NewQueues,   "SELECT id, name FROM galley_queues WHERE id > ? ORDER BY id"},
  {Sql::InsertQueue, "INSERT INTO galley_queues (id, name) VALUES (?, ?)"},
  {Sql::SetPaused,   "UPDATE galley_queues SET paused = ? WHERE id = ?"},
  {Sql::QueuePaused, "SELECT paused FROM galley_queues WHERE id = ?"},

  {Sql::NewLanes,    "SELECT id, queue, kind, program FROM galley_lanes WHERE id > ? ORDER BY id"},
  {Sql::InsertLane,  "INSERT INTO galley_lanes (id, queue, kind, program) VALUES (?, ?, ?, ?)"},
  {Sql::AddCounts,   "UPDATE galley_lanes SET scheduled = scheduled + ?, ready = ready + ?, blocked = blocked + ?,"
                     " running = running + ?, completed = completed + ?, dead = dead + ?, cancelled = cancelled + ?,"
                     " discarded = discarded + ?, expired = expired + ? WHERE id = ?"},
  {Sql::LaneCounts,  "SELECT id, scheduled, ready, blocked, running, completed, dead, cancelled, discarded, expired"
                     " FROM galley_lanes WHERE kind <> ''"},

  {Sql::InsertJob,   "INSERT INTO galley_jobs (id, lane, state, position, content, priority, key, payload, timeout_us,"
                     " grace_us, on_timeout, max_attempts, max_pauses, max_crashes, backoff, resumable, enqueued_us,"
                     " token) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
  {Sql::JobByToken,  "SELECT id FROM galley_jobs WHERE token = ?"},
  {Sql::FindJob,     "SELECT lane, state, position, content, priority, key, payload, timeout_us, grace_us, on_timeout,"
                     " max_attempts, max_pauses, max_crashes, backoff, resumable, attempts, errors, pauses, snoozes,"
                     " crashes, enqueued_us, started_us, epoch, error, extras FROM galley_jobs WHERE id = ?"},
  {Sql::JobPlace,    "SELECT lane, state, position, priority, attempts, errors, pauses, snoozes, crashes, max_crashes,"
                     " started_us, epoch, extras FROM galley_jobs WHERE id = ?"},
  {Sql::PutJob,      "UPDATE galley_jobs SET state = ?, position = ?, attempts = ?, errors = ?, pauses = ?, snoozes = ?,"
                     " crashes = ?, started_us = ?, epoch = ?, error = CASE WHEN ? THEN ? ELSE error END,"
                     " extras = extras | ? WHERE id = ?"},
  {Sql::MarkExtras,  "UPDATE galley_jobs SET extras = extras | ? WHERE id = ?"},
  {Sql::SetPlace,    "UPDATE galley_jobs SET state = ?, position = ? WHERE id = ?"},
  {Sql::Revive,      "UPDATE galley_jobs SET state = 'ready', position = ?, errors = 0, pauses = 0, snoozes = 0,"
                     " crashes = 0 WHERE id = ?"},
  {Sql::DeleteJob,   "DELETE FROM galley_jobs WHERE id = ?"},

  {Sql::InsertReady, "INSERT INTO galley_ready (lane, rank, id) VALUES (?, ?, ?)"},
  {Sql::DeleteReady, "DELETE FROM galley_ready WHERE lane = ? AND rank = ? AND id = ?"},
  {Sql::ReadyHead,   "SELECT rank, id FROM galley_ready WHERE lane = ? ORDER BY rank, id LIMIT ?"},
  {Sql::ReadyAfter,  "SELECT rank, id FROM galley_ready WHERE lane = ? AND (rank, id) > (?, ?) ORDER BY rank, id LIMIT ?"},

  {Sql::InsertScheduled, "INSERT INTO galley_scheduled (queue, due_us, id) VALUES (?, ?, ?)"},
  {Sql::DeleteScheduled, "DELETE FROM galley_scheduled WHERE queue = ? AND due_us = ? AND id = ?"},
  {Sql::DueHead,     "SELECT due_us, id FROM galley_scheduled WHERE queue = ? AND due_us <= ? ORDER BY due_us, id LIMIT ?"},
  {Sql::NextDue,     "SELECT due_us FROM galley_scheduled WHERE queue = ? ORDER BY due_us, id LIMIT 1"},
  {Sql::ScheduledAfter, "SELECT due_us, id FROM galley_scheduled WHERE queue = ? AND (due_us, id) > (?, ?)"
                     " ORDER BY due_us, id LIMIT ?"},

  {Sql::InsertRunning, "INSERT INTO galley_running (id, epoch, worker, lane, lease_us, started_us) VALUES (?, ?, ?, ?, ?, ?)"},
  {Sql::TakeRunning, "DELETE FROM galley_running WHERE id = ? AND epoch = ? RETURNING lane, worker, started_us, cancel"},
  {Sql::FindRunning, "SELECT epoch, worker, started_us, cancel FROM galley_running WHERE id = ?"},
  {Sql::RenewRunning, "UPDATE galley_running SET lease_us = ? WHERE id = ? AND epoch = ? RETURNING lane, cancel"},
  {Sql::CancelRunning, "UPDATE galley_running SET cancel = 1 WHERE id = ?"},
  {Sql::RunningAfter, "SELECT id, epoch, worker, lane, lease_us FROM galley_running WHERE id > ? ORDER BY id LIMIT ?"},

  {Sql::InsertEnded, "INSERT INTO galley_ended (lane, state, ended_us, id) VALUES (?, ?, ?, ?)"},
  {Sql::DeleteEnded, "DELETE FROM galley_ended WHERE lane = ? AND state = ? AND ended_us = ? AND id = ?"},
  {Sql::EndedHead,   "SELECT ended_us, id FROM galley_ended WHERE lane = ? AND state = ? ORDER BY ended_us, id LIMIT ?"},
  {Sql::EndedAfter,  "SELECT ended_us, id FROM galley_ended WHERE lane = ? AND state = ? AND (ended_us, id) > (?, ?)"
                     " ORDER BY ended_us, id LIMIT ?"},

  {Sql::PutExtra,    "INSERT INTO galley_extras (job, what, bytes) VALUES (?, ?, ?)"
                     " ON CONFLICT (job, what) DO UPDATE SET bytes = excluded.bytes"},
  {Sql::GetExtra,    "SELECT bytes FROM galley_extras WHERE job = ? AND what = ?"},
  {Sql::DropExtra,   "DELETE FROM galley_extras WHERE job = ? AND what = ?"},
  {Sql::DropExtras,  "DELETE FROM galley_extras WHERE job = ?"},

  {Sql::InsertAttempt, "INSERT INTO galley_attempts (job, attempt, outcome, started_us, ended_us, worker, run_time_us,"
                     " error, exit_code, signal, out, err, log) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT (job, attempt) DO NOTHING"},
  {Sql::AttemptsOf,  "SELECT attempt, outcome, started_us, ended_us, worker, run_time_us, error, exit_code, signal, out,"
                     " err, log FROM galley_attempts WHERE job = ? ORDER BY attempt"},
  {Sql::TrimAttempts, "DELETE FROM galley_attempts WHERE job = ? AND attempt <= ?"},
  {Sql::DropAttempts, "DELETE FROM galley_attempts WHERE job = ?"},

  {Sql::InsertWorker, "INSERT INTO galley_workers (name, pools, boot_id, lock_file, started_us) VALUES (?, ?, ?, ?, ?)"},
  {Sql::FindWorker,  "SELECT name, gone FROM galley_workers WHERE id = ?"},
  {Sql::AllWorkers,  "SELECT id, name, pools, boot_id, lock_file, started_us, gone FROM galley_workers ORDER BY id"},
  {Sql::WorkerGone,  "UPDATE galley_workers SET gone = 1 WHERE id = ?"},
  {Sql::WorkerUnlocked, "UPDATE galley_workers SET lock_file = '' WHERE id = ?"},
  {Sql::DeleteWorker, "DELETE FROM galley_workers WHERE id = ?"},
}};
// clang-format on

constexpr bool in_order() {
  for (std::size_t i = 0; i < kStatements.size(); ++i) {
    if (static_cast<std::size_t>(kStatements[i].name) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table lists the statements in the order of the enumeration");

}  // namespace

const char* text(Sql sql) noexcept { return kStatements[static_cast<std::size_t>(sql)].text; }

}  // namespace galley::store::sqlite
