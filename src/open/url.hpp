#pragma once
// The forms of a store's URL. Pure.

#include <string_view>

#include "galley/error.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace galley::open {

/// What a URL asks for; the clock of `sqlite` is left empty.
struct StoreUrl {
  bool memory = false;  ///< else sqlite
  store::SqliteOptions sqlite;
};

/// Reads "memory:" and "sqlite:PATH[?durability=full|normal][&force_network_fs=0|1][&adopt=0|1]" with
/// "[&busy_timeout=DURATION]" of 0 to kMaxBusyTimeout.
/// Errors: InvalidInput naming the URL, the part and what is allowed.
[[nodiscard]] Result<StoreUrl> store_url_from(std::string_view url);

}  // namespace galley::open
