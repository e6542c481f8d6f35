#pragma once
// How durations are spread, in little memory and with a known error: p50 and p99 of waiting and running, per minute and
// kind, kept by a store and merged over minutes and processes.
//
// Buckets are log-linear: below 32 us each microsecond has one of its own; from there each power of two is cut into 16
// of equal width. A bucket of [2^k, 2^(k+1)) is 2^k / 16 wide and begins at 2^k or above, so its width is at most 1/16
// (6.25 %) of any duration in it. They end at 2^42 us (50 days 21 h): 32 below 32 us and 16 for each of 2^5..2^41,
// 32 + 37 * 16 = 624. What is longer counts in the last one; what is negative counts as 0.
//
// Memory: 16 bytes for each bucket that holds anything, so about 1 KiB where durations spread over a factor of ten, and
// 10 KiB at most.
//
// Thread-safety: a plain value.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley::telemetry {

class Histogram {
 public:
  static constexpr int kBuckets = 624;
  /// What encode() needs at most: the version 1, sum 9, maximum 9, the number of buckets 2, and 10 for each bucket (a
  /// gap of 1 and a count of 9; a gap that takes 2 skips 128 buckets).
  static constexpr std::size_t kMaxBytes = 21 + std::size_t{kBuckets} * 10;

  /// `count` durations of that length; at least 0. Counts and sums stop at the largest number.
  void add(Duration duration, std::int64_t count = 1);
  /// The same as if all that was added to the other one had been added here.
  void merge(const Histogram& other);

  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return buckets_.empty(); }
  /// Exact, as far as it fits.
  [[nodiscard]] Duration sum() const noexcept { return Duration(sum_us_); }
  /// Exact.
  [[nodiscard]] Duration max() const noexcept { return Duration(max_us_); }

  /// A duration that at least the part `q` (0..1) of all stays within: the longest that its bucket can hold, but not
  /// more than max(). So it never flatters, and is at most 1/16 longer than the true one (as far as durations are below
  /// 2^42 us). Zero where nothing was added.
  [[nodiscard]] Duration quantile(double q) const;

  /// How many are known to be at most `edge`: those of the buckets that end there or before. Of what lies in the bucket
  /// round the edge nothing is counted, so this is exact for an edge that is at most 1/16 shorter.
  [[nodiscard]] std::int64_t count_within(Duration edge) const noexcept;

  /// Bytes for a column of a database; equal histograms have equal bytes, and others differ.
  ///   0x01 (the version), then varints (7 bits a byte, the least first): sum in us, maximum in us, number of buckets,
  ///   and for each bucket in order: how many empty ones stand before it, and its count
  [[nodiscard]] std::string encode() const;
  /// Errors: InvalidInput for all that encode() does not write.
  [[nodiscard]] static Result<Histogram> decode(std::string_view bytes);

  [[nodiscard]] bool operator==(const Histogram&) const = default;

 private:
  struct Bucket {
    int index = 0;
    std::int64_t count = 0;
    [[nodiscard]] bool operator==(const Bucket&) const = default;
  };
  void add_to(int index, std::int64_t count);

  std::vector<Bucket> buckets_;  ///< by index; none is empty
  std::int64_t count_ = 0;
  std::int64_t sum_us_ = 0;
  std::int64_t max_us_ = 0;
};

}  // namespace galley::telemetry
