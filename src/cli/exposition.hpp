#pragma once
// What a store knows, for Prometheus. All are gauges: a store keeps an hour of statistics, so nothing in it only grows.
// Pure.

#include <string>
#include <vector>

#include "cli/rates.hpp"

namespace galley::cli {

struct Exposed {
  std::vector<store::LaneStats> lanes;
  std::vector<store::QueueStats> queues;
  std::vector<store::WorkerStats> workers;
  std::vector<Rates> rates;
  store::StoreInfo info;
};

[[nodiscard]] std::string prometheus_text(const Exposed& exposed);

}  // namespace galley::cli
