#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cli/split_source.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

Command part(const cli::SplitSource& source, const std::vector<std::string>& argv, std::int64_t index) {
  Command command;
  command.argv = argv;
  source.fill(index, command);
  return command;
}

}  // namespace

/// Eight bytes of chunk, then the range. The parts of a range follow each other, from its first number to its last.
void split(std::string_view input) {
  Bytes bytes(input);
  cli::SplitSourceFlags flags;
  const auto chunk = static_cast<std::int64_t>(bytes.number(8) >> 1);
  flags.chunk = chunk < 1 ? 1 : chunk;
  flags.range = std::string(bytes.rest());
  if (flags.range.empty()) return;
  const std::vector<std::string> argv = {"{first}", "{last}"};
  const auto source = cli::split_source(flags, argv);
  if (refused(source)) return;
  require(source->parts >= 1, "a range that is read has a part", flags.range);
  const Command first = part(*source, argv, 0);
  const Command last = part(*source, argv, source->parts - 1);
  require(first.argv.size() == 2 && last.argv.size() == 2, "numbers stand in their places", flags.range);
  const std::int64_t begin = std::stoll(first.argv[0]);
  const std::int64_t end = std::stoll(last.argv[1]);
  require(begin <= std::stoll(first.argv[1]) && std::stoll(last.argv[0]) <= end, "no part is empty", flags.range);
  require(std::stoll(flags.range.substr(0, flags.range.find(".."))) == begin, "it begins with the first", flags.range);
  require(std::stoll(flags.range.substr(flags.range.find("..") + 2)) == end, "it ends with the last", flags.range);
  if (source->parts > 1) {
    const std::int64_t next = std::stoll(part(*source, argv, 1).argv[0]);
    require(next == std::stoll(first.argv[1]) + 1, "parts follow each other", flags.range);
  }
}

}  // namespace galley::fuzz
