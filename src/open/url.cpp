#include "open/url.hpp"

#include <string>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

namespace galley::open {

namespace {

constexpr std::string_view kForms =
    "allowed are sqlite:PATH[?durability=full|normal&force_network_fs=1&adopt=1&busy_timeout=30s] and memory:";

Error bad(std::string_view url, std::string_view why) {
  return {Errc::InvalidInput, "the store " + base::quoted(url) + " " + std::string(why)};
}

constexpr std::string_view kBusyTimeout = "busy_timeout=";

/// Sets one NAME=VALUE of the query. Errors: why it cannot be.
Result<void> set_option(std::string_view option, store::SqliteOptions& sqlite) {
  if (option == "durability=full") {
    sqlite.durability = store::Durability::Full;
  } else if (option == "durability=normal") {
    sqlite.durability = store::Durability::Normal;
  } else if (option == "force_network_fs=1") {
    sqlite.force_network_fs = true;
  } else if (option == "force_network_fs=0") {
    sqlite.force_network_fs = false;
  } else if (option == "adopt=1") {
    sqlite.adopt = true;
  } else if (option == "adopt=0") {
    sqlite.adopt = false;
  } else if (option.starts_with(kBusyTimeout)) {
    const auto limit = base::parse_duration("busy_timeout", option.substr(kBusyTimeout.size()));
    if (!limit) return limit.error();
    if (*limit > limits::kMaxBusyTimeout) {
      return Error{Errc::InvalidInput, "busy_timeout: " + base::format_duration(*limit) +
                                           " is not allowed; allowed is 0 (fail at once) to 10m"};
    }
    sqlite.busy_timeout = *limit;
  } else {
    return Error{Errc::InvalidInput, "unknown option " + base::quoted(option) + "; " + std::string(kForms)};
  }
  return {};
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
    if (auto set = set_option(option, parsed.sqlite); !set) return bad(url, "has the " + set.error().message);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
  }
  return parsed;
}

}  // namespace galley::open
