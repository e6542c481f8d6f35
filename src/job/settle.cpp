#include "job/settle.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/duration.hpp"

namespace galley::job {

namespace {

constexpr std::array<std::string_view, 7> kEndingNames{"completed", "failed",    "timed_out", "paused",
                                                       "snoozed",   "discarded", "cancelled"};

/// Without loss, unlike base::format_duration: the largest unit that divides it.
std::string exact(Duration duration) {
  using Unit = std::pair<std::int64_t, const char*>;
  constexpr std::array<Unit, 4> kUnits{Unit{3'600'000'000, "h"}, Unit{60'000'000, "m"}, Unit{1'000'000, "s"}, Unit{1'000, "ms"}};
  for (const auto& [us, unit] : kUnits) {
    if (duration.count() % us == 0) return std::to_string(duration.count() / us) + (duration.count() == 0 ? "s" : unit);
  }
  return std::to_string(duration.count()) + "us";
}

Settlement die(Counters counters, std::string reason) { return {JobEvent::Die, Duration{0}, counters, std::move(reason)}; }

Settlement failed(const Policy& policy, Counters counters, double random01) {
  ++counters.errors;
  if (counters.errors >= policy.max_attempts) {
    return die(counters, "after " + std::to_string(counters.errors) + (counters.errors == 1 ? " error" : " errors"));
  }
  return {JobEvent::Retry, backoff_delay(policy.backoff, counters.errors, random01), counters, {}};
}

Settlement paused(const Policy& policy, Counters counters, Duration wanted_delay) {
  ++counters.pauses;
  if (counters.pauses > policy.max_pauses) {
    return die(counters, "paused more than " + std::to_string(policy.max_pauses) + " times");
  }
  if (wanted_delay > Duration{0}) return {JobEvent::Retry, std::min<Duration>(wanted_delay, limits::kMaxDelay), counters, {}};
  return {JobEvent::Pause, Duration{0}, counters, {}};
}

}  // namespace

std::string_view name(Ending ending) noexcept { return kEndingNames[static_cast<std::size_t>(ending)]; }

Settlement settle(const Policy& policy, const Counters& before, Ending ending, Duration wanted_delay, double random01) {
  Counters counters = before;
  ++counters.attempts;
  switch (ending) {
    case Ending::Completed: return {JobEvent::Complete, Duration{0}, counters, {}};
    case Ending::Failed: return failed(policy, counters, random01);
    case Ending::TimedOut:
      if (policy.on_timeout == OnTimeout::Pause) return paused(policy, counters, wanted_delay);
      if (policy.on_timeout == OnTimeout::Retry) return failed(policy, counters, random01);
      ++counters.errors;
      return die(counters, "timed out");
    case Ending::Paused: return paused(policy, counters, wanted_delay);
    case Ending::Snoozed:
      ++counters.snoozes;
      if (counters.snoozes > limits::kMaxSnoozes) {
        return die(counters, "snoozed more than " + std::to_string(limits::kMaxSnoozes) + " times");
      }
      return {JobEvent::Retry, std::clamp<Duration>(wanted_delay, Duration{0}, limits::kMaxDelay), counters, {}};
    case Ending::Discarded: return {JobEvent::Discard, Duration{0}, counters, {}};
    case Ending::Cancelled: return {JobEvent::Cancel, Duration{0}, counters, {}};
  }
  return {JobEvent::Die, Duration{0}, counters, "ended in an unknown way"};
}

Duration backoff_delay(const Backoff& backoff, int errors, double random01) {
  const int n = std::max(errors, 1);
  switch (backoff.kind) {
    case Backoff::Kind::Fixed: return backoff.base;
    case Backoff::Kind::List:
      if (backoff.list.empty()) return backoff.base;
      return backoff.list[std::min(static_cast<std::size_t>(n), backoff.list.size()) - 1];
    case Backoff::Kind::Exponential: break;
  }
  // In floating point, so that 2^(n-1) cannot overflow; a microsecond more or less does not matter here.
  const double whole = std::min(std::ldexp(static_cast<double>(backoff.base.count()), n - 1),
                                static_cast<double>(backoff.cap.count()));
  return Duration(static_cast<std::int64_t>(whole * (0.5 + 0.5 * random01)));
}

std::string to_text(const Backoff& backoff) {
  switch (backoff.kind) {
    case Backoff::Kind::Exponential:
      return "exponential:" + exact(backoff.base) + ".." + exact(backoff.cap);
    case Backoff::Kind::Fixed: return "fixed:" + exact(backoff.base);
    case Backoff::Kind::List: break;
  }
  std::string text = "list:";
  for (std::size_t i = 0; i < backoff.list.size(); ++i) {
    text += (i > 0 ? "," : "") + exact(backoff.list[i]);
  }
  return text;
}

namespace {

Error bad_backoff(std::string_view text, std::string_view why) {
  return {Errc::InvalidInput, "backoff: \"" + std::string(text.substr(0, 100)) + "\" " + std::string(why) +
                                  "; allowed is exponential:1s..1h, fixed:10s or list:1s,10s,1m"};
}

Result<Duration> part(std::string_view text) {
  auto value = base::parse_duration("backoff", text);
  if (value && *value > limits::kMaxDelay) return bad_backoff(text, "is longer than ten years");
  return value;
}

Result<Backoff> list_from(std::string_view all, std::string_view rest) {
  Backoff backoff;
  backoff.kind = Backoff::Kind::List;
  while (true) {
    const auto comma = rest.find(',');
    auto value = part(rest.substr(0, comma));
    if (!value) return value.error();
    backoff.list.push_back(*value);
    if (backoff.list.size() > limits::kMaxBackoffList) return bad_backoff(all, "has more than 100 entries");
    if (comma == std::string_view::npos) return backoff;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<Backoff> backoff_from(std::string_view text) {
  Backoff backoff;
  if (text == "exponential") return backoff;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return bad_backoff(text, "names no kind");
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest = text.substr(colon + 1);
  if (kind == "list") return list_from(text, rest);
  const auto dots = kind == "exponential" ? rest.find("..") : std::string_view::npos;
  if (kind != "fixed" && kind != "exponential") return bad_backoff(text, "names an unknown kind");
  auto base = part(rest.substr(0, dots));
  if (!base) return base.error();
  backoff.base = *base;
  backoff.kind = kind == "fixed" ? Backoff::Kind::Fixed : Backoff::Kind::Exponential;
  if (kind == "fixed") return backoff;
  if (dots != std::string_view::npos) {
    auto cap = part(rest.substr(dots + 2));
    if (!cap) return cap.error();
    backoff.cap = *cap;
  }
  if (backoff.cap < backoff.base) return bad_backoff(text, "has a cap below its base");
  return backoff;
}

}  // namespace galley::job
