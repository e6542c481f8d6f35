// The part of galley/payload.hpp that is no template.

#include "galley/payload.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>

#include "base/text.hpp"

namespace galley::payload_detail {

namespace {

using boost::system::error_code;

/// What json::parse does, but for doubles: Boost.JSON 1.81 reads one in five of them wrong in the last place, and a
/// job must get the number that was enqueued.
class Builder {
 public:
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  Builder() { stack_.reset(); }
  [[nodiscard]] json::value release() { return stack_.release(); }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t members, error_code&) {
    stack_.push_object(members);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t items, error_code&) {
    stack_.push_array(items);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_key(json::string_view rest, std::size_t, error_code&) {
    stack_.push_key(rest);
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(json::string_view rest, std::size_t, error_code&) {
    stack_.push_string(rest);
    return true;
  }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, error_code&) {
    stack_.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, json::string_view, error_code&) {
    stack_.push_uint64(number);
    return true;
  }
  /// `text` is the whole number, because the payload is read in one piece. Out of range: Boost's 0 or infinity.
  bool on_double(double nearly, json::string_view text, error_code&) {
    double number = nearly;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    stack_.push_double(failure == std::errc() ? number : nearly);
    return true;
  }
  bool on_bool(bool flag, error_code&) {
    stack_.push_bool(flag);
    return true;
  }
  bool on_null(error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  json::value_stack stack_;
};

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 100;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (std::string_view left = base::head_of(text, kMost); !left.empty();) {
    const std::string_view character = left.substr(0, std::max<std::size_t>(1, base::utf8_length(left)));
    if (base::is_printable(character)) {
      out += character;
    } else {  // JSON escapes only those below a blank; the others are two bytes of UTF-8, of which the last is the
              // number
      const auto number = static_cast<unsigned char>(character.back());
      (out += "\\u00").append({kHex[number >> 4U], kHex[number & 15U]});
    }
    left.remove_prefix(character.size());
  }
  return text.size() > kMost ? out + "..." : out;
}

Fault wrong(const json::value& value, const std::string& allowed) {
  return {{}, shown(json::serialize(value)) + " is not allowed; allowed is " + allowed};
}

std::string to_utf8(std::string_view bytes) { return base::to_utf8(bytes); }

json::value parse(std::string_view text, error_code& error) {
  json::basic_parser<Builder> parser{json::parse_options{}};
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::error::extra_data;
  return error ? json::value() : parser.handler().release();
}

}  // namespace galley::payload_detail
