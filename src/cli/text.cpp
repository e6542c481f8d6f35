#include "cli/text.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace galley::cli {

namespace {

bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

void escape(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += kHex[byte >> 4U];
  out += kHex[byte & 15U];
}

/// C0 and C1 controls and DEL; what else could move a cursor is built from these.
bool is_control(std::string_view character) noexcept {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

template <class Keep>
std::string converted(std::string_view bytes, Keep keep) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = base::utf8_length(bytes);
    if (length != 0 && keep(bytes.substr(0, length))) {
      out += bytes.substr(0, length);
    } else {
      for (const char c : bytes.substr(0, std::max<std::size_t>(length, 1))) escape(out, c);
    }
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

bool is_plain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("%+,-./:=@_").find(c) != std::string_view::npos;
}

}  // namespace

std::string to_terminal(std::string_view bytes) {
  return converted(bytes, [](std::string_view s) { return s == "\n" || s == "\t" || !is_control(s); });
}

std::string to_cell(std::string_view bytes, std::size_t limit) {
  // A code point has at most 4 bytes and an escaped byte 4 characters: more input cannot be shown anyway.
  std::string line = converted(bytes.substr(0, 4 * limit + 4), [](std::string_view s) { return !is_control(s); });
  if (columns(line) <= limit) return line;
  std::size_t seen = 0;
  std::size_t end = 0;
  for (; end < line.size(); ++end) {
    if (!is_continuation(line[end]) && ++seen + 3 > limit) break;
  }
  return line.substr(0, end) + "...";
}

std::size_t columns(std::string_view utf8) noexcept {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return !is_continuation(c); }));
}

std::string shell_quoted(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) {
      if (c == '\'') {
        line += "'\\''";
      } else {
        line += c;
      }
    }
    line += '\'';
  }
  return line;
}

}  // namespace galley::cli
