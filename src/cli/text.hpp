#pragma once
// Making any bytes fit for a terminal or a table's cell. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace galley::cli {

/// What is not UTF-8 and control characters that could drive a terminal become "\xHH"; line ends and tabs stay.
[[nodiscard]] std::string to_terminal(std::string_view bytes);

/// As to_terminal in one line of at most `columns` characters (code points); a cut one ends in "...".
[[nodiscard]] std::string to_cell(std::string_view bytes, std::size_t columns);

/// Code points of valid UTF-8, as a table counts its columns.
[[nodiscard]] std::size_t columns(std::string_view utf8) noexcept;

/// The words as a shell would read them back.
[[nodiscard]] std::string shell_quoted(const std::vector<std::string>& words);

}  // namespace galley::cli
