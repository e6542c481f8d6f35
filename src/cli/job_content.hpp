#pragma once
// The options that say what a job is, as every command that makes jobs has them: a command behind --, or a kind with a
// JSON payload.

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.hpp"
#include "galley/queue.hpp"
#include "job/job.hpp"

namespace galley::cli {

struct ContentFlags {
  std::string kind;
  std::optional<std::string> json;
  std::vector<std::string> env;
  std::string cwd;
  bool stdin_input = false;
  std::vector<std::string> misplaced;  ///< a command without the "--" before it

  [[nodiscard]] bool typed() const noexcept { return json.has_value(); }
};

void add_content_options(CLI::App& app, ContentFlags& flags);

/// What contradicts itself or is missing; `command` is the program's own: "galley enqueue". Errors: InvalidInput.
[[nodiscard]] Result<void> check_content(const ContentFlags& flags, const Context& context, const std::string& command);

/// The command behind --, with the variables and the directory of this process where the flags name them; still without
/// input. Of a typed job: an empty one. Errors: InvalidInput, Io.
[[nodiscard]] Result<Command> command_of(const ContentFlags& flags, const Context& context);

/// The one job that was said, of `command` or typed; reads standard input where the flags say so. Errors: InvalidInput,
/// Io.
[[nodiscard]] Result<job::NewJob> content_job(const ContentFlags& flags, Command command);

}  // namespace galley::cli
