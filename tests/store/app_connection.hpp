#pragma once
// An application's own connection to the store's file, with a table of its own.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace galley::test {

class AppConnection {
 public:
  explicit AppConnection(const std::string& path, int busy_ms = 30'000, int flags = SQLITE_OPEN_READWRITE) {
    if (sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db_));
    sqlite3_busy_timeout(db_, busy_ms);
  }
  ~AppConnection() { EXPECT_EQ(sqlite3_close(db_), SQLITE_OK) << "a statement was left prepared on it"; }
  AppConnection(const AppConnection&) = delete;
  AppConnection& operator=(const AppConnection&) = delete;

  [[nodiscard]] sqlite3* raw() const noexcept { return db_; }
  [[nodiscard]] bool in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }

  void execute(const std::string& sql) const {
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sql + ": " + sqlite3_errmsg(db_));
    }
  }
  [[nodiscard]] std::int64_t number(const std::string& sql) const {
    std::int64_t value = -1;
    const auto take = [](void* into, int, char** texts, char**) {
      *static_cast<std::int64_t*>(into) = texts[0] != nullptr ? std::stoll(texts[0]) : -1;
      return 0;
    };
    if (sqlite3_exec(db_, sql.c_str(), take, &value, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sql + ": " + sqlite3_errmsg(db_));
    }
    return value;
  }

 private:
  sqlite3* db_ = nullptr;
};

}  // namespace galley::test
