#pragma once
// The guardian: a small process between the worker and one command, which sees to it that the command does not outlive
// the worker, however the worker dies.
//
// Why PR_SET_PDEATHSIG is not enough: the signal comes when the *thread* that forked ends, not the process; it is
// cleared by the exec of a set-id program; it reaches the direct child alone, no grandchild. The guardian has one
// thread, and is the subreaper of the command: a descendant that daemonises becomes the guardian's own child, which it
// finds and kills. It learns of the worker's death by the end of file on a socket, which no crash can withhold.
//
// The guardian is forked, never executed, from a process that has other threads. So everything that runs in it is
// async-signal-safe: no allocation, no locks, no destructors, no exceptions.

#include <sys/types.h>

#include <cstddef>
#include <span>

namespace galley::engine::guardian {

/// All that the guardian needs, made before the fork. Pointers must stay valid until start() returns.
struct Plan {
  int control;  ///< its end of a SOCK_SEQPACKET pair
  int in;
  int out;
  int err;
  const char* executable;
  const char* cwd;  ///< nullptr: the worker's
  char* const* argv;
  char* const* envp;
};

/// What the worker hears. The packet's sender is the guardian, or the command before its exec.
struct Report {
  enum class Kind : int {
    Started,  ///< a: its process group. Comes before Failed and before anything that the command does.
    Failed,   ///< a: a Step, b: errno
    Ended,    ///< a: wait status of the command; b: 1 when something of it may still run. Comes last.
  };
  Kind kind;
  int a;
  int b;
};
enum class Step : int { Guard, Cwd, Exec };

/// What the worker says: one byte. The end of file (also shutdown(SHUT_WR)) says: kill all of it.
inline constexpr char kTerminate = 'T';

/// Forks the guardian, with all signals blocked. Returns its pid, or -1 and errno.
[[nodiscard]] pid_t start(const Plan& plan) noexcept;

/// The children of the calling thread's process, at most as many as fit: from /proc/thread-self/children, or, where
/// the kernel has no such file, by looking at every process. -1: no /proc. Async-signal-safe.
[[nodiscard]] int children_from_list(std::span<pid_t> into) noexcept;
[[nodiscard]] int children_from_scan(std::span<pid_t> into) noexcept;

}  // namespace galley::engine::guardian
