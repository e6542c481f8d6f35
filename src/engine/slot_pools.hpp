#pragma once
// Free slots by pool, and what each pool asks of the store next. Pure: no threads, no I/O, no clock.
//
// Thread-safety: none, but what does not change may be read by any thread: count, name, slots_of, most and pool_of.
//
// A pool asks for as many jobs as it has free slots that no claim ahead waits for, of those kinds that have room there
// (engine/rooms.hpp: one request, or several); and, in a request of its own, for more of those kinds that are brief
// (engine/ahead.hpp). A slot is open when a job of any kind may take it.
//
// A pool is "dry" when its last claim brought less than it asked for: then it looks again when the bell rings, when
// the earliest scheduled job of its queues is due, when an attempt of this worker has ended, or at the safety look.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "engine/rooms.hpp"
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
  SlotPools(const std::vector<job::PoolSpec>& specs, const Capability& can, Duration lease,
            job::Reserve reserve = job::Reserve::Off);

  void set_worker(store::WorkerId worker);

  /// Open slots that are free.
  [[nodiscard]] int free() const;
  [[nodiscard]] std::size_t count() const noexcept { return pools_.size(); }
  [[nodiscard]] std::size_t slots_of(std::size_t pool) const { return pools_[pool].slots; }
  /// And one above them, if there may ever be one.
  [[nodiscard]] std::size_t most(std::size_t pool) const { return pools_[pool].most; }
  [[nodiscard]] std::size_t pool_of(SlotId slot) const { return pool_of_[static_cast<std::size_t>(slot)]; }
  /// Free, and not promised to a claim that is on its way.
  [[nodiscard]] std::size_t idle(std::size_t pool) const { return left(usable(pool), pools_[pool].promised); }
  /// So many claims ahead wait for slots of this pool.
  void set_ahead(std::size_t pool, std::size_t claims) { pools_[pool].ahead = claims; }
  /// How much room there is may have changed with the time. Before the next two.
  void consider(base::Mono now);
  /// Some pool has a free slot that no claim ahead waits for.
  [[nodiscard]] bool any_room() const;
  /// True when a claim could bring something now.
  [[nodiscard]] bool wants_claim(base::Mono now) const;
  /// When wants_claim may become true without a ring; kNever while no slot is free.
  [[nodiscard]] base::Mono next_look() const;
  /// True when each pool with a free open slot is dry.
  [[nodiscard]] bool dry() const;
  /// The queues, each once, of the pools that have a free open slot and are dry.
  [[nodiscard]] std::vector<std::string> dry_queues() const;
  /// All queues of all pools, each once.
  [[nodiscard]] std::vector<std::string> queues() const;

  /// What a pool asks for beyond its free slots.
  struct Beyond {
    std::size_t limit = 0;
    bool offered = false;  ///< set: its free slots are asked for too
  };
  /// One request a pool, in the pools' order, and behind them what else they ask for: more requests for kinds that have
  /// more room than others, and those for `beyond` (one a pool, or none), of `brief` kinds. `everyone`: also for the
  /// dry ones; `nothing`: all with limit 0, which asks for signals alone. Valid until the next call of a non-const
  /// function but give_back and the takes.
  [[nodiscard]] std::span<const store::ClaimRequest> requests(base::Mono now, bool everyone, bool nothing,
                                                              std::span<Beyond> beyond,
                                                              const std::vector<std::string>& brief);
  /// The answer to the last requests.
  void answered(base::Mono now, const std::vector<store::Claimed>& answers);
  /// There will be none.
  void failed() noexcept;
  /// Of the i-th of the last requests.
  [[nodiscard]] std::size_t pool_of_request(std::size_t i) const;
  [[nodiscard]] bool is_beyond(std::size_t i) const noexcept {
    return i >= pools_.size() && more_[i - pools_.size()].beyond;
  }

  /// A free slot of the pool, or this very one, is taken.
  [[nodiscard]] SlotId take(std::size_t pool);
  void take_this(SlotId slot);
  void give_back(SlotId slot);
  /// The slot runs it from now on.
  void started(SlotId slot, const job::Claim& claim, base::Mono now) {
    rooms_.started(pool_of(slot), slot, claim, now);
  }
  /// How long what ran there last had run.
  void ran(SlotId slot, Duration time) { rooms_.ran(pool_of(slot), slot, time); }
  [[nodiscard]] Rooms& rooms() noexcept { return rooms_; }
  [[nodiscard]] const std::string& name(std::size_t pool) const { return pools_[pool].name; }
  /// Something changed: every pool looks again.
  void ring() noexcept;
  /// No pool looks before `until`, not even at a ring.
  void hold(base::Mono until) noexcept { held_until_ = until; }

 private:
  struct Pool {
    std::string name;
    job::QueueOrder order;
    std::vector<std::string> queues;
    std::vector<SlotId> free;  ///< the last one goes out first: its thread is warm
    std::size_t slots = 0;     ///< its own; it may have one more
    std::size_t most = 0;      ///< with that one
    std::size_t ahead = 0;     ///< claims that wait for slots
    std::size_t promised = 0;  ///< of the free slots, to the request that is on its way
    bool look = true;
    bool full = false;  ///< the last claim brought all that it asked for
    base::Mono look_at = kNever;

    [[nodiscard]] std::size_t taken() const noexcept { return most - free.size(); }
  };
  struct More {
    std::size_t pool = 0;
    bool beyond = false;
  };

  [[nodiscard]] static std::size_t left(std::size_t all, std::size_t gone) noexcept {
    return all - std::min(all, gone);
  }
  /// Slots that are free and may be taken by some kind.
  [[nodiscard]] std::size_t usable(std::size_t pool) const;
  /// Of these, those that no claim ahead waits for.
  [[nodiscard]] std::size_t room(std::size_t pool) const { return left(usable(pool), pools_[pool].ahead); }
  [[nodiscard]] bool open(std::size_t pool) const;
  [[nodiscard]] bool looks(std::size_t pool, base::Mono now) const;
  bool ask(std::size_t pool, base::Mono now);
  void ask_beyond(std::size_t pool, std::size_t limit, const std::vector<std::string>& brief);
  static void fill(store::ClaimRequest& request, Wish& wish);

  Rooms rooms_;
  std::vector<Pool> pools_;
  std::vector<store::ClaimRequest> whole_;     ///< by pool: of all that it can run
  std::vector<bool> cut_;                      ///< by pool: its kept request names less than that
  std::vector<store::ClaimRequest> requests_;  ///< one a pool is kept, because kinds and programs hardly change
  std::vector<More> more_;                     ///< of those behind them
  std::vector<std::size_t> pool_of_;           ///< by slot
  base::Mono held_until_{};
  base::Mono consider_at_ = kNever;
};

}  // namespace galley::engine
