#pragma once
// The fast-food counter in virtual time: jobs of several kinds, slots, and a policy that says which job a free slot
// takes next. A run is judged by how long each kind waited and how much of each was done. No store, no threads: a
// shape of thousands of jobs takes a few milliseconds, so that a change of the rule is judged over thousands of shapes.
//
// Slots are filled at the very moment that one is free: what a real worker takes for its round trip is not in it.

#include <cstdint>
#include <string>
#include <vector>

#include "galley/job.hpp"
#include "job/reservation.hpp"

namespace galley::simulation {

enum class Spread : std::uint8_t {
  Constant,
  Exponential,
  Heavy
};  ///< Heavy: Pareto, from a fifth to 200 times the mean

struct MenuItem {
  Duration mean{0};
  Spread spread = Spread::Constant;
  double load = 0;     ///< slots that it would keep busy
  int at_once = 1;     ///< jobs that arrive together
  int backlog = 0;     ///< jobs that are there from the beginning
  bool turns = false;  ///< to the mean of the longest, half-way; its load stays
};

/// One workload.
struct Shape {
  std::vector<MenuItem> menu;  ///< the shortest first
  int slots = 4;
  Duration open{0};  ///< how long it goes on
  std::uint64_t seed = 0;

  [[nodiscard]] std::string text() const;
};

/// Drawn from a seed: 2, 3 or 5 kinds of 0.1 ms to 10 s, 1, 2, 4 or 16 slots.
[[nodiscard]] Shape shape_of(std::uint64_t seed);

struct Order {
  Duration at{0};
  Duration run{0};
  int kind = 0;
};
/// The same for each policy.
[[nodiscard]] std::vector<Order> orders_of(const Shape& shape);

/// Pools in front of one line of jobs.
struct Policy {
  struct Pool {
    int slots = 0;
    std::vector<bool> kinds;  ///< by number: those that it serves
  };
  std::vector<Pool> pools;
  std::vector<int> rank;  ///< by kind: smaller ones first; empty: all alike
  job::Reserve reserve = job::Reserve::Off;
  job::ReservationRule rule;
  bool warm = false;  ///< how long each kind takes is known from the beginning, as from a store of yesterday
};
[[nodiscard]] Policy one_line(const Shape& shape, job::Reserve reserve = job::Reserve::Off,
                              job::ReservationRule rule = {});
[[nodiscard]] Policy priorities(const Shape& shape);
/// Two pools: `slots` for the `below` shortest kinds, the others for the rest.
[[nodiscard]] Policy dedicated(const Shape& shape, int below, int slots);

struct Served {
  std::vector<Duration> waits;  ///< of all that arrived; of those that never started: until the counter closed
  std::int64_t started = 0;
  Duration worked{0};       ///< slot time within the opening hours
  Duration longest_gap{0};  ///< in which one waited and none ran

  [[nodiscard]] Duration wait(double quantile) const;
};
struct Tally {
  std::vector<Served> kinds;
  int most_at_once = 0;
  std::uint64_t changes = 0;  ///< of the decision
  std::string why;            ///< the last one of the first pool
};
[[nodiscard]] Tally serve(const Shape& shape, const std::vector<Order>& orders, const Policy& policy);

/// The best that can be configured by hand for kind `judged`: of all splits into two pools, one line and priorities
/// that with the least p99; of those that are hardly worse (10 % or 1 ms), the one that does most of the longest kind.
struct ByHand {
  Tally tally;
  std::string text;
};
[[nodiscard]] ByHand best_by_hand(const Shape& shape, const std::vector<Order>& orders, std::size_t judged);

}  // namespace galley::simulation
