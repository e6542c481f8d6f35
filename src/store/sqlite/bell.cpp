#include "store/sqlite/bell.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

namespace galley::store::sqlite {

namespace {
// Others' frames are written to the log before their commit can be seen (a disk's sync may lie between), and only the
// write tells us. So after one that shows no commit yet the version is looked at again after 1, 2, 4 ... 512 ms.
constexpr int kFirstRecheckMs = 1;
constexpr int kLastRecheckMs = 512;
constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::min();  // so that the first look rings
}  // namespace

SqliteBell::SqliteBell(BellTower& tower, const std::string& wal_path)
    : tower_(tower),
      event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      inotify_fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  // Without inotify (a limit of the system is reached) the safety look still finds what others did, only later.
  if (inotify_fd_ >= 0 && inotify_add_watch(inotify_fd_, wal_path.c_str(), IN_MODIFY) < 0) {
    close(inotify_fd_);
    inotify_fd_ = -1;
  }
  seen_ = tower_.data_version_().value_or(kUnknown);
}

SqliteBell::~SqliteBell() {
  {
    const std::lock_guard lock(tower_.mutex_);
    std::erase(tower_.bells_, this);
  }
  if (inotify_fd_ >= 0) close(inotify_fd_);
  if (event_fd_ >= 0) close(event_fd_);
}

Ring SqliteBell::wait(Duration timeout) {
  const base::Mono deadline = clock_.mono() + std::clamp(timeout, Duration{0}, Duration(std::chrono::hours(1)));
  std::array<pollfd, 2> fds{{{event_fd_, POLLIN, 0}, {inotify_fd_, POLLIN, 0}}};
  for (bool last_look = false;;) {
    // One reason at a time: a ring that came with an interrupt is for the next wait.
    const unsigned why = why_.load();
    if (why != 0) {
      const unsigned told = (why & kInterrupted) != 0 ? kInterrupted : kRung;
      why_.fetch_and(~told);
      return told == kInterrupted ? Ring::Interrupted : Ring::Changed;
    }
    if (last_look) return Ring::TimedOut;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(deadline - clock_.mono(), Duration{0}));
    const bool recheck = recheck_ms_ > 0 && recheck_ms_ <= kLastRecheckMs;
    const int pause = static_cast<int>(recheck ? std::min<std::int64_t>(left.count(), recheck_ms_) : left.count());
    const int ready = poll(fds.data(), inotify_fd_ >= 0 ? 2 : 1, pause);
    if (ready <= 0) {
      if (recheck && version_moved()) return Ring::Changed;
      // A look that could not be made does not count.
      recheck_ms_ = could_look_ ? recheck_ms_ * 2 : std::min(recheck_ms_ * 2, kLastRecheckMs);
      last_look = clock_.mono() >= deadline || (ready < 0 && errno != EINTR);
      continue;
    }
    if ((fds[0].revents & POLLIN) != 0) {
      // Whoever rings sets the reason before it writes, so a write may be met after its reason was taken: drain it.
      std::uint64_t rung = 0;
      (void)!read(event_fd_, &rung, sizeof rung);
    }
    if ((fds[1].revents & POLLIN) != 0) {
      drain_events();
      if (version_moved()) return Ring::Changed;
      recheck_ms_ = kFirstRecheckMs;
      last_look = clock_.mono() >= deadline;
    }
  }
}

void SqliteBell::interrupt() noexcept { wake(kInterrupted); }

void SqliteBell::ring() noexcept { wake(kRung); }

void SqliteBell::wake(unsigned why) noexcept {
  if (why_.fetch_or(why) != 0) return;  // it is ringing already
  const std::uint64_t one = 1;
  (void)!write(event_fd_, &one, sizeof one);
}

void SqliteBell::drain_events() noexcept {
  std::array<char, 4096> events{};
  while (read(inotify_fd_, events.data(), events.size()) > 0) {
  }
}

bool SqliteBell::version_moved() {
  const auto now = tower_.data_version_();
  could_look_ = now.has_value();
  if (!now) return false;
  const bool moved = std::exchange(seen_, *now) != *now;
  if (moved) recheck_ms_ = 0;
  return moved;
}

std::unique_ptr<Bell> BellTower::make() {
  auto bell = std::make_unique<SqliteBell>(*this, wal_path_);
  const std::lock_guard lock(mutex_);
  bells_.push_back(bell.get());
  return bell;
}

void BellTower::ring() noexcept {
  const std::lock_guard lock(mutex_);
  for (SqliteBell* bell : bells_) bell->ring();
}

}  // namespace galley::store::sqlite
