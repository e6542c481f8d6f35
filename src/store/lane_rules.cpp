#include "store/lane_rules.hpp"

#include <array>
#include <limits>

#include "base/text.hpp"

namespace galley::store {

namespace {

constexpr std::array<std::string_view, 4> kScopeNames{"queue", "kind", "key", "name"};

std::int64_t interval_us(const LimitRule& rule) noexcept { return (rule.period.count() + rule.rate - 1) / rule.rate; }

/// A clock that was stepped back must not stop a limit for longer than a whole burst takes.
std::int64_t arrival_of(const LimitRule& rule, const Use& use, std::int64_t now_us) noexcept {
  return std::clamp(use.arrival_us, now_us, now_us + rule.burst * interval_us(rule));
}

}  // namespace

std::string_view name(LimitScope scope) noexcept { return kScopeNames[static_cast<std::size_t>(scope)]; }

std::optional<LimitScope> limit_scope_from(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kScopeNames.size(); ++i) {
    if (kScopeNames[i] == text) return static_cast<LimitScope>(i);
  }
  return std::nullopt;
}

std::string text_of(std::vector<std::string> limits) {
  std::sort(limits.begin(), limits.end());
  std::string text;
  for (const std::string& limit : limits) text += (text.empty() ? "" : ",") + limit;
  return text;
}

std::vector<std::string> limits_from(const std::string& text) {
  std::vector<std::string> limits;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    limits.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return limits;
}

std::optional<std::int64_t> tokens_in(const LimitRule& rule, Use use, std::int64_t now_us) noexcept {
  if (rule.rate == 0) return std::nullopt;
  const std::int64_t interval = interval_us(rule);
  return (now_us + rule.burst * interval - arrival_of(rule, use, now_us)) / interval;
}

Room room_in(const LimitRule& rule, Use use, std::int64_t now_us) noexcept {
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
  const std::int64_t free = rule.max_running == 0 ? kAny : std::max<std::int64_t>(0, rule.max_running - use.running);
  const std::int64_t tokens = tokens_in(rule, use, now_us).value_or(kAny);
  if (free == 0 || tokens > 0) return {std::min(free, tokens), std::nullopt};
  return {0, arrival_of(rule, use, now_us) - (rule.burst - 1) * interval_us(rule)};
}

void count_start(const LimitRule& rule, Use& use, std::int64_t now_us) noexcept {
  ++use.running;
  if (rule.rate > 0) use.arrival_us = arrival_of(rule, use, now_us) + interval_us(rule);
}

void count_end(const LimitRule& rule, Use& use, std::optional<Duration> never) noexcept {
  use.running = std::max<std::int64_t>(0, use.running - 1);
  if (!never || rule.rate == 0) return;
  const std::int64_t interval = interval_us(rule);
  use.arrival_us -= std::clamp<std::int64_t>(interval - never->count(), 0, interval);
}

bool is_nothing(const LimitRule& rule, const Use& use, std::int64_t now_us) noexcept {
  return use.running == 0 && (rule.rate == 0 || use.arrival_us <= now_us);
}

void learn(Duration& expected, const telemetry::Histogram& runs) noexcept {
  if (runs.count() == 0) return;
  const Duration mean = runs.sum() / runs.count();
  expected = expected == Duration{0} ? mean : expected + (mean - expected) / 8;
}

Error no_such_limit(const LimitTarget& target) {
  const std::string of = target.queue.empty() ? "" : " of queue " + base::quoted(target.queue);
  const std::string what =
      target.name.empty() ? "each key" : std::string(name(target.scope)) + " " + base::quoted(target.name);
  return {Errc::NotFound, "limit of " + what + of + ": there is none"};
}

Error too_many_limits() {
  return {Errc::InvalidInput, "there are " + std::to_string(limits::kMaxLimits) +
                                  " limits already, the most that a"
                                  " store keeps; for one in each customer, limit each key"};
}

}  // namespace galley::store
