// A copy of the file while others go on. The source is read through one snapshot on a connection of its own, so that no
// writer makes the copying start again; meanwhile the log keeps what they write. The copy is written under a name of
// its own, opened and checked, synced, and only then gets its name: a copy that has it is whole.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

constexpr int kPagesAStep = 4'096;  // 16 MiB

[[noreturn]] void refuse(Errc code, const std::string& path, const std::string& why) {
  throw Refused{{code, path + ": " + why, Written::Nothing}};
}

[[noreturn]] void refuse_errno(const std::string& path, const std::string& what) {
  const Errc code = errno == ENOSPC || errno == EDQUOT  ? Errc::DiskFull
                    : errno == EROFS || errno == EACCES ? Errc::ReadOnly
                                                        : Errc::Io;
  refuse(code, path, what + ": " + std::strerror(errno));
}

bool is_there(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

/// The copy until it has its name; gone with its companions where it does not get that far.
class Partial {
 public:
  explicit Partial(const std::string& target) : path_(target + ".partial-" + std::to_string(getpid())) {
    const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) refuse_errno(path_, "cannot be created");
    close(fd);
  }
  ~Partial() {
    for (const char* companion : {"", "-wal", "-shm", "-journal"}) unlink((path_ + companion).c_str());
  }
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void copy(Database& from, Database& to, const std::string& path) {
  to.execute("PRAGMA journal_mode = OFF");  // what is cut short is thrown away
  to.execute("PRAGMA synchronous = OFF");   // synced as a whole at the end
  from.execute("BEGIN");
  (void)from.number("SELECT count(*) FROM galley_meta");  // the snapshot begins with the first look
  sqlite3_backup* const backup = sqlite3_backup_init(to.raw(), "main", from.raw(), "main");
  if (backup == nullptr) to.fail(sqlite3_extended_errcode(to.raw()));
  int code = SQLITE_OK;
  while (code == SQLITE_OK) code = sqlite3_backup_step(backup, kPagesAStep);
  sqlite3_backup_finish(backup);
  from.execute("COMMIT");
  if (code != SQLITE_DONE) throw SqlError(code, "the copy cannot be written to " + path + ": " + sqlite3_errstr(code));
}

void check_copy(const std::string& path) {
  Database db(path, false);
  Query row(db, std::string("PRAGMA quick_check(1)"));
  const std::string said = row.row() ? row.text(0) : "nothing";
  if (said != "ok") refuse(Errc::Io, path, "the copy is damaged (" + said + "); the disk may be failing");
}

void sync(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) refuse_errno(path, "cannot be opened");
  const int failed = fsync(fd);
  const int error = errno;
  close(fd);
  errno = error;
  if (failed != 0) refuse_errno(path, "cannot be synced");
}

/// Never over a file that somebody made meanwhile.
void give_name(const std::string& partial, const std::string& target) {
  if (link(partial.c_str(), target.c_str()) == 0) return;  // the partial name goes with its owner
  if (errno == EEXIST) refuse(Errc::InvalidInput, target, "exists already; a backup is a new file");
  const bool no_links = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;  // as on FAT
  if (!no_links || rename(partial.c_str(), target.c_str()) != 0) refuse_errno(target, "cannot be named");
}

}  // namespace

Result<void> Backend::backup(const std::string& path) {
  auto done = guarded([&]() -> Result<bool> {
    if (path.empty()) return Error{Errc::InvalidInput, "backup: the path is empty"};
    for (const char* companion : {"", "-wal", "-journal"}) {  // an old log would be played into the copy
      if (is_there(path + companion))
        refuse(Errc::InvalidInput, path + companion, "exists already; a backup is a new file");
    }
    const Partial partial(path);
    {
      Database from(db_.file(), true);
      Database to(partial.path(), false);
      copy(from, to, partial.path());
    }
    check_copy(partial.path());
    sync(partial.path(), O_RDWR);
    give_name(partial.path(), path);
    const auto folder = std::filesystem::path(path).parent_path();
    sync(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
    return true;
  });
  if (!done) return done.error();
  return {};
}

}  // namespace galley::store::sqlite
