#pragma once
// Workloads drawn from a seed, for real runs: 2, 3 or 5 kinds that take from 0.1 ms to 10 s, under names that mean
// nothing. The simulation (tests/simulation/counter.hpp) draws the same way over as long as it likes; here a run must
// end within its opening hours, so what it draws is bounded in the ways that are said below.

#include <cstdint>
#include <string>
#include <vector>

#include "bench/stopwatch.hpp"

namespace bench::counter {

enum class Spread : std::uint8_t {
  Constant,
  Exponential,
  Heavy
};  ///< Heavy: Pareto, from a fifth to 200 times the mean

struct Kind {
  std::string name;
  Nanos mean{};
  Spread spread = Spread::Constant;
  double load = 0;     ///< slots that it would keep busy; at most 40 jobs a second, so that the disk is not what waits
  int at_once = 1;     ///< jobs that are enqueued together
  bool turns = false;  ///< half-way to the mean of the longest
};

struct Shape {
  std::uint64_t seed = 0;
  int slots = 0;
  Nanos open{};             ///< how long it goes on
  std::vector<Kind> kinds;  ///< the shortest first; of the last, more wait from the beginning than can be done
  std::size_t judged = 0;   ///< the shortest that stays short

  [[nodiscard]] std::string text() const;
};

/// Sixteen seeds in a row have each of 2, 3 and 5 kinds and one that turns with each of 1, 2, 4 and 16 slots.
/// The longest takes 0.25 s at least (1 s at most where one turns, else too few of that would come), and 20 times the
/// judged one, of which one comes each second at least.
[[nodiscard]] Shape shape_of(std::uint64_t seed, Nanos open);

struct Order {
  Nanos at{};
  Nanos run{};
  std::size_t kind = 0;
};
/// In the order of their times; the same ones each time.
[[nodiscard]] std::vector<Order> orders_of(const Shape& shape);

}  // namespace bench::counter
