#pragma once
// What every command of the program gets.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/output.hpp"
#include "cli/settings.hpp"
#include "galley/store.hpp"

namespace CLI {
class App;
}

namespace galley::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

struct Context {
  const base::Clock& clock;
  Output out;
  Output err;
  Settings flags;  ///< what the command line said; settings() for what holds
  /// Everything behind the first "--", byte for byte; nothing: there was no "--".
  std::optional<std::vector<std::string>> command;
  /// Set while the command line is parsed: what the chosen command does. Gives the exit code.
  std::function<Result<int>()> action;

  /// "galley: SENTENCE" on standard error.
  void complain(std::string_view sentence);
  /// The same with the error's code behind it, in brackets.
  void complain(const Error& error);

  [[nodiscard]] Result<Settings> settings() const;
  /// Opens the store, and creates it where `create` is set. Errors: NotFound, and those of open_store.
  [[nodiscard]] Result<StorePtr> open(const Settings& settings, bool create);
  [[nodiscard]] Result<StorePtr> open_existing();
};

/// --store, which every command has.
void add_store_option(CLI::App& app, Context& context);

/// An InvalidInput, which ends the program with 2.
[[nodiscard]] Error usage_error(std::string message);

}  // namespace galley::cli
