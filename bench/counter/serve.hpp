#pragma once
// The fast-food counter for real: burgers that were all ordered before, drinks that are ordered all the while, one
// worker with a few slots, and how long each drink waited.

#include <filesystem>
#include <string>
#include <vector>

#include "bench/stopwatch.hpp"

namespace bench::counter {

struct Load {
  std::string name;            ///< "burgers of 1 s"
  std::vector<Nanos> burgers;  ///< how long each takes
  Nanos drink{};
  Nanos every{};  ///< between two drinks
  int drinks = 0;
};

/// How Galley is set up.
struct Way {
  std::string name;  ///< "one line"
  std::string reserve = "off";
  bool dedicated = false;  ///< drinks have a queue and a slot of their own
  int drink_priority = 0;
  bool keys = false;   ///< one kind for both, and a key for each
  bool known = false;  ///< some of each are served before, so that the kinds have been measured
};

struct Outcome {
  std::vector<double> waits_ms;  ///< of drinks, from the call of enqueue to the start
  double burgers_per_s = 0;
};

/// In an empty directory. Throws where a job did not run.
[[nodiscard]] Outcome serve(const Load& load, const Way& way, int slots, const std::filesystem::path& dir);

}  // namespace bench::counter
