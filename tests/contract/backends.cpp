#include "contract/backends.hpp"

#include "store/memory/memory_store.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::contract {

namespace {

Opened make_memory(const base::Clock& clock) { return {nullptr, open_memory(clock)}; }

Opened make_sqlite(const base::Clock& clock) {
  auto home = std::make_shared<galley::test::TempDir>();
  SqliteOptions options;
  options.path = home->file("jobs.db");
  options.durability = Durability::Normal;  // no test here can lose power, and syncs are most of a test's time
  options.clock = &clock;
  auto store = open_sqlite(options).value();
  return {std::move(home), std::move(store)};
}

}  // namespace

std::vector<Backend> backends() {
  return {
      {"memory", make_memory},
      {"sqlite", make_sqlite},
  };
}

}  // namespace galley::store::contract
