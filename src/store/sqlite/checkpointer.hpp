#pragma once
// Takes the write-ahead log over into the file as it grows (a checkpoint), in place of SQLite's own: those run inside
// the commit that finds the log long, with two syncs, and never wait, so where others always write or read, the log
// finds no moment to begin anew and grows without end.
//
// Here a thread with a connection of its own does it, started by the first log that is long, while the store goes on. A
// checkpoint that waits for nobody begins at `begin` pages. At `anew` pages one follows that holds up writers until the
// readers have left the log, half a second at most: the first has left it little to do, so that takes two short syncs.
// A commit that finds the thread outrun by `behind` pages waits for it, and where there is no thread does its work.
// What the thread was asked it does before it ends: a file may have many writers of a moment each.
//
// Thread-safety: made and destroyed by the owner of the connection, and called by its commits.

#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "store/sqlite/database.hpp"

namespace galley::store::sqlite {

struct LogBounds {
  int begin = 3'000;   ///< pages of 4 KiB: 12 MiB, as a checkpoint syncs twice
  int anew = 6'000;    ///< by then the log has found no moment to begin anew
  int behind = 4'000;  ///< written since the thread was asked
};

class Checkpointer {
 public:
  /// `db` must outlive it.
  explicit Checkpointer(Database& db, LogBounds bounds = {});
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

 private:
  static int on_commit(void* self, sqlite3* db, const char* schema, int pages);
  void grown(int pages) noexcept;
  [[nodiscard]] bool ask(int pages);
  void wait_for_thread();
  void run() noexcept;
  void work(Database& db);
  [[nodiscard]] int take_over(Database& db);
  [[nodiscard]] LogState checkpoint_after_others(Database& db);
  [[nodiscard]] int take_over_at_once(Database& db, int pages) const;
  [[nodiscard]] int begin_anew(Database& db, int pages) const;
  void due_at(int pages) noexcept;

  Database& db_;
  const LogBounds bounds_;
  const base::SystemClock clock_;
  std::atomic<int> due_ = bounds_.begin;  // pages of the log at which there is something to do
  std::atomic<int> asked_ = 0;            // the pages of the log when the thread was asked; 0: it has nothing to do
  std::mutex mutex_;                      // guards what follows
  std::condition_variable changed_;
  bool stop_ = false;
  bool failed_ = false;  // the thread has ended, as it could not have its connection
  std::thread thread_;
};

}  // namespace galley::store::sqlite
