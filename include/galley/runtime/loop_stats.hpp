#pragma once
// What a loop has measured of itself: how long its turns and handlers took, how late they began, and where its time
// went.
//
// Thread-safety: plain values.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace galley {

/// The phases of a turn, in their order.
enum class LoopPhase : std::uint8_t {
  Timers,   ///< timers that are due
  Pending,  ///< what other threads have posted; errors that nobody awaited
  Idle,     ///< hooks
  Prepare,  ///< hooks
  Poll,     ///< waits for I/O, and runs its handlers and what asio::post has queued
  Check,    ///< immediates, and coroutines that have yielded
  Closing,  ///< what was given to at_close
};
inline constexpr int kLoopPhases = 7;

/// "timers", "pending", ... as in Prometheus labels.
[[nodiscard]] std::string_view name(LoopPhase phase) noexcept;

/// How durations are spread, in buckets at most 1/32 (3.2 %) wide; exact below 64 ns, and up to 73 minutes.
class DelayHistogram {
 public:
  using Nanoseconds = std::chrono::nanoseconds;

  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  [[nodiscard]] Nanoseconds sum() const noexcept { return sum_; }
  /// Exact; of a difference (since) the end of its last bucket. Zero where nothing was added.
  [[nodiscard]] Nanoseconds max() const noexcept { return max_; }
  /// Zero where nothing was added.
  [[nodiscard]] Nanoseconds mean() const noexcept { return count_ == 0 ? Nanoseconds{0} : sum_ / count_; }
  /// A duration that at least the part `q` (0..1) of all stays within: at most 1/32 above the true one. Zero where
  /// nothing was added.
  [[nodiscard]] Nanoseconds quantile(double q) const;
  /// How many are known to be at most `edge`.
  [[nodiscard]] std::int64_t count_within(Nanoseconds edge) const;
  /// What was added after `earlier` was taken, of the same loop.
  [[nodiscard]] DelayHistogram since(const DelayHistogram& earlier) const;

  DelayHistogram() = default;
  /// `counts` by bucket; used by the loop.
  DelayHistogram(std::vector<std::int64_t> counts, Nanoseconds sum, Nanoseconds max);

 private:
  std::vector<std::int64_t> counts_;  ///< by bucket
  std::int64_t count_ = 0;
  Nanoseconds sum_{0};
  Nanoseconds max_{0};
};

/// Of a loop since it was made; everything only grows, but for `inbox`.
struct LoopStats {
  std::int64_t turns = 0;
  std::int64_t handlers = 0;
  /// In run(): asleep in the kernel because there was nothing to do, and all other time.
  std::chrono::nanoseconds idle{0};
  std::chrono::nanoseconds busy{0};
  std::chrono::nanoseconds on_cpu{0};           ///< of the loop's thread, in run()
  std::chrono::nanoseconds waiting_for_cpu{0};  ///< it could run, and others had the CPU; zero where the kernel is mute
  std::array<std::chrono::nanoseconds, kLoopPhases> in_phase{};  ///< by LoopPhase; without sleep
  DelayHistogram turn_time;     ///< between two looks at the kernel: so long was nothing else noticed
  DelayHistogram handler_time;  ///< one handler, or one resumption of a coroutine
  DelayHistogram ready_delay;   ///< when it could have begun until it began: posts, immediates, yields, steady timers
  std::size_t inbox = 0;        ///< posts that wait now
  std::int64_t posts_refused = 0;   ///< the inbox was full
  std::int64_t errors_dropped = 0;  ///< deferred errors above their bound
};

/// Parts of the time, 0..1. A loop that is busy need not compute: it may have been denied a CPU, or be blocked by a
/// call that belongs on a worker pool (a file, a lock, a name to resolve).
struct LoopUse {
  double busy = 0;             ///< what other runtimes call utilisation: 1 - idle
  double on_cpu = 0;           ///< of busy: it computed
  double waiting_for_cpu = 0;  ///< of busy: it waited for a CPU
  double blocked = 0;          ///< of busy: the rest
};

/// Between two snapshots of one loop; all zero where no time has passed. What the kernel counts comes in its own steps,
/// so over less than a tenth of a second the split is rough.
[[nodiscard]] LoopUse use_between(const LoopStats& before, const LoopStats& after);

/// The Prometheus text format 0.0.4: counters, the split of time, and the three histograms, labelled with the name.
[[nodiscard]] std::string prometheus_text(std::string_view loop_name, const LoopStats& stats);

}  // namespace galley
