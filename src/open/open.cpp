#include "base/clock.hpp"
#include "galley/store.hpp"
#include "open/url.hpp"
#include "store/memory/memory_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace galley {

namespace {

/// The clock is destroyed after the store that borrows it.
struct Opened {
  base::SystemClock clock;
  std::unique_ptr<store::Store> store;
};

}  // namespace

Result<StorePtr> open_store(std::string_view url) {
  auto parsed = open::store_url_from(url);
  if (!parsed) return parsed.error();
  auto opened = std::make_shared<Opened>();
  if (parsed->memory) {
    opened->store = store::open_memory(opened->clock);
  } else {
    parsed->sqlite.clock = &opened->clock;
    auto sqlite = store::open_sqlite(parsed->sqlite);
    if (!sqlite) return sqlite.error();
    opened->store = std::move(*sqlite);
  }
  return StorePtr(opened, opened->store.get());
}

}  // namespace galley
