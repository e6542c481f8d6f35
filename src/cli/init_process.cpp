#include "cli/init_process.hpp"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/assert.hpp"

namespace galley::cli {

namespace {

/// Those that a person or a container's manager sends, and the news that a child has ended.
sigset_t watched() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

/// Reaps all that have ended; the worker's exit code where it is among them.
std::optional<int> reap(pid_t worker) noexcept {
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == worker) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return std::nullopt;
}

int watch_over(pid_t worker, const sigset_t& signals) noexcept {
  for (;;) {
    if (const auto code = reap(worker)) return *code;
    int signal = 0;
    GALLEY_ASSERT(sigwait(&signals, &signal) == 0);
    if (signal != SIGCHLD) kill(worker, signal);
  }
}

}  // namespace

Result<std::optional<int>> split_from_init() {
  if (getpid() != 1) return std::optional<int>();
  std::signal(SIGCHLD, SIG_DFL);  // a parent that ignored it would leave nothing to wait for
  const sigset_t signals = watched();
  sigset_t before;
  GALLEY_ASSERT(pthread_sigmask(SIG_BLOCK, &signals, &before) == 0);
  const pid_t worker = fork();
  if (worker < 0) return Error{Errc::Unavailable, std::string("no process can be started: ") + std::strerror(errno)};
  // A group of its own: what is sent to the group of process 1, as a terminal does, reaches the worker once.
  setpgid(worker, worker);
  if (worker > 0) return std::optional(watch_over(worker, signals));
  GALLEY_ASSERT(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
  return std::optional<int>();
}

}  // namespace galley::cli
