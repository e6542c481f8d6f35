#include "cli/text.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

/// Words as a POSIX shell splits and unquotes them; it has no other syntax than what shell_quoted may write.
std::vector<std::string> read_by_shell(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ' ') {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (line[i] == '\'') {
      const std::size_t end = line.find('\'', i + 1);
      require(end != std::string_view::npos, "a quote is closed", line);
      words.back() += line.substr(i + 1, end - i - 1);
      i = end;
    } else if (line[i] == '\\') {
      require(++i < line.size(), "a backslash stands before something", line);
      words.back() += line[i];
    } else {
      require(std::string_view("|&;<>()$`\"\t\n*?[#~!{}").find(line[i]) == std::string_view::npos,
              "what a shell would act on is quoted", line);
      words.back() += line[i];
    }
  }
  return words;
}

void check_terminal(std::string_view input) {
  const std::string text = cli::to_terminal(input);
  std::string plain = text;
  std::erase_if(plain, [](char c) { return c == '\n' || c == '\t'; });
  require(base::is_printable(plain), "nothing reaches a terminal that could drive it", text);
  require(cli::to_terminal(text) == text, "what is fit for a terminal stays as it is", text);
  require(text.size() <= 4 * input.size(), "a byte becomes four at most", text);
}

}  // namespace

/// A byte for the width of a cell, then what is to be shown.
void terminal(std::string_view input) {
  Bytes bytes(input);
  const std::size_t width = 3 + bytes.byte() % 60U;
  const std::string cell = cli::to_cell(bytes.rest(), width);
  require(base::is_printable(cell), "a cell is one printable line", cell);
  require(cli::columns(cell) <= width, "a cell is not wider than it may be", cell);
  check_terminal(bytes.rest());
  const auto words = lines_of(bytes.rest());
  require(read_by_shell(cli::shell_quoted(words)) == words, "a shell reads the words back", bytes.rest());
}

}  // namespace galley::fuzz
