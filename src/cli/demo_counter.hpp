#pragma once
// The fast-food counter: burgers and drinks through one line, and through queues with pools of their own.

#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/demo_menu.hpp"
#include "galley/store.hpp"

namespace galley::cli::demo {

struct Round {
  std::string name;  ///< prefix of its outputs
  std::string line;  ///< as the table says it
  std::string burger_queue;
  std::string drink_queue;
  std::vector<std::string> pools;  ///< "NAME=SLOTS:QUEUE"
  std::string reserve;             ///< WorkerOptions::reserve
};

struct Waits {
  Duration p50{0}, p99{0}, max{0};
};

struct RoundReport {
  Waits drinks;
  Duration whole{0};        ///< from the first order to the last one served
  std::vector<Meal> meals;  ///< all that was cooked
};

/// Progress of a round: how many of each were served.
using OnServed = std::function<void(std::size_t burgers, std::size_t drinks)>;

/// Opens the counter: orders all burgers, then a drink every `pause`, while a worker serves. The waits are those that
/// the store recorded: from the enqueue to the start of the attempt. Errors: of the store, or Io if a job did not
/// complete.
[[nodiscard]] Result<RoundReport> open_counter(const StorePtr& store, const base::Clock& clock, const Menu& menu,
                                               const Round& round, const std::string& folder, Duration pause,
                                               const OnServed& on_served);

/// By nearest rank.
[[nodiscard]] Waits waits_of(std::vector<Duration> waits);

}  // namespace galley::cli::demo
