#pragma once
// The program but for what only main may do.

#include <string>
#include <vector>

#include "base/clock.hpp"

namespace galley::cli {

/// Runs one command line (without the program's name). Returns the exit code: 0, 1 failure, 2 usage.
[[nodiscard]] int run(std::vector<std::string> arguments, const base::Clock& clock);

}  // namespace galley::cli
