#include "base/duration.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "open/url.hpp"

namespace galley::fuzz {

void store_url(std::string_view input) {
  const auto url = open::store_url_from(input);
  if (refused(url, "store")) return;
  if (url->memory) return require(input == "memory:", "a memory store has one URL");
  const store::SqliteOptions& options = url->sqlite;
  require(!options.path.empty() && options.path.find('\0') == std::string::npos, "a path is one");
  require(options.busy_timeout >= Duration{0} && options.busy_timeout <= limits::kMaxBusyTimeout,
          "busy_timeout is within its bounds");
  const std::string text =
      "sqlite:" + options.path + "?durability=" + (options.durability == store::Durability::Full ? "full" : "normal") +
      "&force_network_fs=" + (options.force_network_fs ? "1" : "0") + "&adopt=" + (options.adopt ? "1" : "0") +
      "&busy_timeout=" + base::format_duration_exactly(options.busy_timeout);
  const auto again = open::store_url_from(text);
  require(again && again->sqlite.path == options.path && again->sqlite.durability == options.durability &&
              again->sqlite.force_network_fs == options.force_network_fs && again->sqlite.adopt == options.adopt &&
              again->sqlite.busy_timeout == options.busy_timeout,
          "a printed URL reads the same", text);
}

}  // namespace galley::fuzz
