// When waits are bad, when they are good again, and how many connections are accepted meanwhile.

#include <algorithm>

#include "runtime/overload_rules.hpp"

namespace galley::runtime {

namespace {

constexpr double kSpare = 1.1;            // accepted for each that was served
constexpr double kLeastPerInterval = 10;  // accepted in an interval in which nothing was served
constexpr double kFade = 0.95;            // in an interval, of the best rate that was seen
constexpr double kMaxBacklog = 4096;      // Linux's own bound (net.core.somaxconn) since 5.4: the gate is open then
constexpr double kMore = 1.25;            // from 20 to kMaxBacklog in 24 intervals

}  // namespace

bool Throughput::roll(Nanos now) {
  if (!begun_) {
    begun_ = true;
    began_ = now;
    return false;
  }
  const Nanos passed = now - began_;
  if (passed < interval_) return false;
  rate_ = std::max(kFade * rate_, static_cast<double>(starts_) / static_cast<double>(passed.count()));
  share_ = static_cast<double>(refusing_.count()) / static_cast<double>(passed.count());
  starts_ = 0;
  refusing_ = Nanos{0};
  began_ = now;
  return true;
}

bool WaitWatch::turns_busy(Nanos wait, Nanos now) {
  // Who came after the last one had started found the line empty: what was bad before is over.
  const bool same_line = now - wait <= seen_;
  if (wait <= target_) {
    above_ = false;
    return false;
  }
  if (!above_ || !same_line) {
    above_ = true;
    above_since_ = now;
    least_ = wait;
    return false;
  }
  least_ = std::min(least_, wait);
  if (wait - least_ >= 2 * target_) return true;
  // Whoever has waited for an interval and the target has stood in a line that was bad for as long: half is enough.
  const bool stood = least_ >= interval_ + target_;
  return now - above_since_ >= (stood ? interval_ / 2 : interval_);
}

void WaitWatch::count(Nanos wait, Nanos now) {
  if (now - counted_from_ >= interval_) {
    beyond_ = now - counted_from_ < 2 * interval_ && 2 * counted_beyond_ > counted_;  // older counts say nothing
    counted_ = counted_beyond_ = 0;
    counted_from_ = now;
  }
  ++counted_;
  if (wait > 2 * target_) ++counted_beyond_;
}

bool WaitWatch::saw(Nanos wait, Nanos now) {
  const bool before = busy_;
  const bool good = wait <= target_ / 2;
  // Until the arrival of one that has waited, nobody else did: a stretch without waits ends there, not now.
  const Nanos good_until = good ? now : now - wait;
  if (busy_ && good_until - last_not_good_ >= interval_) {
    busy_ = false;
    above_ = false;
  }
  if (!good) last_not_good_ = now;
  const bool bad = turns_busy(wait, now);
  busy_ = busy_ || bad;
  count(wait, now);
  wait_ = wait;
  seen_ = now;
  return busy_ != before;
}

bool WaitWatch::idle(Nanos now, Nanos quiet) {
  if (!busy_ || now - last_not_good_ < std::max(interval_, quiet)) return false;
  busy_ = false;
  above_ = false;
  return true;
}

AcceptGate::AcceptGate(const OverloadOptions& options)
    : target_(options.target), interval_(options.interval), max_refusing_(options.max_refusing) {}

bool AcceptGate::look(bool busy, bool beyond, const Throughput& throughput, Nanos now) {
  if (busy && !costly_ && throughput.refusing() > max_refusing_) {
    costly_ = true;
    backlog_ = least(throughput);
  }
  costly_ = costly_ && busy;
  const bool before = closed_;
  closed_ = costly_ || (busy && beyond);
  if (!closed_ || before) return false;
  credits_ = 0;
  credited_ = now;
  return true;
}

void AcceptGate::adjust(const Throughput& throughput) {
  if (!costly_) return;
  if (throughput.refusing() > max_refusing_ / 2) {
    backlog_ = std::max(least(throughput), backlog_ / 2);
  } else if (throughput.refusing() < max_refusing_ / 4) {
    backlog_ *= kMore;
    costly_ = backlog_ < kMaxBacklog;
  }
}

double AcceptGate::pace(const Throughput& throughput) const noexcept {
  return kSpare * std::max(throughput.rate(), kLeastPerInterval / static_cast<double>(interval_.count()));
}

/// What is served within the target.
double AcceptGate::least(const Throughput& throughput) const noexcept {
  return std::clamp(pace(throughput) * static_cast<double>(target_.count()), 1.0, kMaxBacklog);
}

AcceptAnswer AcceptGate::ask(const Throughput& throughput, Nanos now) {
  const double each = pace(throughput);
  const double most = least(throughput);
  credits_ = std::min(most, credits_ + each * static_cast<double>((now - credited_).count()));
  credited_ = now;
  AcceptAnswer answer;
  answer.backlog = static_cast<int>(costly_ ? backlog_ : most);
  if (credits_ >= 1) {
    credits_ -= 1;
    return answer;
  }
  answer.open = false;
  answer.ask_at = now + Nanos{static_cast<std::int64_t>((1 - credits_) / each) + 1};
  return answer;
}

void AcceptGate::refused() noexcept { credits_ += 1; }  // bounded by the next ask()

}  // namespace galley::runtime
