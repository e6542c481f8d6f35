#pragma once
// What a worker measures: how long claims had waited, how long attempts ran, and how they ended, by queue and kind.
// It gathers in memory and tells the store every few seconds, so that a job pays no store work for it. Statistics only:
// what cannot be told is dropped.
//
// Thread-safety: none; the dispatcher's.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace galley::engine {

class Meter {
 public:
  explicit Meter(base::Mono now) : told_at_(now) {}

  void started(const job::Claim& claim);
  /// One that the store has taken.
  void finished(const std::string& queue, const std::string& kind, const store::Finish& finish);

  /// Whether there is something to tell, and it is time: every kMeterPeriod, or sooner by a worker with time to spare.
  [[nodiscard]] bool due(base::Mono now, bool spare) const noexcept;
  /// What was measured since the last time.
  [[nodiscard]] std::vector<store::Measured> take(base::Mono now);
  /// A report of so many items could not be told. Gives how many were lost so far.
  std::int64_t lost(std::size_t items) noexcept { return lost_ += static_cast<std::int64_t>(items); }

 private:
  /// Nothing where there are too many kinds.
  [[nodiscard]] store::Measured* of(const std::string& queue, const std::string& kind);
  store::Measured* last_ = nullptr;  ///< that was asked for: mostly it is again

  std::map<std::pair<std::string, std::string>, store::Measured> measured_;
  base::Mono told_at_;
  std::int64_t lost_ = 0;
};

}  // namespace galley::engine
