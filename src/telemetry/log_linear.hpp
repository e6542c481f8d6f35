#pragma once
// The buckets of a histogram, log-linear: below 2^(kSubBits + 1) each value has one of its own; from there each power
// of two is cut into 2^kSubBits of equal width. A bucket of [2^k, 2^(k+1)) is 2^k / 2^kSubBits wide and begins at 2^k
// or above, so its width is at most 1 / 2^kSubBits of any value in it. They end at 2^kTopBits; what is larger belongs
// into the last one.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace galley::telemetry {

/// How many of `count` must stay within the quantile `q` (0..1): at least one, and not more than there are. The product
/// of two doubles may be a hair too large (0.07 of 100 is 7.000000000000001), and that must not count as one more.
[[nodiscard]] inline std::int64_t rank_of(double q, std::int64_t count) noexcept {
  constexpr double kHair = 4 * std::numeric_limits<double>::epsilon();
  const double part = std::ceil(q * static_cast<double>(count) * (1 - kHair));
  if (q >= 1 || part >= static_cast<double>(count)) return count;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(part));
}

template <int kSubBits, int kTopBits>
struct LogLinear {
  static constexpr int kBuckets = ((kTopBits - kSubBits - 1) << kSubBits) + (2 << kSubBits);

  /// Of a value of at least 0.
  [[nodiscard]] static constexpr int bucket_of(std::int64_t at) noexcept {
    const auto value = static_cast<std::uint64_t>(std::min(at, (std::int64_t{1} << kTopBits) - 1));
    const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kSubBits - 1);
    return (shift << kSubBits) + static_cast<int>(value >> shift);
  }

  /// The largest value that belongs into the bucket.
  [[nodiscard]] static constexpr std::int64_t end_of(int bucket) noexcept {
    const int shift = std::max(0, (bucket >> kSubBits) - 1);
    const std::int64_t step = bucket - (shift << kSubBits);
    return ((step + 1) << shift) - 1;
  }
};

}  // namespace galley::telemetry
