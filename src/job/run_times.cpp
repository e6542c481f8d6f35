#include "job/run_times.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

namespace galley::job {

namespace {
/// So that the sum of all kept ones and the next one fits; 1,100 years.
constexpr std::int64_t kLongestUs = std::numeric_limits<std::int64_t>::max() / (std::int64_t{RunTimes::kKept} + 1);
}  // namespace

void RunTimes::add(Duration run) {
  const std::int64_t us = std::clamp<std::int64_t>(run.count(), 0, kLongestUs);
  looked_ = false;
  sum_us_ += us;
  if (us_.size() < kKept) {
    us_.push_back(us);
    return;
  }
  sum_us_ -= us_[next_];
  us_[next_] = us;
  next_ = (next_ + 1) % kKept;
}

Duration RunTimes::mean() const noexcept {
  return Duration(us_.empty() ? 0 : sum_us_ / static_cast<std::int64_t>(us_.size()));
}

Duration RunTimes::p99() const {
  look();
  return Duration(p99_us_);
}

Duration RunTimes::longest() const {
  look();
  return Duration(longest_us_);
}

Duration RunTimes::lately() const {
  if (!known()) return Duration(0);
  std::array<std::int64_t, kKnown> last{};
  for (std::size_t i = 0; i < kKnown; ++i) last[i] = us_[(next_ + us_.size() - 1 - i) % us_.size()];
  const auto middle = last.begin() + kKnown / 2 - 1;
  std::nth_element(last.begin(), middle, last.end());
  return Duration(*middle);
}

void RunTimes::look() const {
  if (looked_) return;
  looked_ = true;
  // From the top: the longest is number 0, and of 256 runs the p99 by nearest rank (254 of 256) is number 2.
  std::array<std::int64_t, 3> top{};
  const std::size_t above = us_.size() - (us_.size() * 99 + 99) / 100;
  const std::size_t rank = std::max<std::size_t>(above, known() ? 1 : 0);
  std::partial_sort_copy(us_.begin(), us_.end(), top.begin(), top.end(), std::greater<>());
  longest_us_ = top[0];
  p99_us_ = top[rank];
}

}  // namespace galley::job
