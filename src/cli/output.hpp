#pragma once
// Writing lines to standard output and standard error. A reader that went away (EPIPE) ends the output quietly: what is
// written afterwards is dropped, and closed() lets a long listing end early.
//
// Thread-safety: none.

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "galley/error.hpp"

namespace galley::cli {

class Output {
 public:
  /// `fd` is borrowed.
  explicit Output(int fd) noexcept : fd_(fd) {}

  /// Text that is written as it is; buffered until flush().
  void write(std::string_view text);
  void line(std::string_view text);
  /// One object, one line.
  void line(const boost::json::object& object);
  /// Errors: Io (also of an earlier write), but not a reader that went away.
  [[nodiscard]] Result<void> flush();

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] bool is_terminal() const noexcept;

 private:
  void drain() noexcept;

  int fd_;
  std::string buffer_;
  bool closed_ = false;
  int error_ = 0;
};

/// Rows with aligned columns; the last one is not padded. Cells are printable (cli/text.hpp).
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Columns that hold numbers are set flush right.
  void print(Output& out, const std::vector<std::size_t>& numeric = {}) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace galley::cli
