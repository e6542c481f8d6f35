// What a person types in `galley top`.

#include <algorithm>
#include <iterator>

#include "cli/top_view.hpp"

namespace galley::cli::top {

std::vector<Key> keys_from(std::string_view bytes) {
  constexpr std::pair<std::string_view, Key> kKnown[] = {
      {"\x1b[A", Key::Up},      {"\x1bOA", Key::Up},        {"k", Key::Up},    {"\x1b[B", Key::Down},
      {"\x1bOB", Key::Down},    {"j", Key::Down},           {"q", Key::Quit},  {"Q", Key::Quit},
      {"\x1b[5~", Key::PageUp}, {"\x1b[6~", Key::PageDown}, {"p", Key::Pause}, {"P", Key::Pause},
      {" ", Key::Refresh}};
  std::vector<Key> keys;
  while (!bytes.empty()) {
    const auto at = std::find_if(std::begin(kKnown), std::end(kKnown),
                                 [&](const auto& known) { return bytes.starts_with(known.first); });
    if (at != std::end(kKnown)) {
      keys.push_back(at->second);
      bytes.remove_prefix(at->first.size());
      continue;
    }
    // Of another sequence ("ESC [ 1 ; 5 q") no letter may be taken for a key.
    std::size_t length = 1;
    if (bytes.size() > 1 && bytes[0] == '\x1b' && (bytes[1] == '[' || bytes[1] == 'O')) {
      length = 2;
      while (length < bytes.size() && (bytes[length] < '@' || bytes[length] > '~')) ++length;
      length = std::min(length + 1, bytes.size());
    }
    bytes.remove_prefix(length);
  }
  return keys;
}

}  // namespace galley::cli::top
