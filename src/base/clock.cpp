#include "base/clock.hpp"

#include <pthread.h>

#include <ctime>
#include <fstream>

#include "base/ticks.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace galley::base {

namespace {
std::int64_t read_us(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}

std::int64_t read_ns(clockid_t id) noexcept {
  timespec now{};
  if (clock_gettime(id, &now) != 0) return -1;
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

#if defined(__x86_64__)
bool has_constant_counter() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;  // "invariant TSC"
}
#endif
}  // namespace

Mono SystemClock::mono() const noexcept { return Mono(Duration(read_us(CLOCK_MONOTONIC))); }

Time SystemClock::wall() const noexcept { return Time(Duration(read_us(CLOCK_REALTIME))); }

std::int64_t mono_ns() noexcept { return read_ns(CLOCK_MONOTONIC); }

#if defined(__x86_64__)
TickClock::TickClock() noexcept : constant_(has_constant_counter()) {
  read();
  first_ticks_ = ticks_;
  first_ns_ = ns_;
}

/// The thread may lose its CPU between the two: such a pair is read again.
void TickClock::read() noexcept {
  constexpr std::uint64_t kTogether = 2'000;  // ticks; a reading of the kernel's clock takes about 50
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::uint64_t before = __builtin_ia32_rdtsc();
    ns_ = mono_ns();
    ticks_ = __builtin_ia32_rdtsc();
    if (ticks_ - before < kTogether) return;
  }
}

std::int64_t TickClock::resync() noexcept {
  constexpr std::int64_t kBaseline = 10'000'000;  // two pairs are within 1 us each: 200 millionths, and less with time
  constexpr std::int64_t kTrusted = 1'000'000'000;
  read();
  const std::int64_t passed = ns_ - first_ns_;
  if (!constant_ || passed < kBaseline || ticks_ <= first_ticks_) return ns_;
  const double rate = static_cast<double>(passed) / static_cast<double>(ticks_ - first_ticks_);
  scale_ = static_cast<std::uint64_t>(rate * static_cast<double>(std::uint64_t{1} << kScaleBits));
  trusted_ = static_cast<std::uint64_t>(static_cast<double>(kTrusted) / rate);
  return ns_;
}
#else
TickClock::TickClock() noexcept = default;
std::int64_t TickClock::resync() noexcept { return mono_ns(); }
#endif

ThreadCpu ThreadCpu::of_this_thread() noexcept {
  ThreadCpu cpu;
  static_cast<void>(pthread_getcpuclockid(pthread_self(), &cpu.clock_));  // fails for no thread that lives
  return cpu;
}

std::int64_t ThreadCpu::ns() const noexcept { return read_ns(clock_); }

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  return std::getline(file, id) && !id.empty() ? id : "unknown";
}

}  // namespace galley::base
