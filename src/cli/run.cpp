#include "cli/run.hpp"

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <exception>
#include <memory>

#include "base/text.hpp"
#include "cli/commands.hpp"

namespace galley::cli {

namespace {

constexpr const char* kFooter =
    "Example: a durable, restartable xargs\n"
    "  find . -name '*.png' | galley enqueue --each -- convert {} -resize 200 {}.small.png\n"
    "  galley work --allow-commands --drain\n"
    "\n"
    "Exit codes: 0, 1 failure, 2 usage. 'galley COMMAND --help' tells more.";

/// What stands behind "--" is a job's, byte for byte; the parser, which reads "[a]" and "{}" as lists, never sees it.
void cut_command(std::vector<std::string>& arguments, Context& context) {
  const auto mark = std::find(arguments.begin(), arguments.end(), "--");
  if (mark == arguments.end()) return;
  context.command.emplace(mark + 1, arguments.end());
  arguments.erase(mark, arguments.end());
}

/// A job's command must stand behind "--", which the parser does not know of.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    constexpr std::string_view kPlain = "[CMD...]";
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    if (const std::size_t at = usage.find(kPlain); at != std::string::npos) {
      usage.replace(at, kPlain.size(), "[-- CMD...]");
    }
    return usage;
  }
};

/// The deepest command that was named, for "galley jobs show --help".
std::string path_of(const CLI::App& app) {
  std::string path = app.get_name();
  for (const CLI::App* deeper : app.get_subcommands()) path += " " + path_of(*deeper);
  return path;
}

/// Whether what was named makes jobs.
bool takes_command(const CLI::App& app) {
  if (app.got_subcommand("enqueue") || app.got_subcommand("split")) return true;
  return app.got_subcommand("schedules") && app.get_subcommand("schedules")->got_subcommand("put");
}

/// The parser's sentence, or a better one where it does not know what we know.
std::string explained(const CLI::ParseError& fault, const CLI::App& app, const Context& context) {
  if (app.get_subcommands().empty()) {
    const std::vector<std::string> rest = app.remaining();
    if (rest.empty()) return "a command is missing; --help names them";
    return "there is no command '" + rest.front() + "'; --help names them";
  }
  if (fault.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) && app.got_subcommand("enqueue") &&
      !context.command) {
    return std::string(fault.what()) + "; a command to run stands behind --: galley enqueue -- CMD ...";
  }
  const std::string_view said = fault.what();
  constexpr std::string_view kNoNumber = "Could not convert: ";  // NAME = VALUE; no other option is converted
  const std::size_t is = said.find(" = ");
  if (!said.starts_with(kNoNumber) || is == said.npos) return std::string(said);
  return std::string(said.substr(kNoNumber.size(), is - kNoNumber.size())) + ": " + base::quoted(said.substr(is + 3)) +
         " is not allowed; allowed is a whole number";
}

int usage(Context& context, const CLI::App& app, std::string why) {
  context.complain(usage_error(std::move(why)));
  context.err.line("Try '" + path_of(app) + " --help'.");
  static_cast<void>(context.err.flush());
  return kExitUsage;
}

int exit_code_of(const Error& error) { return error.code == Errc::InvalidInput ? kExitUsage : kExitFailure; }

/// The one place where a failure becomes a sentence and an exit code.
int perform(Context& context, const CLI::App& app) {
  Result<int> code = kExitFailure;
  try {
    if (context.command && !takes_command(app)) {
      code = usage_error("only 'galley enqueue', 'galley split' and 'galley schedules put' take a command behind --");
    } else {
      code = context.action();
    }
  } catch (const Exception& fault) {
    code = fault.error();
  } catch (const std::exception& fault) {
    code = Error{Errc::Io, fault.what()};
  }
  const auto flushed = context.out.flush();
  if (!code) {
    context.complain(code.error());
    return exit_code_of(code.error());
  }
  if (!flushed) {
    context.complain(flushed.error().message);
    return std::max(*code, kExitFailure);
  }
  return *code;
}

}  // namespace

std::unique_ptr<CLI::App> make_app(Context& context) {
  auto app =
      std::make_unique<CLI::App>("Galley: a durable job queue. Any command is a job, and none is lost.", "galley");
  app->set_version_flag("--version", "galley " GALLEY_VERSION);
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(34);
  app->formatter(formatter);
  app->footer(kFooter);
  app->require_subcommand(1);
  add_store_option(*app, context);
  for (const auto add : kCommands) add(*app, context);
  return app;
}

int run(std::vector<std::string> arguments, const base::Clock& clock) {
  Context context{clock, Output(STDOUT_FILENO), Output(STDERR_FILENO), {}, {}, {}};
  cut_command(arguments, context);
  // The parser would take an empty list for the option without one, which allows everything.
  if (std::find(arguments.begin(), arguments.end(), "--allow-commands=") != arguments.end()) {
    context.complain(usage_error(
        "--allow-commands=: the list is empty; name the programs, or leave out the = to allow any command"));
    static_cast<void>(context.err.flush());
    return kExitUsage;
  }
  const auto parser = make_app(context);
  CLI::App& app = *parser;
  try {
    std::reverse(arguments.begin(), arguments.end());  // as the parser wants them
    app.parse(std::move(arguments));
  } catch (const CLI::CallForVersion&) {
    context.action = [&] { return context.out.line("galley " GALLEY_VERSION), Result<int>(kExitOk); };
  } catch (const CLI::Success&) {  // --help, of whichever command was named
    context.action = [&] { return context.out.write(app.help()), Result<int>(kExitOk); };
  } catch (const CLI::ParseError& fault) {
    return usage(context, app, explained(fault, app, context));
  }
  return perform(context, app);
}

}  // namespace galley::cli
