#pragma once
// Time, injected. Only `open/` and `main` name the system clock; everything else borrows a Clock.
// Monotonic and wall time are different types, so that a lease can never be compared with a due time.

#include <atomic>
#include <chrono>
#include <string>

#include "galley/job.hpp"

namespace galley::base {

/// A point of the monotonic clock of this boot (CLOCK_MONOTONIC): never steps, means nothing after a reboot.
struct MonoClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::microseconds;
  using time_point = std::chrono::time_point<MonoClock, duration>;
  static constexpr bool is_steady = true;
};
using Mono = MonoClock::time_point;

/// Thread-safety: any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Mono mono() const noexcept = 0;
  [[nodiscard]] virtual Time wall() const noexcept = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Mono mono() const noexcept override;
  [[nodiscard]] Time wall() const noexcept override;
};

/// For tests: stands still until it is told to move. The wall can be stepped apart from the monotonic clock.
class ManualClock final : public Clock {
 public:
  /// Starts at 2026-01-01T00:00:00Z and one hour after boot.
  ManualClock() = default;
  [[nodiscard]] Mono mono() const noexcept override { return Mono(Duration(mono_us_.load())); }
  [[nodiscard]] Time wall() const noexcept override { return Time(Duration(wall_us_.load())); }
  void advance(Duration by) noexcept {
    mono_us_ += by.count();
    wall_us_ += by.count();
  }
  void step_wall(Duration by) noexcept { wall_us_ += by.count(); }

 private:
  std::atomic<std::int64_t> mono_us_{3'600'000'000};
  std::atomic<std::int64_t> wall_us_{1'767'225'600'000'000};
};

/// The kernel's id of this boot (/proc/sys/kernel/random/boot_id), "unknown" where there is none.
[[nodiscard]] std::string boot_id();

}  // namespace galley::base
