#pragma once
// Claims ahead: jobs of brief kinds that are claimed before a slot is free for them, so that a slot that has ended one
// takes the next without a word to the store or to another thread. Pure: no threads, no I/O, no clock.
//
// A kind is brief once this worker has seen enough of its runs and hardly one in a hundred took a millisecond; one that
// takes ten ends that at once. What is claimed ahead waits for slots that "eat": they run a brief job, and take the
// next one when it ends. Nothing waits behind a long job: where no slot comes for a while, idle ones are put to it;
// where there are none, or kPatience is over, the claims are given back, and for a while nothing is claimed ahead.

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "engine/slot_pools.hpp"
#include "job/job.hpp"

namespace galley::engine {

/// How long the attempts of each kind run, as this worker sees it. Never forgets a kind: its handlers are few.
class Paces {
 public:
  /// `enough`: runs of a kind before it can be brief.
  explicit Paces(int enough) : enough_(enough) {}

  void ran(const std::string& kind, Duration time);
  [[nodiscard]] bool brief(const std::string& kind) const;
  [[nodiscard]] Duration mean(const std::string& kind) const;

 private:
  struct Pace {
    int runs = 0;
    double long_share = 0;  ///< of its runs, weighted towards the last hundred
    double mean_us = 0;     ///< the same
  };
  const int enough_;
  std::unordered_map<std::string, Pace> paces_;
};

/// A claim that waits for a slot.
struct AheadClaim {
  job::Claim claim;
  base::Mono sent{};  ///< its lease counts from there
  base::Mono came{};
  Duration time{0};  ///< that it is expected to run
};

class Ahead {
 public:
  static constexpr Duration kPatience = std::chrono::milliseconds(20);
  static constexpr Duration kHold = std::chrono::seconds(1);

  /// `kinds`: with a handler; `commands`: commands may come too, which are never claimed ahead.
  Ahead(std::size_t pools, std::vector<std::string> kinds, bool commands, int enough);

  /// Of an attempt of a handler.
  void ran(const std::string& kind, Duration time) { paces_.ran(kind, time); }
  [[nodiscard]] bool brief(const job::Claim& claim) const {
    return claim.content != job::Content::Command && paces_.brief(claim.kind);
  }
  /// The kinds that are brief now.
  [[nodiscard]] std::vector<std::string> brief_kinds() const;

  /// How many may wait for slots of a pool that has `slots`, beyond one for each slot that is free.
  [[nodiscard]] std::size_t bound(std::size_t pool, base::Mono now, std::size_t slots) const;
  /// The pool's free slots are offered to all its kinds now, in their order.
  void offered(std::size_t pool, base::Mono now) { pools_[pool].offered_at = now; }

  void add(std::size_t pool, AheadClaim claim);
  /// The next one, for a slot that is free.
  [[nodiscard]] AheadClaim take(std::size_t pool, base::Mono now);
  [[nodiscard]] std::vector<AheadClaim> take_all(std::size_t pool);
  /// Those that have waited longer than kPatience.
  [[nodiscard]] std::vector<AheadClaim> take_late(std::size_t pool, base::Mono now);
  [[nodiscard]] std::size_t size(std::size_t pool) const { return pools_[pool].size(); }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// When the one that waits longest came.
  [[nodiscard]] std::optional<base::Mono> since(std::size_t pool) const;
  /// Nothing is claimed ahead for a while.
  void hold(std::size_t pool, base::Mono now) { pools_[pool].held_until = now + kHold; }

  /// A slot runs a brief job, and comes for more. It no longer does when it has ended, or is found to be busy.
  void eats(std::size_t pool, SlotId slot);
  void ended(std::size_t pool, SlotId slot);
  void all_busy(std::size_t pool);
  [[nodiscard]] bool anybody_eats(std::size_t pool) const { return !pools_[pool].eaters.empty(); }
  [[nodiscard]] bool anybody_eats() const;
  /// How many more slots should be put to what waits, if they are idle.
  [[nodiscard]] std::size_t wanted(std::size_t pool) const;
  /// No slot has come for longer than a brief job takes.
  [[nodiscard]] bool stuck(std::size_t pool, base::Mono now) const;
  /// When stuck() or take_late() may next say something; `idle`: there are idle slots.
  [[nodiscard]] base::Mono next_look(std::size_t pool, bool idle) const;

 private:
  struct Pool {
    std::vector<AheadClaim> line;  ///< in their order; the first `gone` of them have been taken
    std::size_t gone = 0;
    Duration time{0};  ///< that all of them are expected to run
    std::vector<SlotId> eaters;
    base::Mono moved_at{};    ///< the last time that one was taken, or the first one came
    base::Mono offered_at{};  ///< see offered()
    base::Mono held_until{};

    [[nodiscard]] std::size_t size() const noexcept { return line.size() - gone; }
  };
  [[nodiscard]] AheadClaim pop(Pool& pool);

  Paces paces_;
  const std::vector<std::string> kinds_;
  const bool commands_;
  std::vector<Pool> pools_;
  std::size_t size_ = 0;
};

}  // namespace galley::engine
