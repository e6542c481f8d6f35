#include "galley_docs/completion.hpp"

#include <string_view>

namespace galley::docs {

namespace {

/// The tables of the script; each line is "['galley jobs']='show retry'".
struct Tables {
  std::string commands;
  std::string options;
  std::string values;    ///< of options that take one
  std::string operands;  ///< of arguments without a dash
};

std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char letter : text) result += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return result + "'";
}

void add_line(std::string& table, const std::string& key, const std::string& value) {
  table += "    [" + in_quotes(key) + "]=" + in_quotes(value) + "\n";
}

void add_word(std::string& words, const std::string& word) { words += (words.empty() ? "" : " ") + word; }

/// Words, "@files", "@directories", or nothing when only the person knows.
std::string completion_of(const OptionRow& option) {
  std::string words;
  for (const std::string& value : option.values) add_word(words, value);
  if (!words.empty()) return words;
  if (option.value.find("DIR") != std::string::npos) return "@directories";
  const bool file = option.value.find("FILE") != std::string::npos || option.value.find("PATH") != std::string::npos;
  return file ? "@files" : "";
}

void collect(const CommandRow& command, Tables& tables) {
  std::string commands;
  for (const CommandRow& below : command.commands) add_word(commands, below.last_name());
  if (!commands.empty()) add_line(tables.commands, command.name, commands);

  std::string options;
  for (const OptionRow& option : command.options) {
    for (const std::string& name : option.names) {
      add_word(options, name);
      if (!option.value.empty()) add_line(tables.values, command.name + " " + name, completion_of(option));
    }
  }
  add_line(tables.options, command.name, options);

  for (const OptionRow& operand : command.operands) {
    const std::string words = completion_of(operand);
    if (words.empty()) continue;
    add_line(tables.operands, command.name, words);
    break;
  }
  for (const CommandRow& below : command.commands) collect(below, tables);
}

constexpr std::string_view kBody = R"script(
  local name=@NAME@ open= word words i
  local current=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()

  # What stands before the cursor: which command, and whether an option still waits for its value. The shell has cut
  # --option=value at the "=".
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == -- ]]; then
      # A job's own command: a program, then its arguments.
      if ((i + 1 == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
      fi
      compopt -o filenames 2>/dev/null
      return
    elif [[ $word == = ]]; then
      continue
    elif [[ -n $open ]]; then
      open=
    elif [[ $word == -* ]]; then
      [[ -n ${values["$name $word"]+set} ]] && open="$name $word"
    elif [[ " ${commands["$name"]-} " == *" $word "* ]]; then
      name+=" $word"
    fi
  done
  [[ $current == = ]] && current=

  if [[ -n $open ]]; then
    words=${values["$open"]}
  elif [[ $current == -* ]]; then
    words=${options["$name"]-}
  else
    words=${commands["$name"]-${operands["$name"]-}}
  fi
  case $words in
    @files) mapfile -t COMPREPLY < <(compgen -f -- "$current") && compopt -o filenames 2>/dev/null ;;
    @directories) mapfile -t COMPREPLY < <(compgen -d -- "$current") && compopt -o filenames 2>/dev/null ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
  esac
}
)script";

std::string table_text(std::string_view name, const std::string& lines) {
  return "  local -A " + std::string(name) + "=(\n" + lines + "  )\n";
}

}  // namespace

std::string bash_completion(const CommandRow& program) {
  constexpr std::string_view kName = "@NAME@";
  Tables tables;
  collect(program, tables);
  std::string body(kBody);
  body.replace(body.find(kName), kName.size(), in_quotes(program.name));
  const std::string function = "_" + program.name;
  return "# Completion of " + program.name + " " GALLEY_VERSION +
         " for bash, written by galley_docs from the table of " + "--help.\n\n" + function + "() {\n" +
         table_text("commands", tables.commands) + table_text("options", tables.options) +
         table_text("values", tables.values) + table_text("operands", tables.operands) + body + "\ncomplete -F " +
         function + " " + program.name + "\n";
}

}  // namespace galley::docs
