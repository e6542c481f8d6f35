#include "store/sqlite/uses.hpp"

#include <charconv>

namespace galley::store::sqlite {

std::string text_from(const std::vector<Hold>& holds) {
  std::string text;
  const Hold* keyed = nullptr;
  const auto add = [&](const Hold& hold) { text += (text.empty() ? "" : ",") + std::to_string(hold.limit); };
  for (const Hold& hold : holds) {
    if (hold.key.empty()) {
      add(hold);
    } else {
      keyed = &hold;
    }
  }
  if (keyed != nullptr) {
    add(*keyed);
    text += ":" + keyed->key;
  }
  return text;
}

std::vector<Hold> holds_from(std::string_view text) {
  std::vector<Hold> holds;
  while (!text.empty()) {
    Hold& hold = holds.emplace_back();
    const char* const end = text.data() + text.size();
    const auto [at, code] = std::from_chars(text.data(), end, hold.limit);
    if (code != std::errc() || (at != end && *at != ',' && *at != ':')) {
      throw SqlError(SQLITE_CORRUPT, "a claim holds \"" + std::string(text) + "\", which names no limits");
    }
    if (at == end) break;
    text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
    if (*at == ',') continue;
    hold.key = std::string(text);
    break;
  }
  return holds;
}

Uses::Entry& Uses::entry(std::int64_t limit, const std::string& key) {
  const auto [at, added] = entries_.try_emplace({limit, key});
  if (added) {
    Query row(db_, Sql::UseOf);
    row.bind(limit, key);
    if (row.row()) at->second.stored = Use{row.integer(0), row.integer(1)};
    at->second.use = at->second.stored.value_or(Use{});
  }
  return at->second;
}

void Uses::write(const Directory& directory, std::int64_t now_us) {
  for (const auto& [of, entry] : entries_) {
    const auto& [id, key] = of;
    const KeptLimit* const limit = directory.limit(id);
    if (!limit || entry.use == entry.stored.value_or(Use{})) continue;  // removed meanwhile, or as it was
    if (!is_nothing(limit->rule, entry.use, now_us)) {
      Query(db_, Sql::PutUse).bind(id, key, entry.use.running, entry.use.arrival_us).run();
    } else if (entry.stored) {
      Query(db_, Sql::DropUse).bind(id, key).run();
    }
  }
}

}  // namespace galley::store::sqlite
