#pragma once
// What `galley split` divides: a file, a list or a range of numbers, and how a part of it becomes a command.

#include <CLI/App.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "galley/queue.hpp"

namespace galley::cli {

struct SplitSourceFlags {
  std::string input;
  std::int64_t lines = 0;
  std::int64_t bytes = 0;
  std::string items;
  bool null_delimited = false;
  std::string range;
  std::int64_t chunk = 1;
};

void add_split_sources(CLI::App& app, SplitSourceFlags& flags);

struct SplitSource {
  std::int64_t parts = 0;
  std::function<void(std::int64_t index, Command& command)> fill;
};

/// `argv`: of the parts' command, whose holes must be those of the source. Errors: InvalidInput naming the option, and
/// those of reading what is divided.
[[nodiscard]] Result<SplitSource> split_source(const SplitSourceFlags& flags, const std::vector<std::string>& argv);

}  // namespace galley::cli
