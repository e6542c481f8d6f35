// The query plan of every statement: no scan of jobs or of a hot table, no temporary b-tree, no OFFSET.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "base/clock.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

std::string plan_of(Database& db, const std::string& statement) {
  sqlite3_stmt* explain = nullptr;
  const std::string text = "EXPLAIN QUERY PLAN " + statement;
  EXPECT_EQ(sqlite3_prepare_v2(db.raw(), text.c_str(), -1, &explain, nullptr), SQLITE_OK) << statement;
  std::string plan;
  while (sqlite3_step(explain) == SQLITE_ROW) {
    plan += reinterpret_cast<const char*>(sqlite3_column_text(explain, 3));
    plan += '\n';
  }
  sqlite3_finalize(explain);
  return plan;
}

/// Small tables that are read whole, on purpose: lanes for statistics and pages, workers by the look for the dead, and
/// schedules (at most kMaxSchedules) where one is added.
bool may_scan(Sql sql) {
  return sql == Sql::LaneCounts || sql == Sql::AllWorkers || sql == Sql::CountSchedules || sql == Sql::QueueSettings;
}

bool is_bounded(Sql sql, const std::string& plan, const std::string& statement) {
  const bool scans = plan.find("SCAN") != std::string::npos && !may_scan(sql);
  return !scans && plan.find("TEMP B-TREE") == std::string::npos && statement.find("OFFSET") == std::string::npos;
}

class SqlitePlan : public testing::Test {
 protected:
  test::TempDir dir_;
  base::SystemClock clock_;
  std::string path_ = dir_.file("plan.db");
  std::unique_ptr<Store> store_ = open_sqlite({path_, Durability::Normal, false, &clock_}).value();
  Database db_{path_, false};
};

TEST_F(SqlitePlan, NoStatementScansOrSorts) {
  for (std::size_t i = 0; i < kSqlCount; ++i) {
    const Sql sql = static_cast<Sql>(i);
    const std::string statement = text(sql);
    if (sql == Sql::DataVersion || statement.rfind("BEGIN", 0) == 0) continue;
    const std::string plan = plan_of(db_, statement);
    EXPECT_TRUE(is_bounded(sql, plan, statement)) << statement << '\n' << plan;
  }
}

TEST_F(SqlitePlan, AScanASortAndAnOffsetAreSeen) {
  for (const char* bad :
       {"SELECT id FROM galley_jobs WHERE priority = 3", "SELECT lane FROM galley_ready WHERE lane = 1 ORDER BY id",
        "SELECT id FROM galley_jobs WHERE id > 1 LIMIT 1 OFFSET 9"}) {
    EXPECT_FALSE(is_bounded(Sql::FindJob, plan_of(db_, bad), bad)) << bad;
  }
}

}  // namespace
}  // namespace galley::store::sqlite
