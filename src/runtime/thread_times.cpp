#include "runtime/thread_times.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/fd.hpp"

namespace galley::runtime {

namespace {

/// The beginning of a file of /proc/self/task/ID; empty where there is none.
std::string contents(pid_t thread, const char* file) {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/task/%d/%s", static_cast<int>(thread), file);
  const base::Fd fd(::open(path.data(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return {};
  std::array<char, 512> bytes{};
  const ssize_t size = ::read(fd.get(), bytes.data(), bytes.size());
  return size > 0 ? std::string(bytes.data(), static_cast<std::size_t>(size)) : std::string();
}

/// Those in which a thread is found waiting.
constexpr std::pair<long, std::string_view> kCalls[] = {
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_readv, "readv"},
    {SYS_writev, "writev"},
    {SYS_pread64, "pread"},
    {SYS_pwrite64, "pwrite"},
    {SYS_openat, "openat"},
    {SYS_close, "close"},
    {SYS_fsync, "fsync"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_sync_file_range, "sync_file_range"},
    {SYS_fallocate, "fallocate"},
    {SYS_ftruncate, "ftruncate"},
    {SYS_renameat2, "renameat2"},
    {SYS_unlinkat, "unlinkat"},
    {SYS_flock, "flock"},
    {SYS_fcntl, "fcntl"},
    {SYS_ioctl, "ioctl"},
    {SYS_sendfile, "sendfile"},
    {SYS_splice, "splice"},
    {SYS_copy_file_range, "copy_file_range"},
    {SYS_ppoll, "ppoll"},
    {SYS_pselect6, "pselect"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_connect, "connect"},
    {SYS_accept4, "accept4"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_futex, "futex"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_madvise, "madvise"},
    {SYS_mmap, "mmap"},
    {SYS_munmap, "munmap"},
#ifdef SYS_poll  // newer kinds of machines have only the calls above
    {SYS_poll, "poll"},
    {SYS_select, "select"},
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_open, "open"},
    {SYS_rename, "rename"},
    {SYS_unlink, "unlink"},
    {SYS_accept, "accept"},
#endif
};

}  // namespace

/// Linux, Documentation/scheduler/sched-stats.rst: on a CPU, then waiting on a runqueue, in nanoseconds.
std::optional<ThreadTimes> thread_times(pid_t thread) {
  const std::string text = contents(thread, "schedstat");
  long long on_cpu = 0;
  long long waiting = 0;
  if (std::sscanf(text.c_str(), "%lld %lld", &on_cpu, &waiting) != 2) return std::nullopt;
  return ThreadTimes{on_cpu, waiting};
}

char thread_state(pid_t thread) {
  const std::string text = contents(thread, "stat");
  const std::size_t name_end = text.rfind(')');  // the name may have anything in it
  return name_end != text.npos && name_end + 2 < text.size() ? text[name_end + 2] : ' ';
}

std::string system_call(pid_t thread) {
  const std::string text = contents(thread, "syscall");
  long number = -1;
  if (std::sscanf(text.c_str(), "%ld", &number) != 1 || number < 0) return {};
  const auto* const found =
      std::find_if(std::begin(kCalls), std::end(kCalls), [number](const auto& call) { return call.first == number; });
  return found == std::end(kCalls) ? "system call " + std::to_string(number) : std::string(found->second);
}

std::string thread_name(pid_t thread) {
  std::string name = contents(thread, "comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

}  // namespace galley::runtime
