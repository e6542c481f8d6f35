#pragma once
// Bytes that people will read: cut at character boundaries, made valid, quoted in messages. Pure.

#include <cstddef>
#include <string>
#include <string_view>

namespace galley::base {

/// Bytes of the well-formed UTF-8 sequence at the front (Unicode 15, table 3-7); 0 where there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept;

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;
/// Valid UTF-8 without control characters (C0, DEL, C1), and so without NUL.
[[nodiscard]] bool is_printable(std::string_view text) noexcept;

/// Valid UTF-8, fit for JSON: every byte that is not part of a character becomes U+FFFD.
[[nodiscard]] std::string to_utf8(std::string_view bytes);

/// The first `max` bytes at most; a character that does not fit whole is left out.
[[nodiscard]] std::string_view head_of(std::string_view text, std::size_t max) noexcept;
/// The last `max` bytes at most, beginning with a whole character.
[[nodiscard]] std::string_view tail_of(std::string_view text, std::size_t max) noexcept;

/// Adds `more` to a tail that keeps the last `max` bytes at most. Amortised linear: a tail grows to twice `max` before
/// its front is dropped; take tail_of(tail, max) when it is read.
void append_tail(std::string& tail, std::string_view more, std::size_t max);

/// For messages: in double quotes; control characters, quotes, backslashes and stray bytes are escaped; what is longer
/// than 100 characters is cut and followed by "...".
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace galley::base
