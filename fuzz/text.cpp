#include "base/text.hpp"

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

void check_cuts(std::string_view text, std::size_t most) {
  const std::string_view head = base::head_of(text, most);
  const std::string_view tail = base::tail_of(text, most);
  require(head.size() <= most && text.starts_with(head), "a head is the front of the text");
  require(tail.size() <= most && text.ends_with(tail), "a tail is the end of the text");
  if (base::is_utf8(text)) {
    require(base::is_utf8(head) && base::is_utf8(tail), "a cut cuts no character");
    require(head.size() + 4 > std::min(most, text.size()), "a cut leaves out one character at most");
  }
  std::string grown;
  for (std::size_t at = 0; at < text.size(); at += 7) base::append_tail(grown, text.substr(at, 7), most);
  require(grown.size() <= 2 * most + 8, "a growing tail is bounded");
  require(base::tail_of(grown, most) == tail, "a tail that has grown is the tail of all");
}

}  // namespace

/// A byte for where it is cut, then the text.
void text(std::string_view input) {
  Bytes bytes(input);
  const std::size_t most = bytes.byte() % 64U;
  const std::string_view given = bytes.rest();
  const std::string utf8 = base::to_utf8(given);
  require(base::is_utf8(utf8), "what was made valid is valid");
  require((utf8 == given) == base::is_utf8(given), "what is valid stays as it is");
  require(base::utf8_length(given) <= std::min<std::size_t>(4, given.size()), "a character is part of its text");
  const std::string shown = base::quoted(given);
  require(base::is_printable(shown) && shown.size() <= 700, "what is quoted is short and printable", shown);
  check_cuts(given, most);
  check_cuts(utf8, most);
}

}  // namespace galley::fuzz
