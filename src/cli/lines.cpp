#include "cli/lines.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace galley::cli {

namespace {

constexpr std::size_t kChunk = 64 << 10;

/// Appends what one read gives. False at the end.
Result<bool> read_some(int fd, std::string& into) {
  const std::size_t size = into.size();
  into.resize(size + kChunk);
  ssize_t got = 0;
  do {
    got = ::read(fd, into.data() + size, kChunk);
  } while (got < 0 && errno == EINTR);
  const int fault = errno;
  into.resize(size + static_cast<std::size_t>(got > 0 ? got : 0));
  if (got < 0) return Error{Errc::Io, "cannot read standard input: " + std::generic_category().message(fault)};
  return got > 0;
}

}  // namespace

Result<std::string> read_all(int fd, std::size_t max_bytes, std::string_view what) {
  std::string all;
  while (true) {
    const auto more = read_some(fd, all);
    if (!more) return more.error();
    if (all.size() > max_bytes) {
      return Error{Errc::InvalidInput,
                   std::string(what) + " is longer than the " + std::to_string(max_bytes) + " bytes that are allowed"};
    }
    if (!*more) return all;
  }
}

std::optional<std::string> LineReader::take() {
  std::size_t at = buffer_.find(delimiter_, searched_);
  if (at == std::string::npos) {
    searched_ = buffer_.size();
    if (!end_ || begin_ == buffer_.size()) return std::nullopt;
    at = buffer_.size();
  }
  std::string record = buffer_.substr(begin_, at - begin_);
  begin_ = searched_ = std::min(at + 1, buffer_.size());
  ++number_;
  return record;
}

Result<std::optional<std::string>> LineReader::next() {
  while (true) {
    auto record = take();
    const std::size_t length = record ? record->size() : buffer_.size() - begin_;
    if (length > max_bytes_) {
      return Error{Errc::InvalidInput, "line " + std::to_string(record ? number_ : number_ + 1) +
                                           " is longer than the " + std::to_string(max_bytes_) +
                                           " bytes that are allowed"};
    }
    if (record || end_) return record;
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched_ = buffer_.size();
    const auto more = read_some(fd_, buffer_);
    if (!more) return more.error();
    end_ = !*more;
  }
}

bool LineReader::ready() const noexcept {
  if (end_ || buffer_.find(delimiter_, searched_) != std::string::npos) return true;
  pollfd input{fd_, POLLIN, 0};
  return ::poll(&input, 1, 0) != 0;
}

}  // namespace galley::cli
