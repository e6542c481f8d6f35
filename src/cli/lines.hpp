#pragma once
// Reading standard input: whole, or record by record, always bounded.
//
// Thread-safety: none.

#include <cstdint>
#include <optional>
#include <string>

#include "galley/error.hpp"

namespace galley::cli {

/// Everything up to the end. Errors: InvalidInput over `max_bytes` (naming `what`), Io.
[[nodiscard]] Result<std::string> read_all(int fd, std::size_t max_bytes, std::string_view what);

/// Splits what it reads at a delimiter; the last record may lack it.
class LineReader {
 public:
  LineReader(int fd, char delimiter, std::size_t max_bytes) noexcept
      : fd_(fd), delimiter_(delimiter), max_bytes_(max_bytes) {}

  /// The next record without its delimiter; nothing: the end. Errors: InvalidInput (too long), Io.
  [[nodiscard]] Result<std::optional<std::string>> next();
  /// False when next() would have to wait for whoever writes.
  [[nodiscard]] bool ready() const noexcept;
  /// Of the record that next() gave last, from 1.
  [[nodiscard]] std::int64_t number() const noexcept { return number_; }

 private:
  [[nodiscard]] std::optional<std::string> take();

  int fd_;
  char delimiter_;
  std::size_t max_bytes_;
  std::string buffer_;
  std::size_t begin_ = 0;     ///< of what was not given yet
  std::size_t searched_ = 0;  ///< no delimiter stands in [begin_, searched_)
  bool end_ = false;
  std::int64_t number_ = 0;
};

}  // namespace galley::cli
