#pragma once
// The default backend: one SQLite file, any number of processes on one machine. docs/formats/sqlite.md describes
// the tables.

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "galley/error.hpp"
#include "store/store.hpp"

namespace galley::store {

/// Which crash loses what.
enum class Durability : std::uint8_t {
  Full,    ///< Power loss loses no acknowledged enqueue or operator's act (the log is synced before the answer).
  Normal,  ///< No crash of a process loses anything; power loss may lose the last moments, as a whole suffix.
};

struct SqliteOptions {
  std::string path;
  Durability durability = Durability::Full;
  bool force_network_fs = false;       ///< locks and shared memory do not work reliably there
  const base::Clock* clock = nullptr;  ///< must outlive the store
  /// How long a call waits while another program holds the file locked, before it fails with Unavailable; 0: it fails
  /// at once. Calls that wait for each other end within twice that time, however many they are.
  Duration busy_timeout = limits::kBusyTimeout;
  bool adopt = false;  ///< adds the tables to an SQLite file that has others
};

/// Opens or creates the file (mode 0600). Errors: NotAStore, NewerSchema, ReadOnly, DiskFull, Unavailable, Io,
/// InvalidInput (the path).
[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite(const SqliteOptions& options);

}  // namespace galley::store
