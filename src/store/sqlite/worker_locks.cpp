#include "store/sqlite/worker_locks.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace galley::store::sqlite {

namespace {

struct flock byte_of(WorkerId worker) {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = worker;
  range.l_len = 1;
  return range;
}

std::string identity(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return {};
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

}  // namespace

WorkerLocks::~WorkerLocks() {
  if (prepared_ >= 0) close(prepared_);
  for (const auto& [worker, fd] : held_) close(fd);
}

std::string WorkerLocks::prepare() {
  if (prepared_ >= 0) close(prepared_);
  prepared_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return prepared_ >= 0 ? identity(prepared_) : std::string();
}

bool WorkerLocks::take(WorkerId worker) {
  if (prepared_ < 0) return false;
  struct flock range = byte_of(worker);
  if (fcntl(prepared_, F_OFD_SETLK, &range) != 0) return false;
  held_[worker] = std::exchange(prepared_, -1);
  return true;
}

void WorkerLocks::release(WorkerId worker) {
  const auto at = held_.find(worker);
  if (at == held_.end()) return;
  close(at->second);
  held_.erase(at);
}

bool WorkerLocks::proves_death(WorkerId worker, const std::string& lock_file) {
  if (lock_file.empty()) return false;
  const int fd = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  struct flock range = byte_of(worker);
  const bool same_file = identity(fd) == lock_file;
  const bool free = fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type == F_UNLCK;
  close(fd);
  return same_file && free;
}

}  // namespace galley::store::sqlite
