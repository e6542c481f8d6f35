// Parts of files: where a file is divided, and how a part is read.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "engine/process.hpp"
#include "engine/split.hpp"

namespace galley {

namespace {

constexpr std::size_t kReadBytes = 64 << 10;

Error failed(const std::string& path) {
  const int error = errno;
  return {error == ENOENT ? Errc::NotFound : Errc::Io,
          base::quoted(path) + ": " + std::generic_category().message(error)};
}

Error changed(const std::string& path, const std::string& how) {
  return {Errc::InvalidInput, base::quoted(path) + " " + how + ": it was changed since it was split"};
}

struct OpenFile {
  engine::Fd fd;
  std::int64_t size = 0;
};

Result<OpenFile> open_file(const std::string& path) {
  OpenFile file{engine::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC))};
  if (file.fd.get() < 0) return failed(path);
  struct stat status {};
  if (::fstat(file.fd.get(), &status) != 0) return failed(path);
  if (!S_ISREG(status.st_mode)) return Error{Errc::InvalidInput, base::quoted(path) + " is not a file"};
  file.size = status.st_size;
  return file;
}

/// Up to `most` bytes from `at` on; fewer at the end of the file.
Result<std::size_t> read_at(int fd, const std::string& path, std::int64_t at, char* into, std::size_t most) {
  std::size_t have = 0;
  while (have < most) {
    const ssize_t got = ::pread(fd, into + have, most - have, at + static_cast<std::int64_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return have;
}

/// Of a file that is there: where it is, whatever becomes of symbolic links on the way to it.
std::string absolute(const std::string& path) {
  std::error_code error;
  const auto full = std::filesystem::canonical(path, error);
  return error ? path : full.string();
}

/// Behind the first line end at `from` or later; the size where there is none.
Result<std::int64_t> next_line(const OpenFile& file, const std::string& path, std::int64_t from) {
  std::array<char, kReadBytes> bytes{};
  while (from < file.size) {
    const auto got = read_at(file.fd.get(), path, from, bytes.data(), bytes.size());
    if (!got) return got.error();
    if (*got == 0) break;
    const void* end = std::memchr(bytes.data(), '\n', *got);
    if (end != nullptr) return std::min(file.size, from + (static_cast<const char*>(end) - bytes.data()) + 1);
    from += static_cast<std::int64_t>(*got);
  }
  return file.size;
}

Error too_many_parts() {
  return {Errc::InvalidInput, "a split has at most " + std::to_string(limits::kMaxSplit) + " parts; make them larger"};
}

Result<void> check_size(std::int64_t size) {
  const auto counted = split_detail::count(0, size);
  return counted ? Result<void>() : Result<void>(counted.error());
}

}  // namespace

namespace engine {

Result<std::vector<FilePart>> split_by_bytes(const std::string& path, std::int64_t bytes) {
  if (auto fine = check_size(bytes); !fine) return fine.error();
  const auto file = open_file(path);
  if (!file) return file.error();
  const std::string full = absolute(path);
  std::vector<FilePart> parts;
  for (std::int64_t begin = 0; begin < file->size;) {
    if (static_cast<std::int64_t>(parts.size()) == limits::kMaxSplit) return too_many_parts();
    std::int64_t end = file->size;
    if (bytes < file->size - begin) {
      const auto line = next_line(*file, path, begin + bytes - 1);
      if (!line) return line.error();
      end = *line;
    }
    parts.push_back({full, begin, end});
    begin = end;
  }
  return parts;
}

Result<std::vector<FilePart>> split_by_lines(const std::string& path, std::int64_t lines) {
  if (auto fine = check_size(lines); !fine) return fine.error();
  const auto file = open_file(path);
  if (!file) return file.error();
  const std::string full = absolute(path);
  std::vector<FilePart> parts;
  std::array<char, kReadBytes> bytes{};
  std::int64_t begin = 0;
  std::int64_t seen = 0;
  const auto add = [&](std::int64_t end) {
    parts.push_back({full, begin, end});
    begin = end;
    seen = 0;
    return static_cast<std::int64_t>(parts.size()) <= limits::kMaxSplit;
  };
  for (std::int64_t at = 0; at < file->size;) {
    const auto got = read_at(file->fd.get(), path, at, bytes.data(), bytes.size());
    if (!got) return got.error();
    if (*got == 0) break;
    const char* const last = bytes.data() + *got;
    for (const char* next = bytes.data(); next < last;) {
      const auto* end = static_cast<const char*>(std::memchr(next, '\n', static_cast<std::size_t>(last - next)));
      if (end == nullptr) break;
      next = end + 1;
      if (++seen == lines && !add(at + (next - bytes.data()))) return too_many_parts();
    }
    at += static_cast<std::int64_t>(*got);
  }
  if (begin < file->size && !add(file->size)) return too_many_parts();
  return parts;
}

}  // namespace engine

// ---- reading a part ---------------------------------------------------------------------------------------------

struct Lines::State {
  FilePart part;
  OpenFile file;
  std::int64_t at = 0;  ///< of the line that comes next
  std::string buffer;   ///< of the file from `base` on
  std::int64_t base = 0;
  std::size_t given = 0;  ///< of the buffer

  /// More of the file behind the buffer. False: there is no more.
  bool fill() {
    buffer.erase(0, given);
    base += static_cast<std::int64_t>(given);
    given = 0;
    const std::size_t size = buffer.size();
    buffer.resize(size + kReadBytes);
    const auto got =
        read_at(file.fd.get(), part.path, base + static_cast<std::int64_t>(size), buffer.data() + size, kReadBytes);
    buffer.resize(size + (got ? *got : 0));
    if (!got) throw Exception(got.error());
    return *got > 0;
  }

  Result<void> go_to(std::int64_t to) {
    if (to > 0) {
      char before = 0;
      const auto got = read_at(file.fd.get(), part.path, to - 1, &before, 1);
      if (!got) return got.error();
      if (*got == 1 && before != '\n' && to < file.size) {
        return changed(part.path, "has no line that begins at " + std::to_string(to));
      }
    }
    at = base = to;
    given = 0;
    buffer.clear();
    return {};
  }
};

Lines::Lines(FilePart part) : state_(std::make_shared<State>()) {
  auto file = open_file(part.path);
  if (!file) throw Exception(file.error());
  state_->file = *std::move(file);
  state_->part = std::move(part);
  const FilePart& mine = state_->part;
  if (mine.begin < 0 || mine.end < mine.begin) {
    throw Exception({Errc::InvalidInput, "a part must begin at 0 or more, and end later"});
  }
  if (state_->file.size < mine.end) {
    throw Exception(changed(mine.path, "has " + std::to_string(state_->file.size) +
                                           " bytes, and this part of it ends at " + std::to_string(mine.end)));
  }
  if (auto there = state_->go_to(mine.begin); !there) throw Exception(there.error());
}

Lines::Lines(const std::string& path) : state_(std::make_shared<State>()) {
  auto file = open_file(path);
  if (!file) throw Exception(file.error());
  state_->part = {path, 0, file->size};
  state_->file = *std::move(file);
}

std::optional<std::string_view> Lines::next() {
  State& state = *state_;
  if (state.at >= state.part.end) return std::nullopt;
  std::size_t searched = state.given;
  std::size_t end = state.buffer.find('\n', searched);
  while (end == std::string::npos) {
    const std::size_t line = state.buffer.size() - state.given;  // what is there of it moves to the front
    if (!state.fill()) break;
    searched = line;
    end = state.buffer.find('\n', searched);
  }
  const bool whole = end != std::string::npos;
  if (!whole) end = state.buffer.size();
  if (!whole && state.base + static_cast<std::int64_t>(end) < state.part.end) {  // it became shorter while it was read
    throw Exception(changed(state.part.path, "ends within this part"));
  }
  const std::string_view text(state.buffer.data() + state.given, end - state.given);
  state.given = end + (whole ? 1 : 0);
  state.at = state.base + static_cast<std::int64_t>(state.given);
  return text;
}

std::optional<Lines::Cursor> Lines::cursor() const noexcept { return state_->at; }

Result<void> Lines::seek(Cursor to) {
  // A last line may end behind the part, and so may the place behind it.
  const bool within = to >= state_->part.begin && to <= state_->file.size;
  if (!within) {
    return changed(state_->part.path, "has no place " + std::to_string(to) + " within this part");
  }
  return state_->go_to(to);
}

Result<std::string> read_part(const FilePart& part) {
  const auto file = open_file(part.path);
  if (!file) return file.error();
  if (part.begin < 0 || part.end < part.begin ||
      static_cast<std::size_t>(part.end - part.begin) > limits::kMaxInputBytes) {
    return Error{Errc::InvalidInput, "a part has at most " + std::to_string(limits::kMaxInputBytes) +
                                         " bytes, and not " + std::to_string(part.end - part.begin)};
  }
  std::string bytes(static_cast<std::size_t>(part.end - part.begin), '\0');
  const auto got = read_at(file->fd.get(), part.path, part.begin, bytes.data(), bytes.size());
  if (!got) return got.error();
  if (*got < bytes.size()) return changed(part.path, "ends within this part");
  return bytes;
}

}  // namespace galley
