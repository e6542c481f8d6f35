#include "cli/job_content.hpp"

#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/limits.hpp"
#include "cli/job_source.hpp"
#include "cli/lines.hpp"
#include "engine/command.hpp"

namespace galley::cli {

void add_content_options(CLI::App& app, ContentFlags& flags) {
  app.add_option("CMD", flags.misplaced, "The program and its arguments, run without a shell")->type_name("");
  app.add_option("--kind", flags.kind, "Which handler runs it (of a command: by default the program's base name)")
      ->type_name("NAME");
  app.add_option("--json", flags.json, "A typed job of --kind with this payload; - reads it from standard input")
      ->type_name("TEXT|-");
  app.add_flag("--stdin", flags.stdin_input, "The command's standard input is read from this one");
  app.add_option("--cwd", flags.cwd, "The command's working directory (default: this one)")->type_name("DIR");
  app.add_option("--env", flags.env,
                 "A variable the command gets, from here or with a value; may be repeated; no others but PATH")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false);
}

Result<void> check_content(const ContentFlags& flags, const Context& context, const std::string& command) {
  if (!flags.misplaced.empty()) {
    return usage_error("'" + flags.misplaced[0] + "' was not expected; put -- before the command: " + command + " -- " +
                       flags.misplaced[0] + " ...");
  }
  if (!flags.typed()) {
    if (context.command && !context.command->empty()) return {};
    return usage_error("there is nothing to enqueue: give a command behind --, or --kind NAME --json TEXT");
  }
  if (context.command) {
    return usage_error("--json makes a typed job; it cannot be used together with a command behind --");
  }
  if (flags.kind.empty()) return usage_error("--json needs --kind NAME: the handler that the payload is for");
  if (!flags.env.empty() || !flags.cwd.empty() || flags.stdin_input) {
    return usage_error("--env, --cwd and --stdin belong to a command; a job of --json has none");
  }
  return {};
}

Result<Command> command_of(const ContentFlags& flags, const Context& context) {
  Command command;
  if (flags.typed()) return command;
  command.argv = *context.command;
  auto env = environment_of(flags.env, [](const char* name) -> const char* { return std::getenv(name); });
  if (!env) return env.error();
  command.env = std::move(*env);
  std::error_code fault;
  command.cwd = std::filesystem::absolute(flags.cwd.empty() ? "." : flags.cwd, fault).lexically_normal();
  if (fault) return Error{Errc::Io, "the current directory cannot be found: " + fault.message()};
  if (command.cwd.size() > 1 && command.cwd.ends_with('/')) command.cwd.pop_back();
  return command;
}

Result<job::NewJob> content_job(const ContentFlags& flags, Command command) {
  std::string input;
  if (flags.stdin_input || (flags.typed() && *flags.json == "-")) {
    auto read = read_all(STDIN_FILENO, limits::kMaxPayloadBytes, "standard input");
    if (!read) return read.error();
    input = std::move(*read);
  }
  if (flags.typed()) return json_job(flags.kind, *flags.json == "-" ? std::move(input) : *flags.json);
  command.input = std::move(input);
  return engine::command_job(command, flags.kind);
}

}  // namespace galley::cli
