#pragma once
// What a simulation draws: everything comes from one seed, so that the seed is the whole run.

#include <cmath>
#include <cstddef>
#include <vector>

#include "base/random.hpp"
#include "galley/job.hpp"

namespace galley::simulation {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] std::uint64_t bits() { return random_.bits(); }
  [[nodiscard]] bool chance(double probability) { return random_.unit() < probability; }
  /// Evenly; both ends included.
  [[nodiscard]] int between(int low, int high) {
    return low + static_cast<int>(random_.unit() * static_cast<double>(high - low + 1));
  }
  /// Evenly over the orders of magnitude: as many of about 10 ms as of about 10 s.
  [[nodiscard]] Duration duration(Duration low, Duration high) {
    const double ratio = static_cast<double>(high.count()) / static_cast<double>(low.count());
    return Duration(static_cast<std::int64_t>(static_cast<double>(low.count()) * std::pow(ratio, random_.unit())));
  }
  template <class T>
  [[nodiscard]] const T& one_of(const std::vector<T>& all) {
    return all[static_cast<std::size_t>(between(0, static_cast<int>(all.size()) - 1))];
  }

 private:
  base::Random random_;
};

}  // namespace galley::simulation
