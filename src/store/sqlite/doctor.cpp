#include "store/sqlite/doctor.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>

#include "job/state.hpp"
#include "store/sqlite/schema.hpp"

namespace galley::store::sqlite {

namespace {

constexpr int kMaxComplaints = 20;                // of SQLite's own check; one is enough to act
constexpr std::int64_t kMaxLogBytes = 256 << 20;  // four times what is given back after a burst
constexpr std::int64_t kMaxFreeBytes = 64 << 20;  // free pages are used again, so less is not worth a word
constexpr std::int64_t kClockSlack = 60'000'000;  // us that ticks may run ahead, as after many enqueues at once
constexpr std::array<const char*, kJobStates> kColumns{"scheduled", "ready",     "blocked",   "running", "completed",
                                                       "dead",      "cancelled", "discarded", "expired"};

using Schema = std::map<std::string, std::string>;

Schema schema_of(Database& db) {
  Schema schema;
  Query rows(db, "SELECT name, sql FROM sqlite_schema WHERE name LIKE 'galley\\_%' ESCAPE '\\' AND sql IS NOT NULL");
  while (rows.row()) schema[rows.text(0)] = rows.text(1);
  return schema;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string mib(std::int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

/// Damage that stops one question must not stop the others.
template <class Body>
void Doctor::attempt(std::string_view what, Body body) {
  try {
    body();
  } catch (const SqlError& error) {
    if (db_.in_transaction()) sqlite3_exec(db_.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
    find({"unchecked", std::string(what) + " could not be looked at: " + error.what()});
  }
}

std::vector<std::string> Doctor::complaints(const char* pragma) {
  std::vector<std::string> all;
  try {
    Query rows(db_, std::string("PRAGMA ") + pragma + "(" + std::to_string(kMaxComplaints) + ")");
    while (rows.row()) {
      std::string line = rows.text(0);
      if (line == "ok") continue;
      std::replace(line.begin(), line.end(), '\n', ' ');  // a complaint about one page begins with a heading of its own
      all.push_back(std::move(line));
    }
  } catch (const SqlError& error) {
    all.emplace_back(error.what());
  }
  return all;
}

void Doctor::check_integrity() {
  // The quick check does not hold indexes against their tables. Whoever wants a repair waits for the long one.
  const char* const check = repair_ ? "integrity_check" : "quick_check";
  const std::vector<std::string> wrong = complaints(check);
  if (wrong.empty()) return;
  const bool of_index = std::all_of(wrong.begin(), wrong.end(),
                                    [](const std::string& line) { return line.find(" index ") != std::string::npos; });
  Finding finding{"integrity", "SQLite finds the file damaged: " + wrong.front(), of_index, false};
  if (!of_index) finding.what += "; restore a backup, or save what is readable with `sqlite3 FILE .recover`";
  if (repair_ && of_index) {
    attempt("an index", [&] { db_.execute("REINDEX"); });
    finding.repaired = complaints(check).empty();
  }
  find(std::move(finding));
}

void Doctor::check_schema() {
  attempt("the tables' definitions", [&] {
    Database fresh(":memory:", false);
    create_tables(fresh);
    const Schema wanted = schema_of(fresh);
    const Schema there = schema_of(db_);
    std::vector<std::string> changed;
    std::vector<std::string> missing;
    for (const auto& [name, sql] : wanted) {
      const auto at = there.find(name);
      if (at == there.end()) missing.push_back(name);
      if (at != there.end() && at->second != sql) changed.push_back(name);
    }
    if (!changed.empty()) find({"schema_changed", "defined otherwise than by this program: " + joined(changed)});
    if (!missing.empty()) {
      Finding finding{"schema_missing", "missing: " + joined(missing), true, false};
      if (repair_) {
        in_transaction(db_, [&] {  // tables first, or their indexes have nothing to stand on
          for (const char* kind : {"CREATE TABLE", "CREATE"}) {
            for (const std::string& name : missing) {
              const bool again = kind[6] == '\0' && wanted.at(name).rfind("CREATE TABLE", 0) == 0;
              if (!again && wanted.at(name).rfind(kind, 0) == 0) db_.execute(wanted.at(name).c_str());
            }
          }
        });
        finding.repaired = true;
      }
      find(std::move(finding));
    }
    const std::string version = std::to_string(kSchemaVersion);
    Query row(db_, "SELECT value FROM galley_meta WHERE name = 'schema_version'");
    const std::string said = row.row() ? row.text(0) : "none";
    if (said == version) return;
    Finding finding{"schema_version", "the file says schema " + said + ", its tables are of " + version,
                    changed.empty(), false};
    if (repair_ && changed.empty()) {
      in_transaction(db_, [&] {
        Query(db_,
              "INSERT INTO galley_meta (name, value) VALUES ('schema_version', ?1)"
              " ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(version)
            .run();
      });
      finding.repaired = true;
    }
    find(std::move(finding));
  });
}

void Doctor::check_rows() {
  for (const CheckedTable& table : checked_tables()) {
    attempt(table.name, [&] {
      for (Finding& finding : check_table(db_, table, repair_)) find(std::move(finding));
    });
  }
}

/// What the jobs say, in one snapshot.
struct Doctor::Counted {
  std::map<std::int64_t, std::array<std::int64_t, kJobStates>> said;  ///< by the lanes
  std::map<std::int64_t, std::array<std::int64_t, kJobStates>> are;
  std::int64_t last_id = 0;
  std::int64_t last_epoch = 0;
};

Doctor::Counted Doctor::count_contents() {
  Counted counted;
  {
    std::string columns;
    for (const char* column : kColumns) columns += std::string(", ") + column;
    Query rows(db_, "SELECT id" + columns + " FROM galley_lanes");
    while (rows.row()) {
      for (int i = 0; i < kJobStates; ++i) {
        counted.said[rows.integer(0)][static_cast<std::size_t>(i)] = rows.integer(1 + i);
      }
      counted.are[rows.integer(0)];
    }
  }
  Query rows(db_,
             "SELECT j.lane, j.state, r.epoch, j.epoch, j.id FROM galley_jobs j"
             " LEFT JOIN galley_running r ON r.id = j.id");
  while (rows.row()) {
    const bool runs = !rows.null(2);
    const auto state = runs ? std::optional(JobState::Running) : job_state_from(rows.text(1));
    const auto lane = counted.are.find(rows.integer(0));
    if (state && lane != counted.are.end()) ++lane->second[static_cast<std::size_t>(*state)];
    counted.last_id = std::max(counted.last_id, rows.integer(4));
    counted.last_epoch = std::max({counted.last_epoch, rows.integer(3), runs ? rows.integer(2) : 0});
  }
  return counted;
}

void Doctor::check_clock() {
  attempt("the store's clock", [&] {
    bool missing = false;
    std::int64_t next_id = 0, tick = 0, epoch = 0;
    Counted counted;
    db_.execute("BEGIN");
    {
      Query row(db_, "SELECT next_job, tick, epoch FROM galley_clock WHERE only = 1");
      missing = !row.row();
      if (!missing) next_id = row.integer(0), tick = row.integer(1), epoch = row.integer(2);
    }
    counted = count_contents();
    db_.execute("COMMIT");
    if (!missing && tick > wall_us_ + kClockSlack) {
      find({"clock_behind", "the calendar stands " + std::to_string((tick - wall_us_) / 1'000'000) +
                                " s before the last time that was written here: it was stepped back, and jobs are"
                                " ordered by the later time until it is reached again"});
    }
    if (!missing && next_id > counted.last_id && epoch >= counted.last_epoch) return;
    Finding finding{"clock_counters",
                    missing ? "the row of counters is missing: nothing can be enqueued or claimed"
                            : "the counters are behind the jobs: ids or epochs would be used again",
                    true, false};
    if (repair_) {
      in_transaction(db_, [&] {
        db_.execute("INSERT OR IGNORE INTO galley_clock (only, next_job, tick, epoch, signals) VALUES (1, 1, 0, 0, 0)");
        db_.execute(
            "UPDATE galley_clock SET next_job = max(next_job, 1 + (SELECT coalesce(max(id), 0) FROM galley_jobs)),"
            " epoch = max(epoch, (SELECT coalesce(max(epoch), 0) FROM galley_jobs),"
            " (SELECT coalesce(max(epoch), 0) FROM galley_running))");
      });
      finding.repaired = true;
    }
    find(std::move(finding));
  });
}

void Doctor::check_counts() {
  attempt("the counts by state", [&] {
    db_.execute("BEGIN");
    const Counted counted = count_contents();
    db_.execute("COMMIT");
    const auto wrong = std::count_if(counted.said.begin(), counted.said.end(),
                                     [&](const auto& lane) { return counted.are.at(lane.first) != lane.second; });
    if (wrong == 0) return;
    Finding finding{"counts", std::to_string(wrong) + " kinds whose counts by state are not those of their jobs", true,
                    false};
    if (repair_) repair_counts();
    finding.repaired = repair_;
    find(std::move(finding));
  });
  attempt("the bounds of queues", [&] {
    for (Finding& finding : check_table(db_, checked_queues(), repair_)) find(std::move(finding));
  });
}

/// The one repair whose time under the writer's lock grows with the jobs: ~0.5 s a million.
void Doctor::repair_counts() {
  std::string columns;
  for (const char* column : kColumns) columns += (columns.empty() ? "" : ", ") + std::string(column) + " = ?";
  in_transaction(db_, [&] {
    const Counted counted = count_contents();
    for (const auto& [lane, are] : counted.are) {
      if (counted.said.at(lane) == are) continue;
      Query update(db_, "UPDATE galley_lanes SET " + columns + " WHERE id = ?");
      for (const std::int64_t count : are) update.bind(count);
      update.bind(lane).run();
    }
  });
}

void Doctor::check_log() {
  attempt("the log", [&] {
    struct stat status {};
    if (stat((db_.file() + "-wal").c_str(), &status) != 0 || status.st_size <= kMaxLogBytes) return;
    Finding finding{
        "log_large",
        "the write-ahead log has " + mib(status.st_size) + ": a reader has kept it from being taken over into the file",
        true, false};
    if (repair_) {
      Query row(db_, "PRAGMA wal_checkpoint(TRUNCATE)");
      finding.repaired = row.row() && row.integer(0) == 0;
    }
    find(std::move(finding));
  });
}

std::vector<Finding> look_round(const Surroundings& around) {
  std::vector<Finding> findings;
  if (around.durability != Durability::Full) {
    findings.push_back(
        {"durability", "opened with durability=normal: a power cut may lose the jobs that were enqueued last"});
  }
  if (is_network_fs(around.file_system)) {
    findings.push_back({"network_file_system", "the file is on " + around.file_system +
                                                   ", where locks cannot be relied upon; move it to a local disk"});
  }
  const std::int64_t free_bytes = around.free_pages * around.page_bytes;
  if (free_bytes > kMaxFreeBytes && around.free_pages > around.pages / 2) {
    findings.push_back({"free_pages", mib(free_bytes) +
                                          " of the file are free and will be used again; `sqlite3 FILE VACUUM` gives"
                                          " them back while nothing works"});
  }
  return findings;
}

}  // namespace galley::store::sqlite
