#pragma once
// The arithmetic of toobusy-js (STRML/node-toobusy, version 0.5.1): a lag that is looked at twice a second, smoothed,
// and turned into a part of the requests to refuse. For who comes from Node and wants the same, and as the measure that
// OverloadGuard is held against (docs/overload.md says what it costs).
//
//   lag = max(0, time between two ticks - interval)
//   smoothed = smoothing_factor * lag + (1 - smoothing_factor) * smoothed
//   a request is refused with probability (smoothed - max_lag) / max_lag: none at 70 ms, all from 140 ms on
//
// What differs: time is a monotonic clock's, in nanoseconds, not whole milliseconds of a clock that may be set; each
// object has its own on_lag, where the original has one threshold for all callers.
//
// Thread-safety: none; it belongs to its loop.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "galley/job.hpp"

namespace galley {

struct TooBusyOptions {
  Duration max_lag = std::chrono::milliseconds(70);    ///< 10 ms..1 h
  Duration interval = std::chrono::milliseconds(500);  ///< between two ticks, 16 ms..1 h
  double smoothing_factor = 1.0 / 3;                   ///< of the newest lag, above 0, at most 1
  /// Called by tick() with the smoothed lag when it is above `on_lag_above`; may be empty.
  std::function<void(std::chrono::nanoseconds lag)> on_lag;
  std::optional<Duration> on_lag_above;  ///< Nothing: max_lag.
  std::uint64_t seed = 0;                ///< Of the drawing; 0: from the system.
  TooBusyOptions() {}                    // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

class TooBusy {
 public:
  /// Throws Exception: InvalidInput naming the option, its value and what is allowed.
  explicit TooBusy(TooBusyOptions options = {});
  ~TooBusy();
  TooBusy(const TooBusy&) = delete;
  TooBusy& operator=(const TooBusy&) = delete;

  /// The loop's timer: to be called every `interval`. The first call only begins.
  void tick(std::chrono::nanoseconds now);
  /// Whether to refuse this request: drawn.
  [[nodiscard]] bool operator()();

  /// The part of the requests that is refused now, 0..1.
  [[nodiscard]] double share() const noexcept;
  /// Smoothed.
  [[nodiscard]] std::chrono::nanoseconds lag() const noexcept;
  /// As the original's interval(): a new one, and a lag of 0. Throws as the constructor.
  void set_interval(Duration interval);
  [[nodiscard]] Duration interval() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace galley
