// Each kind of damage, planted with raw SQL behind the store's back: it is found with its code, what can be put right
// is, and then nothing is found.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/clock.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/doctor.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

using namespace std::chrono_literals;

/// A store with a job of every sort.
class Patient {
 public:
  // The ids of what is in it.
  [[maybe_unused]] static constexpr JobId kReady = 1, kScheduled = 2, kCompleted = 3, kDead = 4, kRunning = 5,
                                          kCommand = 6, kGroup = 7, kMember = 8, kCallback = 9, kKeyed = 10,
                                          kOrdered = 11;

  Patient() {
    WorkerCard card;
    card.queues = {"default"};
    card.kinds = {"k", "done", "dies", "runs", "callback", "group", "member", "keyed", "held"};
    card.any_command = true;
    worker_ = store_->join(card).value();
    add_plain_jobs();
    add_batch();
    run("done", job::JobEvent::Complete);
    run("dies", job::JobEvent::Die);
    (void)claim("runs");
    add_keyed();
    const Measured measured{"default", "k", 1, 0, {}, {}};
    EXPECT_TRUE(store_->report(std::span(&measured, 1)));
  }

  void execute(const std::string& sql) {
    Database db(path_, false);
    db.execute(sql.c_str());
  }
  std::vector<Finding> examine(bool repair) { return store_->examine(repair).value(); }
  std::set<std::string> codes(bool repair = false) {
    std::set<std::string> all;
    for (const Finding& finding : examine(repair)) all.insert(finding.code);
    return all;
  }
  Store& store() { return *store_; }
  const std::string& path() const { return path_; }
  base::ManualClock& clock() { return clock_; }
  const test::TempDir& dir() const { return dir_; }

 private:
  static job::NewJob a_job(std::string kind) {
    job::NewJob job;
    job.kind = std::move(kind);
    job.payload = "{}";
    return job;
  }
  void add_plain_jobs() {
    job::NewJob ready = a_job("k");
    ready.tags = {"red"};
    ready.unique = {"only", UniqueUntil::Finish, OnConflict::Ignore};
    ready.expires = 2h;
    job::NewJob scheduled = a_job("k");
    scheduled.delay = 1h;
    job::NewJob done = a_job("done");
    done.unique = {"once", UniqueUntil::Finish, OnConflict::Ignore};
    job::NewJob command = a_job("c");
    command.content = job::Content::Command;
    command.program = "/bin/true";
    job::NewJob group = a_job("group");
    group.group.key = "g";
    group.group.max_jobs = 10;
    group.group.max_age = 1h;
    const std::vector jobs{ready, scheduled, done, a_job("dies"), a_job("runs"), command, group};
    EXPECT_EQ(store_->enqueue(jobs).value().back().id, kGroup);
  }
  void add_keyed() {
    LimitRule rule;
    rule.max_running = 2;
    EXPECT_TRUE(store_->put_limit({LimitScope::Name, "", "smtp"}, rule));
    job::NewJob keyed = a_job("keyed");
    keyed.key = "ann";
    keyed.limits = {"smtp"};
    job::NewJob ordered = a_job("keyed");
    ordered.key = "bob";
    ordered.ordered = true;
    job::NewJob held = a_job("held");
    held.limits = {"smtp"};
    EXPECT_EQ(store_->enqueue(std::vector{keyed, ordered, held}).value().at(1).id, kOrdered);
    (void)claim("held");
  }
  void add_batch() {
    const BatchId batch = store_->open_batch("b", "").value();
    job::NewJob member = a_job("member");
    member.batch = batch;
    job::NewJob callback = a_job("callback");
    callback.awaits = batch;
    EXPECT_EQ(store_->enqueue(std::vector{member, callback}).value().back().id, kCallback);
    EXPECT_TRUE(store_->seal_batch(batch));
  }
  job::Claim claim(const std::string& kind) {
    ClaimRequest request;
    request.worker = worker_;
    request.queues = {"default"};
    request.kinds = {{kind, 1}};
    request.limit = 1;
    request.lease = 8h;
    return store_->claim(request).value().claims.at(0);
  }
  void run(const std::string& kind, job::JobEvent event) {
    Finish finish;
    finish.claim = claim(kind).id;
    finish.event = event;
    finish.counters.attempts = 1;
    finish.outcome = "any";
    finish.result = event == job::JobEvent::Complete ? "a result" : "";
    EXPECT_EQ(store_->finish(std::span(&finish, 1)).value().at(0), FinishAnswer::Finished);
  }

  test::TempDir dir_;
  base::ManualClock clock_;
  std::string path_ = dir_.file("patient.db");
  std::unique_ptr<Store> store_ = open_sqlite({path_, Durability::Full, false, &clock_}).value();
  WorkerId worker_ = 0;
};

struct Damage {
  const char* name;
  const char* sql;
  std::set<std::string> codes;  ///< all that it shows as
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

class Doctor : public testing::TestWithParam<Damage> {};

// What the doctor puts right.
const Damage kRepairable[] = {
    {"ReadyPlaceGone", "DELETE FROM galley_ready WHERE id = 1", {"ready_missing"}},
    {"ACommandsPlaceByProgramGone",
     "DELETE FROM galley_ready WHERE id = 6 AND lane <> (SELECT lane FROM galley_jobs WHERE id = 6)",
     {"ready_missing"}},
    {"KeyedPlaceGone",
     "DELETE FROM galley_ready WHERE id = 10 AND lane > 0",
     {"ready_missing", "key_turn", "key_idle"}},
    {"ListedPlaceGone", "DELETE FROM galley_ready WHERE id = 10 AND lane < 0", {"ready_missing"}},
    {"LanesGone", "DELETE FROM galley_keys WHERE idle_us IS NULL", {"ready_missing", "ready_orphan", "turns_orphan"}},
    {"TurnGone", "DELETE FROM galley_turns WHERE job = 10", {"key_turn"}},
    {"TurnOfNobody", "INSERT INTO galley_turns VALUES (1, '', 5, 5, 5, 5)", {"turns_orphan"}},
    {"HolderGone", "UPDATE galley_keys SET holder = 999 WHERE ordered = 1", {"key_holder", "key_turn"}},
    {"AsideForNothing", "UPDATE galley_keys SET full_limit = 77 WHERE key = 'ann'", {"key_aside", "key_turn"}},
    {"IdleUnknown", "UPDATE galley_keys SET idle_us = 5 WHERE key = 'ann'", {"key_idle"}},
    {"LimitMiscounts", "UPDATE galley_uses SET running = 9", {"uses_count"}},
    {"LimitForgets", "DELETE FROM galley_uses", {"holds_uncounted"}},
    {"ClaimForgetsItsLimits", "UPDATE galley_running SET holds = NULL", {"uses_count"}},
    {"HoldsUnreadable",
     "UPDATE galley_running SET holds = 'smtp' WHERE holds IS NOT NULL",
     {"holds_unreadable", "uses_count"}},
    {"UseOfNoLimit", "INSERT INTO galley_uses VALUES (99, '', 0, 0)", {"uses_orphan"}},
    {"ShareOfNoKind", "INSERT INTO galley_shares VALUES (99, 0, 0)", {"shares_orphan"}},
    {"ReadyPlaceMoved", "UPDATE galley_ready SET rank = rank + 5 WHERE id = 1", {"ready_missing", "ready_orphan"}},
    {"ReadyPlaceOfNobody", "INSERT INTO galley_ready VALUES (1, 7, 999)", {"ready_orphan"}},
    {"ReadyAndRunning",
     "INSERT INTO galley_ready SELECT lane, position, id FROM galley_jobs WHERE id = 5",
     {"ready_orphan"}},
    {"ReadyAndEnded",
     "INSERT INTO galley_ended SELECT lane, 'dead', 5, id FROM galley_jobs WHERE id = 1",
     {"ended_orphan"}},
    {"DueTimeGone", "DELETE FROM galley_scheduled WHERE id = 2", {"scheduled_missing"}},
    {"DueTimeMoved",
     "UPDATE galley_scheduled SET due_us = due_us + 1 WHERE id = 2",
     {"scheduled_missing", "scheduled_orphan"}},
    {"DueTimeOfNobody", "INSERT INTO galley_scheduled VALUES (1, 9000000000000000, 999)", {"scheduled_orphan"}},
    {"EndGone", "DELETE FROM galley_ended WHERE id = 4", {"ended_missing"}},
    {"EndOfNobody", "INSERT INTO galley_ended VALUES (1, 'completed', 7, 999)", {"ended_orphan"}},
    {"ExpiryGone", "DELETE FROM galley_expiring WHERE id = 1", {"expiring_missing"}},
    {"ExpiryOfNobody", "INSERT INTO galley_expiring VALUES (9000000000000000, 999)", {"expiring_orphan"}},
    {"ClaimWithoutJob",
     "INSERT INTO galley_running (id, epoch, worker, lane, lease_us, started_us)"
     " SELECT 999, 1, worker, lane, lease_us, 0 FROM galley_running WHERE id = 5",
     {"claim_orphan"}},
    {"ClaimUnderAnotherKind", "UPDATE galley_running SET lane = lane + 1", {"claim_lane"}},
    {"ClaimOfNobody", "UPDATE galley_running SET worker = 999", {"claim_of_nobody"}},
    {"ExtrasWithoutJob", "INSERT INTO galley_extras VALUES (999, 'result', x'00')", {"extras_orphan"}},
    {"ExtrasUnmarked", "UPDATE galley_jobs SET extras = extras & ~1 WHERE id = 3", {"extras_unmarked"}},
    {"AttemptsWithoutJob", "UPDATE galley_attempts SET job = 999", {"attempts_orphan"}},
    {"AttemptsUnmarked", "UPDATE galley_jobs SET extras = extras & ~2 WHERE id = 4", {"attempts_unmarked"}},
    {"TagsWithoutJob", "INSERT INTO galley_tags VALUES ('red', 999)", {"tags_orphan"}},
    {"TagsUnmarked", "UPDATE galley_jobs SET extras = extras & ~8 WHERE id = 1", {"tags_unmarked"}},
    {"UniqueWithoutJob", "INSERT INTO galley_unique VALUES (999, 'k', 'key', 'finish', 1)", {"unique_orphan"}},
    {"UniqueUnmarked", "UPDATE galley_jobs SET extras = extras & ~4 WHERE id = 1", {"unique_unmarked"}},
    {"UniqueHeldByAnEndedJob", "UPDATE galley_unique SET held = 1 WHERE job = 3", {"unique_held"}},
    {"GroupWithoutJob",
     "INSERT INTO galley_groups SELECT 999, lane, 'x', 0, 0, 1, 1, 1, 1 FROM galley_groups",
     {"groups_orphan"}},
    {"GroupUnmarked", "UPDATE galley_jobs SET extras = extras & ~16 WHERE id = 7", {"groups_unmarked"}},
    {"GroupCountsOtherMembers", "UPDATE galley_groups SET jobs = 5", {"groups_count"}},
    {"GroupCountsOtherBytes", "UPDATE galley_groups SET bytes = 1", {"groups_count"}},
    {"MemberWithoutGroup", "INSERT INTO galley_members VALUES (999, 1, x'00')", {"members_orphan"}},
    {"BatchCountsTooMany", "UPDATE galley_batches SET total = total + 1", {"batch_counts"}},
    {"BatchCountsAFailure", "UPDATE galley_batches SET failed = failed + 1, total = total + 1", {"batch_counts"}},
    {"BatchKeepsTheRoom", "UPDATE galley_batches SET present = present + 1", {"batch_counts"}},
    {"BatchWithoutItsEnd",
     "UPDATE galley_jobs SET batch = NULL WHERE id = 8; UPDATE galley_batches SET total = 0, present = present - 1",
     {"batch_unfinished", "callback_stuck"}},
    {"CallbackWithoutJob",
     "INSERT INTO galley_callbacks VALUES (1, 'success', 999);"
     " UPDATE galley_batches SET present = present + 1",
     {"callbacks_orphan"}},
    {"CallbackUnmarked", "UPDATE galley_jobs SET extras = extras & ~32 WHERE id = 9", {"callbacks_unmarked"}},
    {"CallbackStuck",
     "UPDATE galley_batches SET failed_us = 5; UPDATE galley_callbacks SET trigger = 'failure'",
     {"callback_stuck"}},
    {"MinutesOfNoKind", "INSERT INTO galley_minutes (minute, lane) VALUES (1, 999)", {"minutes_orphan"}},
    {"CountsWrong", "UPDATE galley_lanes SET ready = ready + 1, dead = 0", {"counts"}},
    {"QueueCountsOtherWaitingJobs", "UPDATE galley_queues SET max_waiting = 99, waiting = 3", {"queue_waiting"}},
    {"IdsBehind", "UPDATE galley_clock SET next_job = 1", {"clock_counters"}},
    {"EpochsBehind", "UPDATE galley_clock SET epoch = 0", {"clock_counters"}},
    {"ClockRowGone", "DELETE FROM galley_clock", {"clock_counters", "unchecked"}},
    {"IndexGone", "DROP INDEX galley_jobs_key", {"schema_missing"}},
    {"ViewGone", "DROP VIEW galley_job", {"schema_missing"}},
    {"TableGone", "DROP TABLE galley_tags", {"schema_missing", "unchecked"}},
    {"VersionWrong", "UPDATE galley_meta SET value = '1' WHERE name = 'schema_version'", {"schema_version"}},
    {"VersionGone", "DELETE FROM galley_meta WHERE name = 'schema_version'", {"schema_version"}},
};

TEST_P(Doctor, FindsItPutsItRightAndThenFindsNothing) {
  Patient patient;
  ASSERT_EQ(patient.codes(), std::set<std::string>{});
  patient.execute(GetParam().sql);
  EXPECT_EQ(patient.codes(), GetParam().codes);
  for (const Finding& finding : patient.examine(false)) EXPECT_FALSE(finding.repaired) << finding.what;
  for (const Finding& finding : patient.examine(true)) {
    EXPECT_TRUE(finding.repairable) << finding.code << ": " << finding.what;
    EXPECT_TRUE(finding.repaired) << finding.code << ": " << finding.what;
  }
  for (const Finding& finding : patient.examine(false)) ADD_FAILURE() << finding.code << ": " << finding.what;
}
INSTANTIATE_TEST_SUITE_P(Damage, Doctor, testing::ValuesIn(kRepairable),
                         [](const auto& damage) { return std::string(damage.param.name); });

TEST(DoctorsWord, OnWhatOnlyAPersonCanPutRight) {
  const Damage damages[] = {
      {"state", "UPDATE galley_jobs SET state = 'lost' WHERE id = 4", {"job_state_unknown", "ended_orphan", "counts"}},
      {"lane",
       "UPDATE galley_jobs SET lane = 999 WHERE id = 4",
       {"job_lane_unknown", "ended_missing", "ended_orphan", "counts"}},
      {"definition",
       "DROP INDEX galley_jobs_key; CREATE INDEX galley_jobs_key ON galley_jobs (token)",
       {"schema_changed"}},
  };
  for (const Damage& damage : damages) {
    Patient patient;
    patient.execute(damage.sql);
    EXPECT_EQ(patient.codes(), damage.codes) << damage.name;
    for (const Finding& finding : patient.examine(true)) {
      const bool for_a_person = finding.code.starts_with("job_") || finding.code == "schema_changed";
      EXPECT_FALSE(for_a_person && (finding.repairable || finding.repaired)) << finding.what;
    }
    EXPECT_FALSE(patient.codes().empty()) << damage.name << " is still there";
  }
}

TEST(DoctorsWord, ManyRowsAreOneFindingWithTheirNumberAndAllArePutRight) {
  Patient patient;
  patient.execute(
      "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 12999)"
      " INSERT INTO galley_ready SELECT 1, i, i FROM n");
  const auto found = patient.examine(false);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].what.starts_with("12000 ")) << found[0].what;
  EXPECT_NE(found[0].what.find("job 1000"), std::string::npos) << found[0].what;
  EXPECT_TRUE(patient.examine(true).at(0).repaired);
  EXPECT_EQ(patient.codes(), std::set<std::string>{});
}

TEST(DoctorsWord, AJobThatWasPutRightRuns) {
  Patient patient;
  patient.execute("DELETE FROM galley_ready; DELETE FROM galley_scheduled");
  EXPECT_EQ(patient.codes(true), (std::set<std::string>{"ready_missing", "scheduled_missing"}));
  patient.clock().advance(61min);
  const WorkerId worker = patient.store().join({"host:9"}).value();
  ClaimRequest request;
  request.worker = worker;
  request.queues = {"default"};
  request.kinds = {{"k", 9}, {"member", 9}};
  request.limit = 9;
  EXPECT_EQ(patient.store().claim(request).value().claims.size(), 3U);
}

TEST(DoctorsWord, ADamagedPageIsNamedAndTheRestIsStillLookedAt) {
  Patient patient;
  patient.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  Database db(patient.path(), false);
  const std::int64_t page = db.number("SELECT rootpage FROM sqlite_schema WHERE name = 'galley_jobs_key'");
  const std::int64_t bytes = db.number("PRAGMA page_size");
  sqlite3_file* file = nullptr;  // through SQLite's own descriptor, or its locks would be lost
  sqlite3_file_control(db.raw(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  const std::string rubbish(static_cast<std::size_t>(bytes), '\x5a');
  ASSERT_EQ(file->pMethods->xWrite(file, rubbish.data(), static_cast<int>(bytes), (page - 1) * bytes), SQLITE_OK);
  patient.execute("UPDATE galley_meta SET value = value");  // so that other connections drop what they remember
  patient.execute("DELETE FROM galley_ended WHERE id = 4");
  const auto codes = patient.codes();
  EXPECT_TRUE(codes.contains("integrity"));
  EXPECT_TRUE(codes.contains("ended_missing"));
  for (const Finding& finding : patient.examine(true)) {
    EXPECT_FALSE(finding.code == "integrity" && finding.repaired) << finding.what;
  }
}

TEST(DoctorsWord, AnIndexThatIsNotItsTablesIsFoundByTheLongCheckAndRebuilt) {
  Patient patient;
  const std::string row = "sqlite_schema WHERE name = 'galley_jobs_key'";
  patient.execute("PRAGMA writable_schema = ON; CREATE TABLE kept AS SELECT * FROM " + row + "; DELETE FROM " + row);
  patient.execute("UPDATE galley_jobs SET key = 'unseen' WHERE id = 3");  // a connection that knows no such index
  patient.execute("PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept");
  patient.execute("DROP TABLE kept");
  EXPECT_EQ(patient.codes(), std::set<std::string>{}) << "the quick check does not look there";
  const auto found = patient.examine(true);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].code, "integrity");
  EXPECT_NE(found[0].what.find("galley_jobs_key"), std::string::npos) << found[0].what;
  EXPECT_TRUE(found[0].repaired);
  EXPECT_TRUE(patient.examine(true).empty());
  Database db(patient.path(), false);
  EXPECT_EQ(db.number("SELECT id FROM galley_jobs WHERE key = 'unseen'"), 3);
}

TEST(DoctorsWord, AHugeLogIsTakenOver) {
  Patient patient;
  std::filesystem::resize_file(patient.path() + "-wal", std::uintmax_t{300} << 20U);
  EXPECT_EQ(patient.codes(), std::set<std::string>{"log_large"});
  EXPECT_TRUE(patient.examine(true).at(0).repaired);
  EXPECT_EQ(patient.codes(), std::set<std::string>{});
}

TEST(DoctorsWord, OnWhatStandsRoundTheFile) {
  EXPECT_TRUE(look_round({Durability::Full, "ext4", 10, 100, 4096}).empty());
  EXPECT_EQ(look_round({Durability::Normal, "ext4", 0, 100, 4096}).at(0).code, "durability");
  EXPECT_EQ(look_round({Durability::Full, "nfs4", 0, 100, 4096}).at(0).code, "network_file_system");
  EXPECT_EQ(look_round({Durability::Full, "ext4", 60'000, 100'000, 4096}).at(0).code, "free_pages");
  EXPECT_TRUE(look_round({Durability::Full, "ext4", 40'000, 100'000, 4096}).empty());
}

/// One row's question, as the walk asks it of every row, must not walk through another table; but what runs (`r`) and
/// limits (`m`) are few.
TEST(DoctorsWord, EachQuestionIsAnsweredByIndexes) {
  Patient patient;
  Database db(patient.path(), false);
  const auto plan_of = [&db](const std::string& sql) {
    std::string plan;
    Query rows(db, "EXPLAIN QUERY PLAN " + sql);
    while (rows.row()) {
      const std::string line = rows.text(3);
      if (line != "SCAN r" && !line.starts_with("SCAN m ")) plan += line + "\n";
    }
    return plan;
  };
  std::vector<CheckedTable> tables = checked_tables();
  tables.push_back(checked_queues());
  for (const CheckedTable& table : tables) {
    std::string key;
    for (const char* column : table.key) key += std::string(key.empty() ? "" : " AND ") + "t." + column + " = ?";
    for (const RowCheck& check : table.checks) {
      const std::string asked =
          std::string("SELECT 1 FROM ") + table.name + " t WHERE " + key + " AND (" + check.wrong + ")";
      EXPECT_EQ(plan_of(asked).find("SCAN"), std::string::npos) << check.code << "\n" << plan_of(asked);
      for (const std::string repair : check.repairs) {
        if (repair.find("galley_clock") != std::string::npos) continue;  // its one row
        EXPECT_EQ(plan_of(repair).find("SCAN"), std::string::npos) << repair << "\n" << plan_of(repair);
      }
    }
  }
}

TEST(DoctorsWord, AnApplicationsOwnTablesAreNoneOfItsBusiness) {
  Patient patient;
  patient.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY); CREATE TABLE galleys (id INTEGER PRIMARY KEY)");
  EXPECT_EQ(patient.codes(), std::set<std::string>{});
}

TEST(DoctorsWord, NothingIsFoundWhileWorkersWork) {
  Patient patient;
  std::atomic<bool> over = false;
  std::thread busy([&] {
    WorkerCard card;
    card.queues = {"default"};
    card.kinds = {"busy"};
    const WorkerId worker = patient.store().join(card).value();
    job::NewJob job;
    job.kind = "busy";
    job.payload = "{}";
    job.tags = {"t"};
    while (!over) {
      EXPECT_TRUE(patient.store().enqueue(std::vector<job::NewJob>(20, job)));
      const auto claimed = patient.store().claim({worker, {"default"}, {{"busy", 20}}, {}, 20, 30s}).value();
      std::vector<Finish> finishes;
      for (const job::Claim& claim : claimed.claims) {
        Finish finish;
        finish.claim = claim.id;
        finish.counters.attempts = 1;
        finish.event = claim.id.job % 3 == 0 ? job::JobEvent::Retry : job::JobEvent::Complete;
        finish.outcome = "failed";
        finishes.push_back(finish);
      }
      EXPECT_TRUE(patient.store().finish(finishes));
    }
  });
  for (int i = 0; i < 20; ++i) {
    for (const Finding& finding : patient.examine(i % 2 == 1)) ADD_FAILURE() << finding.code << ": " << finding.what;
  }
  over = true;
  busy.join();
}

}  // namespace
}  // namespace galley::store::sqlite
