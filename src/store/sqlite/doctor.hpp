#pragma once
// Holds all that a file contains against itself. It has a connection of its own, so that neither this process nor any
// other waits for it: each question is one reading transaction over some thousand rows (the counters alone are one over
// all jobs), and what it finds in such a snapshot is wrong, because every verb leaves the rows consistent. A repair
// asks again under the writer's lock, a few hundred rows a transaction.
//
// docs/doctor.md says what each code means.
//
// Thread-safety: none.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/sqlite/database.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/store.hpp"

namespace galley::store::sqlite {

class Doctor {
 public:
  /// Borrows its connection.
  Doctor(Database& db, std::int64_t wall_us, bool repair) : db_(db), wall_us_(wall_us), repair_(repair) {}

  void check_integrity();
  void check_schema();
  void check_rows();
  void check_clock();
  void check_counts();
  void check_log();

  /// One for each code and table, with how many rows it is about.
  [[nodiscard]] std::vector<Finding> take_findings() { return std::move(findings_); }

 private:
  struct Counted;
  template <class Body>
  void attempt(std::string_view what, Body body);
  void find(Finding finding) { findings_.push_back(std::move(finding)); }
  [[nodiscard]] std::vector<std::string> complaints(const char* pragma);
  [[nodiscard]] Counted count_contents();
  void repair_counts();

  Database& db_;
  std::int64_t wall_us_;
  bool repair_;
  std::vector<Finding> findings_;
};

/// What round the file can be wrong. Pure, so that a test needs no network.
struct Surroundings {
  Durability durability = Durability::Full;
  std::string file_system;
  std::int64_t free_pages = 0;
  std::int64_t pages = 0;
  std::int64_t page_bytes = 0;
};
[[nodiscard]] std::vector<Finding> look_round(const Surroundings& surroundings);

// ---- the checks of rows, as data --------------------------------------------------------------------------------

/// `wrong` and `example` are SQL expressions on a row `t`; `repairs` are statements that get the row's key as ?1, ?2
/// ...
struct RowCheck {
  const char* code;
  const char* text;     ///< what is wrong with those rows: "jobs that stand in no line"
  const char* example;  ///< names one of them
  const char* wrong;
  std::vector<const char*> repairs;  ///< empty: only a person can
};
struct CheckedTable {
  const char* name;
  std::vector<const char*> key;
  std::vector<RowCheck> checks;
};
[[nodiscard]] const std::vector<CheckedTable>& checked_tables();
/// Held against the counts by state, so these must be right before.
[[nodiscard]] const CheckedTable& checked_queues();

/// Those of keys and limits (doctor_lanes.cpp).
[[nodiscard]] std::vector<CheckedTable> key_tables();

/// Walks the table by its key and gives what is wrong, repaired where it is asked and possible.
[[nodiscard]] std::vector<Finding> check_table(Database& db, const CheckedTable& table, bool repair);

/// Runs `body` as one writing transaction.
template <class Body>
void in_transaction(Database& db, Body body) {
  db.execute("BEGIN IMMEDIATE");
  try {
    body();
    db.execute("COMMIT");
  } catch (...) {
    if (db.in_transaction()) sqlite3_exec(db.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

}  // namespace galley::store::sqlite
