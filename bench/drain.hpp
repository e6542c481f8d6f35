#pragma once

#include <stdexcept>
#include <string_view>

#include "bench/stopwatch.hpp"
#include "galley/worker.hpp"

namespace bench {

/// Jobs a second of a worker that has `jobs` no-op jobs before it, and ends when they are done.
[[nodiscard]] inline double drain_noops(const galley::StorePtr& store, int slots, int jobs) {
  galley::WorkerOptions options;
  options.drain = true;
  galley::Worker worker{store, options};
  worker.handle("noop", [](galley::Attempt&, std::string_view) {});
  worker.pool("bench", slots);
  const Stopwatch watch;
  const galley::WorkerReport report = worker.run().value();
  const double seconds = watch.seconds();
  if (report.completed != jobs) throw std::runtime_error("the worker did not complete all jobs");
  return static_cast<double>(jobs) / seconds;
}

}  // namespace bench
