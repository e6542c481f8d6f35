#pragma once
// What all workers saw of a kind, taken over as run times of its own. Pure.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "job/run_times.hpp"
#include "telemetry/histogram.hpp"

namespace galley::engine {

/// What measures of a command's program go by: the last part of its path.
[[nodiscard]] inline std::string measured_name(std::string_view program) {
  return std::string(program.substr(program.rfind('/') + 1));
}

/// Adds as many runs as are enough to know the p99, and are soon outweighed by what is seen here; by turns short and
/// long ones, so that the last of them are like all.
inline void take_over(const telemetry::Histogram& seen, job::RunTimes& times) {
  constexpr std::int64_t kSamples = 64;
  const std::int64_t samples = std::min(kSamples, seen.count());
  constexpr auto kTurns = static_cast<std::int64_t>(job::RunTimes::kKnown);
  for (std::int64_t turn = 0; turn < kTurns; ++turn) {
    for (std::int64_t k = turn; k < samples; k += kTurns) {
      times.add(seen.quantile((static_cast<double>(k) + 0.5) / static_cast<double>(samples)));
    }
  }
}

}  // namespace galley::engine
