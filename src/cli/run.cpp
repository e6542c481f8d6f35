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

const CLI::App& deepest_of(const CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? app : deepest_of(*named.front());
}

/// Where another command has a verb of this name: "; there is 'galley jobs retry'".
std::string verbs_named(const std::string& name, const CLI::App& app) {
  std::string found;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const auto same = command->get_subcommands([&name](const CLI::App* verb) { return verb->check_name(name); });
    if (same.empty()) continue;
    found += found.empty() ? "; there is '" : " and '";
    found += app.get_name() + " " + command->get_name() + " " + name + "'";
  }
  return found;
}

std::string without_command(const CLI::App& app) {
  const std::vector<std::string> rest = app.remaining();
  if (rest.empty()) return "a command is missing; --help names them";
  if (rest.front().starts_with('-')) return "there is no option " + base::quoted(rest.front()) + "; --help names them";
  return "there is no command '" + rest.front() + "'" + verbs_named(rest.front(), app) + "; --help names them";
}

/// What no option and no argument takes; in their order, which the parser's sentence turns round.
std::string unexpected(const CLI::App& app, const Context& context) {
  std::string text;
  for (const std::string& word : app.remaining(true)) text += (text.empty() ? "" : " ") + base::quoted(word);
  text += ": '" + path_of(app) + "' takes no such thing";
  if (app.got_subcommand("enqueue") && !context.command) {
    return text + "; a command to run stands behind --: galley enqueue -- CMD ...";
  }
  std::string verbs;
  for (const CLI::App* verb : deepest_of(app).get_subcommands([](const CLI::App*) { return true; })) {
    verbs += (verbs.empty() ? "; its verbs are " : ", ") + verb->get_name();
  }
  return text + verbs;
}

/// Of several values, which the parser names all together, the one that is no whole number.
std::string_view no_number_of(std::string_view values) {
  std::string_view rest = values;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    const std::size_t digits = one.starts_with('-') ? 1 : 0;
    if (one.size() == digits || one.find_first_not_of("0123456789", digits) != one.npos) return one;
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
  }
  return values;
}

/// The parser's sentence, or a better one where it does not know what we know.
std::string explained(const CLI::ParseError& fault, const CLI::App& app, const Context& context) {
  if (app.get_subcommands().empty()) return without_command(app);
  if (fault.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) return unexpected(app, context);
  const std::string_view said = fault.what();
  constexpr std::string_view kMissing = ": 1 required ";  // NAME: 1 required TYPE missing
  constexpr std::string_view kEnd = " missing";
  if (const std::size_t at = said.find(kMissing); at != said.npos && said.ends_with(kEnd)) {
    const std::string name(said.substr(0, at));
    const std::string_view type = said.substr(at + kMissing.size());
    return name + ": its value is missing; allowed is " + name + " " +
           std::string(type.substr(0, type.size() - kEnd.size()));
  }
  constexpr std::string_view kNoNumber = "Could not convert: ";  // NAME = VALUE; no other option is converted
  const std::size_t is = said.find(" = ");
  if (!said.starts_with(kNoNumber) || is == said.npos) return std::string(said);
  const std::string name(said.substr(kNoNumber.size(), is - kNoNumber.size()));
  const std::string_view value = said.substr(is + 3);
  const CLI::Option* option = deepest_of(app).get_option_no_throw(name);
  if (option != nullptr && option->get_items_expected_max() == 0) {
    return name + ": " + base::quoted(value) + " is not allowed; allowed is " + name + " without a value";
  }
  return name + ": " + base::quoted(no_number_of(value)) + " is not allowed; allowed is a whole number";
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
