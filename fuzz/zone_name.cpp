#include "base/time_zone.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

void zone_name(std::string_view input) {
  const auto zone = base::TimeZone::named(input);
  if (refused(zone, "zone")) return;
  require(zone->name() == input, "a zone has the name that it was asked for by");
  require(input.find('.') == std::string_view::npos && input.front() != '/', "no name leads out of the database");
  const Time now{std::chrono::seconds(1'800'000'000)};
  require(zone->span_at(now).begin <= now, "a zone has an offset now");
}

}  // namespace galley::fuzz
