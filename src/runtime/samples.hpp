#pragma once
// The last durations of something, for quantiles of the present.
//
// Thread-safety: any thread.

#include <algorithm>
#include <array>
#include <cstddef>
#include <mutex>
#include <vector>

#include "galley/job.hpp"

namespace galley::runtime {

class Samples {
 public:
  void add(Duration duration) {
    const std::lock_guard lock(mutex_);
    last_[count_++ % kKept] = duration;
  }
  /// Those that were added since `from`, as far as they are kept; `from` is moved on.
  [[nodiscard]] std::vector<Duration> since(std::size_t& from) const {
    const std::lock_guard lock(mutex_);
    std::vector<Duration> taken;
    for (from = std::max(from, count_ > kKept ? count_ - kKept : 0); from < count_; ++from) {
      taken.push_back(last_[from % kKept]);
    }
    return taken;
  }
  [[nodiscard]] std::vector<Duration> all() const {
    std::size_t from = 0;
    return since(from);
  }

 private:
  static constexpr std::size_t kKept = 1'024;
  mutable std::mutex mutex_;
  std::array<Duration, kKept> last_{};
  std::size_t count_ = 0;
};

/// Of the part `q` (0..1) from below; zero where there is none. Reorders.
[[nodiscard]] inline Duration quantile(std::vector<Duration>& durations, double q) {
  if (durations.empty()) return Duration{0};
  const auto at = durations.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(durations.size() - 1));
  std::nth_element(durations.begin(), at, durations.end());
  return *at;
}

}  // namespace galley::runtime
