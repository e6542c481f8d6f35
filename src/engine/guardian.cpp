#include "engine/guardian.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace galley::engine::guardian {
namespace {

// Where the guardian keeps what it inherits; everything else is closed.
enum Place : int { kControl = 3, kIn = 4, kOut = 5, kErr = 6, kFirstFree = 7 };

constexpr int kLookMs = 100;                // between two looks for children, unless one of them ends before
constexpr int kMaxLooks = 50;               // that find no child to kill while there is one: /proc is not mounted
constexpr std::size_t kMaxChildren = 1024;  // killed a look

void report(int control, Report::Kind kind, int a, int b) noexcept {
  const Report packet{kind, a, b};
  while (::send(control, &packet, sizeof packet, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

// Tells the worker what failed, with errno, and ends this process.
[[noreturn]] void fail(int control, Step step) noexcept {
  report(control, Report::Kind::Failed, static_cast<int>(step), errno);
  ::_exit(127);
}

// A worker that ignores a signal would hand that on through the exec, and one that ignores SIGCHLD would make the
// guardian deaf. Signals that cannot be set are refused, which is as well.
void default_dispositions() noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
}

// Takes its four descriptors to fixed places and closes all others: the worker's lock files are open file
// descriptions, and a copy in here would keep them locked after the worker's death.
void settle_descriptors(const Plan& plan) noexcept {
  const int from[] = {plan.control, plan.in, plan.out, plan.err};
  int lifted[4];
  for (int i = 0; i < 4; ++i) {
    lifted[i] = ::fcntl(from[i], F_DUPFD_CLOEXEC, kFirstFree);
    if (lifted[i] < 0) fail(plan.control, Step::Guard);
  }
  for (int i = 0; i < 4; ++i) {
    if (::dup3(lifted[i], kControl + i, O_CLOEXEC) < 0) fail(lifted[0], Step::Guard);
  }
  if (::close_range(0, kControl - 1, 0) != 0 || ::close_range(kFirstFree, ~0U, 0) != 0) fail(kControl, Step::Guard);
}

[[noreturn]] void become_command(const Plan& plan, pid_t guardian) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);         // the second line, for a guardian that is killed
  if (::getppid() != guardian) ::_exit(127);  // it was killed before the line above
  ::setpgid(0, 0);
  report(kControl, Report::Kind::Started, ::getpid(), 0);
  if (::dup2(kIn, 0) < 0 || ::dup2(kOut, 1) < 0 || ::dup2(kErr, 2) < 0) fail(kControl, Step::Guard);
  if (plan.cwd != nullptr && ::chdir(plan.cwd) != 0) fail(kControl, Step::Cwd);
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan.executable, plan.argv, plan.envp);
  fail(kControl, Step::Exec);
}

// True when the command itself has ended; it stays a zombie, so that its process group's number is not used again
// before the group is killed. Orphans that have ended are reaped on the way.
bool command_ended(pid_t command) noexcept {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(command), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return errno != EINTR;
    if (info.si_pid == command) return true;
    info = {};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return false;
    if (info.si_pid != command) ::waitpid(info.si_pid, nullptr, 0);
  }
}

void drain(int signals) noexcept {
  signalfd_siginfo info;
  while (::read(signals, &info, sizeof info) > 0) {
  }
}

// Until the command has ended, or the worker wants it dead or is dead itself.
void guard(pid_t command, int signals) noexcept {
  pollfd fds[] = {{kControl, POLLIN, 0}, {signals, POLLIN, 0}};
  while (!command_ended(command)) {
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) drain(signals);
    if (fds[0].revents == 0) continue;
    char word = 0;
    const ssize_t got = ::recv(kControl, &word, 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return;
    if (word == kTerminate) {
      ::kill(-command, SIGTERM);
      ::kill(-command, SIGCONT);  // a stopped process cannot hear the other one
    }
  }
}

int kill_children() noexcept {
  pid_t children[kMaxChildren];
  int count = children_from_list(children);
  if (count < 0) count = children_from_scan(children);
  for (int i = 0; i < count; ++i) ::kill(children[i], SIGKILL);
  return count;
}

// Kills the group, then every child, whose own children become the guardian's by that, until there is none. False when
// it cannot see the child that is left. Sets the command's wait status.
bool kill_all(pid_t command, int signals, int& status) noexcept {
  ::kill(-command, SIGKILL);
  for (int blind = 0; blind < kMaxLooks;) {
    drain(signals);
    int ended = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &ended, WNOHANG)) > 0) {
      if (pid == command) status = ended;
    }
    if (pid < 0 && errno == ECHILD) return true;
    blind = kill_children() > 0 ? 0 : blind + 1;
    pollfd fd{signals, POLLIN, 0};
    ::poll(&fd, 1, kLookMs);
  }
  return false;
}

[[noreturn]] void run(const Plan& plan) noexcept {
  settle_descriptors(plan);
  default_dispositions();
  // A session of its own, so that no key pressed at the worker's terminal reaches the command, and the command has no
  // terminal on which it could wait for a person.
  ::setsid();
  ::prctl(PR_SET_NAME, "galley-guardian");
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const int signals = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) fail(kControl, Step::Guard);
  const pid_t self = ::getpid();
  const pid_t command = ::_Fork();
  if (command == 0) become_command(plan, self);
  if (command < 0) fail(kControl, Step::Guard);
  ::setpgid(command, command);  // as the command does: whoever comes first, it is done before a signal is passed on
  ::close_range(kIn, kErr, 0);  // what the command closes is closed
  [[maybe_unused]] const int pins_no_mount = ::chdir("/");
  guard(command, signals);
  int status = 0;
  const bool gone = kill_all(command, signals, status);
  report(kControl, Report::Kind::Ended, status, gone ? 0 : 1);
  ::_exit(0);
}

// The parent in /proc/PID/stat, "1 (a name) S 0 ...": the name may hold anything, so it is read from the last ')'.
pid_t parent_of(int proc, const char* pid) noexcept {
  char path[32] = {};
  const std::size_t length = std::strlen(pid);
  if (length + sizeof "/stat" > sizeof path) return -1;
  std::memcpy(path, pid, length);
  std::memcpy(path + length, "/stat", sizeof "/stat");
  const int fd = ::openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  char text[256] = {};
  const ssize_t got = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (got <= 0) return -1;
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || std::strlen(at) < 5) return -1;
  pid_t parent = 0;
  for (at += 4; *at >= '0' && *at <= '9'; ++at) parent = parent * 10 + (*at - '0');
  return parent;
}

pid_t number(const char* text) noexcept {
  pid_t value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = value * 10 + (*text - '0');
  return *text == '\0' ? value : 0;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GALLEY_THREAD_SANITIZER 1
#endif
#endif

// _Fork, not fork: the program's pthread_atfork handlers may take locks that no thread in here will ever release.
// ThreadSanitizer knows fork alone, and would take the guardian for one more thread of the worker.
pid_t fork_quietly() noexcept {
#ifdef GALLEY_THREAD_SANITIZER
  return ::fork();
#else
  return ::_Fork();
#endif
}

}  // namespace

pid_t start(const Plan& plan) noexcept {
  // Blocked from before the fork: a handler of the worker's must not run in the guardian.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork_quietly();
  if (pid == 0) run(plan);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

int children_from_list(std::span<pid_t> into) noexcept {
  const int fd = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  std::size_t count = 0;
  pid_t pid = 0;
  char text[4096];
  for (;;) {
    const ssize_t got = ::read(fd, text, sizeof text);
    if (got <= 0) break;
    for (ssize_t i = 0; i < got; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid > 0) {
        if (count < into.size()) into[count++] = pid;
        pid = 0;
      }
    }
  }
  ::close(fd);
  return static_cast<int>(count);
}

int children_from_scan(std::span<pid_t> into) noexcept {
  const int proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) return -1;
  const pid_t self = ::getpid();
  std::size_t count = 0;
  alignas(dirent64) char entries[8192];
  for (;;) {
    const ssize_t got = ::getdents64(proc, entries, sizeof entries);
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      at += entry->d_reclen;
      const pid_t pid = number(entry->d_name);
      if (pid > 0 && count < into.size() && parent_of(proc, entry->d_name) == self) into[count++] = pid;
    }
  }
  ::close(proc);
  return static_cast<int>(count);
}

}  // namespace galley::engine::guardian
