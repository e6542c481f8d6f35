#pragma once
// Readings of the clock for what measures and decides nothing: cheap enough for every step of a loop.
//
// Thread-safety: as each says.

#include <algorithm>
#include <cstdint>

namespace galley::base {

/// CLOCK_MONOTONIC in nanoseconds: 16 ns a reading. Any thread.
[[nodiscard]] std::int64_t mono_ns() noexcept;

/// The same in less than half the time, where the processor has a counter of constant rate: for one thread that reads
/// it at every step and the kernel's clock now and then (resync). Never steps back.
///
/// Thread-safety: none.
class TickClock {
 public:
  TickClock() noexcept;

  [[nodiscard]] std::int64_t now_ns() noexcept {
    std::int64_t now = 0;
#if defined(__x86_64__)
    const std::uint64_t passed = __builtin_ia32_rdtsc() - ticks_;
    if (passed < trusted_) [[likely]] {
      now = ns_ + static_cast<std::int64_t>((passed * scale_) >> kScaleBits);
    } else {
      now = resync();
    }
#else
    now = mono_ns();
#endif
    return last_ = std::max(last_, now);
  }
  /// Reads the kernel's clock, and corrects the counter's rate. Called once a second at least, or it calls itself.
  std::int64_t resync() noexcept;

 private:
  static constexpr int kScaleBits = 30;  // a second is below 2^30 ns, so it times the scale is below 2^60
  std::int64_t last_ = 0;
#if defined(__x86_64__)
  void read() noexcept;  ///< both clocks, at one moment

  std::uint64_t ticks_ = 0;    ///< at the last resync
  std::int64_t ns_ = 0;        ///< at the last resync
  std::uint64_t trusted_ = 0;  ///< ticks that the rate is good for; 0: no rate is known, or the counter is of no use
  std::uint64_t scale_ = 0;    ///< nanoseconds of a tick, times 2^kScaleBits
  std::uint64_t first_ticks_ = 0;
  std::int64_t first_ns_ = 0;
  bool constant_ = false;
#endif
};

/// How long a thread has been on a processor, read from any thread.
class ThreadCpu {
 public:
  [[nodiscard]] static ThreadCpu of_this_thread() noexcept;
  /// In nanoseconds; -1 where the thread has ended.
  [[nodiscard]] std::int64_t ns() const noexcept;

 private:
  int clock_ = 0;
};

}  // namespace galley::base
