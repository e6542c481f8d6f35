#pragma once
// The program's command line as plain rows, read from the parser that --help is printed from.

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace galley::docs {

struct OptionRow {
  std::vector<std::string> names;  ///< "-0", "--null"; of a positional its one name
  std::string value;               ///< what --help shows behind the names: "URL"; empty: a flag
  std::string description;
  std::vector<std::string> values;  ///< the only ones that are allowed, where the parser knows them
};

struct CommandRow {
  std::string name;  ///< with what it stands below: "galley jobs show"
  std::string description;
  std::string usage;                ///< "galley jobs show [OPTIONS] ID..."
  std::string footer;               ///< examples and remarks, as CLI::App::footer
  std::vector<OptionRow> options;   ///< those with dashes
  std::vector<OptionRow> operands;  ///< those without
  std::vector<CommandRow> commands;

  /// "show" of "galley jobs show".
  [[nodiscard]] std::string last_name() const { return name.substr(name.rfind(' ') + 1); }
};

/// The application and everything below it, but for what is hidden from --help.
[[nodiscard]] CommandRow command_table(CLI::App& app);

}  // namespace galley::docs
