#pragma once
// What the targets are made of. A target gets any bytes, feeds one parser with them, and holds what comes out against
// what the parser promises: it throws Broken where a promise is not kept.
//
// Thread-safety: one thread.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "galley/error.hpp"

namespace galley::fuzz {

class Broken : public std::logic_error {
  using std::logic_error::logic_error;
};

/// `promise` is what must hold, as a sentence.
inline void require(bool holds, std::string_view promise, std::string_view shown = {}) {
  if (holds) return;
  throw Broken("this does not hold: " + std::string(promise) + (shown.empty() ? "" : ": " + base::quoted(shown)));
}

inline constexpr std::size_t kMaxMessageBytes = 2'000;  // quoted texts are cut at 100 characters of up to 6 bytes

/// A sentence for a person, whatever was given: printable, bounded, and it names what it is about.
inline void require_message(const Error& error, std::string_view named = {}) {
  require(!error.message.empty(), "an error has a message");
  require(base::is_printable(error.message), "a message is printable", error.message);
  require(error.message.size() <= kMaxMessageBytes, "a message is bounded", error.message);
  require(error.message.find(named) != std::string::npos, "a message names its field", error.message);
}

/// True: it was refused, as invalid input is.
template <class T>
[[nodiscard]] bool refused(const Result<T>& result, std::string_view named = {}) {
  if (result) return false;
  require(result.error().code == Errc::InvalidInput, "what cannot be read is InvalidInput", result.error().message);
  require_message(result.error(), named);
  return true;
}

/// The bytes of an input, taken from its front. What is beyond its end is zero.
class Bytes {
 public:
  explicit Bytes(std::string_view input) : left_(input) {}
  [[nodiscard]] std::uint8_t byte() {
    if (left_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return value;
  }
  /// Little-endian.
  [[nodiscard]] std::uint64_t number(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << (8 * i);
    return value;
  }
  /// Up to the next line end.
  [[nodiscard]] std::string_view line() {
    const std::string_view line = left_.substr(0, left_.find('\n'));
    left_.remove_prefix(line.size() < left_.size() ? line.size() + 1 : line.size());
    return line;
  }
  [[nodiscard]] std::string_view rest() const { return left_; }
  [[nodiscard]] bool empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

[[nodiscard]] inline std::vector<std::string> lines_of(std::string_view input) {
  std::vector<std::string> lines;
  for (Bytes bytes(input); !bytes.empty();) lines.emplace_back(bytes.line());
  return lines;
}

}  // namespace galley::fuzz
