#pragma once
// Where the program's settings come from: a flag, else the environment, else ./galley.toml, else the default.
// docs/configuration.md lists them.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "galley/error.hpp"

namespace galley::cli {

/// What was said on one level; nothing where it was not said.
struct Settings {
  std::optional<std::string> store;
  std::optional<std::string> queue;
  std::vector<std::string> pools;  ///< empty: not said
  std::optional<std::string> log_level;
  std::optional<std::string> log_format;
};

/// Reads the text of a galley.toml; `path` is used in messages. Errors: InvalidInput with "path:line".
[[nodiscard]] Result<Settings> settings_from_toml(std::string_view text, std::string_view path);

/// Everything, with the defaults filled in but for `pools` (the worker knows its own). `environment_store` is the
/// value of GALLEY_STORE, empty where it is not set. Reads ./galley.toml where there is one.
[[nodiscard]] Result<Settings> resolve_settings(const Settings& flags, std::string_view environment_store);

}  // namespace galley::cli
