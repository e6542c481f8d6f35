#pragma once
// The tables, their version, and what is checked before a file is trusted. docs/formats/sqlite.md explains them.

#include <string>

#include "store/sqlite/database.hpp"

namespace galley::store::sqlite {

/// Raised with every change of the tables; a migration from each older one stands in schema.cpp.
inline constexpr int kSchemaVersion = 4;

/// Creates the file (mode 0600) if there is none; refuses a directory, and a network file system unless forced.
/// Throws Refused.
void prepare_file(const std::string& path, bool force_network_fs);

/// Refuses rubbish, truncated and foreign files, then creates or migrates the tables. `adopt`: an SQLite file of
/// another program is not foreign, but gets our tables besides its own. Throws Refused (NotAStore, NewerSchema) and
/// SqlError.
void prepare_schema(Database& db, const std::string& path, bool adopt = false);

/// All tables in an empty database, without a transaction: what an undamaged file is compared with.
void create_tables(Database& db);

/// The type of the file system that holds the file, as /proc/self/mountinfo names it; empty: not known.
[[nodiscard]] std::string file_system_of(const std::string& path);

/// True for the file systems on which locks or shared memory cannot be relied upon ("nfs4", "cifs", "fuse.sshfs").
[[nodiscard]] bool is_network_fs(std::string_view type) noexcept;

}  // namespace galley::store::sqlite
