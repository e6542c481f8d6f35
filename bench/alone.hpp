#pragma once
// What is measured of Galley alone, because it has no meaning for the bare library.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/latency.hpp"

namespace bench {

/// A producer enqueues so many jobs a second, one by one, for a worker of the same process with free slots.
[[nodiscard]] Latencies measure_latency(const std::string& url, int jobs_a_second, int jobs);

/// Microseconds for a claim and finish of one job, by a pool of one slot, while at least `waiting` jobs wait; of each
/// round one value. The store is filled up before each round. `keys`: so many lanes share them; 0: one, without keys.
[[nodiscard]] std::vector<double> measure_claims(const std::string& url, int waiting, int jobs, int rounds,
                                                 int keys = 0);

struct Idle {
  double cpu_ms = 0;            ///< user and system time of the whole process
  std::int64_t statements = 0;  ///< of SQLite
  std::int64_t voluntary_switches = 0;
  std::int64_t involuntary_switches = 0;
};

/// A worker of this process that has run a job and then finds nothing to do for so long.
[[nodiscard]] Idle measure_idle(const std::string& url, std::chrono::seconds time);

/// MiB that `galley work`, the program beside this one, has in memory: ten slots, one job run, nothing to do.
[[nodiscard]] double measure_idle_memory(const std::string& url);

}  // namespace bench
