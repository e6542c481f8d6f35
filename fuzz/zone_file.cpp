#include "base/limits.hpp"
#include "base/time_zone.hpp"
#include "base/tzif.hpp"
#include "fuzz/scratch.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

void check_table(const base::ZoneTable& table) {
  constexpr std::int32_t kMostOffset = 2 * 86'400;  // base/time_zone.cpp relies on it
  const auto small = [](std::int32_t offset) { return offset > -kMostOffset && offset < kMostOffset; };
  require(small(table.first_offset), "an offset is less than two days");
  std::int32_t offset = table.first_offset;
  for (std::size_t i = 0; i < table.changes.size(); ++i) {
    const base::ZoneChange& change = table.changes[i];
    require(small(change.offset), "an offset is less than two days");
    require(change.offset != offset, "a change changes something");
    require(i == 0 || table.changes[i - 1].at < change.at, "changes are ascending");
    offset = change.offset;
  }
}

void check_zone(const base::TimeZone& zone, Time time) {
  const base::OffsetSpan span = zone.span_at(time);
  require(span.begin <= time && time < span.end, "the span of a moment holds it");
  const base::LocalTime local = zone.to_local(time);
  require(local.time_since_epoch() == time.time_since_epoch() + span.offset, "local time is UTC and the offset");
  const base::LocalMapping back = zone.to_utc(local);
  require(back.kind != base::LocalKind::Gap, "a moment's local time is in no gap");
  // A made-up zone may put its clocks back more than twice within a day: the first and the last moment are given.
  require(back.first <= time && time <= back.second, "a moment's local time leads back to it");
  require(zone.to_local(back.first) == local && zone.to_local(back.second) == local, "and back again");
}

}  // namespace

void zone_file(std::string_view input) {
  static const Scratch scratch;
  const auto table = base::zone_table_from(input);
  if (table) check_table(*table);
  if (input.size() <= limits::kMaxZoneFileBytes) {
    scratch.write("Zone", input);
    const auto zone = base::TimeZone::named("Zone", scratch.path());
    require(zone.has_value() == table.has_value(), "a zone is read if its file is good");
    if (!zone) return require_message(zone.error(), "zone");
    // Some years round today and round each of the first changes.
    constexpr std::int64_t kQuarter = 91LL * 86'400;
    for (std::int64_t at = 1'735'689'600; at < 1'900'000'000; at += kQuarter) {
      check_zone(*zone, Time(std::chrono::seconds(at)));
    }
    for (std::size_t i = 0; i < table->changes.size() && i < 50; ++i) {
      constexpr std::int64_t kReach = 8'000LL * 365 * 86'400;
      const std::int64_t at = table->changes[i].at;
      if (at < -kReach || at > kReach) continue;
      for (const std::int64_t delta : {-1, 0, 3'600}) check_zone(*zone, Time(std::chrono::seconds(at + delta)));
    }
  }
}

}  // namespace galley::fuzz
