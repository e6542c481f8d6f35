#include "galley_docs/man_page.hpp"

#include <algorithm>
#include <sstream>
#include <string_view>

namespace galley::docs {

namespace {

/// A line of text that troff shows as it stands: an ASCII dash or quote stays what a shell understands.
std::string escaped(std::string_view line) {
  std::string text;
  if (line.starts_with('.') || line.starts_with('\'')) text += "\\&";
  for (const char letter : line) {
    switch (letter) {
      case '\\': text += "\\e"; break;
      case '-': text += "\\-"; break;
      case '\'': text += "\\(aq"; break;
      case '`': text += "\\(ga"; break;
      case '^': text += "\\(ha"; break;
      case '~': text += "\\(ti"; break;
      default: text += letter;
    }
  }
  return text;
}

std::string bold(std::string_view text) { return "\\fB" + escaped(text) + "\\fR"; }

/// As escaped, for a text of several lines: each stays a line.
std::string paragraph(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (!result.empty()) result += ".br\n";
    result += escaped(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

/// What a footer says: a paragraph of it may be examples, exit codes, or a remark.
struct Remarks {
  std::string exit_status;
  std::string notes;
  std::string examples;
};

/// Lines that are indented in --help are typed by a person; they keep their layout.
std::string laid_out(const std::vector<std::string>& lines) {
  std::string text;
  bool code = false;
  for (const std::string& line : lines) {
    const bool indented = line.starts_with("  ");
    if (indented != code) text += indented ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n.PP\n";
    code = indented;
    text += escaped(indented ? std::string_view(line).substr(2) : std::string_view(line)) + "\n";
  }
  return text + (code ? ".RE\n.fi\n" : "");
}

void add_remark(std::vector<std::string> lines, Remarks& remarks) {
  std::string& first = lines.front();
  std::string* section = &remarks.notes;
  if (first.starts_with("Exit code")) {
    section = &remarks.exit_status;
  } else if (first.starts_with("Example:") || first.starts_with("Examples:")) {
    section = &remarks.examples;
    first.erase(0, first.find(':') + 1);
    first.erase(0, std::min(first.find_first_not_of(' '), first.size()));
    // "Example: galley jobs show 17" is the example itself; with lines below it, it says what they do.
    if (lines.size() == 1) first.insert(0, "  ");
    if (first.empty()) lines.erase(lines.begin());
  }
  if (!section->empty()) *section += ".PP\n";
  *section += laid_out(lines);
}

Remarks remarks_of(const std::string& footer) {
  Remarks remarks;
  std::vector<std::string> lines;
  std::istringstream input(footer + "\n\n");
  for (std::string line; std::getline(input, line);) {
    if (!line.empty()) {
      lines.push_back(line);
    } else if (!lines.empty()) {
      add_remark(lines, remarks);
      lines.clear();
    }
  }
  return remarks;
}

std::string section(std::string_view title, const std::string& text) {
  return text.empty() ? "" : ".SH " + std::string(title) + "\n" + text;
}

std::string options_text(const std::vector<OptionRow>& options) {
  std::string text;
  for (const OptionRow& option : options) {
    text += ".TP\n";
    for (std::size_t i = 0; i < option.names.size(); ++i) text += (i == 0 ? "" : ", ") + bold(option.names[i]);
    if (!option.value.empty()) text += " \\fI" + escaped(option.value) + "\\fR";
    text += "\n" + (option.description.empty() ? "\\&\n" : paragraph(option.description));
  }
  return text;
}

std::string synopsis(const CommandRow& command) {
  return bold(command.name) + escaped(std::string_view(command.usage).substr(command.name.size())) + "\n";
}

/// The description as NAME wants it: without the name before it and the full stop behind.
std::string headline(const CommandRow& command) {
  std::string text = command.description;
  if (const std::size_t at = text.find(": "); at == command.name.size()) text.erase(0, at + 2);
  if (text.ends_with('.')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string opening(const CommandRow& command) {
  const std::string name = page_name(command);
  std::string text = ".\\\" Written by galley_docs from the table of --help.\n";
  text += ".TH \"" + escaped(name) + "\" 1 \"\" \"Galley " GALLEY_VERSION "\" \"User Commands\"\n";
  text += ".nh\n.ad l\n";  // a name or an option is not hyphenated
  return text + ".SH NAME\n" + escaped(name) + " \\- " + escaped(headline(command)) + "\n";
}

/// What a subsection tells: all but --help, which every command has.
std::vector<OptionRow> own_options(const CommandRow& command) {
  std::vector<OptionRow> options = command.options;
  std::erase_if(options, [](const OptionRow& option) { return option.names.back() == "--help"; });
  return options;
}

/// A command below the page's own: `galley jobs show` in galley-jobs(1).
std::string subsection(const CommandRow& command) {
  const Remarks remarks = remarks_of(command.footer);
  std::string text = ".SS " + escaped(command.name) + "\n" + synopsis(command) + ".PP\n" +
                     paragraph(command.description) + options_text(command.operands) +
                     options_text(own_options(command));
  for (const std::string* remark : {&remarks.exit_status, &remarks.notes}) {
    if (!remark->empty()) text += ".PP\n" + *remark;
  }
  if (!remarks.examples.empty()) text += ".PP\nFor example:\n" + remarks.examples;
  for (const CommandRow& below : command.commands) text += subsection(below);
  return text;
}

std::string closing(const CommandRow& command, const std::string& see_also) {
  const Remarks remarks = remarks_of(command.footer);
  return section("EXIT STATUS", remarks.exit_status) + section("NOTES", remarks.notes) +
         section("EXAMPLES", remarks.examples) + section("SEE ALSO", see_also);
}

}  // namespace

std::string page_name(const CommandRow& command) {
  std::string name = command.name;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string program_page(const CommandRow& program) {
  std::string commands;
  std::string see_also;
  for (const CommandRow& command : program.commands) {
    const std::string reference = bold(page_name(command)) + "(1)";
    commands += ".TP\n" + reference + "\n" + paragraph(command.description);
    see_also += (see_also.empty() ? "" : ",\n") + reference;
  }
  return opening(program) + section("SYNOPSIS", synopsis(program)) +
         section("DESCRIPTION", paragraph(program.description)) + section("COMMANDS", commands) +
         section("OPTIONS", options_text(program.options)) + closing(program, see_also + "\n");
}

std::string command_page(const CommandRow& command) {
  std::string below;
  for (const CommandRow& row : command.commands) below += subsection(row);
  const std::string program = command.name.substr(0, command.name.find(' '));
  return opening(command) + section("SYNOPSIS", synopsis(command)) +
         section("DESCRIPTION", paragraph(command.description)) + section("ARGUMENTS", options_text(command.operands)) +
         section("OPTIONS", options_text(command.options)) + section("COMMANDS", below) +
         closing(command, bold(program) + "(1)\n");
}

}  // namespace galley::docs
