#pragma once
// A worker's proof of life: a lock on one byte (at the worker's id) of a file beside the store, held by an open file
// description of its own. The kernel releases it when the process dies, however it dies.
//
// The description's locks (F_OFD_SETLK) are used, because the classical ones vanish when any descriptor of the file is
// closed in the process. If somebody deletes the lock file, workers of the old file can no longer be judged by it (its
// inode is kept with each worker) and their leases decide.
//
// Thread-safety: none; guarded by its store's mutex.

#include <map>
#include <string>

#include "store/store.hpp"

namespace galley::store::sqlite {

class WorkerLocks {
 public:
  explicit WorkerLocks(std::string path) : path_(std::move(path)) {}
  ~WorkerLocks();
  WorkerLocks(const WorkerLocks&) = delete;
  WorkerLocks& operator=(const WorkerLocks&) = delete;

  /// Opens the lock file for a worker that is about to join; answers the file's identity ("" where there is none: the
  /// lease alone decides then).
  [[nodiscard]] std::string prepare();
  /// Takes the byte of `worker` with the description that prepare() opened. False: it could not be had (another store's
  /// worker holds it, or the file system has no such locks), and nothing may be concluded from it.
  [[nodiscard]] bool take(WorkerId worker);
  void release(WorkerId worker);
  [[nodiscard]] bool holds(WorkerId worker) const { return held_.contains(worker); }

  /// True only if the lock proves that the worker is dead.
  [[nodiscard]] bool proves_death(WorkerId worker, const std::string& lock_file);

 private:
  const std::string path_;
  int prepared_ = -1;
  std::map<WorkerId, int> held_;
};

}  // namespace galley::store::sqlite
