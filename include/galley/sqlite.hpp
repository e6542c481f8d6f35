#pragma once
// Jobs inside the application's own SQLite transactions. The application keeps its tables in the store's file
// (Galley's are all named galley_...), on a connection of its own:
//
//   galley::sqlite::Session session{store, db};     // db: a sqlite3* that has the store's file open
//   BEGIN IMMEDIATE
//     ... INSERT INTO orders ...
//     session.enqueue("mail", "welcome", Welcome{"ann@example.com"}).value();
//   COMMIT                                           // the order and the job, or neither
//
//   worker.handle<Order>("ship", [&](galley::Attempt& attempt, const Order& order) {
//     BEGIN IMMEDIATE
//       ... INSERT INTO shipped ...
//       session.complete(attempt).value();           // throws: roll back
//     COMMIT                                         // the row and the job's end, or neither
//   });
//
// docs/transactions.md says what that guarantees and what not.
//
// Thread-safety: none; a session is used as its connection is, from one thread at a time. A handler that runs in
// several slots needs a connection and a session for each.

#include <memory>
#include <string>
#include <string_view>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/queue.hpp"
#include "galley/store.hpp"
#include "galley/worker.hpp"

struct sqlite3;

namespace galley::sqlite {

class Session {
 public:
  /// The connection is borrowed, and none of its settings is changed. It must be open as long as the session, which
  /// keeps statements prepared on it, and come from the same SQLite library as Galley's. Throws Exception: InvalidInput
  /// (a store that is no SQLite file, or a connection to another file), ReadOnly.
  Session(StorePtr store, sqlite3* connection);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// One job with typed arguments, as Queue::enqueue; but it is there when the application commits, and was never there
  /// when it rolls back. Until then its id is only good for rows of the same transaction. A refused or failed enqueue
  /// leaves the transaction as it was. The option wait_for_room has no effect: QueueFull is answered at once.
  /// Errors: those of Queue::enqueue, WrongState (no transaction is open), Unavailable (it has no writer's lock).
  template <class Args, class... Set>
  [[nodiscard]] Result<JobId> enqueue(std::string_view queue, std::string_view kind, const Args& args,
                                      const JobOption<Set>&... set) {
    JobOptions options;
    (set.set(options), ...);
    return enqueue_json(queue, kind, Codec<Args>::encode(args), options);
  }
  /// The payload is JSON text already (checked), or any bytes.
  [[nodiscard]] Result<JobId> enqueue_json(std::string_view queue, std::string_view kind, std::string json,
                                           const JobOptions& options = {});
  [[nodiscard]] Result<JobId> enqueue_bytes(std::string_view queue, std::string_view kind, std::string bytes,
                                            const JobOptions& options = {});
  /// A command job; `kind` empty: the base name of argv[0].
  [[nodiscard]] Result<JobId> enqueue_command(std::string_view queue, const Command& command,
                                              std::string_view kind = {}, const JobOptions& options = {});

  /// The attempt's job is completed, with its result and log so far, when the application commits. After an error the
  /// application must roll back, and its handler throw or return an Outcome. After the commit the handler should
  /// return: whatever it returns or throws then, the job stays completed. Where the application does not commit, an
  /// attempt that ends as if all were well counts as an error.
  /// Errors: LeaseLost (another worker may be running the job), WrongState (no transaction is open, or the job was
  /// completed before: an earlier commit that seemed to fail did not), InvalidInput (not a worker's attempt),
  /// Unavailable, ...
  [[nodiscard]] Result<void> complete(Attempt& attempt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace galley::sqlite
