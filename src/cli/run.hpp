#pragma once
// The program but for what only main may do.

#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace CLI {
class App;
}

namespace galley::cli {

struct Context;

/// The whole command line as one table: what --help shows, what is parsed, and what manual pages and completion are
/// made from. Parsing fills `context`, which must outlive it.
[[nodiscard]] std::unique_ptr<CLI::App> make_app(Context& context);

/// Runs one command line (without the program's name). Returns the exit code: 0, 1 failure, 2 usage.
[[nodiscard]] int run(std::vector<std::string> arguments, const base::Clock& clock);

}  // namespace galley::cli
