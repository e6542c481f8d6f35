// lint: table
// What may be wrong with a row, and the statements that put it right. A job's row says where it stands: its place is
// right where they agree, and the job's row wins.

#include "store/sqlite/doctor.hpp"

namespace galley::store::sqlite {

// clang-format off
#define GALLEY_RUNS(id) "EXISTS (SELECT 1 FROM galley_running r WHERE r.id = " id ")"
// When a waiting job is over, as over_at() says it.
#define GALLEY_OVER(j) \
  "CASE WHEN " j ".started_us IS NULL THEN min(coalesce(" j ".expires_us, " j ".deadline_us)," \
  " coalesce(" j ".deadline_us, " j ".expires_us)) ELSE " j ".deadline_us END"
#define GALLEY_WAITING(queue) \
  "(SELECT coalesce(sum(l.scheduled + l.ready + l.blocked), 0) FROM galley_lanes l WHERE l.queue = " queue ")"
#define GALLEY_NO_JOB "NOT EXISTS (SELECT 1 FROM galley_jobs j WHERE j.id = t.job)"
#define GALLEY_UNMARKED(bit) "(SELECT j.extras & " bit " FROM galley_jobs j WHERE j.id = t.job) = 0"
#define GALLEY_MARK(bit, key) "UPDATE galley_jobs SET extras = extras | " bit " WHERE id = " key

// Of the members as a JSON array: brackets, and commas between.
#define GALLEY_ARRAY_BYTES "coalesce(sum(length(m.payload)), 0) + count(*) + 1"
#define GALLEY_BATCH_COUNT(batch, which) \
  "(SELECT count(*) FROM galley_jobs j WHERE j.batch = " batch " AND (" which "))"
#define GALLEY_HAS_ENDED "j.state IN ('completed', 'dead', 'cancelled', 'discarded', 'expired') AND NOT " GALLEY_RUNS("j.id")
#define GALLEY_BATCH_FAILED(batch) GALLEY_BATCH_COUNT(batch, "j.state <> 'completed' AND " GALLEY_HAS_ENDED)
#define GALLEY_BATCH_COMPLETED(batch) GALLEY_BATCH_COUNT(batch, "j.state = 'completed' AND " GALLEY_HAS_ENDED)
#define GALLEY_BATCH_PENDING(batch) GALLEY_BATCH_COUNT(batch, "NOT (" GALLEY_HAS_ENDED ")")
#define GALLEY_BATCH_PRESENT(batch) \
  "(" GALLEY_BATCH_COUNT(batch, "1") " + (SELECT count(*) FROM galley_callbacks c WHERE c.batch = " batch "))"

// As Place::keyed and KeyLanes::find have it, and all rows of a ready job.
#define GALLEY_KEYED(job) "(" job ".key IS NOT NULL OR " job ".limits IS NOT NULL)"
#define GALLEY_IS_LANE(k, job) \
  k ".lane = " job ".lane AND " k ".key = coalesce(" job ".key, '') AND " k ".ordered = coalesce(" job ".ordered, 0)" \
  " AND " k ".limits = CASE WHEN " job ".ordered THEN '' ELSE coalesce(" job ".limits, '') END"
#define GALLEY_READY_AGAIN(id) \
  "INSERT OR IGNORE INTO galley_ready (lane, rank, id) SELECT CASE WHEN " GALLEY_KEYED("t") " THEN -lane ELSE lane END," \
  " position, id FROM galley_jobs t WHERE id = " id, \
  "INSERT OR IGNORE INTO galley_ready (lane, rank, id) SELECT w.id, t.position, t.id FROM galley_jobs t" \
  " JOIN galley_lanes l ON l.id = t.lane JOIN galley_lanes w ON w.queue = l.queue AND w.kind = ''" \
  " AND w.program IN (l.program, '') WHERE t.id = " id " AND l.program <> '' AND NOT " GALLEY_KEYED("t"), \
  "INSERT OR IGNORE INTO galley_keys (id, lane, key, limits, ordered, turn) SELECT 1 + coalesce((SELECT max(id)" \
  " FROM galley_keys), 1099511627776), lane, coalesce(key, ''), CASE WHEN ordered THEN '' ELSE coalesce(limits, '') END," \
  " coalesce(ordered, 0), 0 FROM galley_jobs t WHERE id = " id " AND " GALLEY_KEYED("t"), \
  "INSERT OR IGNORE INTO galley_ready (lane, rank, id) SELECT k.id, t.position, t.id FROM galley_jobs t" \
  " JOIN galley_keys k ON " GALLEY_IS_LANE("k", "t") " WHERE t.id = " id " AND " GALLEY_KEYED("t")

namespace {

std::vector<CheckedTable> jobs_and_places() {
  return {
    {"galley_jobs", {"id"}, {
      {"job_state_unknown", "jobs in a state that does not exist", "'job ' || t.id || ' is \"' || t.state || '\"'",
       "t.state NOT IN ('scheduled', 'ready', 'blocked', 'completed', 'dead', 'cancelled', 'discarded', 'expired')", {}},
      {"job_lane_unknown", "jobs whose queue or kind is lost", "'job ' || t.id",
       "NOT EXISTS (SELECT 1 FROM galley_lanes l JOIN galley_queues q ON q.id = l.queue WHERE l.id = t.lane)", {}},
      {"ready_missing", "ready jobs that no claim can find", "'job ' || t.id",
       "t.state = 'ready' AND NOT " GALLEY_RUNS("t.id") " AND CASE WHEN " GALLEY_KEYED("t") " THEN"
       " NOT EXISTS (SELECT 1 FROM galley_ready h WHERE h.lane = -t.lane AND h.rank = t.position AND h.id = t.id)"
       " OR NOT EXISTS (SELECT 1 FROM galley_keys k JOIN galley_ready h ON h.lane = k.id"
       "  WHERE " GALLEY_IS_LANE("k", "t") " AND h.rank = t.position AND h.id = t.id) ELSE"
       " NOT EXISTS (SELECT 1 FROM galley_ready h WHERE h.lane = t.lane AND h.rank = t.position AND h.id = t.id)"
       " OR EXISTS (SELECT 1 FROM galley_lanes l JOIN galley_lanes w ON w.queue = l.queue AND w.kind = ''"
       "  AND w.program IN (l.program, '') WHERE l.id = t.lane AND l.program <> '' AND NOT EXISTS"
       "  (SELECT 1 FROM galley_ready h WHERE h.lane = w.id AND h.rank = t.position AND h.id = t.id)) END",
       {GALLEY_READY_AGAIN("?1")}},
      {"scheduled_missing", "scheduled jobs that would never be due", "'job ' || t.id",
       "t.state = 'scheduled' AND NOT " GALLEY_RUNS("t.id") " AND NOT EXISTS (SELECT 1 FROM galley_lanes l"
       " JOIN galley_scheduled h ON h.queue = l.queue AND h.due_us = t.position AND h.id = t.id WHERE l.id = t.lane)",
       {"INSERT OR IGNORE INTO galley_scheduled (queue, due_us, id) SELECT l.queue, t.position, t.id"
        " FROM galley_jobs t JOIN galley_lanes l ON l.id = t.lane WHERE t.id = ?1"}},
      {"ended_missing", "ended jobs that no list shows and nothing prunes", "'job ' || t.id",
       "t.state IN ('completed', 'dead', 'cancelled', 'discarded', 'expired') AND NOT " GALLEY_RUNS("t.id")
       " AND NOT EXISTS (SELECT 1 FROM galley_ended h WHERE h.lane = t.lane AND h.state = t.state"
       " AND h.ended_us = t.position AND h.id = t.id)",
       {"INSERT OR IGNORE INTO galley_ended (lane, state, ended_us, id) SELECT lane, state, position, id"
        " FROM galley_jobs WHERE id = ?1"}},
      {"expiring_missing", "waiting jobs that would not expire", "'job ' || t.id",
       "t.state IN ('scheduled', 'ready', 'blocked') AND NOT " GALLEY_RUNS("t.id") " AND " GALLEY_OVER("t")
       " IS NOT NULL AND NOT EXISTS (SELECT 1 FROM galley_expiring h WHERE h.at_us = " GALLEY_OVER("t")
       " AND h.id = t.id)",
       {"INSERT OR IGNORE INTO galley_expiring (at_us, id) SELECT " GALLEY_OVER("t") ", t.id FROM galley_jobs t"
        " WHERE t.id = ?1"}},
    }},
    {"galley_ready", {"lane", "rank", "id"}, {
      {"ready_orphan", "places in a lane without a job that is ready there", "'job ' || t.id",
       GALLEY_RUNS("t.id") " OR NOT EXISTS (SELECT 1 FROM galley_jobs j JOIN galley_lanes l ON l.id = j.lane"
       " WHERE j.id = t.id AND j.state = 'ready' AND j.position = t.rank AND CASE WHEN " GALLEY_KEYED("j") " THEN"
       " t.lane = -j.lane OR EXISTS (SELECT 1 FROM galley_keys k WHERE k.id = t.lane AND " GALLEY_IS_LANE("k", "j") ")"
       " ELSE EXISTS (SELECT 1 FROM galley_lanes w WHERE w.id = t.lane AND (w.id = l.id OR (l.program <> ''"
       "  AND w.queue = l.queue AND w.kind = '' AND w.program IN (l.program, '')))) END)",
       {"DELETE FROM galley_ready WHERE lane = ?1 AND rank = ?2 AND id = ?3"}},
    }},
    {"galley_scheduled", {"queue", "due_us", "id"}, {
      {"scheduled_orphan", "due times without a job that waits for them", "'job ' || t.id",
       GALLEY_RUNS("t.id") " OR NOT EXISTS (SELECT 1 FROM galley_jobs j JOIN galley_lanes l ON l.id = j.lane"
       " WHERE j.id = t.id AND j.state = 'scheduled' AND j.position = t.due_us AND l.queue = t.queue)",
       {"DELETE FROM galley_scheduled WHERE queue = ?1 AND due_us = ?2 AND id = ?3"}},
    }},
    {"galley_ended", {"lane", "state", "ended_us", "id"}, {
      {"ended_orphan", "ends without a job that ended so", "'job ' || t.id",
       GALLEY_RUNS("t.id") " OR NOT EXISTS (SELECT 1 FROM galley_jobs j WHERE j.id = t.id AND j.lane = t.lane"
       " AND j.state = t.state AND j.position = t.ended_us)",
       {"DELETE FROM galley_ended WHERE lane = ?1 AND state = ?2 AND ended_us = ?3 AND id = ?4"}},
    }},
    {"galley_expiring", {"at_us", "id"}, {
      {"expiring_orphan", "times of expiry without a job that waits", "'job ' || t.id",
       GALLEY_RUNS("t.id") " OR NOT EXISTS (SELECT 1 FROM galley_jobs j WHERE j.id = t.id AND j.state IN"
       " ('scheduled', 'ready', 'blocked') AND " GALLEY_OVER("j") " = t.at_us)",
       {"DELETE FROM galley_expiring WHERE at_us = ?1 AND id = ?2"}},
    }},
    {"galley_running", {"id"}, {
      {"claim_orphan", "claims of jobs that do not exist", "'job ' || t.id",
       "NOT EXISTS (SELECT 1 FROM galley_jobs j WHERE j.id = t.id)", {"DELETE FROM galley_running WHERE id = ?1"}},
      {"claim_lane", "claims under another kind than their job's", "'job ' || t.id",
       "t.lane <> (SELECT j.lane FROM galley_jobs j WHERE j.id = t.id)",
       {"UPDATE galley_running SET lane = (SELECT j.lane FROM galley_jobs j WHERE j.id = ?1) WHERE id = ?1"}},
    }},
  };
}

std::vector<CheckedTable> beside_jobs() {
  return {
    {"galley_extras", {"job", "what"}, {
      {"extras_orphan", "rows of galley_extras without their job", "'job ' || t.job || ', ' || t.what", GALLEY_NO_JOB,
       {"DELETE FROM galley_extras WHERE job = ?1 AND what = ?2"}},
      {"extras_unmarked", "rows of galley_extras that their jobs do not know of", "'job ' || t.job",
       GALLEY_UNMARKED("1"), {GALLEY_MARK("1", "?1")}},
    }},
    {"galley_attempts", {"job", "attempt"}, {
      {"attempts_orphan", "attempts without their job", "'job ' || t.job", GALLEY_NO_JOB,
       {"DELETE FROM galley_attempts WHERE job = ?1 AND attempt = ?2"}},
      {"attempts_unmarked", "attempts that their jobs do not know of", "'job ' || t.job", GALLEY_UNMARKED("2"),
       {GALLEY_MARK("2", "?1")}},
    }},
    {"galley_tags", {"tag", "job"}, {
      {"tags_orphan", "tags without their job", "'job ' || t.job || ', ' || t.tag", GALLEY_NO_JOB,
       {"DELETE FROM galley_tags WHERE tag = ?1 AND job = ?2"}},
      {"tags_unmarked", "tags that their jobs do not know of", "'job ' || t.job", GALLEY_UNMARKED("8"),
       {GALLEY_MARK("8", "?2")}},
    }},
    {"galley_unique", {"job"}, {
      {"unique_orphan", "unique keys without their job", "t.key || ' of ' || t.kind", GALLEY_NO_JOB,
       {"DELETE FROM galley_unique WHERE job = ?1"}},
      {"unique_unmarked", "unique keys that their jobs do not know of", "'job ' || t.job", GALLEY_UNMARKED("4"),
       {GALLEY_MARK("4", "?1")}},
      {"unique_held", "unique keys held by jobs that have ended", "'job ' || t.job || ', ' || t.key",
       "t.held = 1 AND NOT " GALLEY_RUNS("t.job") " AND EXISTS (SELECT 1 FROM galley_jobs j WHERE j.id = t.job"
       " AND j.state IN ('completed', 'dead', 'cancelled', 'discarded', 'expired'))",
       {"UPDATE galley_unique SET held = 0 WHERE job = ?1"}},
    }},
    {"galley_groups", {"job"}, {
      {"groups_orphan", "groups without their job", "'job ' || t.job", GALLEY_NO_JOB,
       {"DELETE FROM galley_groups WHERE job = ?1"}},
      {"groups_unmarked", "groups that their jobs do not know of", "'job ' || t.job", GALLEY_UNMARKED("16"),
       {GALLEY_MARK("16", "?1")}},
      {"groups_count", "groups that count other members than they have", "'job ' || t.job",
       "(t.jobs, t.bytes) <> (SELECT count(*), " GALLEY_ARRAY_BYTES " FROM galley_members m WHERE m.job = t.job)",
       {"UPDATE galley_groups SET (jobs, bytes) = (SELECT count(*), " GALLEY_ARRAY_BYTES
        " FROM galley_members m WHERE m.job = ?1) WHERE job = ?1"}},
    }},
    {"galley_members", {"job", "number"}, {
      {"members_orphan", "members of groups that do not exist", "'job ' || t.job",
       "NOT EXISTS (SELECT 1 FROM galley_groups g WHERE g.job = t.job)",
       {"DELETE FROM galley_members WHERE job = ?1 AND number = ?2"}},
    }},
    {"galley_callbacks", {"batch", "trigger", "job"}, {
      {"callbacks_orphan", "callbacks whose job or batch does not exist", "'job ' || t.job || ', batch ' || t.batch",
       GALLEY_NO_JOB " OR NOT EXISTS (SELECT 1 FROM galley_batches b WHERE b.id = t.batch)",
       {"DELETE FROM galley_callbacks WHERE batch = ?1 AND trigger = ?2 AND job = ?3"}},
      {"callbacks_unmarked", "callbacks that their jobs do not know of", "'job ' || t.job", GALLEY_UNMARKED("32"),
       {GALLEY_MARK("32", "?3")}},
    }},
    {"galley_batches", {"id"}, {
      {"batch_counts", "batches whose counts are not those of their jobs", "'batch ' || t.id",
       "t.failed <> " GALLEY_BATCH_FAILED("t.id") " OR t.total - t.succeeded - t.failed <> " GALLEY_BATCH_PENDING("t.id")
       " OR t.succeeded < " GALLEY_BATCH_COMPLETED("t.id") " OR t.present <> " GALLEY_BATCH_PRESENT("t.id"),
       {"UPDATE galley_batches SET failed = " GALLEY_BATCH_FAILED("?1") ", succeeded = max(succeeded, "
        GALLEY_BATCH_COMPLETED("?1") "), present = " GALLEY_BATCH_PRESENT("?1") " WHERE id = ?1",
        "UPDATE galley_batches SET total = succeeded + failed + " GALLEY_BATCH_PENDING("?1") " WHERE id = ?1"}},
      {"batch_unfinished", "batches that have not finished though all of their jobs have ended", "'batch ' || t.id",
       "t.sealed = 1 AND t.finished_us IS NULL AND t.total = t.succeeded + t.failed",
       {"UPDATE galley_batches SET finished_us = (SELECT coalesce(max(j.position), opened_us) FROM galley_jobs j"
        " WHERE j.batch = ?1 AND j.state NOT IN ('scheduled', 'ready', 'blocked')) WHERE id = ?1"}},
    }},
    // Again, now that the batches are right.
    {"galley_callbacks", {"batch", "trigger", "job"}, {
      {"callback_stuck", "callbacks that still wait for what has happened", "'job ' || t.job || ', batch ' || t.batch",
       "EXISTS (SELECT 1 FROM galley_jobs j WHERE j.id = t.job AND j.state = 'blocked') AND EXISTS"
       " (SELECT 1 FROM galley_batches b WHERE b.id = t.batch AND CASE t.trigger"
       "  WHEN 'success' THEN b.sealed = 1 AND b.lost = 0 AND b.succeeded = b.total"
       "  WHEN 'failure' THEN b.failed_us IS NOT NULL ELSE b.finished_us IS NOT NULL END)",
       {"UPDATE galley_clock SET tick = tick + 1",
        "UPDATE galley_jobs SET state = 'ready', position = (SELECT tick FROM galley_clock) - priority * 3600000000"
        " WHERE id = ?3",
        GALLEY_READY_AGAIN("?3")}},
    }},
    {"galley_minutes", {"minute", "lane"}, {
      {"minutes_orphan", "minutes of statistics of a kind that is not known", "'minute ' || t.minute",
       "NOT EXISTS (SELECT 1 FROM galley_lanes l WHERE l.id = t.lane)",
       {"DELETE FROM galley_minutes WHERE minute = ?1 AND lane = ?2"}},
    }},
  };
}

std::vector<CheckedTable> all_tables() {
  std::vector<CheckedTable> all = jobs_and_places();
  for (CheckedTable& table : beside_jobs()) all.push_back(std::move(table));
  for (CheckedTable& table : key_tables()) all.push_back(std::move(table));
  return all;
}

}  // namespace
// clang-format on

const CheckedTable& checked_queues() {
  static const CheckedTable kQueues{"galley_queues",
                                    {"id"},
                                    {{"queue_waiting",
                                      "queues with a bound whose count of waiting jobs is wrong",
                                      "'queue ' || t.name",
                                      "t.max_waiting IS NOT NULL AND t.waiting IS NOT " GALLEY_WAITING("t.id"),
                                      {"UPDATE galley_queues SET waiting = " GALLEY_WAITING("?1") " WHERE id = ?1"}}}};
  return kQueues;
}

const std::vector<CheckedTable>& checked_tables() {
  static const std::vector<CheckedTable> kTables = all_tables();
  return kTables;
}

}  // namespace galley::store::sqlite
