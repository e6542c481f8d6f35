#include "runtime/stall_rules.hpp"

#include <algorithm>
#include <utility>

namespace galley::runtime {

namespace {
constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kQuiet = 1'000 * kMs;
constexpr std::int64_t kMinute = 60'000 * kMs;
constexpr std::size_t kMaxSeen = 64;
constexpr int kMaxReports = 3;
}  // namespace

StallStep StallRules::rest(const Beat& beat, std::int64_t now_ns) noexcept {
  StallStep step;
  step.look_at_ns = now_ns + threshold_ns_ / 2;
  if (beat.handlers != beat_.handlers || handlers_at_ns_ == 0) handlers_at_ns_ = now_ns;
  step.quiet = now_ns - handlers_at_ns_ >= kQuiet;
  beat_ = beat;
  return step;
}

StallStep StallRules::look(const Beat& beat, std::int64_t now_ns) noexcept {
  if (reports_ > 0 && beat != beat_) {
    StallStep step;
    step.what = StallStep::What::Ended;
    step.lasted_ns = (beat.busy_since_ns > 0 ? beat.busy_since_ns : now_ns) - beat_.busy_since_ns;
    step.look_at_ns = now_ns;
    reports_ = 0;
    beat_.busy_since_ns = 0;
    return step;
  }
  if (beat.busy_since_ns == 0) return rest(beat, now_ns);
  StallStep step;
  if (beat != beat_) step.what = StallStep::What::Begun;
  beat_ = beat;
  handlers_at_ns_ = now_ns;
  step.lasted_ns = now_ns - beat.busy_since_ns;
  if (reports_ == 0) mark_ns_ = threshold_ns_;
  if (reports_ < kMaxReports && step.lasted_ns >= mark_ns_) {
    step.what = StallStep::What::Stalled;
    ++reports_;
    while (mark_ns_ <= step.lasted_ns) mark_ns_ *= 2;  // a watcher that came late makes one report of several marks
  }
  step.look_at_ns = reports_ < kMaxReports ? beat.busy_since_ns + mark_ns_ : INT64_MAX;
  if (reports_ > 0) {
    step.look_at_ns = std::min(step.look_at_ns, now_ns + std::clamp(step.lasted_ns / 16, kMs, 100 * kMs));
  }
  return step;
}

bool ReportLimit::take(std::int64_t now_ns) {
  while (!taken_ns_.empty() && now_ns - taken_ns_.front() >= kMinute) taken_ns_.pop_front();
  if (taken_ns_.size() >= static_cast<std::size_t>(per_minute_)) {
    ++suppressed_;
    return false;
  }
  taken_ns_.push_back(now_ns);
  return true;
}

std::int64_t ReportLimit::suppressed() noexcept { return std::exchange(suppressed_, 0); }

int SeenStacks::count(std::uint64_t hash) {
  Seen seen{hash, 1};
  const auto found = std::find_if(seen_.begin(), seen_.end(), [hash](const Seen& one) { return one.hash == hash; });
  if (found != seen_.end()) {
    seen.times = found->times + 1;
    seen_.erase(found);
  } else if (seen_.size() == kMaxSeen) {
    seen_.erase(seen_.begin());
  }
  seen_.push_back(seen);
  return seen.times;
}

}  // namespace galley::runtime
