#include "job/cron.hpp"

#include "base/duration.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

base::TimeZone zone_of(std::uint8_t choice) {
  constexpr const char* kNames[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"};
  const auto zone = base::TimeZone::named(kNames[choice % std::size(kNames)]);
  return zone ? *zone : base::TimeZone::utc();
}

}  // namespace

/// A line with an expression, then a byte for the zone and eight for the moment.
void cron(std::string_view input) {
  Bytes bytes(input);
  const std::string_view text = bytes.line();
  const auto read = job::Cron::parse(text);
  if (refused(read)) return;
  const auto again = job::Cron::parse(read->to_text());
  require(again && again->to_text() == read->to_text(), "a printed expression reads the same", read->to_text());
  require(read->period() >= Duration{0}, "a period is not negative");

  const base::TimeZone zone = zone_of(bytes.byte());
  const auto reach = static_cast<std::uint64_t>(base::kMaxTime.time_since_epoch().count());
  const Time after{Duration(static_cast<std::int64_t>(bytes.number(8) % reach))};
  const auto tick = read->next(after, zone);
  if (!tick) return;  // beyond the year 9999
  require(*tick > after, "the next tick is later");
  require(again->next(after, zone) == tick, "the printed expression ticks the same");
  require(read->next(*tick - Duration(1), zone) == tick, "nothing ticks between a moment and its next tick");
  require(read->previous(*tick, zone) == tick, "the last tick up to a tick is this tick");
}

}  // namespace galley::fuzz
