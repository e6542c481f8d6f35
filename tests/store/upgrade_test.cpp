// A file of schema version 1, as programs of that version left it, with a job in each state.

#include <gtest/gtest.h>

#include <sqlite3.h>

#include <map>

#include "base/clock.hpp"
#include "store/app_connection.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/schema.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

using namespace std::chrono_literals;

// As it was: what has been released is never changed again.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE galley_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE galley_clock (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  next_id INTEGER NOT NULL,
  tick INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  signals INTEGER NOT NULL
) STRICT;
CREATE TABLE galley_queues (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  paused INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE galley_lanes (
  id INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  kind TEXT NOT NULL,
  program TEXT NOT NULL,
  scheduled INTEGER NOT NULL DEFAULT 0,
  ready INTEGER NOT NULL DEFAULT 0,
  blocked INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  completed INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  discarded INTEGER NOT NULL DEFAULT 0,
  expired INTEGER NOT NULL DEFAULT 0,
  UNIQUE (queue, kind, program)
) STRICT;
CREATE TABLE galley_jobs (
  id INTEGER PRIMARY KEY,
  lane INTEGER NOT NULL,
  state TEXT NOT NULL,
  position INTEGER NOT NULL,
  content TEXT NOT NULL,
  priority INTEGER NOT NULL,
  key TEXT,
  payload BLOB NOT NULL,
  timeout_us INTEGER,
  grace_us INTEGER,
  on_timeout TEXT,
  max_attempts INTEGER,
  max_pauses INTEGER,
  max_crashes INTEGER,
  backoff TEXT,
  resumable INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  errors INTEGER NOT NULL DEFAULT 0,
  pauses INTEGER NOT NULL DEFAULT 0,
  snoozes INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  enqueued_us INTEGER NOT NULL,
  started_us INTEGER,
  epoch INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  extras INTEGER NOT NULL DEFAULT 0,
  token TEXT
) STRICT;
CREATE UNIQUE INDEX galley_jobs_token ON galley_jobs (token) WHERE token IS NOT NULL;
CREATE TABLE galley_ready (
  lane INTEGER NOT NULL, rank INTEGER NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (lane, rank, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_scheduled (
  queue INTEGER NOT NULL, due_us INTEGER NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (queue, due_us, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_running (
  id INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  worker INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  lease_us INTEGER NOT NULL,
  started_us INTEGER NOT NULL,
  cancel INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE galley_ended (
  lane INTEGER NOT NULL, state TEXT NOT NULL, ended_us INTEGER NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (lane, state, ended_us, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_extras (
  job INTEGER NOT NULL, what TEXT NOT NULL, bytes BLOB NOT NULL,
  PRIMARY KEY (job, what)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_attempts (
  job INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  started_us INTEGER NOT NULL,
  ended_us INTEGER NOT NULL,
  worker TEXT NOT NULL,
  run_time_us INTEGER NOT NULL,
  error TEXT,
  exit_code INTEGER,
  signal INTEGER,
  out TEXT,
  err TEXT,
  log TEXT,
  PRIMARY KEY (job, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE galley_workers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  pools TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  lock_file TEXT NOT NULL,
  started_us INTEGER NOT NULL,
  gone INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE VIEW galley_job AS
  SELECT j.id, q.name AS queue, l.kind, CASE WHEN r.id IS NULL THEN j.state ELSE 'running' END AS state,
         j.priority, j.key, j.content, j.payload, j.attempts, j.errors, j.error,
         datetime(j.enqueued_us / 1000000, 'unixepoch') AS enqueued_at, w.name AS worker
  FROM galley_jobs j JOIN galley_lanes l ON l.id = j.lane JOIN galley_queues q ON q.id = l.queue
  LEFT JOIN galley_running r ON r.id = j.id LEFT JOIN galley_workers w ON w.id = r.worker;
INSERT INTO galley_clock VALUES (1, 1, 0, 0, 0);
INSERT INTO galley_meta VALUES ('schema_version', '1');
)sql";

// Times are seconds after the manual clock's beginning. The worker's boot is over, so its claim is lost.
constexpr const char* kJobs = R"sql(
CREATE TEMP TABLE now AS SELECT 1767225600000000 AS us;
INSERT INTO galley_queues VALUES (1, 'default', 0), (2, 'slow', 1);
INSERT INTO galley_lanes (id, queue, kind, program, scheduled, ready, running, completed, dead, cancelled, discarded)
  VALUES (1, 1, 'k', '', 2, 1, 1, 1, 1, 1, 1), (2, 1, 'c', 'p', 0, 1, 0, 0, 0, 0, 0),
         (3, 1, '', 'p', 0, 0, 0, 0, 0, 0, 0), (4, 1, '', '', 0, 0, 0, 0, 0, 0, 0);
INSERT INTO galley_jobs (id, lane, state, position, content, priority, key, payload, enqueued_us, token)
  SELECT 1, 1, 'ready', us + 1 - 2 * 3600000000, 'json', 2, 'ann', CAST('[1]' AS BLOB), us, 'once' FROM now;
INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us, max_attempts, backoff)
  SELECT 2, 1, 'scheduled', us + 3600000000, 'json', 0, CAST('[2]' AS BLOB), us, 3, 'fixed:10s' FROM now;
INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us)
  SELECT 3, 2, 'ready', us + 3, 'command', 0, CAST('{"argv":["p"]}' AS BLOB), us FROM now;
INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us)
  SELECT 4, 1, 'ready', us + 4, 'json', 0, CAST('[4]' AS BLOB), us FROM now;
INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us, attempts, started_us,
                         epoch, extras)
  SELECT 5, 1, 'completed', us, 'json', 0, CAST('[5]' AS BLOB), us, 1, us, 1, 1 FROM now;
INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us, attempts, errors,
                         started_us, epoch, error, extras)
  SELECT 6, 1, 'dead', us, 'json', 0, CAST('[6]' AS BLOB), us, 1, 10, us, 2, 'boom', 2 FROM now;
INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us)
  SELECT 7, 1, 'cancelled', us, 'bytes', 0, x'00ff', us FROM now;
INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us, attempts, started_us,
                         epoch)
  SELECT 8, 1, 'discarded', us, 'json', 0, CAST('[8]' AS BLOB), us, 1, us, 3 FROM now;
INSERT INTO galley_jobs (id, lane, state, position, content, priority, payload, enqueued_us, attempts, errors,
                         started_us, epoch, error, extras)
  SELECT 9, 1, 'scheduled', us + 5000000, 'json', 0, CAST('[9]' AS BLOB), us + 9, 1, 1, us, 4, 'boom', 3 FROM now;
INSERT INTO galley_ready SELECT lane, position, id FROM galley_jobs WHERE id IN (1, 3);
INSERT INTO galley_ready SELECT l.id, position, j.id FROM galley_jobs j, galley_lanes l
  WHERE j.id = 3 AND l.id IN (3, 4);
INSERT INTO galley_scheduled SELECT 1, position, id FROM galley_jobs WHERE id IN (2, 9);
INSERT INTO galley_running SELECT 4, 5, 1, 1, 9000000000000, us, 0 FROM now;
INSERT INTO galley_ended SELECT lane, state, position, id FROM galley_jobs WHERE id IN (5, 6, 7, 8);
INSERT INTO galley_extras VALUES (5, 'result', CAST('42' AS BLOB)), (9, 'checkpoint', CAST('half' AS BLOB));
INSERT INTO galley_attempts SELECT id, 1, 'failed', us, us, 'old:1', 7, 'boom', 3, NULL, 'out', NULL, NULL
  FROM galley_jobs, now WHERE id IN (6, 9);
INSERT INTO galley_workers SELECT 1, 'old:1', 'x=4', 'an earlier boot', '', us, 0 FROM now;
UPDATE galley_clock SET next_id = 10, tick = (SELECT us + 100 FROM now), epoch = 5, signals = 2;
DROP TABLE now;
)sql";

class Upgrade : public testing::Test {
 protected:
  Upgrade() {
    sqlite3* made = nullptr;
    EXPECT_EQ(sqlite3_open(path_.c_str(), &made), SQLITE_OK);
    for (const char* sql : {"PRAGMA journal_mode = WAL", kVersion1, kJobs}) {
      EXPECT_EQ(sqlite3_exec(made, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(made);
    }
    EXPECT_EQ(sqlite3_close(made), SQLITE_OK);
  }

  [[nodiscard]] std::unique_ptr<Store> open() {
    SqliteOptions options;
    options.path = path_;
    options.durability = Durability::Normal;
    options.clock = &clock_;
    return open_sqlite(options).value();
  }
  static void expect_sound(Store& store) {
    for (const Finding& finding : store.examine(false).value()) {
      if (finding.code == "unserved" || finding.code == "durability") continue;  // no workers here, and no syncs
      ADD_FAILURE() << finding.code << ": " << finding.what;
    }
  }
  static JobId add(Store& store, const job::NewJob& job) {
    const Enqueued added = store.enqueue(std::span(&job, 1)).value().at(0);
    EXPECT_FALSE(added.refused) << added.reason;
    return added.id;
  }
  static job::NewJob a_job() {
    job::NewJob job;
    job.kind = "k";
    job.payload = "1";
    return job;
  }

  test::TempDir dir_;
  const std::string path_ = dir_.file("jobs.db");
  base::ManualClock clock_;
};

TEST_F(Upgrade, KeepsEachJobAsItWas) {
  const auto store = open();
  EXPECT_EQ(store->info().value().schema, kSchemaVersion);
  const std::map<JobId, JobState> states{{1, JobState::Ready},     {2, JobState::Scheduled}, {3, JobState::Ready},
                                         {4, JobState::Running},   {5, JobState::Completed}, {6, JobState::Dead},
                                         {7, JobState::Cancelled}, {8, JobState::Discarded}, {9, JobState::Scheduled}};
  const auto all = store->list({}, "", limits::kMaxPage).value().jobs;
  EXPECT_EQ(all.size(), states.size());
  for (const auto& [id, state] : states) {
    const auto job = store->find(id).value();
    EXPECT_EQ(job.state, state) << id;
    EXPECT_TRUE(job.unique.key.empty() && job.group.key.empty() && job.tags.empty() && job.headers.empty()) << id;
    EXPECT_FALSE(job.expires_at || job.deadline_at || job.redacted || job.batch != 0 || job.awaits != 0) << id;
  }
  EXPECT_EQ(store->find(1)->key, "ann");
  EXPECT_EQ(store->find(1)->priority, 2);
  EXPECT_EQ(store->find(2)->due_at, clock_.wall() + 1h);
  EXPECT_EQ(store->find(2)->policy.max_attempts, 3);
  EXPECT_EQ(store->find(3)->program, "p");
  EXPECT_EQ(store->find(4)->worker, "old:1");
  EXPECT_EQ(store->find(5)->result, "42");
  EXPECT_EQ(store->find(6)->error, "boom");
  EXPECT_EQ(store->find(6)->error_class, "");
  EXPECT_EQ(store->find(7)->payload, std::string("\x00\xff", 2));
  EXPECT_EQ(store->find(9)->checkpoint, "half");
  EXPECT_EQ(store->attempts(6).value().at(0).report.exit_code, 3);
  EXPECT_EQ(store->workers().value().at(0).card.pools, "x=4");
  expect_sound(*store);
}

TEST_F(Upgrade, LeavesJobsThatGoOnFromWhereTheyWere) {
  const auto store = open();
  const StepAnswer step = store->step(limits::kMaxStep).value();
  EXPECT_EQ(step.recovered, 1) << "the claim of the worker that did not live to see it";
  clock_.advance(6s);
  EXPECT_EQ(store->step(limits::kMaxStep)->promoted, 1);

  ClaimRequest request;
  request.worker = store->join({"new:1", ""}).value();
  request.queues = {"default"};
  request.kinds = {{"k", 10}};
  request.commands = {.max = 10, .any = true, .programs = {}};
  request.limit = 10;
  std::vector<Finish> finishes;
  std::vector<JobId> order;
  const Claimed claimed = store->claim(request).value();
  for (const job::Claim& claim : claimed.claims) {
    EXPECT_GT(claim.id.epoch, 5) << "epochs only grow";
    order.push_back(claim.id.job);
    Finish& finish = finishes.emplace_back();
    finish.claim = claim.id;
    finish.counters.attempts = claim.counters.attempts + 1;
    finish.outcome = "completed";
  }
  EXPECT_EQ(order, (std::vector<JobId>{1, 3, 4, 9})) << "by rank: old ones keep their places";
  for (const FinishAnswer answer : store->finish(finishes).value()) EXPECT_EQ(answer, FinishAnswer::Finished);

  const std::vector<JobId> ended{5, 6, 7, 8, 2};
  using enum Operated;
  EXPECT_EQ(store->retry(ended).value(), (std::vector{WrongState, Done, Done, Done, Done}));
  EXPECT_EQ(store->alter(ended, {.queue = "slow", .priority = 3}).value(), (std::vector{Done, Done, Done, Done, Done}));
  EXPECT_EQ(store->erase(ended).value(), (std::vector{Done, Done, Done, Done, Done}));
  expect_sound(*store);
}

TEST_F(Upgrade, HasAllThatIsNew) {
  const auto store = open();
  job::NewJob again = a_job();
  again.token = "once";
  EXPECT_EQ(add(*store, again), 1) << "tokens are still known";
  job::NewJob job = a_job();
  job.unique.key = "u";
  job.tags = {"red"};
  job.deadline = 1min;
  job.batch = store->open_batch("b", "").value();
  EXPECT_EQ(add(*store, job), 10) << "ids only grow";
  EXPECT_EQ(add(*store, job), 10);
  job::NewJob member = a_job();
  member.group.key = "g";
  EXPECT_EQ(add(*store, member), 11);
  job::NewJob elsewhere = a_job();
  elsewhere.queue = "other";
  EXPECT_EQ(add(*store, elsewhere), 12) << "queues and lanes get ids of their own";
  ASSERT_TRUE(store->set_max_waiting("default", 7));
  const job::NewJob more = a_job();
  EXPECT_EQ(store->enqueue(std::span(&more, 1)).value().at(0).refused, std::nullopt)
      << "there are 6: 1, 2, 3, 9, 10, 11";
  EXPECT_EQ(store->enqueue(std::span(&more, 1)).value().at(0).refused, Errc::QueueFull);
  Filter by_key;
  by_key.key = "ann";
  EXPECT_EQ(store->select(by_key, "", 10)->ids, std::vector<JobId>{1});
  Filter since;
  since.since = clock_.wall() + 9us;
  EXPECT_EQ(store->select(since, "", 10)->ids, (std::vector<JobId>{9, 10, 11, 12, 13}));
  clock_.advance(2min);
  EXPECT_EQ(store->step(limits::kMaxStep)->expired, 1);
  expect_sound(*store);
}

TEST_F(Upgrade, StopsProgramsOfFormerVersionsThatHaveTheFileOpen) {
  const auto store = open();
  // With these each transaction of theirs begins; versions 1, 2 and 3.
  for (const char* begins : {"SELECT next_id, tick, epoch, signals FROM galley_clock WHERE only = 1",
                             "SELECT next_job, tick, epoch, signals, enqueued_us, names, config,"
                             " EXISTS (SELECT 1 FROM galley_schedules WHERE name > '') FROM galley_clock",
                             "SELECT next_job, tick, epoch, signals, enqueued_us, names, settings FROM galley_clock"}) {
    Database db(path_, false);
    EXPECT_THROW(Query(db, std::string(begins)), SqlError) << begins;
  }
}

/// What version 4 changed, the other way round.
constexpr const char* kBackToVersion3 = R"sql(
CREATE TABLE galley_holds (
  job INTEGER NOT NULL, limit_id INTEGER NOT NULL, key TEXT NOT NULL,
  PRIMARY KEY (job, limit_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX galley_holds_limit ON galley_holds (limit_id, key);
ALTER TABLE galley_clock RENAME COLUMN options TO settings;
ALTER TABLE galley_running DROP COLUMN holds;
ALTER TABLE galley_running RENAME COLUMN noted TO held;
UPDATE galley_meta SET value = '3' WHERE name = 'schema_version';
)sql";

TEST_F(Upgrade, OfVersionThreeGivesBackWhatClaimsHeld) {
  const LimitTarget smtp{LimitScope::Name, "", "smtp"};
  LimitRule rule;
  rule.max_running = 1;
  ClaimRequest request;
  request.queues = {"other"};
  request.kinds = {{"k", 2}};
  request.limit = 2;
  job::ClaimId held;
  {
    const auto store = open();
    ASSERT_TRUE(store->put_limit(smtp, rule));
    ASSERT_TRUE(store->put_limit({LimitScope::Key, "other", ""}, rule));
    job::NewJob job = a_job();
    job.queue = "other";
    job.key = "bob";
    job.limits = {"smtp"};
    add(*store, job);
    add(*store, job);
    request.worker = store->join({"new:1", ""}).value();
    const Claimed claimed = store->claim(request).value();
    ASSERT_EQ(claimed.claims.size(), 1U);
    held = claimed.claims.front().id;
  }
  const test::AppConnection old(path_);
  EXPECT_EQ(old.number("SELECT holds LIKE '_,_:bob' FROM galley_running WHERE id = " + std::to_string(held.job)), 1);
  old.execute(kBackToVersion3);
  const std::string job = std::to_string(held.job);
  old.execute("INSERT INTO galley_holds SELECT " + job +
              ", limit_id, key FROM galley_uses;"
              "UPDATE galley_running SET held = 3 WHERE id = " +
              job);
  const auto store = open();
  EXPECT_EQ(old.number("SELECT holds LIKE '_,_:bob' AND noted = 1 FROM galley_running WHERE id = " + job), 1);
  expect_sound(*store);
  EXPECT_TRUE(store->claim(request)->claims.empty());
  Finish finish;
  finish.claim = held;
  finish.counters.attempts = 1;
  finish.outcome = "completed";
  EXPECT_EQ(store->finish(std::vector{finish}).value().front(), FinishAnswer::Finished);
  for (const LimitStats& limit : store->limits().value()) EXPECT_EQ(limit.running, 0);
  EXPECT_EQ(store->claim(request)->claims.size(), 1U);
  expect_sound(*store);
}

TEST_F(Upgrade, HappensOnceAndIsFoundDone) {
  { const auto first = open(); }
  const auto second = open();
  EXPECT_EQ(second->find(1)->key, "ann");
  expect_sound(*second);
}

/// A program of version 1 would not count names, nor give up unique keys: it must not write any more, and know it.
TEST_F(Upgrade, StopsAProgramOfVersionOneThatHasTheFileOpen) {
  const test::AppConnection old(path_);
  sqlite3_stmt* clock = nullptr;  // with which each of its transactions began
  ASSERT_EQ(sqlite3_prepare_v2(old.raw(), "SELECT next_id, tick, epoch, signals FROM galley_clock WHERE only = 1", -1,
                               &clock, nullptr),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_step(clock), SQLITE_ROW);
  sqlite3_reset(clock);

  const auto store = open();
  EXPECT_EQ(sqlite3_step(clock), SQLITE_ERROR);
  EXPECT_STREQ(sqlite3_errmsg(old.raw()), "no such column: next_id");
  sqlite3_finalize(clock);
  expect_sound(*store);
}

TEST_F(Upgrade, WaitsForATransactionOfVersionOneAndTakesOverWhatItWrote) {
  const test::AppConnection old(path_);
  old.execute("BEGIN IMMEDIATE");
  SqliteOptions options;
  options.path = path_;
  options.clock = &clock_;
  options.busy_timeout = 1ms;
  EXPECT_EQ(open_sqlite(options).error().code, Errc::Unavailable) << "and nothing is changed";
  old.execute("UPDATE galley_clock SET next_id = 20");
  old.execute("COMMIT");
  EXPECT_EQ(add(*open(), a_job()), 20);
}

}  // namespace
}  // namespace galley::store::sqlite
