#pragma once
// Verbs of a store inside a transaction that the application has open on its own connection to the same file: what they
// write is committed or rolled back with what the application writes.
//
// Each call is atomic by itself (a savepoint) and reads the store's clock and names anew, because the application may
// have rolled back since the last one; so it costs a look at every lane.
//
// Thread-safety: none; as the connection.

#include <memory>
#include <span>
#include <vector>

#include "galley/error.hpp"
#include "store/store.hpp"

struct sqlite3;

namespace galley::store::sqlite {

class Backend;

class Joined {
 public:
  /// Both are borrowed. Nothing about the connection is changed; statements stay prepared on it as long as this lives.
  /// Errors: InvalidInput (no SQLite store, or the connection has another file open), ReadOnly.
  [[nodiscard]] static Result<std::unique_ptr<Joined>> join(Store& store, sqlite3* connection);
  ~Joined();
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;

  /// As the store's verbs. Besides their errors: WrongState without an open transaction; Unavailable where the
  /// transaction cannot get the writer's lock. After an error nothing of the call is left in the transaction; where
  /// SQLite has rolled it back as a whole, the message says so.
  [[nodiscard]] Result<std::vector<Enqueued>> enqueue(std::span<const job::NewJob> jobs);
  [[nodiscard]] Result<std::vector<FinishAnswer>> finish(std::span<const Finish> finishes);

 private:
  Joined(const Backend& owner, sqlite3* connection);
  template <class Verb>
  auto inside(Verb verb) -> decltype(verb());
  [[nodiscard]] Result<void> take_lock();

  sqlite3* const connection_;
  const std::unique_ptr<Backend> backend_;
};

}  // namespace galley::store::sqlite
