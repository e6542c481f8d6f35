#pragma once
// A disk whose power can be cut: an SQLite VFS over the system's own that remembers what of each file was synced.
//
// While it lives it is the process's default VFS, so the code under test opens its file as it always does. Reads, locks
// and shared memory are the system's; each call that changes a file is counted, and with the chosen one the power goes:
// from then on all calls fail. save() then writes what such a disk would hold after a reboot. Shared memory is never
// part of it.

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace galley::test {

/// What the disk made of the writes that were not synced when the power went.
enum class Remains : std::uint8_t {
  Synced,     ///< nothing of them
  SomeOfAll,  ///< each 512-byte sector of each write, each truncation and each deletion, by the toss of a coin
  TornLast,   ///< all but the last write, of which a beginning is there
};

class PowerDisk {
 public:
  static constexpr int kNever = -1;

  /// The power goes with the call number `cut`, counted from 0. `lies`: the disk answers a sync and does nothing.
  explicit PowerDisk(int cut = kNever, bool lies = false);
  ~PowerDisk();
  PowerDisk(const PowerDisk&) = delete;
  PowerDisk& operator=(const PowerDisk&) = delete;

  [[nodiscard]] int calls() const noexcept { return calls_; }
  [[nodiscard]] bool is_off() const noexcept { return off_; }
  /// What it was doing when the power went: "write store.db-wal".
  [[nodiscard]] const std::string& last_call() const noexcept { return last_call_; }
  /// Writes the files that are left into `dir`, by their names without directories.
  void save(const std::string& dir, Remains remains, std::uint64_t seed) const;

  // For the VFS's functions.
  struct Change {
    std::optional<std::int64_t> size{};  ///< of a truncation; nothing: a write
    std::int64_t offset = 0;
    std::string bytes{};
    std::uint64_t order = 0;
  };
  struct Content {
    std::string synced;
    std::vector<Change> pending;
  };
  [[nodiscard]] Content* content(const std::string& path);
  /// False: the power went with this call, or before.
  [[nodiscard]] bool write(Content& content, std::string_view bytes, std::int64_t offset);
  [[nodiscard]] bool truncate(Content& content, std::int64_t size);
  [[nodiscard]] bool sync(Content& content, bool directory_too);
  [[nodiscard]] bool remove(const std::string& path, bool synced);
  [[nodiscard]] sqlite3_vfs& system() const noexcept { return *system_; }

 private:
  [[nodiscard]] bool count(const char* what, const std::string& path);
  [[nodiscard]] std::string name_of(const Content& content) const;
  [[nodiscard]] std::string left_of(const Content& content, Remains remains, std::mt19937_64& coin) const;

  sqlite3_vfs* const system_;
  sqlite3_vfs vfs_{};
  const int cut_;
  const bool lies_;
  mutable std::mutex mutex_;
  int calls_ = 0;
  std::atomic<bool> off_ = false;
  std::string last_call_;
  std::uint64_t order_ = 0;  // of the last write
  std::vector<std::unique_ptr<Content>> contents_;
  std::map<std::string, Content*> names_;         // as the program sees them
  std::map<std::string, Content*> synced_names_;  // as they are on the disk
};

}  // namespace galley::test
