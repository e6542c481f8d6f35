#pragma once
// The program's completion for bash 4 or later.

#include <string>

#include "galley_docs/command_table.hpp"

namespace galley::docs {

/// A script that completes commands, options, and those values which the table names or whose type is a file.
[[nodiscard]] std::string bash_completion(const CommandRow& program);

}  // namespace galley::docs
