#include "cli/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <system_error>

#include "cli/text.hpp"

namespace galley::cli {

namespace {
constexpr std::size_t kBufferBytes = 64 << 10;  // a pipe's capacity on Linux: fewer, larger writes gain nothing
}

void Output::write(std::string_view text) {
  if (closed_ || error_ != 0) return;
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) drain();
}

void Output::line(std::string_view text) {
  write(text);
  write("\n");
}

void Output::line(const boost::json::object& object) { line(boost::json::serialize(object)); }

Result<void> Output::flush() {
  drain();
  if (error_ == 0) return {};
  return Error{Errc::Io, "cannot write the output: " + std::generic_category().message(error_)};
}

bool Output::is_terminal() const noexcept { return isatty(fd_) == 1; }

void Output::drain() noexcept {
  std::string_view rest = buffer_;
  while (!rest.empty() && !closed_ && error_ == 0) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffer_.clear();
}

void Table::print(Output& out, const std::vector<std::size_t>& numeric) const {
  std::vector<std::size_t> widths(rows_[0].size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - columns(row[i]), ' ');
      const bool right = std::find(numeric.begin(), numeric.end(), i) != numeric.end();
      if (i > 0) line += "  ";
      if (right) line += padding;
      line += row[i];
      if (!right && i + 1 < row.size()) line += padding;
    }
    out.line(line);
  }
}

}  // namespace galley::cli
