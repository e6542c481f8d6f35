#pragma once
// What the last five minutes were like, by queue and kind. Pure.

#include <string>
#include <vector>

#include "store/store.hpp"

namespace galley::cli {

/// Whole minutes that are looked at, and the present one beside them.
inline constexpr int kRateMinutes = 5;

struct Rates {
  std::string queue;
  std::string kind;
  std::int64_t enqueued = 0;  ///< in all
  std::int64_t completed = 0;
  std::int64_t failed = 0;
  telemetry::Histogram wait;
  telemetry::Histogram run;
};

/// By queue and kind; of what Store::minutes(kRateMinutes) gave.
[[nodiscard]] std::vector<Rates> rates_of(const std::vector<store::Minute>& minutes);

/// How many minutes these sums are over: five, and as much of the present one as has passed.
[[nodiscard]] double minutes_looked_at(Time now) noexcept;

}  // namespace galley::cli
