#pragma once
// What another thread of this process has used, and what it does just now, as the kernel counts it.
//
// Thread-safety: any thread.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace galley::runtime {

/// Since the thread began. The kernel brings them up to date at its ticks, so they lag by a few milliseconds.
struct ThreadTimes {
  std::int64_t on_cpu_ns = 0;
  std::int64_t waiting_ns = 0;  ///< ready, while others had the CPUs
};

/// Nothing where the kernel does not count (no CONFIG_SCHED_INFO), or the thread has ended.
[[nodiscard]] std::optional<ThreadTimes> thread_times(pid_t thread);

/// 'R' running or ready, 'S' asleep, 'D' asleep and deaf, ...: the state of proc(5); ' ' where it is not known.
[[nodiscard]] char thread_state(pid_t thread);

/// "fsync" while it is in that system call, "system call 334" for one without a name here; empty while it runs, or
/// where the kernel does not tell.
[[nodiscard]] std::string system_call(pid_t thread);

/// As the program or pthread_setname_np named it.
[[nodiscard]] std::string thread_name(pid_t thread);

}  // namespace galley::runtime
