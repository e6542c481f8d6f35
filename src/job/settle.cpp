#include "job/settle.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/duration.hpp"
#include "base/text.hpp"

namespace galley::job {

namespace {

constexpr std::array<std::string_view, 8> kEndingNames{"completed", "failed",    "timed_out", "paused",
                                                       "snoozed",   "discarded", "cancelled", "expired"};

Duration allowed_delay(Duration wanted) noexcept {
  return std::clamp<Duration>(wanted, Duration{0}, limits::kMaxDelay);
}

int one_more(int count) noexcept { return count < std::numeric_limits<int>::max() ? count + 1 : count; }

Settlement die(const Counters& counters, std::string reason) {
  return {JobEvent::Die, Duration{0}, counters, std::move(reason)};
}

Settlement failed(const Policy& policy, Counters counters, double random01) {
  counters.errors = one_more(counters.errors);
  if (counters.errors >= policy.max_attempts) {
    return die(counters, "after " + std::to_string(counters.errors) + (counters.errors == 1 ? " error" : " errors"));
  }
  return {JobEvent::Retry, backoff_delay(policy.backoff, counters.errors, random01), counters, {}};
}

Settlement paused(const Policy& policy, Counters counters, Duration wanted_delay) {
  counters.pauses = one_more(counters.pauses);
  if (counters.pauses > policy.max_pauses) {
    return die(counters, "paused more than " + std::to_string(policy.max_pauses) + " times");
  }
  if (wanted_delay > Duration{0}) return {JobEvent::Retry, allowed_delay(wanted_delay), counters, {}};
  return {JobEvent::Pause, Duration{0}, counters, {}};
}

Settlement snoozed(Counters counters, Duration wanted_delay) {
  counters.snoozes = one_more(counters.snoozes);
  if (counters.snoozes > limits::kMaxSnoozes) {
    return die(counters, "snoozed more than " + std::to_string(limits::kMaxSnoozes) + " times");
  }
  return {JobEvent::Retry, allowed_delay(wanted_delay), counters, {}};
}

Settlement timed_out(const Policy& policy, const Counters& counters, Duration wanted_delay, double random01) {
  switch (policy.on_timeout) {
    case OnTimeout::Pause: return paused(policy, counters, wanted_delay);
    case OnTimeout::Retry: return failed(policy, counters, random01);
    case OnTimeout::Dead: break;
  }
  return die(counters, "timed out");
}

/// min(cap, base * 2^(n-1)), without ever computing a product that overflows.
Duration grown(const Backoff& backoff, int n) noexcept {
  const std::int64_t base = allowed_delay(backoff.base).count();
  const std::int64_t cap = allowed_delay(backoff.cap).count();
  const int doublings = std::min(n - 1, 62);
  return Duration(base > (cap >> doublings) ? cap : base << doublings);
}

/// Evenly from the upper half of `whole`.
Duration jittered(Duration whole, double random01) noexcept {
  const std::int64_t half = whole.count() / 2;
  const double drawn = std::clamp(random01, 0.0, 1.0) * static_cast<double>(whole.count() - half);
  return Duration(half + static_cast<std::int64_t>(drawn));
}

/// Without loss, unlike base::format_duration: in the largest unit that divides it.
std::string exact(Duration duration) {
  using Unit = std::pair<std::int64_t, const char*>;
  constexpr std::array kUnits{Unit{3'600'000'000, "h"}, Unit{60'000'000, "m"}, Unit{1'000'000, "s"}, Unit{1'000, "ms"}};
  if (duration == Duration{0}) return "0s";
  for (const auto& [us, unit] : kUnits) {
    if (duration.count() % us == 0) return std::to_string(duration.count() / us) + unit;
  }
  return std::to_string(duration.count()) + "us";
}

Error bad_backoff(std::string_view text, std::string_view why) {
  return {Errc::InvalidInput, "backoff: " + base::quoted(text) + " " + std::string(why) +
                                  "; allowed is exponential:1s..1h, fixed:10s or list:1s,10s,1m"};
}

Result<Backoff> list_from(std::string_view all, std::string_view rest) {
  Backoff backoff;
  backoff.kind = Backoff::Kind::List;
  while (true) {
    const auto comma = rest.find(',');
    const auto entry = base::parse_duration("backoff", rest.substr(0, comma));
    if (!entry) return entry.error();
    if (backoff.list.size() == limits::kMaxBackoffList) {
      return bad_backoff(all, "has more than " + std::to_string(limits::kMaxBackoffList) + " entries");
    }
    backoff.list.push_back(*entry);
    if (comma == std::string_view::npos) return backoff;
    rest.remove_prefix(comma + 1);
  }
}

Result<Backoff> fixed_from(std::string_view rest) {
  const auto base = base::parse_duration("backoff", rest);
  if (!base) return base.error();
  Backoff backoff;
  backoff.kind = Backoff::Kind::Fixed;
  backoff.base = *base;
  return backoff;
}

Result<Backoff> exponential_from(std::string_view all, std::string_view rest) {
  const auto dots = rest.find("..");
  if (dots == std::string_view::npos) return bad_backoff(all, "has no \"..\" between its base and its cap");
  const auto base = base::parse_duration("backoff", rest.substr(0, dots));
  if (!base) return base.error();
  const auto cap = base::parse_duration("backoff", rest.substr(dots + 2));
  if (!cap) return cap.error();
  if (*cap < *base) return bad_backoff(all, "has a cap below its base");
  Backoff backoff;
  backoff.base = *base;
  backoff.cap = *cap;
  return backoff;
}

}  // namespace

std::string_view name(Ending ending) noexcept { return kEndingNames[static_cast<std::size_t>(ending)]; }

Counters moved_on(Counters counters) noexcept {
  counters.pauses = 0;
  counters.crashes = 0;
  return counters;
}

Settlement settle(const Policy& policy, const Counters& before, Ending ending, Duration wanted_delay, double random01) {
  Counters counters = before;
  counters.attempts = one_more(counters.attempts);
  switch (ending) {
    case Ending::Completed: return {JobEvent::Complete, Duration{0}, counters, {}};
    case Ending::Failed: return failed(policy, counters, random01);
    case Ending::TimedOut: return timed_out(policy, counters, wanted_delay, random01);
    case Ending::Paused: return paused(policy, counters, wanted_delay);
    case Ending::Snoozed: return snoozed(counters, wanted_delay);
    case Ending::Discarded: return {JobEvent::Discard, Duration{0}, counters, {}};
    case Ending::Expired: return {JobEvent::Expire, Duration{0}, counters, {}};
    case Ending::Cancelled: break;
  }
  return {JobEvent::Cancel, Duration{0}, counters, {}};
}

Duration backoff_delay(const Backoff& backoff, int errors, double random01) {
  const int n = std::max(errors, 1);
  switch (backoff.kind) {
    case Backoff::Kind::Exponential: return jittered(grown(backoff, n), random01);
    case Backoff::Kind::Fixed: return allowed_delay(backoff.base);
    case Backoff::Kind::List: break;
  }
  if (backoff.list.empty()) return allowed_delay(backoff.base);
  return allowed_delay(backoff.list[std::min(static_cast<std::size_t>(n), backoff.list.size()) - 1]);
}

std::string to_text(const Backoff& backoff) {
  switch (backoff.kind) {
    case Backoff::Kind::Exponential: return "exponential:" + exact(backoff.base) + ".." + exact(backoff.cap);
    case Backoff::Kind::Fixed: return "fixed:" + exact(backoff.base);
    case Backoff::Kind::List: break;
  }
  std::string text = "list:";
  for (std::size_t i = 0; i < backoff.list.size(); ++i) text += (i > 0 ? "," : "") + exact(backoff.list[i]);
  return text;
}

Result<Backoff> backoff_from(std::string_view text) {
  const auto colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  if (text == "exponential") return Backoff{};
  if (colon == std::string_view::npos) return bad_backoff(text, "names no kind");
  const std::string_view rest = text.substr(colon + 1);
  if (kind == "exponential") return exponential_from(text, rest);
  if (kind == "fixed") return fixed_from(rest);
  if (kind == "list") return list_from(text, rest);
  return bad_backoff(text, "names an unknown kind");
}

}  // namespace galley::job
