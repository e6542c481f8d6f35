#include "job/schedule.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

namespace galley {

namespace {
constexpr std::array<std::string_view, 3> kMisfireNames{"skip", "once", "all"};
constexpr std::array<std::string_view, 2> kOverlapNames{"allow", "skip"};
}  // namespace

std::string_view name(Misfire misfire) noexcept { return kMisfireNames[static_cast<std::size_t>(misfire)]; }

std::optional<Misfire> misfire_from(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kMisfireNames.size(); ++i) {
    if (kMisfireNames[i] == text) return static_cast<Misfire>(i);
  }
  return std::nullopt;
}

std::string_view name(Overlap overlap) noexcept { return kOverlapNames[static_cast<std::size_t>(overlap)]; }

std::optional<Overlap> overlap_from(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kOverlapNames.size(); ++i) {
    if (kOverlapNames[i] == text) return static_cast<Overlap>(i);
  }
  return std::nullopt;
}

}  // namespace galley

namespace galley::job {

namespace {

constexpr std::uint64_t kFnvBasis = 0xcbf29ce484222325U;
constexpr std::uint64_t kFnvPrime = 0x100000001b3U;

std::uint64_t fnv1a(std::uint64_t hash, unsigned char byte) noexcept { return (hash ^ byte) * kFnvPrime; }

/// The end of splitmix64: FNV-1a alone leaves names that differ in their last character close together.
std::uint64_t mixed(std::uint64_t hash) noexcept {
  hash = (hash ^ hash >> 30U) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ hash >> 27U) * 0x94d049bb133111ebU;
  return hash ^ hash >> 31U;
}

Duration share_of(Duration range, std::uint64_t hash) noexcept {
  if (range <= Duration{0}) return Duration{0};
  return Duration(static_cast<std::int64_t>(mixed(hash) % static_cast<std::uint64_t>(range.count())));
}

Error bad(std::string_view field, std::string_view value, std::string_view allowed) {
  return {Errc::InvalidInput,
          std::string(field) + ": " + std::string(value) + " is not allowed; allowed is " + std::string(allowed)};
}

Result<void> check_offset(std::string_view field, Duration value) {
  if (value >= Duration{0} && value <= limits::kMaxSpread) return {};
  return bad(field, base::format_duration_exactly(value), "0 (none) to 7 days");
}

/// What passed since the last look.
struct Passed {
  std::vector<Time> ticks;  ///< the last ones, ascending
  std::int64_t count = 0;   ///< of all, as far as it was counted
  std::optional<Time> next;
};

/// Walks through what passed; after kMaxCountedTicks it turns round and takes the last ones from the other end, so that
/// a year of missed seconds costs milliseconds too.
Passed passed_since(const Timetable& timetable, const TickState& state, Time now) {
  const auto& [rule, cron, zone, seed] = timetable;
  Passed passed;
  passed.next = cron.next(state.last, zone, state.anchor);
  for (; passed.next && *passed.next <= now && passed.count < limits::kMaxCountedTicks; ++passed.count) {
    passed.ticks.push_back(*passed.next);
    passed.next = cron.next(*passed.next, zone, state.anchor);
  }
  if (passed.next && *passed.next <= now) {
    passed.ticks.clear();
    auto tick = cron.previous(now, zone, state.anchor);
    while (tick && passed.ticks.size() < limits::kMaxCatchUp) {
      passed.ticks.push_back(*tick);
      tick = cron.previous(*tick - Duration(1), zone, state.anchor);
    }
    std::reverse(passed.ticks.begin(), passed.ticks.end());
    passed.next = cron.next(now, zone, state.anchor);
  }
  return passed;
}

void drop_to_last(std::vector<Time>& ticks, std::size_t keep) {
  if (ticks.size() > keep) ticks.erase(ticks.begin(), ticks.end() - static_cast<std::ptrdiff_t>(keep));
}

/// Leaves those that get a job.
void choose(const ScheduleRule& rule, const TickState& state, Time now, std::vector<Time>& ticks) {
  if (state.paused || (state.busy && rule.overlap == Overlap::Skip)) {
    ticks.clear();
    return;
  }
  if (rule.misfire != Misfire::All) {
    const Time late = now - limits::kMisfireGrace;
    const auto in_time = static_cast<std::size_t>(ticks.end() - std::lower_bound(ticks.begin(), ticks.end(), late));
    drop_to_last(ticks, rule.misfire == Misfire::Once ? std::max<std::size_t>(in_time, 1) : in_time);
  }
  drop_to_last(ticks, rule.overlap == Overlap::Skip ? 1 : limits::kMaxCatchUp);
}

}  // namespace

Result<void> validate(const ScheduleRule& rule) {
  if (const auto timetable = timetable_from("", rule); !timetable) return timetable.error();
  return {};
}

Result<Timetable> timetable_from(std::string_view schedule, const ScheduleRule& rule) {
  if (rule.misfire > Misfire::All) return bad("misfire", std::to_string(int(rule.misfire)), "skip, once or all");
  if (rule.overlap > Overlap::Skip) return bad("overlap", std::to_string(int(rule.overlap)), "allow or skip");
  if (auto r = check_offset("jitter", rule.jitter); !r) return r.error();
  if (auto r = check_offset("spread", rule.spread); !r) return r.error();
  auto cron = Cron::parse(rule.expression);
  if (!cron) return cron.error();
  auto zone = base::TimeZone::named(rule.zone);
  if (!zone) return zone.error();
  std::uint64_t seed = kFnvBasis;
  for (const char c : schedule) seed = fnv1a(seed, static_cast<unsigned char>(c));
  return Timetable{rule, std::move(*cron), std::move(*zone), seed};
}

TickPlan plan_ticks(const Timetable& timetable, const TickState& state, Time now) {
  Passed passed = passed_since(timetable, state, now);
  TickPlan plan;
  plan.last = passed.ticks.empty() ? state.last : passed.ticks.back();
  plan.next = passed.next;
  plan.ticks = std::move(passed.ticks);
  choose(timetable.rule, state, now, plan.ticks);
  plan.skipped = passed.count - static_cast<std::int64_t>(plan.ticks.size());
  return plan;
}

Time due_at(const Timetable& timetable, Time tick) {
  std::uint64_t hash = timetable.seed;
  const auto us = static_cast<std::uint64_t>(tick.time_since_epoch().count());
  for (unsigned shift = 0; shift < 64; shift += 8) hash = fnv1a(hash, static_cast<unsigned char>(us >> shift & 0xFFU));
  return tick + share_of(timetable.rule.spread, timetable.seed) + share_of(timetable.rule.jitter, hash);
}

}  // namespace galley::job
