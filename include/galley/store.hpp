#pragma once
// Opening a store: where jobs are kept.
//
// Thread-safety: a store may be used from any thread, by any number of queues and workers.

#include <memory>
#include <string_view>

#include "galley/error.hpp"

namespace galley {

namespace store {
class Store;
}
class Middleware;

/// Shared, because queues and workers of one process use one connection, whichever lives longest.
using StorePtr = std::shared_ptr<store::Store>;

/// Opens or creates a store:
///   "sqlite:PATH[?durability=full|normal][&force_network_fs=1][&adopt=1][&busy_timeout=30s]"
///       one file, any number of processes on one machine; full (default): power loss loses no acknowledged enqueue;
///       normal: no crash of a process does; busy_timeout=30s: how long a call waits while another program holds the
///       file locked, before it fails with Unavailable; 0 (at once) to 10m; adopt: an SQLite file with tables of
///       another program gets Galley's besides (galley/sqlite.hpp)
///   "memory:"  in this process only, gone with it; for tests
/// Errors: InvalidInput (the URL), NotAStore, NewerSchema, ReadOnly, DiskFull, Unavailable, Io.
[[nodiscard]] Result<StorePtr> open_store(std::string_view url);

}  // namespace galley
