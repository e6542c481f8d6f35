#include "cli/split_source.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/context.hpp"
#include "cli/lines.hpp"
#include "engine/process.hpp"
#include "engine/split.hpp"

namespace galley::cli {

namespace {

constexpr std::string_view kHole = "{}";
constexpr std::string_view kFirst = "{first}";
constexpr std::string_view kLast = "{last}";

bool has(const std::vector<std::string>& words, std::string_view hole) {
  return std::any_of(words.begin(), words.end(), [hole](const std::string& w) { return w.find(hole) != w.npos; });
}

std::string replaced(std::string text, std::string_view hole, std::string_view with) {
  for (std::size_t at = text.find(hole); at != std::string::npos; at = text.find(hole, at + with.size())) {
    text.replace(at, hole.size(), with);
  }
  return text;
}

Result<void> check_flags(const SplitSourceFlags& flags) {
  const int sources = (flags.input.empty() ? 0 : 1) + (flags.items.empty() ? 0 : 1) + (flags.range.empty() ? 0 : 1);
  if (sources != 1)
    return usage_error("what is to be split is said by one of --input FILE, --items FILE and --range A..B");
  const bool sized = flags.lines > 0 || flags.bytes > 0;
  if (!flags.input.empty() && (flags.lines > 0) == (flags.bytes > 0)) {
    return usage_error("--input FILE is split by one of --lines N and --bytes N");
  }
  if (flags.input.empty() && sized) return usage_error("--lines and --bytes say how --input FILE is split; add it");
  if (flags.null_delimited && flags.items.empty()) return usage_error("-0 says how --items are delimited; add it");
  return {};
}

Result<SplitSource> file_source(const SplitSourceFlags& flags, const std::vector<std::string>& argv) {
  if (has(argv, kHole)) {
    return usage_error("{} stands for an item of --items; a part of a file is the command's standard input");
  }
  auto parts = flags.lines > 0 ? engine::split_by_lines(flags.input, flags.lines)
                               : engine::split_by_bytes(flags.input, flags.bytes);
  if (!parts) return parts.error();
  SplitSource source;
  source.parts = static_cast<std::int64_t>(parts->size());
  source.fill = [all = *std::move(parts)](std::int64_t index, Command& command) {
    command.input_part = all[static_cast<std::size_t>(index)];
  };
  return source;
}

Result<std::vector<std::string>> read_items(const SplitSourceFlags& flags) {
  const bool standard = flags.items == "-";
  const engine::Fd file(standard ? -1 : ::open(flags.items.c_str(), O_RDONLY | O_CLOEXEC));
  if (!standard && file.get() < 0) {
    return Error{Errc::NotFound, "--items " + base::quoted(flags.items) + ": it cannot be read"};
  }
  LineReader lines(standard ? STDIN_FILENO : file.get(), flags.null_delimited ? '\0' : '\n', limits::kMaxPayloadBytes);
  std::vector<std::string> items;
  std::size_t bytes = 0;
  while (true) {
    auto line = lines.next();
    if (!line) return line.error();
    if (!*line) return items;
    if ((*line)->empty()) continue;
    bytes += (*line)->size();
    if (bytes > limits::kMaxInputBytes) {
      return usage_error("--items has more than the " + std::to_string(limits::kMaxInputBytes) +
                         " bytes that are allowed; use --input with --lines");
    }
    items.push_back(**std::move(line));
  }
}

/// The items take the place of the argument {}, one argument each; without one they are its standard input, one a line.
void fill_items(std::span<const std::string> items, Command& command) {
  const bool hole = has(command.argv, kHole);
  if (!hole) {
    for (const std::string& item : items) command.input += item + "\n";
    return;
  }
  std::vector<std::string> argv;
  for (const std::string& word : command.argv) {
    if (word == kHole) {
      argv.insert(argv.end(), items.begin(), items.end());
    } else {
      argv.push_back(replaced(word, kHole, items.front()));  // of several, check_holes has seen to it
    }
  }
  command.argv = std::move(argv);
}

Result<void> check_holes(const SplitSourceFlags& flags, const std::vector<std::string>& argv) {
  if (flags.chunk == 1) return {};
  for (const std::string& word : argv) {
    if (word != kHole && word.find(kHole) != std::string::npos) {
      return usage_error("{} within the argument " + base::quoted(word) +
                         " is one item; with --chunk above 1, {} must be an argument of its own");
    }
  }
  return {};
}

Result<SplitSource> item_source(const SplitSourceFlags& flags, const std::vector<std::string>& argv) {
  if (auto fine = check_holes(flags, argv); !fine) return fine.error();
  auto items = read_items(flags);
  if (!items) return items.error();
  const auto parts = split_detail::count(static_cast<std::int64_t>(items->size()), flags.chunk);
  if (!parts) return parts.error();
  SplitSource source;
  source.parts = *parts;
  source.fill = [all = *std::move(items), size = static_cast<std::size_t>(flags.chunk)](std::int64_t index,
                                                                                        Command& to) {
    const std::size_t begin = static_cast<std::size_t>(index) * size;
    fill_items(std::span(all).subspan(begin, std::min(size, all.size() - begin)), to);
  };
  return source;
}

Result<SplitSource> range_source(const SplitSourceFlags& flags, const std::vector<std::string>& argv) {
  const Error bad = usage_error("--range: " + base::quoted(flags.range) +
                                " is not allowed; allowed is FIRST..LAST, whole numbers, both included");
  const std::size_t dots = flags.range.find("..");
  if (dots == std::string::npos) return bad;
  std::int64_t first = 0;
  std::int64_t last = 0;
  const char* const text = flags.range.data();
  const char* const end = text + flags.range.size();
  const auto one = std::from_chars(text, text + dots, first);
  const auto two = std::from_chars(text + dots + 2, end, last);
  const bool read = one.ec == std::errc() && two.ec == std::errc() && one.ptr == text + dots && two.ptr == end;
  std::int64_t all = 0;
  if (!read || last < first || __builtin_sub_overflow(last, first, &all) ||
      all == std::numeric_limits<std::int64_t>::max()) {
    return bad;
  }
  const bool bounds = has(argv, kFirst) && has(argv, kLast);
  if (!bounds && (flags.chunk > 1 || !has(argv, kHole))) {
    return usage_error("the command gets its numbers as {first} and {last}, or with --chunk 1 as {}; it has neither");
  }
  const auto parts = split_detail::count(all + 1, flags.chunk);
  if (!parts) return parts.error();
  SplitSource source;
  source.parts = *parts;
  source.fill = [first, last, size = flags.chunk](std::int64_t index, Command& command) {
    const std::int64_t begin = first + index * size;
    const std::int64_t till = last - begin < size ? last : begin + size - 1;
    for (std::string& word : command.argv) {
      word = replaced(replaced(std::move(word), kFirst, std::to_string(begin)), kLast, std::to_string(till));
      if (size == 1) word = replaced(std::move(word), kHole, std::to_string(begin));
    }
  };
  return source;
}

}  // namespace

void add_split_sources(CLI::App& app, SplitSourceFlags& flags) {
  const auto count = CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()).description("");
  app.add_option("--input", flags.input, "Split this file; a part, whole lines, is its command's standard input")
      ->type_name("FILE");
  app.add_option("--lines", flags.lines, "Of --input: lines a part")->check(count)->type_name("N");
  app.add_option("--bytes", flags.bytes, "Of --input: bytes a part, and what is missing to the end of the line")
      ->check(count)
      ->type_name("N");
  app.add_option("--items", flags.items,
                 "Split the lines of this file (-: standard input); {} in the command becomes a part's items, one "
                 "argument each; without {} they are its standard input")
      ->type_name("FILE");
  app.add_flag("-0,--null", flags.null_delimited, "Lines of --items end with NUL, as find -print0 writes them");
  app.add_option("--range", flags.range,
                 "Split these whole numbers, both included; {first} and {last} in the command are a part's")
      ->type_name("FIRST..LAST");
  app.add_option("--chunk", flags.chunk, "Of --items and --range: how many a part (default 1)")
      ->check(count)
      ->type_name("N");
}

Result<SplitSource> split_source(const SplitSourceFlags& flags, const std::vector<std::string>& argv) {
  if (auto fine = check_flags(flags); !fine) return fine.error();
  if (!flags.input.empty()) return file_source(flags, argv);
  return flags.items.empty() ? range_source(flags, argv) : item_source(flags, argv);
}

}  // namespace galley::cli
