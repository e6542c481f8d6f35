#include "open/url.hpp"

#include <string>

namespace galley::open {

namespace {

constexpr std::string_view kForms = "allowed are sqlite:PATH[?durability=full|normal&force_network_fs=1] and memory:";

Error bad(std::string_view url, std::string_view why) {
  return {Errc::InvalidInput, "the store '" + std::string(url) + "' " + std::string(why)};
}

/// Sets one NAME=VALUE of the query. False where it is not one of ours.
bool set_option(std::string_view option, store::SqliteOptions& sqlite) {
  if (option == "durability=full") {
    sqlite.durability = store::Durability::Full;
  } else if (option == "durability=normal") {
    sqlite.durability = store::Durability::Normal;
  } else if (option == "force_network_fs=1") {
    sqlite.force_network_fs = true;
  } else if (option == "force_network_fs=0") {
    sqlite.force_network_fs = false;
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<StoreUrl> store_url_from(std::string_view url) {
  constexpr std::string_view kSqlite = "sqlite:";
  StoreUrl parsed;
  if (url == "memory:") {
    parsed.memory = true;
    return parsed;
  }
  if (!url.starts_with(kSqlite)) return bad(url, "has an unknown form; " + std::string(kForms));
  const std::string_view rest = url.substr(kSqlite.size());
  const std::size_t question = rest.find('?');
  parsed.sqlite.path = rest.substr(0, question);
  if (parsed.sqlite.path.empty()) return bad(url, "names no file; " + std::string(kForms));
  if (parsed.sqlite.path.find('\0') != std::string::npos) return bad(url, "has a NUL in its path");
  if (question == std::string_view::npos) return parsed;
  std::string_view query = rest.substr(question + 1);
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view option = query.substr(0, end);
    if (!set_option(option, parsed.sqlite)) {
      return bad(url, "has the unknown option '" + std::string(option) + "'; " + std::string(kForms));
    }
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
  }
  return parsed;
}

}  // namespace galley::open
