#pragma once
// What room the pools of workers keep for short kinds, as others than these workers can tell: by the same rule
// (job/reservation.hpp), from what all workers measured in the last hour. A worker itself counts run by run and also
// looks at what runs at this moment, so it may be ahead of this; its log has the last word (worker.room). Pure.

#include <span>
#include <string>
#include <vector>

#include "job/order.hpp"
#include "job/reservation.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// What the card's text says of the pools: a word each as job::pool_spec_from, and "reserve=MODE" where it is not auto.
struct CardPools {
  std::vector<job::PoolSpec> pools;
  job::Reserve reserve = job::Reserve::Auto;
  bool whole = true;  ///< all words could be read
};
[[nodiscard]] CardPools pools_of(const store::WorkerCard& card);
/// Its inverse.
[[nodiscard]] std::string text_of(const std::vector<job::PoolSpec>& pools, job::Reserve reserve);

struct PoolRoom {
  std::string pool;
  job::Reserve reserve = job::Reserve::Auto;
  std::vector<std::string> kinds;  ///< by number in the decision; of a command its program's last part
  job::Decision decision;

  /// Nothing where it is not among the kinds.
  [[nodiscard]] const job::Decision::Kind* find(const std::string& kind) const;
  /// With the express slot.
  [[nodiscard]] int slots() const { return decision.slots + decision.extra; }
  /// Slots that jobs of the kind never take: they are kept for shorter ones.
  [[nodiscard]] int kept_from(const std::string& kind) const;
};

/// The pools of each worker, in the order of `workers`. `minutes` as Store::minutes(limits::kKeepMinutes).
[[nodiscard]] std::vector<std::vector<PoolRoom>> rooms_of(std::span<const store::WorkerStats> workers,
                                                          std::span<const store::Minute> minutes, Time now);

/// "drink: mean 1ms, p99 2ms; burger: mean 1s, p99 1.1s": what is known of its kinds, the shortest first; of many some.
[[nodiscard]] std::string figures_of(const PoolRoom& room);

/// What the decision means for jobs of a kind, in a sentence.
[[nodiscard]] std::string meaning_of(const PoolRoom& room, const std::string& kind);

}  // namespace galley::engine
