#pragma once
// What limits count, as one transaction sees it: each row of galley_uses is read once and written once, however many
// claims of the transaction begin and end under it.
//
// Thread-safety: none; guarded by its store's mutex.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/lane_rules.hpp"
#include "store/sqlite/directory.hpp"

namespace galley::store::sqlite {

/// What a claim counts under. As text, in galley_running: the ids of limits with commas between them; behind the last
/// one a colon and the key, where it is a limit of each key. A claim has at most one of these.
struct Hold {
  std::int64_t limit = 0;
  std::string key;  ///< empty: the limit counts for all alike
};
[[nodiscard]] std::string text_from(const std::vector<Hold>& holds);
[[nodiscard]] std::vector<Hold> holds_from(std::string_view text);

class Uses {
 public:
  explicit Uses(Database& db) : db_(db) {}

  [[nodiscard]] Use of(std::int64_t limit, const std::string& key) { return entry(limit, key).use; }
  void put(std::int64_t limit, const std::string& key, const Use& use) { entry(limit, key).use = use; }
  /// Writes what is not as it was; what counts nothing is dropped.
  void write(const Directory& directory, std::int64_t now_us);

 private:
  struct Entry {
    Use use;
    std::optional<Use> stored;
  };
  [[nodiscard]] Entry& entry(std::int64_t limit, const std::string& key);

  Database& db_;
  std::map<std::pair<std::int64_t, std::string>, Entry> entries_;
};

}  // namespace galley::store::sqlite
