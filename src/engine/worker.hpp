#pragma once
// A worker with a clock of the caller's, for tests and simulations; the public Worker brings the system's.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "galley/worker.hpp"

namespace galley {

struct WorkerSeam {
  /// `clock` must outlive the worker.
  [[nodiscard]] static std::unique_ptr<Worker> make(StorePtr store, WorkerOptions options, const base::Clock& clock);
  /// What it was given so far.
  [[nodiscard]] static const std::map<std::string, Handler, std::less<>>& handlers(const Worker& worker);
  [[nodiscard]] static const std::map<std::string, std::shared_ptr<CoroutineHandler>, std::less<>>& coroutines(
      const Worker& worker);
};

namespace engine {

[[nodiscard]] inline std::unique_ptr<Worker> make_worker(StorePtr store, WorkerOptions options,
                                                         const base::Clock& clock) {
  return WorkerSeam::make(std::move(store), std::move(options), clock);
}

}  // namespace engine
}  // namespace galley
