#include "base/text.hpp"

namespace galley::base {

namespace {

constexpr std::size_t kQuotedCharacters = 100;  // enough to recognise a value, short enough for one line

unsigned byte_at(std::string_view text, std::size_t i) noexcept {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
}

bool is_continuation(unsigned byte) noexcept { return (byte & 0xC0U) == 0x80U; }

/// Of one well-formed sequence.
bool is_control(std::string_view sequence) noexcept {
  const unsigned first = byte_at(sequence, 0);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && byte_at(sequence, 1) < 0xA0;
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\t') {
    out += "\\t";
  } else {
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  }
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
  const unsigned first = byte_at(text, 0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte_at(text, 1) < low || byte_at(text, 1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (!is_continuation(byte_at(text, i))) return 0;
  }
  return length;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_printable(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0 || is_control(text.substr(0, length))) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string to_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      bytes.remove_prefix(1);
    } else {
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return out;
}

std::string_view head_of(std::string_view text, std::size_t max) noexcept {
  if (text.size() <= max) return text;
  std::size_t end = max;
  while (end > 0 && is_continuation(byte_at(text, end))) --end;
  return text.substr(0, end);
}

std::string_view tail_of(std::string_view text, std::size_t max) noexcept {
  if (text.size() <= max) return text;
  std::size_t begin = text.size() - max;
  while (begin < text.size() && is_continuation(byte_at(text, begin))) ++begin;
  return text.substr(begin);
}

void append_tail(std::string& tail, std::string_view more, std::size_t max) {
  // Where something was dropped, more than `max` bytes stay: of fewer nobody could tell that a character was cut.
  if (more.size() > max) {
    tail = more.substr(more.size() - max - 1);
    return;
  }
  tail += more;
  if (tail.size() > 2 * max) tail.erase(0, tail.size() - max - 1);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (std::size_t shown = 0; !text.empty(); ++shown) {
    if (shown == kQuotedCharacters) return out + "\"...";
    const std::size_t length = utf8_length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    if (length == 0 || is_control(sequence) || sequence == "\"" || sequence == "\\") {
      for (const char c : sequence) append_escaped(out, c);
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  return out + "\"";
}

}  // namespace galley::base
