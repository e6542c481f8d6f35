#include "engine/checkpoint_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/limits.hpp"
#include "engine/process.hpp"

namespace galley::engine {

namespace {

Error failed() {
  const int error = errno;
  return {Errc::Io, "cannot make the checkpoint file of a command: " + std::generic_category().message(error)};
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace

Result<CheckpointFile> CheckpointFile::make(const std::string& content) {
  const char* const temporary = std::getenv("TMPDIR");
  std::string folder = (temporary != nullptr && *temporary == '/' ? std::string(temporary) : "/tmp") + "/galley-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return failed();
  CheckpointFile file;
  file.folder_ = std::move(folder);
  const Fd fd(::open(file.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0 || !write_all(fd.get(), content)) return failed();
  return file;
}

CheckpointFile::CheckpointFile(CheckpointFile&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}

CheckpointFile& CheckpointFile::operator=(CheckpointFile&& other) noexcept {
  std::swap(folder_, other.folder_);
  return *this;
}

CheckpointFile::~CheckpointFile() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

std::optional<std::string> CheckpointFile::read() const {
  // Without waiting: a command may have put a pipe there.
  const Fd fd(::open(path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string bytes(limits::kMaxCheckpointBytes + 1, '\0');
  std::size_t have = 0;
  while (fd.get() >= 0 && have < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have == 0) return std::nullopt;
  bytes.resize(have);
  return bytes;
}

}  // namespace galley::engine
