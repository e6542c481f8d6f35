#include "telemetry/histogram.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/assert.hpp"
#include "telemetry/log_linear.hpp"

namespace galley::telemetry {

namespace {

constexpr char kVersion = 1;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
using Buckets = LogLinear<4, 42>;
constexpr std::size_t kMaxVarintBytes = 9;  // 63 bits

/// Both at least 0.
std::int64_t plus(std::int64_t a, std::int64_t b) noexcept { return a > kMost - b ? kMost : a + b; }
std::int64_t times(std::int64_t a, std::int64_t b) noexcept { return b != 0 && a > kMost / b ? kMost : a * b; }

void put(std::string& bytes, std::int64_t value) {
  auto rest = static_cast<std::uint64_t>(value);
  for (; rest >= 0x80; rest >>= 7) bytes += static_cast<char>(static_cast<unsigned char>(rest | 0x80));
  bytes += static_cast<char>(rest);
}

/// Takes a varint from the front; nothing where there is none in its shortest form.
std::optional<std::int64_t> take(std::string_view& bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < std::min(kMaxVarintBytes, bytes.size()); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value |= std::uint64_t{byte & 0x7FU} << (7 * i);
    if (byte >= 0x80) continue;
    if (byte == 0 && i > 0) return std::nullopt;
    bytes.remove_prefix(i + 1);
    return static_cast<std::int64_t>(value);
  }
  return std::nullopt;
}

Error refused(const char* what) { return {Errc::InvalidInput, std::string("not a histogram: ") + what}; }

}  // namespace

static_assert(Buckets::kBuckets == Histogram::kBuckets);

void Histogram::add_to(int index, std::int64_t count) {
  const auto at = std::lower_bound(buckets_.begin(), buckets_.end(), index,
                                   [](const Bucket& bucket, int wanted) { return bucket.index < wanted; });
  if (at != buckets_.end() && at->index == index) {
    at->count = plus(at->count, count);
  } else {
    buckets_.insert(at, {index, count});
  }
}

void Histogram::add(Duration duration, std::int64_t count) {
  GALLEY_ASSERT(count >= 0);
  if (count == 0) return;
  const std::int64_t us = std::max<std::int64_t>(0, duration.count());
  add_to(Buckets::bucket_of(us), count);
  count_ = plus(count_, count);
  sum_us_ = plus(sum_us_, times(us, count));
  max_us_ = std::max(max_us_, us);
}

void Histogram::merge(const Histogram& other) {
  const std::vector<Bucket> added = other.buckets_;  // it may be this one
  for (const Bucket& bucket : added) add_to(bucket.index, bucket.count);
  count_ = plus(count_, other.count_);
  sum_us_ = plus(sum_us_, other.sum_us_);
  max_us_ = std::max(max_us_, other.max_us_);
}

Duration Histogram::quantile(double q) const {
  GALLEY_ASSERT(q >= 0 && q <= 1);
  const std::int64_t wanted = rank_of(q, count_);
  std::int64_t seen = 0;
  for (const Bucket& bucket : buckets_) {
    seen = plus(seen, bucket.count);
    if (seen < wanted) continue;
    // The last bucket has no end.
    const std::int64_t end = bucket.index == kBuckets - 1 ? max_us_ : Buckets::end_of(bucket.index);
    return Duration(std::min(end, max_us_));
  }
  return Duration{0};
}

std::int64_t Histogram::count_within(Duration edge) const noexcept {
  if (edge >= max()) return count_;
  std::int64_t seen = 0;
  for (const Bucket& bucket : buckets_) {
    if (bucket.index == kBuckets - 1 || Buckets::end_of(bucket.index) > edge.count()) break;
    seen = plus(seen, bucket.count);
  }
  return seen;
}

std::string Histogram::encode() const {
  std::string bytes(1, kVersion);
  put(bytes, sum_us_);
  put(bytes, max_us_);
  put(bytes, static_cast<std::int64_t>(buckets_.size()));
  int next = 0;
  for (const Bucket& bucket : buckets_) {
    put(bytes, bucket.index - next);
    put(bytes, bucket.count);
    next = bucket.index + 1;
  }
  return bytes;
}

Result<Histogram> Histogram::decode(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kVersion) return refused("it does not begin with version 1");
  bytes.remove_prefix(1);
  const auto sum = take(bytes);
  const auto max = take(bytes);
  const auto size = take(bytes);
  if (!sum || !max || !size) return refused("it is cut off, or a number is malformed");
  if (*size > kBuckets) return refused("it has too many buckets");
  Histogram histogram;
  histogram.sum_us_ = *sum;
  histogram.max_us_ = *max;
  histogram.buckets_.reserve(static_cast<std::size_t>(*size));
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < *size; ++i) {
    const auto gap = take(bytes);
    const auto count = take(bytes);
    if (!gap || !count) return refused("it is cut off, or a number is malformed");
    if (*gap >= kBuckets - next) return refused("a bucket lies behind the last one");
    if (*count == 0) return refused("a bucket is empty");
    histogram.buckets_.push_back({static_cast<int>(next + *gap), *count});
    histogram.count_ = plus(histogram.count_, *count);
    next += *gap + 1;
  }
  if (!bytes.empty()) return refused("something follows it");
  if (histogram.empty() ? *sum != 0 || *max != 0
                        : *sum < *max || Buckets::bucket_of(*max) != histogram.buckets_.back().index) {
    return refused("its sum or its maximum does not belong to its buckets");
  }
  return histogram;
}

}  // namespace galley::telemetry
