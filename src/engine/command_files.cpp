#include "engine/command_files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "engine/command.hpp"
#include "galley/split.hpp"

namespace galley::engine {

namespace {

Error failed(const std::string& what) {
  const int error = errno;
  return {error == ENOENT ? Errc::NotFound : Errc::Io, what + ": " + std::generic_category().message(error)};
}

Error too_large() {
  return {Errc::InvalidInput, "the standard input of a command has more than " +
                                  std::to_string(limits::kMaxInputBytes) + " bytes, which is what is allowed"};
}

Result<Fd> make_file() {
  Fd file(::memfd_create("galley-input", MFD_CLOEXEC));
  if (file.get() < 0) return failed("cannot make the standard input of a command");
  return file;
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return failed("cannot write the standard input of a command");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

/// The command reads from the beginning.
Result<Fd> rewound(Fd file) {
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return failed("cannot rewind the standard input of a command");
  return file;
}

Result<void> copy_file(const std::string& path, int to, std::size_t& room) {
  const Fd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.get() < 0) return failed(base::quoted(path));
  while (true) {
    const ssize_t got = ::sendfile(to, from.get(), nullptr, room + 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + base::quoted(path));
    if (got == 0) return {};
    if (static_cast<std::size_t>(got) > room) return too_large();
    room -= static_cast<std::size_t>(got);
  }
}

/// The file that a job of the batch has written its output to; empty: its result is its output.
Result<std::string> output_file_of(store::Store& store, JobId id) {
  const auto record = store.find(id);
  if (!record) return record.error();
  if (record->content != job::Content::Command) return std::string();
  const auto command = decode_command(record->payload);
  if (!command) return command.error();
  return command->output_file;
}

Result<Fd> open_batch(BatchId batch, store::Store& store) {
  auto file = make_file();
  if (!file) return file;
  std::size_t room = limits::kMaxInputBytes;
  // Borrowed: it is used within this call alone.
  Results all(StorePtr(StorePtr(), &store), batch);
  while (true) {
    const auto one = all.next();
    if (!one) return one.error();
    if (!*one) return rewound(*std::move(file));
    const auto path = (*one)->result.empty() ? output_file_of(store, (*one)->id) : Result<std::string>(std::string());
    if (!path) return path.error();
    if (!path->empty()) {
      if (auto copied = copy_file(*path, file->get(), room); !copied) return copied.error();
      continue;
    }
    if ((*one)->result.size() > room) return too_large();
    room -= (*one)->result.size();
    if (auto put = write_all(file->get(), (*one)->result); !put) return put.error();
  }
}

}  // namespace

Result<Fd> open_part(const FilePart& part) {
  const Fd from(::open(part.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.get() < 0) return failed(base::quoted(part.path));
  struct stat status {};
  if (::fstat(from.get(), &status) != 0) return failed(base::quoted(part.path));
  if (status.st_size < part.end) {
    return Error{Errc::InvalidInput, base::quoted(part.path) + " has " + std::to_string(status.st_size) +
                                         " bytes, and this part of it ends at " + std::to_string(part.end) +
                                         ": it was changed since it was split"};
  }
  auto file = make_file();
  if (!file) return file;
  off_t at = part.begin;
  while (at < part.end) {
    const ssize_t got = ::sendfile(file->get(), from.get(), &at, static_cast<std::size_t>(part.end - at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + base::quoted(part.path));
    if (got == 0) {
      return Error{Errc::InvalidInput,
                   base::quoted(part.path) + " ends within this part: it was changed since it was split"};
    }
  }
  return rewound(*std::move(file));
}

Result<Fd> open_input(const Command& command, store::Store* store) {
  if (!command.input_part.path.empty()) return open_part(command.input_part);
  if (command.input_batch == 0) return Fd();
  if (store == nullptr) return Error{Errc::NotFound, "there is no store to read the results of a batch from"};
  return open_batch(command.input_batch, *store);
}

Result<OutputFile> OutputFile::open(const std::string& path) {
  OutputFile file;
  file.path_ = path;
  const std::string part = path + ".part";
  ::unlink(part.c_str());  // of an attempt that died, or that goes on without its lease: not to be written by two
  file.fd_ = Fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.fd_.get() < 0) return Error{Errc::Io, failed("cannot write " + base::quoted(part)).message};
  return file;
}

OutputFile::~OutputFile() {
  if (fd_.get() >= 0 && is_ours()) ::unlink((path_ + ".part").c_str());
}

bool OutputFile::is_ours() const {
  struct stat ours {};
  struct stat there {};
  return ::fstat(fd_.get(), &ours) == 0 && ::stat((path_ + ".part").c_str(), &there) == 0 &&
         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

Result<void> OutputFile::keep() {
  if (!is_ours()) return Error{Errc::Io, base::quoted(path_) + ": another attempt writes it"};
  // Its job is about to be over: the power may fail, and nobody would write it again.
  if (::fsync(fd_.get()) != 0) return Error{Errc::Io, failed("cannot write " + base::quoted(path_)).message};
  if (std::rename((path_ + ".part").c_str(), path_.c_str()) != 0) {
    return Error{Errc::Io, failed("cannot rename to " + base::quoted(path_)).message};
  }
  fd_.close();
  return {};
}

}  // namespace galley::engine
