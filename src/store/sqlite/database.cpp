#include "store/sqlite/database.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <random>
#include <thread>

#include "base/assert.hpp"
#include "base/duration.hpp"

namespace galley::store::sqlite {

namespace {

// SQLite's own busy handler sleeps up to 100 ms and is unfair. Ours looks again every 50..500 us: a transaction of ours
// takes about as long.
Duration pause_between_looks() {
  thread_local std::minstd_rand jitter(static_cast<unsigned>(getpid()) * 31U + static_cast<unsigned>(gettid()));
  return Duration(50 + static_cast<int>(jitter() % 450));
}

/// SQLite says "disk I/O error" where the disk is full while it makes or extends its shared memory.
int with_cause(sqlite3* db, int code) noexcept {
  const int primary = code & 0xff;
  if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN) return code;
  const int cause = sqlite3_system_errno(db);
  return cause == ENOSPC || cause == EDQUOT ? SQLITE_FULL : code;
}

bool is_busy(int code) noexcept { return (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED; }

}  // namespace

Database::Database(const std::string& path, bool read_only, Duration busy_timeout) : busy_timeout_(busy_timeout) {
  const int flags = (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &db_, flags, nullptr);
  if (code != SQLITE_OK) {
    SqlError error(db_ != nullptr ? with_cause(db_, sqlite3_extended_errcode(db_)) : code,
                   db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code));
    sqlite3_close(db_);
    throw error;
  }
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_handler(db_, on_busy, this);
}

int Database::on_busy(void* self, int looks) { return static_cast<Database*>(self)->wait_for_lock(looks == 0) ? 1 : 0; }

/// False: the limit is reached, so another program holds the file.
bool Database::wait_for_lock(bool first) {
  const base::Mono now = clock_.mono();
  if (first) busy_since_ = now;
  if (now - busy_since_ >= patience_) return false;
  const Duration pause = std::min(pause_between_looks(), busy_since_ + patience_ - now);
  std::this_thread::sleep_for(pause);  // lint: allow(sleep) because SQLite has no lock that one could wait on
  return true;
}

Database::~Database() {
  for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
  if (!borrowed_) sqlite3_close(db_);
}

LogState Database::checkpoint(int mode, Duration patience) noexcept {
  LogState log;
  patience_ = std::min(busy_timeout_, patience);
  log.code = sqlite3_wal_checkpoint_v2(db_, "main", mode, &log.pages, nullptr);
  patience_ = busy_timeout_;
  return log;
}

void Database::execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

void Database::execute_patiently(const char* sql) {
  for (int looks = 0;; ++looks) {
    const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return;
    if (!is_busy(code) || !wait_for_lock(looks == 0)) fail(code);
  }
}

std::int64_t Database::number(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) fail(code);
  code = sqlite3_step(statement);
  const std::int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  if (code != SQLITE_ROW && code != SQLITE_DONE) fail(code);
  return value;
}

sqlite3_stmt* Database::prepared(Sql sql) {
  sqlite3_stmt*& statement = statements_[static_cast<std::size_t>(sql)];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(db_, text(sql), -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) fail(code);
  }
  return statement;
}

std::string Database::file() const { return sqlite3_db_filename(db_, "main"); }

void Database::fail(int code) const {
  if (is_busy(code)) {
    const std::string wait = base::format_duration(busy_timeout_);
    throw SqlError(code, busy_timeout_ > Duration{0}
                             ? "another program has held the store locked for " + wait + "; try again"
                             : "another program holds the store locked; try again");
  }
  const int extended = sqlite3_extended_errcode(db_);
  throw SqlError(with_cause(db_, (extended & 0xff) == (code & 0xff) ? extended : code), sqlite3_errmsg(db_));
}

Query::Query(Database& db, const std::string& sql) : db_(db), own_(true) {
  check(sqlite3_prepare_v2(db.raw(), sql.c_str(), static_cast<int>(sql.size()) + 1, &stmt_, nullptr));
}

Query& Query::bind_blob(std::string_view bytes) {
  check(sqlite3_bind_blob64(stmt_, ++bound_, bytes.data() != nullptr ? bytes.data() : "", bytes.size(), SQLITE_STATIC));
  return *this;
}

void Query::bind_next(std::string_view value) {
  check(sqlite3_bind_text64(stmt_, ++bound_, value.data() != nullptr ? value.data() : "", value.size(), SQLITE_STATIC,
                            SQLITE_UTF8));
}

bool Query::row() {
  const int code = sqlite3_step(stmt_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) db_.fail(code);
  return false;
}

int Query::run() {
  GALLEY_ASSERT(!row());
  return sqlite3_changes(db_.raw());
}

std::string Query::text(int column) const {
  const void* bytes = sqlite3_column_blob(stmt_, column);  // for text too: no conversion, may hold NUL
  const int size = sqlite3_column_bytes(stmt_, column);
  return bytes != nullptr ? std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size))
                          : std::string();
}

Error to_error(const SqlError& error, std::string_view path, Written written) {
  const std::string where = std::string(path) + ": ";
  switch (error.code() & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return {Errc::Unavailable, where + error.what(), written};
    case SQLITE_FULL: return {Errc::DiskFull, where + "no space left on the device; free some and try again", written};
    case SQLITE_READONLY:
    case SQLITE_PERM: return {Errc::ReadOnly, where + "the store cannot be written: " + error.what(), written};
    case SQLITE_CANTOPEN: return {Errc::Io, where + "cannot be opened: " + error.what(), written};
    case SQLITE_NOTADB: return {Errc::NotAStore, where + "is not a Galley store (not an SQLite file)", written};
    case SQLITE_CORRUPT:
      return {Errc::NotAStore,
              where + "is damaged: " + error.what() +
                  "; restore a backup, or save what is readable with "
                  "`sqlite3 FILE .recover`",
              written};
    default: return {Errc::Io, where + error.what(), written};
  }
}

}  // namespace galley::store::sqlite
