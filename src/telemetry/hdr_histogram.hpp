#pragma once
// How durations are spread, closely: what load tests and loops measure with. Quantiles are at most 1/128 (0.8 %) above
// the true ones, from 256 ns (exact below) to 2^42 ns (73 minutes; what is longer counts in the last bucket).
//
// Memory: 36 KiB, once something was added. For many small ones that are kept and merged see telemetry/histogram.hpp.
//
// Thread-safety: a plain value.

#include <chrono>
#include <cstdint>
#include <vector>

namespace galley::telemetry {

class HdrHistogram {
 public:
  using Nanoseconds = std::chrono::nanoseconds;

  /// A negative duration counts as 0.
  void add(Nanoseconds duration);
  void merge(const HdrHistogram& other);

  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  /// Exact.
  [[nodiscard]] Nanoseconds max() const noexcept { return max_; }
  /// Exact; zero where nothing was added.
  [[nodiscard]] Nanoseconds mean() const noexcept { return count_ == 0 ? Nanoseconds{0} : sum_ / count_; }
  /// A duration that at least the part `q` (0..1) of all stays within: the longest that its bucket can hold, but not
  /// more than max(). Zero where nothing was added.
  [[nodiscard]] Nanoseconds quantile(double q) const;

 private:
  std::vector<std::int64_t> counts_;  ///< by bucket; empty as long as nothing was added
  std::int64_t count_ = 0;
  Nanoseconds sum_{0};
  Nanoseconds max_{0};
};

}  // namespace galley::telemetry
