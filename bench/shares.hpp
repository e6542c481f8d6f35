#pragma once
// What keys and limits cost, and what they keep from whom: docs/fair-shares.md.

#include <string>

#include "bench/latency.hpp"

namespace bench {

/// Jobs whose limits are not full.
struct Limited {
  std::string what;    ///< "a kind"
  int keys = 0;        ///< 0: no job has one
  bool named = false;  ///< each job names one limit
  std::string limits;  ///< what `galley limits set` is told, one a line
};

/// Jobs a second of a worker that drains so many of them, in so many slots.
[[nodiscard]] double drain_limited(const std::string& url, const Limited& limited, int slots, int jobs);

/// Jobs of one kind that take a millisecond, in four slots, so many of them a second, each of the next of so many keys
/// (each of which has had a job before). `noise`: so many jobs of one more key wait from the beginning.
[[nodiscard]] Latencies measure_neighbours(const std::string& url, int keys, int noise, int jobs_a_second, int jobs);

/// Children of one parent, waiting from the beginning.
struct Children {
  std::string kind;  ///< "noop": that of the jobs that are measured
  int run_ms = 1;
  int number = 0;
};

/// The same without keys, behind them. Nothing is configured.
[[nodiscard]] Latencies measure_behind_split(const std::string& url, const Children& children, int jobs_a_second,
                                             int jobs);

}  // namespace bench
