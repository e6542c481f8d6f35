#pragma once
// The bell of an SQLite store. Commits of this process ring it directly; commits of others (a worker, a producer, the
// sqlite3 shell) are seen by inotify on the write-ahead log, and told from our own by SQLite's data_version.
//
// Thread-safety: ring and make from any thread.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace galley::store::sqlite {

class BellTower;

class SqliteBell final : public Bell {
 public:
  SqliteBell(BellTower& tower, const std::string& wal_path);
  ~SqliteBell() override;
  Ring wait(Duration timeout) override;
  void interrupt() noexcept override;
  void ring() noexcept;

 private:
  enum : unsigned { kRung = 1, kInterrupted = 2 };
  void wake(unsigned why) noexcept;
  void drain_events() noexcept;
  [[nodiscard]] bool version_moved();  // another connection has committed since the last look

  BellTower& tower_;
  int event_fd_ = -1;
  int inotify_fd_ = -1;
  base::SystemClock clock_;  // a wait is in real time, whatever clock the store has
  std::atomic<unsigned> why_{0};
  bool could_look_ = true;
  int recheck_ms_ = 0;     // 0: nothing to look at again
  std::int64_t seen_ = 0;  // data_version at the last look
};

class BellTower {
 public:
  /// `data_version` answers SQLite's counter of commits by other connections; nothing where this process itself writes
  /// just now, so that the log's growth says nothing of others: then it is asked again a little later.
  BellTower(std::string wal_path, std::function<std::optional<std::int64_t>()> data_version)
      : wal_path_(std::move(wal_path)), data_version_(std::move(data_version)) {}

  [[nodiscard]] std::unique_ptr<Bell> make();
  void ring() noexcept;

 private:
  friend class SqliteBell;
  const std::string wal_path_;
  const std::function<std::optional<std::int64_t>()> data_version_;
  std::mutex mutex_;
  std::vector<SqliteBell*> bells_;
};

}  // namespace galley::store::sqlite
