#pragma once
// Every zone of the system's database, for tests that hold for all of them.

#include <fstream>
#include <string>
#include <vector>

#include "base/time_zone.hpp"

namespace galley::test {

inline Time at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
  return Time(std::chrono::sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)) +
              std::chrono::seconds(hour * 3'600 + minute * 60 + second));
}

/// The zones, and with `aliases` their other names too.
inline std::vector<std::string> zone_names(bool aliases) {
  std::ifstream file(std::string(base::TimeZone::kDatabase) + "/tzdata.zi");
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);) {
    const std::size_t second = line.find(' ', 2);
    if (line.starts_with("Z ")) names.push_back(line.substr(2, second - 2));
    if (aliases && line.starts_with("L ")) names.push_back(line.substr(second + 1));
  }
  return names;
}

/// When the zone's offset changes, from `begin` until before `end`.
inline std::vector<Time> changes_of(const base::TimeZone& zone, Time begin, Time end) {
  std::vector<Time> changes;
  for (Time change = zone.span_at(begin).end; change < end; change = zone.span_at(change).end) {
    changes.push_back(change);
  }
  return changes;
}

}  // namespace galley::test
