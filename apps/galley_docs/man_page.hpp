#pragma once
// Manual pages of section 1, in the macros of man(7).

#include <string>

#include "galley_docs/command_table.hpp"

namespace galley::docs {

/// "galley-jobs", which is also what `man galley jobs` looks for.
[[nodiscard]] std::string page_name(const CommandRow& command);

/// galley(1): the program, with a line for each command.
[[nodiscard]] std::string program_page(const CommandRow& program);

/// galley-COMMAND(1): one command, with everything below it.
[[nodiscard]] std::string command_page(const CommandRow& command);

}  // namespace galley::docs
