#include "runtime/overload_rules.hpp"

#include <algorithm>
#include <string>

#include "base/duration.hpp"

namespace galley::runtime {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Error refused_option(std::string_view option, const std::string& value, std::string_view allowed) {
  return Error{Errc::InvalidInput, std::string(option) + " " + value + " is not allowed: " + std::string(allowed)};
}

bool whole_seconds(Duration duration) { return duration % seconds(1) == Duration{0}; }

}  // namespace

Result<void> validate(const OverloadOptions& options) {
  const auto text = [](Duration duration) { return base::format_duration_exactly(duration); };
  if (options.target < milliseconds(1) || options.target > seconds(10)) {
    return refused_option("target", text(options.target), "1ms..10s");
  }
  if (options.interval < milliseconds(10) || options.interval > seconds(60)) {
    return refused_option("interval", text(options.interval), "10ms..1m");
  }
  if (options.max_wait != Duration{0} && options.max_wait <= options.target) {
    return refused_option("max_wait", text(options.max_wait),
                          "more than the target of " + text(options.target) + ", or 0 for no limit");
  }
  if (options.deadline < Duration{0} || options.deadline > hours(1)) {
    return refused_option("deadline", text(options.deadline), "up to 1h, or 0 for none");
  }
  if (!(options.max_refusing >= 0.01 && options.max_refusing <= 1)) {
    return refused_option("max_refusing", std::to_string(options.max_refusing), "0.01..1");
  }
  if (options.retry_after_min < seconds(1) || options.retry_after_min > hours(1) ||
      !whole_seconds(options.retry_after_min)) {
    return refused_option("retry_after_min", text(options.retry_after_min), "whole seconds, 1s..1h");
  }
  if (options.retry_after_max < options.retry_after_min || options.retry_after_max > hours(1) ||
      !whole_seconds(options.retry_after_max)) {
    return refused_option("retry_after_max", text(options.retry_after_max),
                          "whole seconds, from retry_after_min (" + text(options.retry_after_min) + ") to 1h");
  }
  return {};
}

OverloadRules::OverloadRules(const OverloadOptions& options)
    : options_(options),
      target_(options.target),
      max_wait_(options.max_wait),
      throughput_(options.interval),
      watch_(options.target, options.interval),
      gate_(options),
      random_(options.seed == 0 ? base::Random::seeded_by_system() : base::Random(options.seed)) {}

OverloadRules::Nanos OverloadRules::forward(Nanos now) noexcept {
  latest_ = std::max(latest_, now);
  if (throughput_.roll(latest_)) gate_.adjust(throughput_);
  return latest_;
}

void OverloadRules::look(Nanos now) {
  if (waiting_ == 0) watch_.idle(now, 2 * service_);
  if (!options_.accept_gate) return;
  if (gate_.look(watch_.busy(), watch_.beyond(now), throughput_, now)) ++counters_.times_closed;
}

void OverloadRules::saw(Nanos wait, Nanos now) {
  if (watch_.saw(wait, now) && watch_.busy()) ++counters_.times_busy;
}

bool OverloadRules::too_long(RequestClass request_class, Nanos wait) const noexcept {
  if (!watch_.busy()) return max_wait_ != Nanos{0} && wait > max_wait_;
  switch (request_class) {
    case RequestClass::Low: return wait > target_ / 2;
    case RequestClass::Normal: return wait > target_;
    case RequestClass::High: return wait > 2 * target_;
    case RequestClass::System: break;
  }
  return false;
}

bool OverloadRules::too_late(const Arrival& arrival, Nanos now) noexcept {
  std::optional<Nanos> deadline = arrival.deadline;
  if (!deadline && options_.deadline != Duration{0}) deadline = arrival.at + options_.deadline;
  if (!deadline) return false;
  if (now >= *deadline) return true;
  if (*deadline - now >= service_) return false;
  // Nobody is served who could show that service has become shorter: the estimate gives way, or it would stay forever.
  service_ -= service_ / 64;
  return true;
}

Verdict OverloadRules::refuse(const Arrival& arrival, Refusal why) {
  ++counters_.refused[static_cast<std::size_t>(arrival.request_class)][static_cast<std::size_t>(why)];
  gate_.refused();
  const auto least = std::chrono::duration_cast<seconds>(options_.retry_after_min).count();
  const auto most = std::chrono::duration_cast<seconds>(options_.retry_after_max).count();
  Verdict verdict;
  verdict.admitted = false;
  verdict.refusal = why;
  verdict.retry_after_s =
      static_cast<int>(least) + static_cast<int>(static_cast<double>(most - least + 1) * random_.unit());
  return verdict;
}

Verdict OverloadRules::admitted(const Arrival& arrival) {
  ++counters_.started[static_cast<std::size_t>(arrival.request_class)];
  if (arrival.request_class != RequestClass::System) throughput_.started();
  return {};
}

AcceptAnswer OverloadRules::accept(Nanos now) {
  now = forward(now);
  look(now);
  return gate_.closed() ? gate_.ask(throughput_, now) : AcceptAnswer{};
}

Verdict OverloadRules::admit(const Arrival& arrival, Nanos now) {
  now = forward(now);
  if (arrival.request_class != RequestClass::System && options_.admit_gate) {
    const Nanos own = std::max(Nanos{0}, now - arrival.at);
    // What it has waited so far; of what lies before it, the wait of the one that has just come out tells. When none
    // has for an interval, that says nothing any more: those who are admitted may wait for the rest of their body.
    const bool line = waiting_ > 0 && now - watch_.seen_at() < options_.interval;
    if (too_late(arrival, now)) {
      if (!line) saw(own, now);
      return refuse(arrival, Refusal::Deadline);
    }
    if (too_long(arrival.request_class, line ? std::max(own, watch_.wait()) : own)) {
      if (!line) saw(own, now);
      return refuse(arrival, Refusal::Overload);
    }
  }
  ++waiting_;
  return {};
}

Verdict OverloadRules::start(const Arrival& arrival, Nanos now) {
  now = forward(now);
  waiting_ = std::max<std::int64_t>(0, waiting_ - 1);
  if (arrival.request_class == RequestClass::System) return admitted(arrival);
  const Nanos own = std::max(Nanos{0}, now - arrival.at);
  saw(own, now);
  if (options_.start_gate) {
    if (too_late(arrival, now)) return refuse(arrival, Refusal::Deadline);
    if (too_long(arrival.request_class, own)) return refuse(arrival, Refusal::Waited);
  }
  return admitted(arrival);
}

void OverloadRules::abandon() noexcept { waiting_ = std::max<std::int64_t>(0, waiting_ - 1); }

Verdict OverloadRules::take(const Arrival& arrival, Nanos now) {
  const Verdict verdict = admit(arrival, now);
  return verdict.admitted ? start(arrival, now) : verdict;
}

void OverloadRules::finished(Nanos service) noexcept {
  service = std::max(Nanos{0}, service);
  service_ = service_ == Nanos{0} ? service : service_ + (service - service_) / 8;
}

void OverloadRules::spent_refusing(Nanos cost, Nanos now) {
  throughput_.spent(std::max(Nanos{0}, cost));
  look(forward(now));
}

OverloadStatus OverloadRules::status(Nanos now) {
  now = forward(now);
  look(now);
  OverloadStatus status = counters_;
  status.state = watch_.busy() ? OverloadState::Busy : OverloadState::Normal;
  status.accepting = !gate_.closed();
  const bool idle = waiting_ == 0 && now - watch_.seen_at() >= std::max(Nanos(options_.interval), 2 * service_);
  status.wait = idle ? Nanos{0} : watch_.wait();
  status.service = service_;
  status.refusing = throughput_.refusing();
  status.waiting = waiting_;
  return status;
}

}  // namespace galley::runtime
