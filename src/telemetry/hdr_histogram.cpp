#include "telemetry/hdr_histogram.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "telemetry/log_linear.hpp"

namespace galley::telemetry {

namespace {

using Buckets = LogLinear<7, 42>;

}  // namespace

void HdrHistogram::add(Nanoseconds duration) {
  duration = std::max(duration, Nanoseconds{0});
  if (counts_.empty()) counts_.resize(Buckets::kBuckets);
  ++counts_[static_cast<std::size_t>(Buckets::bucket_of(duration.count()))];
  ++count_;
  sum_ += duration;
  max_ = std::max(max_, duration);
}

void HdrHistogram::merge(const HdrHistogram& other) {
  if (other.counts_.empty()) return;
  counts_.resize(Buckets::kBuckets);
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

HdrHistogram::Nanoseconds HdrHistogram::quantile(double q) const {
  GALLEY_ASSERT(q >= 0 && q <= 1);
  const std::int64_t wanted = rank_of(q, count_);
  std::int64_t seen = 0;
  // The last bucket has no end.
  for (int bucket = 0; bucket + 1 < static_cast<int>(counts_.size()); ++bucket) {
    seen += counts_[static_cast<std::size_t>(bucket)];
    if (seen >= wanted) return std::min(max_, Nanoseconds(Buckets::end_of(bucket)));
  }
  return max_;
}

}  // namespace galley::telemetry
