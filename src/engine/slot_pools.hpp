#pragma once
// Free slots by pool, and what each pool asks of the store next. Pure: no threads, no I/O, no clock.
//
// A pool is "dry" when its last claim brought less than it asked for: then it looks again when the bell rings, when
// the earliest scheduled job of its queues is due, when an attempt of this worker has ended, or at the safety look.

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "job/order.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// Room for one running attempt: 0.. over all pools of a worker.
using SlotId = int;

inline constexpr base::Mono kNever{Duration{std::numeric_limits<std::int64_t>::max()}};

/// What a worker can run.
struct Capability {
  std::vector<std::string> kinds;  ///< with a handler
  bool any_command = false;
  std::vector<std::string> programs;  ///< as AllowedPrograms::claimable
};

class SlotPools {
 public:
  SlotPools(const std::vector<job::PoolSpec>& specs, const Capability& can, Duration lease);

  void set_worker(store::WorkerId worker);

  [[nodiscard]] int free() const noexcept { return free_; }
  [[nodiscard]] int slots() const noexcept { return slots_; }
  /// True when a claim could bring something now.
  [[nodiscard]] bool wants_claim(base::Mono now) const noexcept;
  /// When wants_claim may become true without a ring; kNever while no slot is free.
  [[nodiscard]] base::Mono next_look() const noexcept;
  /// True when each pool with a free slot is dry.
  [[nodiscard]] bool dry() const noexcept;
  /// The queues, each once, of the pools that have a free slot and are dry.
  [[nodiscard]] std::vector<std::string> dry_queues() const;
  /// All queues of all pools, each once.
  [[nodiscard]] std::vector<std::string> queues() const;

  /// One request a pool, in the pools' order. `everyone`: also for the dry ones; `nothing`: all with limit 0, which
  /// asks for signals alone. Valid until the next call of a non-const function but give_back.
  [[nodiscard]] std::span<const store::ClaimRequest> requests(base::Mono now, bool everyone, bool nothing);
  /// The answer to the last requests: takes a slot for each claim; one vector a pool, in the claims' order.
  [[nodiscard]] std::vector<std::vector<SlotId>> take(base::Mono now, const std::vector<store::Claimed>& answers);

  void give_back(SlotId slot);
  /// Something changed: every pool looks again.
  void ring() noexcept;
  /// No pool looks before `until`, not even at a ring.
  void hold(base::Mono until) noexcept { held_until_ = until; }

 private:
  struct Pool {
    job::QueueOrder order;
    std::vector<std::string> queues;
    std::vector<SlotId> free;  ///< the last one goes out first: its thread is warm
    bool look = true;
    base::Mono look_at = kNever;
  };

  [[nodiscard]] bool looks(const Pool& pool, base::Mono now) const noexcept;

  std::vector<Pool> pools_;
  std::vector<store::ClaimRequest> requests_;  ///< kept, because kinds and programs never change
  std::vector<std::size_t> pool_of_;           ///< by slot
  int free_ = 0;
  int slots_ = 0;
  base::Mono held_until_{};
};

}  // namespace galley::engine
