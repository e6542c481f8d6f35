#pragma once
// The last durations of something, for quantiles of the present.
//
// Thread-safety: any thread. Who reads while others add may find an older duration in the place of one that is just
// being added.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <vector>

#include "galley/job.hpp"

namespace galley::runtime {

class Samples {
 public:
  void add(Duration duration) noexcept {
    last_[count_.fetch_add(1, std::memory_order_relaxed) % kKept].store(duration.count(), std::memory_order_relaxed);
  }
  /// Those that were added since `from`, as far as they are kept; `from` is moved on.
  [[nodiscard]] std::vector<Duration> since(std::size_t& from) const {
    const std::size_t count = count_.load(std::memory_order_relaxed);
    std::vector<Duration> taken;
    for (from = std::max(from, count > kKept ? count - kKept : 0); from < count; ++from) {
      taken.emplace_back(last_[from % kKept].load(std::memory_order_relaxed));
    }
    return taken;
  }
  [[nodiscard]] std::vector<Duration> all() const {
    std::size_t from = 0;
    return since(from);
  }

 private:
  static constexpr std::size_t kKept = 1'024;
  std::array<std::atomic<Duration::rep>, kKept> last_{};
  std::atomic<std::size_t> count_{0};
};

/// Of the part `q` (0..1) from below; zero where there is none. Reorders.
[[nodiscard]] inline Duration quantile(std::vector<Duration>& durations, double q) {
  if (durations.empty()) return Duration{0};
  const auto at = durations.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(durations.size() - 1));
  std::nth_element(durations.begin(), at, durations.end());
  return *at;
}

}  // namespace galley::runtime
