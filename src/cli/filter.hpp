#pragma once
// --queue, --state, --kind and the others that say which jobs a command looks at.

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "galley/error.hpp"
#include "store/store.hpp"

namespace galley::cli {

struct FilterFlags {
  std::optional<std::string> queue;
  std::optional<std::string> state;
  std::optional<std::string> kind;
  std::optional<std::string> key;
  std::optional<std::string> tag;
  std::optional<std::string> error_class;
  std::optional<BatchId> batch;
  std::optional<std::string> since;
  std::optional<std::string> until;
  std::optional<std::string> ended_since;
  std::optional<std::string> ended_until;
  [[nodiscard]] bool any() const noexcept {
    return queue || state || kind || key || tag || error_class || batch || since || until || ended_since || ended_until;
  }
};

void add_filter_options(CLI::App& app, FilterFlags& flags);
/// A time is absolute, or a duration back from `now` ("2h"). Errors: InvalidInput naming the option.
[[nodiscard]] Result<store::Filter> filter_from(const FilterFlags& flags, Time now);

}  // namespace galley::cli
