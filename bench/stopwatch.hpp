#pragma once
// The time, for benchmarks: a stopwatch, and a timer that ticks. Benchmarks see the public headers only, so the
// library's injected clock is not theirs; this is the one place that reads the system's.
//
// Thread-safety: a Stopwatch from any thread; Ticks from one.

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>

namespace bench {

using Nanos = std::chrono::nanoseconds;

class Stopwatch {
 public:
  [[nodiscard]] Nanos elapsed() const { return read() - start_; }
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(elapsed()).count(); }

 private:
  static std::chrono::steady_clock::time_point read() {
    return std::chrono::steady_clock::now();  // lint: allow(clock) because a benchmark measures real time
  }

  std::chrono::steady_clock::time_point start_ = read();
};

/// Microseconds of CLOCK_MONOTONIC: the same clock in every process of this machine.
[[nodiscard]] inline double monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);  // lint: allow(clock) because a benchmark measures real time
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

/// A periodic timer of the kernel.
class Ticks {
 public:
  explicit Ticks(Nanos period) : fd_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(period);
    const timespec every{whole.count(), static_cast<long>((period - whole).count())};
    const itimerspec spec{every, every};
    if (fd_ < 0 || timerfd_settime(fd_, 0, &spec, nullptr) != 0) throw_errno();
  }
  ~Ticks() { close(fd_); }
  Ticks(const Ticks&) = delete;
  Ticks& operator=(const Ticks&) = delete;

  /// Blocks until the next tick; more than 1 is answered by one who came late.
  std::uint64_t wait() {
    std::uint64_t ticks = 0;
    while (read(fd_, &ticks, sizeof ticks) < 0) {
      if (errno != EINTR) throw_errno();
    }
    return ticks;
  }

 private:
  [[noreturn]] static void throw_errno() { throw std::system_error(errno, std::generic_category(), "timerfd"); }

  int fd_;
};

}  // namespace bench
