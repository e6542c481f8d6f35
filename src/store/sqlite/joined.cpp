#include "store/sqlite/joined.hpp"

#include <sqlite3.h>

#include <string>

#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

Error refused(Errc code, std::string why) { return {code, "the application's connection " + std::move(why)}; }

std::string file_of(sqlite3* connection) {
  const char* const file = sqlite3_db_filename(connection, "main");
  return file != nullptr ? file : "";
}

/// True where another file may stand by now where this one was opened.
bool has_moved(sqlite3* connection) {
  int moved = 0;
  return sqlite3_file_control(connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

Result<void> check_connection(const Backend& owner, sqlite3* connection) {
  if (connection == nullptr) return refused(Errc::InvalidInput, "is null");
  const std::string store = owner.database().file();
  const std::string file = file_of(connection);
  if (file !=
      store) {  // a hard link is another name, and so has another log: https://sqlite.org/howtocorrupt.html, 2.5
    return refused(Errc::InvalidInput,
                   "has " + (file.empty() ? "no file" : "'" + file + "'") + " open; the store is '" + store + "'");
  }
  if (has_moved(connection) || has_moved(owner.database().raw())) {
    return refused(Errc::InvalidInput, "and the store: '" + store + "' was moved or replaced since it was opened");
  }
  if (sqlite3_db_readonly(connection, "main") != 0) return refused(Errc::ReadOnly, "is read-only");
  return {};
}

}  // namespace

Result<std::unique_ptr<Joined>> Joined::join(Store& store, sqlite3* connection) {
  const auto* const owner = dynamic_cast<const Backend*>(&store);
  if (owner == nullptr) {
    return Error{Errc::InvalidInput, "the store is not an SQLite file, so no transaction of one can hold its jobs"};
  }
  if (auto fits = check_connection(*owner, connection); !fits) return fits.error();
  try {
    return std::unique_ptr<Joined>(new Joined(*owner, connection));
  } catch (const SqlError& error) {
    return to_error(error, owner->path(), Written::Nothing);
  }
}

Joined::Joined(const Backend& owner, sqlite3* connection)
    : connection_(connection), backend_(std::make_unique<Backend>(owner, connection)) {}

Joined::~Joined() = default;

Result<std::vector<Enqueued>> Joined::enqueue(std::span<const job::NewJob> jobs) {
  return inside([&] { return backend_->enqueue(jobs); });
}

Result<std::vector<FinishAnswer>> Joined::finish(std::span<const Finish> finishes) {
  return inside([&] { return backend_->finish(finishes); });
}

template <class Verb>
auto Joined::inside(Verb verb) -> decltype(verb()) {
  if (sqlite3_get_autocommit(connection_) != 0) {
    return refused(Errc::WrongState, "has no transaction open; begin one with BEGIN IMMEDIATE, and commit it after");
  }
  if (auto locked = take_lock(); !locked) return locked.error();
  const sqlite3_int64 last_row = sqlite3_last_insert_rowid(connection_);
  auto answer = verb();
  sqlite3_set_last_insert_rowid(connection_, last_row);  // it is the application's
  if (answer || sqlite3_get_autocommit(connection_) == 0) return answer;
  Error error = answer.error();
  error.message += "; SQLite has rolled back the whole transaction";
  return error;
}

/// A transaction that was begun without IMMEDIATE gets the writer's lock with its first write. That comes before
/// anything is read here: once it has read, SQLite refuses the lock at once when others have written since.
Result<void> Joined::take_lock() {
  if (sqlite3_txn_state(connection_, "main") == SQLITE_TXN_WRITE) return {};
  constexpr const char* kNothing = "UPDATE main.galley_clock SET only = only WHERE only = 1";
  const int code = sqlite3_exec(connection_, kNothing, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  if ((code & 0xff) == SQLITE_BUSY) {
    return Error{Errc::Unavailable, backend_->path() +
                                        ": the transaction cannot get the writer's lock; roll it back, and begin it "
                                        "with BEGIN IMMEDIATE under a sqlite3_busy_timeout"};
  }
  return to_error(SqlError(sqlite3_extended_errcode(connection_), sqlite3_errmsg(connection_)), backend_->path(),
                  Written::Nothing);
}

}  // namespace galley::store::sqlite
