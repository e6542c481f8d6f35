#pragma once
// The smallest honest RAII over one SQLite connection. Inside this folder a failing call throws SqlError; each verb
// translates it once into a galley::Error (see guarded()).
//
// Thread-safety: none; its owner serialises.

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "galley/error.hpp"
#include "store/sqlite/sql.hpp"

namespace galley::store::sqlite {

class SqlError : public std::exception {
 public:
  SqlError(int code, std::string message) : code_(code), message_(std::move(message)) {}
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  [[nodiscard]] int code() const noexcept { return code_; }  ///< extended result code

 private:
  int code_;
  std::string message_;
};

/// A refusal found in the middle of a verb; it rolls the transaction back.
struct Refused {
  Error error;
};

/// What a checkpoint says of the write-ahead log.
struct LogState {
  int code = 0;    ///< of SQLite
  int pages = -1;  ///< in the log; -1: unknown
};

class Database {
 public:
  /// Opens `path`, which must exist. Waits up to `busy_timeout` for a lock of another connection. Throws SqlError.
  Database(const std::string& path, bool read_only, Duration busy_timeout = limits::kBusyTimeout);
  /// Borrows a connection of the application: nothing about it is changed, and it is not closed.
  explicit Database(sqlite3* borrowed) : db_(borrowed), borrowed_(true) {}
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs statements that give no rows. Throws SqlError.
  void execute(const char* sql);
  /// As execute, for what SQLite refuses at once, without its busy handler, while another connection uses the file
  /// (changing the journal mode): again as often as the handler would look.
  void execute_patiently(const char* sql);
  /// The first column of the first row. Throws SqlError.
  [[nodiscard]] std::int64_t number(const char* sql);
  /// Prepared on first use, kept until the connection closes.
  [[nodiscard]] sqlite3_stmt* prepared(Sql sql);
  /// Takes the write-ahead log over into the file, by one of SQLite's modes; waits for locks as long as said.
  [[nodiscard]] LogState checkpoint(int mode, Duration patience) noexcept;
  [[nodiscard]] bool in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }
  [[noreturn]] void fail(int code) const;
  /// The file with links resolved, absolute: what SQLite puts beside it has its name.
  [[nodiscard]] std::string file() const;
  [[nodiscard]] sqlite3* raw() const noexcept { return db_; }

 private:
  static int on_busy(void* self, int looks);
  [[nodiscard]] bool wait_for_lock(bool first);

  sqlite3* db_ = nullptr;
  const bool borrowed_ = false;
  const Duration busy_timeout_{0};
  Duration patience_ = busy_timeout_;  ///< of the call under way
  base::SystemClock clock_;            // a lock is waited for in real time, whatever clock the store has
  base::Mono busy_since_{};
  std::array<sqlite3_stmt*, kSqlCount> statements_{};
};

/// One use of a prepared statement: bind in order, then walk the rows; reset at the end of its scope.
///   Query q(db, Sql::FindJob);  q.bind(id);  while (q.row()) { q.integer(0); }
class Query {
 public:
  Query(Database& db, Sql sql) : db_(db), stmt_(db.prepared(sql)) {}
  /// A statement that is not worth keeping: the doctor's, which come from tables of checks.
  Query(Database& db, const std::string& sql);
  ~Query() {
    if (own_) {
      sqlite3_finalize(stmt_);
      return;
    }
    sqlite3_reset(stmt_);
    sqlite3_clear_bindings(stmt_);
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// Text and blobs are borrowed: they must live until the query is reset.
  template <class... Values>
  Query& bind(const Values&... values) {
    (bind_next(values), ...);
    return *this;
  }
  Query& bind_blob(std::string_view bytes);

  /// True while there is a row. Throws SqlError.
  [[nodiscard]] bool row();
  /// For statements without rows. Returns how many rows it changed. Throws SqlError.
  int run();

  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(stmt_, column); }
  [[nodiscard]] int small(int column) const { return sqlite3_column_int(stmt_, column); }
  [[nodiscard]] int parameters() const { return sqlite3_bind_parameter_count(stmt_); }
  [[nodiscard]] bool is_text(int column) const { return sqlite3_column_type(stmt_, column) == SQLITE_TEXT; }
  [[nodiscard]] bool null(int column) const { return sqlite3_column_type(stmt_, column) == SQLITE_NULL; }
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::optional<std::int64_t> maybe(int column) const {
    return null(column) ? std::nullopt : std::optional(integer(column));
  }

 private:
  void bind_next(std::int64_t value) { check(sqlite3_bind_int64(stmt_, ++bound_, value)); }
  void bind_next(int value) { check(sqlite3_bind_int64(stmt_, ++bound_, value)); }
  void bind_next(std::size_t value) { bind_next(static_cast<std::int64_t>(value)); }
  void bind_next(bool value) { check(sqlite3_bind_int(stmt_, ++bound_, value ? 1 : 0)); }
  void bind_next(std::nullptr_t) { check(sqlite3_bind_null(stmt_, ++bound_)); }
  void bind_next(std::string_view value);
  void bind_next(const char* value) { bind_next(std::string_view(value)); }  // or a literal would become a bool
  void bind_next(const std::string& value) { bind_next(std::string_view(value)); }
  template <class T>
  void bind_next(const std::optional<T>& value) {
    if (value) {
      bind_next(*value);
    } else {
      bind_next(nullptr);
    }
  }
  void check(int code) {
    if (code != SQLITE_OK) db_.fail(code);
  }

  Database& db_;
  sqlite3_stmt* stmt_ = nullptr;
  int bound_ = 0;
  bool own_ = false;
};

/// SQLite's codes as ours; `what` says what was tried.
[[nodiscard]] Error to_error(const SqlError& error, std::string_view path, Written written);

}  // namespace galley::store::sqlite
