#pragma once
// --queue, --state and --kind: which jobs a command looks at.

#include <CLI/App.hpp>
#include <string>

#include "store/store.hpp"

namespace galley::cli {

struct FilterFlags {
  std::string queue;
  std::string state;
  std::string kind;
  [[nodiscard]] bool any() const noexcept { return !queue.empty() || !state.empty() || !kind.empty(); }
};

void add_filter_options(CLI::App& app, FilterFlags& flags);
[[nodiscard]] store::Filter filter_from(const FilterFlags& flags);

}  // namespace galley::cli
