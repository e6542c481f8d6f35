// What is checked of keys and limits: that lanes know their first jobs and have their turns, and that limits count what
// runs under them.

#include "store/sqlite/doctor.hpp"

// clang-format off

// The job that a lane would run next, unless it is put aside: of an ordered one that has a holder, only this one.
#define GALLEY_FIRST(k) \
  "CASE WHEN " k ".full_limit IS NULL THEN (SELECT r.id FROM galley_ready r WHERE r.lane = " k ".id" \
  " AND (" k ".holder = 0 OR r.id = " k ".holder) ORDER BY r.rank, r.id LIMIT 1) END"
#define GALLEY_STANDING(k, job) "(" k ".turn - " job ".priority * 1000000000000)"
#define GALLEY_AT(k, job) "(" job ".position - " k ".ordered * " job ".priority * 3600000000)"
// The lanes through which a claim finds the lane `k`.
#define GALLEY_THROUGH(k) \
  "galley_lanes l JOIN galley_lanes w ON w.queue = l.queue AND CASE l.program WHEN '' THEN w.id = l.id" \
  " ELSE w.kind = '' AND w.program IN (l.program, '') END AND l.id = " k ".lane"
// The place of its first job, and its turns, of the lane ?1, whose galley_keys.job is right.
#define GALLEY_PUT_PLACE \
  "UPDATE galley_keys SET (standing, rank, under) = (SELECT " GALLEY_STANDING("galley_keys", "j") ", " \
  GALLEY_AT("galley_keys", "j") ", coalesce(j.limits, '') FROM galley_jobs j WHERE j.id = galley_keys.job)" \
  " WHERE id = ?1"
// The limits that a claim counts under, and the key, where the last of them is one of each key (uses.hpp).
#define GALLEY_IDS(r) \
  "substr(" r ".holds, 1, CASE instr(" r ".holds, ':') WHEN 0 THEN length(" r ".holds)" \
  " ELSE instr(" r ".holds, ':') - 1 END)"
#define GALLEY_KEY(r) \
  "CASE instr(" r ".holds, ':') WHEN 0 THEN '' ELSE substr(" r ".holds, instr(" r ".holds, ':') + 1) END"
#define GALLEY_LAST(r, limit) \
  "(substr(',' || " GALLEY_IDS(r) ", -length(',' || " limit ")) = ',' || " limit ")"
#define GALLEY_COUNTS(r, limit, key) \
  "(" key " = '' OR substr(" r ".holds, -1 - length(" key ")) = ':' || " key ")" \
  " AND instr(',' || " GALLEY_IDS(r) " || ',', ',' || " limit " || ',') > 0" \
  " AND CASE WHEN " GALLEY_LAST(r, limit) " THEN " GALLEY_KEY(r) " ELSE '' END = " key
#define GALLEY_PUT_TURNS \
  "INSERT OR REPLACE INTO galley_turns (lane, under, standing, rank, job, keyed) SELECT w.id, k.under, k.standing," \
  " k.rank, k.job, k.id FROM galley_keys k JOIN " GALLEY_THROUGH("k") " WHERE k.id = ?1 AND k.job IS NOT NULL"

namespace galley::store::sqlite {

std::vector<CheckedTable> key_tables() {
  return {
    {"galley_keys", {"id"}, {
      {"key_lane_unknown", "lanes of keys whose kind is lost", "'lane ' || t.id",
       "NOT EXISTS (SELECT 1 FROM galley_lanes l WHERE l.id = t.lane)", {"DELETE FROM galley_keys WHERE id = ?1"}},
      {"key_holder", "keys held up by a job that has ended or does not exist", "'key ' || t.key",
       "t.holder <> 0 AND NOT EXISTS (SELECT 1 FROM galley_jobs j WHERE j.id = t.holder AND (j.state IN"
       " ('scheduled', 'ready') OR EXISTS (SELECT 1 FROM galley_running r WHERE r.id = j.id)))",
       {"UPDATE galley_keys SET holder = 0 WHERE id = ?1"}},
      {"key_idle", "lanes that do not know whether they have jobs", "'key ' || t.key",
       "(t.idle_us IS NULL) = NOT EXISTS (SELECT 1 FROM galley_ready r WHERE r.lane = t.id)",
       {"UPDATE galley_keys SET idle_us = CASE WHEN EXISTS (SELECT 1 FROM galley_ready r WHERE r.lane = ?1) THEN NULL"
        " ELSE 0 END WHERE id = ?1"}},
      {"key_turn", "lanes whose turn would not come, or not in time", "'key ' || t.key",
       "t.job IS NOT " GALLEY_FIRST("t") " OR (t.job IS NOT NULL AND NOT EXISTS (SELECT 1 FROM galley_jobs j"
       " WHERE j.id = t.job AND t.standing = " GALLEY_STANDING("t", "j") " AND t.rank = " GALLEY_AT("t", "j")
       " AND t.under = coalesce(j.limits, ''))) OR (t.job IS NOT NULL AND EXISTS (SELECT 1 FROM " GALLEY_THROUGH("t")
       " WHERE NOT EXISTS (SELECT 1 FROM galley_turns n WHERE n.lane = w.id AND n.under = t.under"
       " AND n.standing = t.standing AND n.rank = t.rank AND n.job = t.job AND n.keyed = t.id)))",
       {"DELETE FROM galley_turns WHERE (lane, under, standing, rank, job) IN (SELECT w.id, k.under,"
       " k.standing, k.rank,"
        " k.job FROM galley_keys k JOIN " GALLEY_THROUGH("k") " WHERE k.id = ?1) AND keyed = ?1",
        "UPDATE galley_keys SET job = " GALLEY_FIRST("galley_keys") " WHERE id = ?1",
        GALLEY_PUT_PLACE, GALLEY_PUT_TURNS}},
    }},
    {"galley_turns", {"lane", "under", "standing", "rank", "job"}, {
      {"turns_orphan", "turns of no lane", "'job ' || t.job",
       "NOT EXISTS (SELECT 1 FROM galley_keys k JOIN " GALLEY_THROUGH("k") " WHERE k.id = t.keyed AND w.id = t.lane"
       " AND k.under = t.under AND k.standing = t.standing AND k.rank = t.rank AND k.job = t.job)",
       {"DELETE FROM galley_turns WHERE lane = ?1 AND under = ?2 AND standing = ?3 AND rank = ?4 AND job = ?5"}},
    }},
    {"galley_shares", {"lane"}, {
      {"shares_orphan", "shares of kinds that do not exist", "'lane ' || t.lane",
       "NOT EXISTS (SELECT 1 FROM galley_lanes l WHERE l.id = t.lane)", {"DELETE FROM galley_shares WHERE lane = ?1"}},
    }},
    {"galley_limits", {"id"}, {
      {"holds_uncounted", "limits that do not count what runs under them", "'limit ' || t.id",
       "EXISTS (SELECT 1 FROM galley_running r WHERE " GALLEY_COUNTS("r", "t.id", "''") ") AND NOT EXISTS (SELECT 1"
       " FROM galley_uses u WHERE u.limit_id = t.id AND u.key = '')",
       {"INSERT OR IGNORE INTO galley_uses (limit_id, key, running, arrival_us) VALUES (?1, '', 1, 0)"}},
    }},
    {"galley_running", {"id"}, {
      {"holds_unreadable", "claims whose limits cannot be read", "'job ' || t.id",
       GALLEY_IDS("t") " GLOB '*[^0-9,]*' OR ',' || " GALLEY_IDS("t") " || ',' GLOB '*,,*'",
       {"UPDATE galley_running SET holds = NULL WHERE id = ?1"}},
      {"holds_uncounted", "limits that do not count what runs under them", "'job ' || t.id",
       GALLEY_KEY("t") " <> '' AND EXISTS (SELECT 1 FROM galley_limits m WHERE " GALLEY_LAST("t", "m.id")
       " AND NOT EXISTS (SELECT 1 FROM galley_uses u WHERE u.limit_id = m.id AND u.key = " GALLEY_KEY("t") "))",
       {"INSERT OR IGNORE INTO galley_uses (limit_id, key, running, arrival_us) SELECT m.id, " GALLEY_KEY("t") ", 1, 0"
        " FROM galley_running t JOIN galley_limits m ON " GALLEY_LAST("t", "m.id") " WHERE t.id = ?1"}},
    }},
    {"galley_uses", {"limit_id", "key"}, {
      {"uses_orphan", "counts of limits that do not exist", "'limit ' || t.limit_id",
       "NOT EXISTS (SELECT 1 FROM galley_limits m WHERE m.id = t.limit_id)",
       {"DELETE FROM galley_uses WHERE limit_id = ?1 AND key = ?2"}},
      {"uses_count", "limits that count other claims than they have", "'limit ' || t.limit_id || ' ' || t.key",
       "t.running <> (SELECT count(*) FROM galley_running r WHERE " GALLEY_COUNTS("r", "t.limit_id", "t.key") ")",
       {"UPDATE galley_uses SET running = (SELECT count(*) FROM galley_running r WHERE "
        GALLEY_COUNTS("r", "galley_uses.limit_id", "galley_uses.key") ") WHERE limit_id = ?1 AND key = ?2"}},
    }},
    // Again, now that the counts are right.
    {"galley_keys", {"id"}, {
      {"key_aside", "lanes put aside for a limit that has room", "'key ' || t.key",
       "t.full_limit IS NOT NULL AND t.full_until_us IS NULL AND NOT EXISTS (SELECT 1 FROM galley_uses u"
       " JOIN galley_limits m ON m.id = u.limit_id WHERE m.id = t.full_limit AND u.key = CASE m.name WHEN '' THEN t.key"
       " ELSE '' END AND u.running >= m.max_running)",
       {"UPDATE galley_keys SET full_limit = NULL, job = (SELECT r.id FROM galley_ready r WHERE r.lane = ?1"
        " AND (galley_keys.holder = 0 OR r.id = galley_keys.holder) ORDER BY r.rank, r.id LIMIT 1) WHERE id = ?1",
        GALLEY_PUT_PLACE, GALLEY_PUT_TURNS}},
    }},
  };
}

}  // namespace galley::store::sqlite
// clang-format on
