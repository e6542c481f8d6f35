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
  {Sql::PageCount,   "PRAGMA page_count"},
  {Sql::FreePages,   "PRAGMA freelist_count"},
  {Sql::PageBytes,   "PRAGMA page_size"},
  {Sql::MaxBytes,    "SELECT CAST(value AS INTEGER) FROM galley_meta WHERE name = 'max_bytes'"},
  {Sql::SetMaxBytes, "INSERT INTO galley_meta (name, value) VALUES ('max_bytes', ?)"
                     " ON CONFLICT (name) DO UPDATE SET value = excluded.value"},
  {Sql::DropMaxBytes, "DELETE FROM galley_meta WHERE name = 'max_bytes'"},

  {Sql::ReadClock,   "SELECT next_job, tick, epoch, signals, enqueued_us, names, options,"
                     " EXISTS (SELECT 1 FROM galley_schedules WHERE name > ''),"
                     " EXISTS (SELECT 1 FROM galley_keys WHERE id > 0) FROM galley_clock WHERE only = 1"},
  {Sql::WriteClock,  "UPDATE galley_clock SET next_job = ?, tick = ?, epoch = ?, signals = ?, enqueued_us = ?,"
                     " names = ?, options = ? WHERE only = 1"},

  {Sql::NewQueues,   "SELECT id, name FROM galley_queues WHERE id > ? ORDER BY id"},
  {Sql::InsertQueue, "INSERT INTO galley_queues (id, name) VALUES (?, ?)"},
  {Sql::SetPaused,   "UPDATE galley_queues SET paused = ? WHERE id = ?"},
  {Sql::SetMaxWaiting, "UPDATE galley_queues SET max_waiting = ?1, waiting = CASE WHEN ?1 IS NULL THEN NULL ELSE"
                     " (SELECT coalesce(sum(scheduled + ready + blocked), 0) FROM galley_lanes WHERE queue = ?2) END"
                     " WHERE id = ?2"},
  {Sql::QueueSettings, "SELECT id, paused, max_waiting, run_order FROM galley_queues WHERE paused <> 0 OR max_waiting IS NOT NULL"
                     " OR run_order IS NOT NULL"},
  {Sql::QueueWaiting, "SELECT waiting FROM galley_queues WHERE id = ?"},
  {Sql::AddWaiting,  "UPDATE galley_queues SET waiting = waiting + ? WHERE id = ?"},
  {Sql::SetOrder, "UPDATE galley_queues SET run_order = ? WHERE id = ?"},

  {Sql::NewLanes,    "SELECT id, queue, kind, program FROM galley_lanes WHERE id > ? ORDER BY id"},
  {Sql::InsertLane,  "INSERT INTO galley_lanes (id, queue, kind, program) VALUES (?, ?, ?, ?)"},
  {Sql::AddCounts,   "UPDATE galley_lanes SET scheduled = scheduled + ?, ready = ready + ?, blocked = blocked + ?,"
                     " running = running + ?, completed = completed + ?, dead = dead + ?, cancelled = cancelled + ?,"
                     " discarded = discarded + ?, expired = expired + ? WHERE id = ?"},
  {Sql::LaneCounts,  "SELECT id, scheduled, ready, blocked, running, completed, dead, cancelled, discarded, expired"
                     " FROM galley_lanes WHERE kind <> ''"},
  {Sql::Expected, "SELECT max(expect_us) FROM galley_lanes WHERE queue = ? AND kind = ?"},
  {Sql::SetExpected, "UPDATE galley_lanes SET expect_us = ? WHERE queue = ? AND kind = ?"},

  {Sql::InsertJob,   "INSERT INTO galley_jobs (id, lane, state, position, content, priority, key, payload, timeout_us,"
                     " grace_us, on_timeout, max_attempts, max_pauses, max_crashes, backoff, resumable, enqueued_us,"
                     " extras, token, expires_us, deadline_us, batch, redacted)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
  {Sql::InsertPlainJob, "INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
  {Sql::ReplaceJob,  "UPDATE galley_jobs SET lane = ?2, state = ?3, position = ?4, content = ?5, priority = ?6, key = ?7,"
                     " payload = ?8, timeout_us = ?9, grace_us = ?10, on_timeout = ?11, max_attempts = ?12, max_pauses = ?13,"
                     " max_crashes = ?14, backoff = ?15, resumable = ?16, extras = ?18,"
                     " token = coalesce(?19, token), due_us = NULL, expires_us = ?20, deadline_us = ?21, redacted = ?23"
                     " WHERE id = ?1"},
  {Sql::JobByToken,  "SELECT id FROM galley_jobs WHERE token = ?"},
  {Sql::FindJob,     "SELECT lane, state, position, content, priority, key, payload, timeout_us, grace_us, on_timeout,"
                     " max_attempts, max_pauses, max_crashes, backoff, resumable, attempts, errors, pauses, snoozes,"
                     " crashes, enqueued_us, started_us, epoch, error, extras, expires_us, deadline_us, error_class, batch,"
                     " redacted, due_us, limits, ordered, expect_us FROM galley_jobs WHERE id = ?"},
  {Sql::JobPlace,    "SELECT lane, state, position, priority, attempts, errors, pauses, snoozes, crashes, max_crashes,"
                     " started_us, epoch, extras, expires_us, deadline_us, batch, error IS NOT NULL,"
                     " key, limits, ordered, expect_us FROM galley_jobs"
                     " WHERE id = ?"},
  {Sql::LookAt,      "SELECT lane, state, position FROM galley_jobs WHERE id = ?"},  // what stands before the payload
  {Sql::JobFrom,     "SELECT id, enqueued_us FROM galley_jobs WHERE id >= ? ORDER BY id LIMIT 1"},
  {Sql::JobsById,    "SELECT id FROM galley_jobs WHERE id > ? AND id < ? ORDER BY id LIMIT ?"},
  {Sql::JobsByTag,   "SELECT job FROM galley_tags WHERE tag = ? AND job > ? AND job < ? ORDER BY job LIMIT ?"},
  {Sql::JobsByKey,   "SELECT id FROM galley_jobs INDEXED BY galley_jobs_key WHERE key = ? AND id > ? AND id < ?"
                     " ORDER BY id LIMIT ?"},
  {Sql::JobsByErrorClass, "SELECT id FROM galley_jobs INDEXED BY galley_jobs_error_class"
                     " WHERE error_class = ? AND id > ? AND id < ? ORDER BY id LIMIT ?"},
  {Sql::JobsByBatch, "SELECT id FROM galley_jobs INDEXED BY galley_jobs_batch WHERE batch = ? AND id > ? AND id < ?"
                     " ORDER BY id LIMIT ?"},
  {Sql::PutJob,      "UPDATE galley_jobs SET state = ?, position = ?, attempts = ?, errors = ?, pauses = ?, snoozes = ?,"
                     " crashes = ?, started_us = ?, epoch = ?, error = ?, error_class = ?, extras = extras | ?,"
                     " due_us = CASE WHEN position = ?2 THEN due_us END WHERE id = ?"},  // a released one has kept its place
  {Sql::MoveJob,     "UPDATE galley_jobs SET state = ?, position = ?, attempts = ?, errors = ?, pauses = ?, snoozes = ?,"
                     " crashes = ?, started_us = ?, epoch = ?, extras = extras | ?,"
                     " due_us = CASE WHEN position = ?2 THEN due_us END WHERE id = ?"},  // and so touches no index
  {Sql::MarkExtras,  "UPDATE galley_jobs SET extras = extras | ? WHERE id = ?"},
  {Sql::MovedOn,     "UPDATE galley_jobs SET pauses = 0, crashes = 0 WHERE id = ?1 AND (pauses > 0 OR crashes > 0)"
                     " AND NOT EXISTS"
                     " (SELECT 1 FROM galley_extras WHERE job = ?1 AND what = 'checkpoint' AND bytes = ?2)"},
  {Sql::SetPlace,    "UPDATE galley_jobs SET state = ?, position = ?, due_us = NULL WHERE id = ?"},
  {Sql::Promote,     "UPDATE galley_jobs SET state = 'ready', position = ?, due_us = ? WHERE id = ?"},
  {Sql::Revive,      "UPDATE galley_jobs SET state = 'ready', position = ?, errors = 0, pauses = 0, snoozes = 0,"
                     " crashes = 0, expires_us = NULL, deadline_us = NULL, due_us = NULL WHERE id = ?"},
  {Sql::Alter,       "UPDATE galley_jobs SET lane = ?, priority = ?, position = ?, due_us = NULL WHERE id = ?"},
  {Sql::DeleteJob,   "DELETE FROM galley_jobs WHERE id = ?"},
  {Sql::SetSince, "UPDATE galley_jobs SET due_us = ? WHERE id = ?"},
  {Sql::SetLimits, "UPDATE galley_jobs SET limits = ?, ordered = ?, expect_us = ? WHERE id = ?"},
  {Sql::HeadOf, "SELECT priority, limits, position FROM galley_jobs WHERE id = ?"},
  {Sql::FirstOfKey, "SELECT r.rank, r.id, j.priority, j.limits, j.position FROM galley_ready r"
                     " LEFT JOIN galley_jobs j ON j.id = r.id WHERE r.lane = ? ORDER BY r.rank, r.id LIMIT 1"},

  {Sql::InsertReady, "INSERT INTO galley_ready (lane, rank, id) VALUES (?, ?, ?)"},
  {Sql::DeleteReady, "DELETE FROM galley_ready WHERE lane = ? AND rank = ? AND id = ?"},
  {Sql::ReadyHead,   "SELECT rank, id FROM galley_ready WHERE lane = ? ORDER BY rank, id LIMIT ?"},
  {Sql::ReadyAfter,  "SELECT rank, id FROM galley_ready WHERE lane = ? AND (rank, id) > (?, ?) ORDER BY rank, id LIMIT ?"},
  {Sql::IsReady, "SELECT 1 FROM galley_ready WHERE lane = ? AND rank = ? AND id = ?"},

  {Sql::InsertScheduled, "INSERT INTO galley_scheduled (queue, due_us, id) VALUES (?, ?, ?)"},
  {Sql::DeleteScheduled, "DELETE FROM galley_scheduled WHERE queue = ? AND due_us = ? AND id = ?"},
  {Sql::DueHead,     "SELECT due_us, id FROM galley_scheduled WHERE queue = ? AND due_us <= ? ORDER BY due_us, id LIMIT ?"},
  {Sql::NextDue,     "SELECT due_us FROM galley_scheduled WHERE queue = ? ORDER BY due_us, id LIMIT 1"},
  {Sql::ScheduledAfter, "SELECT due_us, id FROM galley_scheduled WHERE queue = ? AND (due_us, id) > (?, ?)"
                     " ORDER BY due_us, id LIMIT ?"},

  {Sql::InsertRunning, "INSERT INTO galley_running (id, epoch, worker, lane, lease_us, started_us, holds) VALUES (?, ?, ?, ?, ?, ?, ?)"},
  {Sql::TakeRunning, "DELETE FROM galley_running WHERE id = ? AND epoch = ? RETURNING lane, worker, started_us, cancel, noted, holds"},
  {Sql::FindRunning, "SELECT epoch, worker, started_us, cancel FROM galley_running WHERE id = ?"},
  {Sql::RenewRunning, "UPDATE galley_running SET lease_us = ? WHERE id = ? AND epoch = ? RETURNING lane, cancel"},
  {Sql::CancelRunning, "UPDATE galley_running SET cancel = 1 WHERE id = ?"},
  {Sql::RunningAfter, "SELECT id, epoch, worker, lane, lease_us FROM galley_running WHERE id > ? ORDER BY id LIMIT ?"},

  {Sql::InsertEnded, "INSERT INTO galley_ended (lane, state, ended_us, id) VALUES (?, ?, ?, ?)"},
  {Sql::DeleteEnded, "DELETE FROM galley_ended WHERE lane = ? AND state = ? AND ended_us = ? AND id = ?"},
  {Sql::EndedHead,   "SELECT ended_us, id FROM galley_ended WHERE lane = ? AND state = ? ORDER BY ended_us, id LIMIT ?"},
  {Sql::EndedAfter,  "SELECT ended_us, id FROM galley_ended WHERE lane = ? AND state = ? AND (ended_us, id) > (?, ?)"
                     " AND ended_us < ? ORDER BY ended_us, id LIMIT ?"},
  {Sql::BlockedAfter, "SELECT job FROM galley_callbacks WHERE job > ? ORDER BY job LIMIT ?"},

  {Sql::PutExtra,    "INSERT INTO galley_extras (job, what, bytes) VALUES (?, ?, ?)"
                     " ON CONFLICT (job, what) DO UPDATE SET bytes = excluded.bytes"},
  {Sql::ExtrasOf,    "SELECT what, bytes FROM galley_extras WHERE job = ?"},
  {Sql::GetExtra,    "SELECT bytes FROM galley_extras WHERE job = ? AND what = ?"},
  {Sql::DropExtra,   "DELETE FROM galley_extras WHERE job = ? AND what = ?"},
  {Sql::DropExtras,  "DELETE FROM galley_extras WHERE job = ?"},
  {Sql::InsertTag,   "INSERT INTO galley_tags (tag, job) VALUES (?, ?)"},
  {Sql::DropTag,     "DELETE FROM galley_tags WHERE tag = ? AND job = ?"},

  {Sql::UniqueHolder, "SELECT job FROM galley_unique WHERE kind = ? AND key = ? AND held = 1"},
  {Sql::FindUnique,  "SELECT kind, key, until, held FROM galley_unique WHERE job = ?"},
  {Sql::InsertUnique, "INSERT INTO galley_unique (job, kind, key, until, held) VALUES (?, ?, ?, ?, 1)"},
  {Sql::HoldUnique,  "UPDATE galley_unique SET held = ? WHERE job = ?"},
  {Sql::HoldUntil,   "UPDATE galley_unique SET until = ? WHERE job = ?"},
  {Sql::DropStartUnique, "DELETE FROM galley_unique WHERE job = ? AND until = 'start'"},
  {Sql::DropUnique,  "DELETE FROM galley_unique WHERE job = ?"},
  {Sql::OpenGroup,   "SELECT g.job, g.jobs, g.bytes, g.max_jobs, g.max_bytes, j.state, j.position, j.redacted,"
                     " j.expires_us, j.deadline_us"
                     " FROM galley_groups g JOIN galley_jobs j ON j.id = g.job WHERE g.lane = ? AND g.key = ? AND g.open = 1"},
  {Sql::FindGroup,   "SELECT key, jobs, max_jobs, max_bytes, max_age_us FROM galley_groups WHERE job = ?"},
  {Sql::InsertGroup, "INSERT INTO galley_groups (job, lane, key, open, jobs, bytes, max_jobs, max_bytes, max_age_us)"
                     " VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?)"},
  {Sql::GrowGroup,   "UPDATE galley_groups SET jobs = ?, bytes = ? WHERE job = ?"},
  {Sql::CloseGroup,  "UPDATE galley_groups SET open = 0 WHERE job = ?"},
  {Sql::DropGroup,   "DELETE FROM galley_groups WHERE job = ?"},
  {Sql::InsertMember, "INSERT INTO galley_members (job, number, payload) VALUES (?, ?, ?)"},
  {Sql::MembersOf,   "SELECT payload FROM galley_members WHERE job = ? ORDER BY number"},
  {Sql::DropMembers, "DELETE FROM galley_members WHERE job = ?"},
  {Sql::MarkRedacted, "UPDATE galley_jobs SET redacted = 1 WHERE id = ?"},
  {Sql::InsertExpiring, "INSERT INTO galley_expiring (at_us, id) VALUES (?, ?)"},
  {Sql::DeleteExpiring, "DELETE FROM galley_expiring WHERE at_us = ? AND id = ?"},
  {Sql::ExpiringHead, "SELECT at_us, id FROM galley_expiring WHERE at_us > 0 ORDER BY at_us, id LIMIT ?"},
  {Sql::Expire,      "UPDATE galley_jobs SET state = 'expired', position = ?, error = ?, error_class = 'expired',"
                     " due_us = NULL WHERE id = ?"},

  {Sql::InsertAttempt, "INSERT INTO galley_attempts (job, attempt, outcome, started_us, ended_us, worker, run_time_us,"
                     " error, error_class, exit_code, signal, out, err, log) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT (job, attempt) DO NOTHING"},
  {Sql::AttemptsOf,  "SELECT attempt, outcome, started_us, ended_us, worker, run_time_us, error, exit_code, signal, out,"
                     " err, log, error_class FROM galley_attempts WHERE job = ? ORDER BY attempt"},
  {Sql::TrimAttempts, "DELETE FROM galley_attempts WHERE job = ? AND attempt <= ?"},
  {Sql::DropAttempts, "DELETE FROM galley_attempts WHERE job = ?"},

  {Sql::InsertWorker, "INSERT INTO galley_workers (name, pools, boot_id, lock_file, started_us, card)"
                     " VALUES (?, ?, ?, ?, ?, ?)"},
  {Sql::FindWorker,  "SELECT name, gone FROM galley_workers WHERE id = ?"},
  {Sql::AllWorkers,  "SELECT id, name, pools, boot_id, lock_file, started_us, gone FROM galley_workers ORDER BY id"},
  {Sql::WorkerCard,  "SELECT card FROM galley_workers WHERE id = ?"},
  {Sql::WorkerGone,  "UPDATE galley_workers SET gone = 1 WHERE id = ?"},
  {Sql::WorkerUnlocked, "UPDATE galley_workers SET lock_file = '' WHERE id = ?"},
  {Sql::DeleteWorker, "DELETE FROM galley_workers WHERE id = ?"},

  {Sql::AddEnqueued, "INSERT INTO galley_minutes (minute, lane, enqueued) VALUES (?, ?, ?)"
                     " ON CONFLICT (minute, lane) DO UPDATE SET enqueued = enqueued + excluded.enqueued"},
  {Sql::FindMinute,  "SELECT completed, failed, wait, run FROM galley_minutes WHERE minute = ? AND lane = ?"},
  {Sql::PutMeasured, "INSERT INTO galley_minutes (minute, lane, completed, failed, wait, run) VALUES (?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT (minute, lane) DO UPDATE SET completed = excluded.completed,"
                     " failed = excluded.failed, wait = excluded.wait, run = excluded.run"},
  {Sql::MinutesBetween, "SELECT minute, lane, enqueued, completed, failed, wait, run FROM galley_minutes"
                     " WHERE minute BETWEEN ? AND ? ORDER BY minute, lane"},
  {Sql::MinutesBefore, "SELECT minute, lane FROM galley_minutes WHERE minute < ? ORDER BY minute, lane LIMIT ?"},
  {Sql::DeleteMinute, "DELETE FROM galley_minutes WHERE minute = ? AND lane = ?"},

  {Sql::BatchByToken, "SELECT id FROM galley_batches WHERE token = ?"},
  {Sql::InsertBatch, "INSERT INTO galley_batches (name, token, opened_us) VALUES (?, ?, ?)"},
  {Sql::FindBatch,   "SELECT id, name, opened_us, sealed, total, succeeded, failed, lost, failed_us, finished_us"
                     " FROM galley_batches WHERE id = ?"},
  {Sql::BatchesAfter, "SELECT id, name, opened_us, sealed, total, succeeded, failed, lost, failed_us, finished_us"
                     " FROM galley_batches WHERE id > ? ORDER BY id LIMIT ?"},
  {Sql::ChangeBatch, "UPDATE galley_batches SET sealed = ?, total = ?, succeeded = ?, failed = ?, lost = ?, failed_us = ?,"
                     " finished_us = ?, present = present + ? WHERE id = ?"},
  {Sql::EmptyBatches, "SELECT id FROM galley_batches WHERE present = 0 AND finished_us < ? ORDER BY finished_us, id LIMIT ?"},
  {Sql::DropBatch,   "DELETE FROM galley_batches WHERE id = ?"},
  {Sql::InsertCallback, "INSERT INTO galley_callbacks (batch, trigger, job) VALUES (?, ?, ?)"},
  {Sql::FindCallback, "SELECT batch, trigger FROM galley_callbacks WHERE job = ?"},
  {Sql::CallbacksOf, "SELECT job FROM galley_callbacks WHERE batch = ?"},
  {Sql::CallbacksBy, "SELECT job FROM galley_callbacks WHERE batch = ? AND trigger = ? ORDER BY job"},
  {Sql::DropCallback, "DELETE FROM galley_callbacks WHERE job = ?"},

  {Sql::FindSchedule, "SELECT name, expression, zone, misfire, overlap, jitter_us, spread_us, job, payload, paused,"
                     " anchor_us, next_us, last_us, last_job, enqueued, skipped FROM galley_schedules WHERE name = ?"},
  {Sql::SchedulesAfter, "SELECT name, expression, zone, misfire, overlap, jitter_us, spread_us, job, payload, paused,"
                     " anchor_us, next_us, last_us, last_job, enqueued, skipped FROM galley_schedules WHERE name > ?"
                     " ORDER BY name LIMIT ?"},
  {Sql::ScheduleRule, "SELECT expression, zone, misfire, overlap, jitter_us, spread_us FROM galley_schedules WHERE name = ?"},
  {Sql::CountSchedules, "SELECT count(*) FROM galley_schedules"},
  {Sql::DueSchedules, "SELECT next_us, name FROM galley_schedules WHERE queue = ? AND next_us <= ? ORDER BY next_us, name LIMIT ?"},
  {Sql::NextSchedule, "SELECT next_us FROM galley_schedules WHERE queue = ? AND next_us IS NOT NULL ORDER BY next_us LIMIT 1"},
  {Sql::PutSchedule, "INSERT INTO galley_schedules (name, queue, expression, zone, misfire, overlap, jitter_us, spread_us, job,"
                     " payload, anchor_us, next_us, last_us, last_job, enqueued, skipped)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
                     " queue = excluded.queue, expression = excluded.expression, zone = excluded.zone,"
                     " misfire = excluded.misfire, overlap = excluded.overlap, jitter_us = excluded.jitter_us,"
                     " spread_us = excluded.spread_us, job = excluded.job, payload = excluded.payload,"
                     " anchor_us = excluded.anchor_us, next_us = excluded.next_us, last_us = excluded.last_us,"
                     " last_job = excluded.last_job, enqueued = excluded.enqueued, skipped = excluded.skipped"},
  {Sql::TickSchedule, "UPDATE galley_schedules SET next_us = ?, last_us = ?, last_job = ?, enqueued = ?, skipped = ?"
                     " WHERE name = ?"},
  {Sql::PauseSchedule, "UPDATE galley_schedules SET paused = ? WHERE name = ?"},
  {Sql::DropSchedule, "DELETE FROM galley_schedules WHERE name = ?"},
  {Sql::LimitsAfter, "SELECT id, scope, queue, name, max_running, rate, period_us, burst FROM galley_limits WHERE id > ? ORDER BY id"},
  {Sql::PutLimit, "INSERT INTO galley_limits (scope, queue, name, max_running, rate, period_us, burst) VALUES (?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT (scope, queue, name) DO UPDATE SET max_running = excluded.max_running, rate = excluded.rate,"
                     " period_us = excluded.period_us, burst = excluded.burst"},
  {Sql::LimitId, "SELECT id FROM galley_limits WHERE scope = ? AND queue = ? AND name = ?"},
  {Sql::DropLimit, "DELETE FROM galley_limits WHERE id = ?"},
  {Sql::UseOf, "SELECT running, arrival_us FROM galley_uses WHERE limit_id = ? AND key = ?"},
  {Sql::PutUse, "INSERT INTO galley_uses (limit_id, key, running, arrival_us) VALUES (?, ?, ?, ?)"
                     " ON CONFLICT (limit_id, key) DO UPDATE SET running = excluded.running, arrival_us = excluded.arrival_us"},
  {Sql::DropUse, "DELETE FROM galley_uses WHERE limit_id = ? AND key = ?"},
  {Sql::DropUses, "DELETE FROM galley_uses WHERE limit_id = ?"},
  {Sql::UsesTogether, "SELECT coalesce(sum(running), 0) FROM galley_uses WHERE limit_id = ?"},
  {Sql::OverUses, "SELECT limit_id, key FROM galley_uses INDEXED BY galley_uses_over WHERE running = 0 AND arrival_us < ?"
                     " ORDER BY arrival_us LIMIT ?"},
  {Sql::HasWeights, "SELECT 1 FROM galley_weights WHERE queue > 0 LIMIT 1"},
  {Sql::WeightOf, "SELECT weight FROM galley_weights WHERE queue = ? AND key = ?"},
  {Sql::PutWeight, "INSERT INTO galley_weights (queue, key, weight) VALUES (?, ?, ?)"
                     " ON CONFLICT (queue, key) DO UPDATE SET weight = excluded.weight"},
  {Sql::DropWeight, "DELETE FROM galley_weights WHERE queue = ? AND key = ?"},
  {Sql::ShareOf, "SELECT time, plain FROM galley_shares WHERE lane = ?"},
  {Sql::PutShare, "INSERT INTO galley_shares (lane, time, plain) VALUES (?, ?, ?)"
                     " ON CONFLICT (lane) DO UPDATE SET time = excluded.time, plain = excluded.plain"},
  {Sql::FindKey, "SELECT id, lane, key, limits, ordered, turn, holder, standing, rank, job, under, idle_us, full_limit, full_until_us"
                     " FROM galley_keys WHERE lane = ? AND key = ? AND limits = ? AND ordered = ?"},
  {Sql::KeyById, "SELECT id, lane, key, limits, ordered, turn, holder, standing, rank, job, under, idle_us, full_limit, full_until_us"
                     " FROM galley_keys WHERE id = ?"},
  {Sql::NextKey, "SELECT max(id) FROM galley_keys"},
  {Sql::InsertKey, "INSERT INTO galley_keys (id, lane, key, limits, ordered, turn) VALUES (?, ?, ?, ?, ?, ?)"},
  {Sql::PutKey, "UPDATE galley_keys SET turn = ?, holder = ?, standing = ?, rank = ?, job = ?, under = ?, idle_us = ?, full_limit = ?,"
                     " full_until_us = ? WHERE id = ?"},
  {Sql::DropKey, "DELETE FROM galley_keys WHERE id = ?"},
  {Sql::IdleKeys, "SELECT id FROM galley_keys INDEXED BY galley_keys_idle WHERE idle_us < ? AND holder = 0"
                     " ORDER BY idle_us LIMIT ?"},
  {Sql::AnyAside, "SELECT 1 FROM galley_keys WHERE full_limit > 0 LIMIT 1"},
  {Sql::OpenKeys, "SELECT id FROM galley_keys WHERE full_limit = ? AND key = ?"},
  {Sql::OpenKeysOfAll, "SELECT id FROM galley_keys WHERE full_limit = ?"},
  {Sql::DueKeys, "SELECT id FROM galley_keys WHERE full_until_us <= ? ORDER BY full_until_us LIMIT ?"},
  {Sql::NextFull, "SELECT full_until_us FROM galley_keys WHERE full_until_us IS NOT NULL ORDER BY full_until_us LIMIT 1"},
  {Sql::InsertTurn, "INSERT INTO galley_turns (lane, under, standing, rank, job, keyed) VALUES (?, ?, ?, ?, ?, ?)"},
  {Sql::DropTurn, "DELETE FROM galley_turns WHERE lane = ? AND under = ? AND standing = ? AND rank = ? AND job = ?"},
  {Sql::NextUnder, "SELECT under FROM galley_turns WHERE lane = ? AND under >= ? ORDER BY under LIMIT 1"},
  {Sql::TurnsOf, "SELECT t.standing, t.rank, t.job, t.keyed, k.lane, k.key FROM galley_turns t JOIN galley_keys k ON k.id = t.keyed"
                     " WHERE t.lane = ? AND t.under = ? ORDER BY t.standing, t.rank, t.job LIMIT ?"},
  {Sql::MarkNoted,   "UPDATE galley_running SET noted = 1 WHERE id = ?"},
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
