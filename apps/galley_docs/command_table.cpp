#include "galley_docs/command_table.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string_view>

namespace galley::docs {

namespace {

/// The set of an IsMember. CLI11 tells it only to whoever offers a value outside the set: "X not in {a,b}".
std::vector<std::string> members(const CLI::Validator& validator) {
  constexpr std::string_view kBefore = " not in {";
  std::string answer;
  try {
    answer = validator(std::string("\x01"));
  } catch (const CLI::Error&) {
    return {};  // a set of numbers, whose members are no words to complete
  }
  const std::size_t at = answer.find(kBefore);
  if (at == std::string::npos || answer.back() != '}') return {};
  const std::size_t start = at + kBefore.size();
  return CLI::detail::split(answer.substr(start, answer.size() - start - 1), ',');
}

std::vector<std::string> allowed_values(CLI::Option& option) {
  for (int i = 0;; ++i) {
    try {
      if (auto values = members(*option.get_validator(i)); !values.empty()) return values;
    } catch (const CLI::OptionNotFound&) {  // the parser does not tell how many there are
      return {};
    }
  }
}

OptionRow row_of(CLI::Option& option, const CLI::Formatter& formatter) {
  OptionRow row;
  if (option.get_positional()) {
    row.names.push_back(option.get_name(true));
  } else {
    for (const std::string& name : option.get_snames()) row.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) row.names.push_back("--" + name);
  }
  row.value = CLI::detail::trim_copy(formatter.make_option_opts(&option));
  row.description = option.get_description();
  row.values = allowed_values(option);
  return row;
}

std::string usage_of(const CLI::App& app, const std::string& name, const CLI::Formatter& formatter) {
  const std::string usage = CLI::detail::trim_copy(formatter.make_usage(&app, name));
  return usage.substr(usage.find(name));
}

CommandRow command_row(CLI::App& app, const std::string& name) {
  const auto formatter = std::dynamic_pointer_cast<CLI::Formatter>(app.get_formatter());
  if (formatter == nullptr) throw std::logic_error("the commands' help is not laid out by a CLI::Formatter");
  CommandRow row;
  row.name = name;
  row.description = app.get_description();
  row.usage = usage_of(app, name, *formatter);
  row.footer = app.get_footer();
  for (CLI::Option* option : app.get_options({})) {
    if (option->get_group().empty()) continue;
    auto& rows = option->get_positional() ? row.operands : row.options;
    rows.push_back(row_of(*option, *formatter));
  }
  for (CLI::App* command : app.get_subcommands(std::function<bool(CLI::App*)>())) {
    if (command->get_group().empty() || command->get_name().empty()) continue;
    row.commands.push_back(command_row(*command, name + " " + command->get_name()));
  }
  return row;
}

}  // namespace

CommandRow command_table(CLI::App& app) { return command_row(app, app.get_name()); }

}  // namespace galley::docs
