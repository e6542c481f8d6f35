#pragma once
// A drawn workload for real: a worker, a store in a file, and real time, within fixed opening hours.

#include <filesystem>
#include <string>
#include <vector>

#include "bench/counter/shape.hpp"

namespace bench::counter {

/// How Galley is set up.
struct Setting {
  std::string name;
  std::string reserve = "off";
  bool dedicated = false;   ///< the judged kind has a queue and a slot of its own
  bool priorities = false;  ///< the shorter the sooner
};
[[nodiscard]] std::vector<Setting> settings(int slots);

struct Service {
  std::vector<std::vector<double>> waits_ms;  ///< by kind, of all that were ordered; of one not started until the close
  double longest_s = 0;                       ///< what the slots worked at the longest kind
};

/// In an empty directory. What still runs when the hours are over is cut short. Throws where a job was run twice.
[[nodiscard]] Service serve(const Shape& shape, const Setting& setting, const std::filesystem::path& dir);

}  // namespace bench::counter
