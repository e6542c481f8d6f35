#pragma once
// Room for short kinds, so that long ones never hold them up: how many jobs of which kinds a pool may claim now, from
// how long their runs took. Pure: no threads, no I/O, no clock. Nothing depends on what a kind is called.
//
// After DARC (Demoulin, Fried, Pedisich, Kogias, Loo, Phan, Zhang: "When Idling is Ideal: Optimizing Tail-Latency for
// Heavy-Tailed Datacenter Workloads with Persephone", SOSP 2021): like kinds form groups; each short group has room
// that longer ones never take; shorter kinds may use the room of longer ones, never the other way round.
//
//   hold(k)   = max(mean(k), p99(k)/8, median of the last 8 runs): how long a job of it holds a slot
//   groups    kinds by hold; between neighbours a and b is a cut where  hold(b) >= kFactor * hold(a)
//   reserved  r(g) = max(1, ceil(load(g) / kFull)) for all groups but the longest, which keeps a slot at least
//   load(g)   = sum of its run times that ended lately / that time: the slots that it keeps busy (Erlangs)
//   claimed   running(g and longer) <= slots - r(all shorter than g),  for each g
//
// Where DARC shares all workers by demand (R_i S_i / sum R_j S_j, rounded), a group here gets what it keeps busy and a
// little room: with a backlog of long jobs the two are the same, without one the long jobs keep more. DARC's R is the
// rate of arrivals; a worker sees only what it runs, and kFull < 1 is what lets a group grow whose room is full.
//
// Slots takes the room out of the pool's own slots; where there are more cuts than slots, the shortest groups share.
// Express adds one slot, for one cut only, with p99s of at most kExpress below it: the one that leaves the least of
//   max(longest hold / shortest hold below the cut,  kLine * longest hold / shortest hold above it)
// which is how many times its own length a job may still have to wait; above the cut it waits in the one line.
// Auto is Express where a pool has two slots or more: one slot means one at a time.
//
// A kind is unknown below RunTimes::kKnown runs and stands with the longest. While no slot is left for the longest,
// unknown kinds none of which is running may be tried in the extra slot, one job at a time, so that kinds behind a wall
// of long jobs become known; one that took longer than kExpress, or than half of a long kind, is not tried again.
//
// An attempt that runs for more than twice its kind's p99 and a millisecond counts with the longest from then on, and
// its age is what its kind holds a slot for, so a kind that turns long loses its room while the first such attempt
// still runs. One of an unknown kind counts with the longest from its start. Either, if it is in the extra slot, takes
// over the next slot of the pool that comes free: that is asked for short kinds alone, until it has ended.
//
// A cut that is there stays until its factor falls below half of kFactor, and gives way to one that is better by a
// quarter.
//
// Thread-safety: none.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "job/run_times.hpp"

namespace galley::job {

enum class Reserve : std::uint8_t { Off, Slots, Express, Auto };

[[nodiscard]] std::string_view name(Reserve reserve) noexcept;
[[nodiscard]] std::optional<Reserve> reserve_named(std::string_view name) noexcept;

/// A job that takes a slot now: number of its kind, and since when.
struct Held {
  int kind = 0;
  base::Mono since{};
};

/// One request: at most so many, of these kinds.
struct Ask {
  int limit = 0;
  bool all = false;        ///< of every kind; `kinds` is empty
  std::vector<int> kinds;  ///< in order
};

enum class KindClass : std::uint8_t { Unknown, Short, Long, Alike };
[[nodiscard]] std::string_view name(KindClass kind_class) noexcept;

/// What was decided, for people.
struct Decision {
  struct Kind {
    KindClass kind_class = KindClass::Unknown;
    int group = 0;  ///< 0: the shortest
    std::size_t runs = 0;
    Duration mean{0};
    Duration p99{0};
    double load = 0;  ///< slots that it keeps busy
  };
  std::vector<Kind> kinds;    ///< by number
  std::vector<int> reserved;  ///< by group, without the longest; empty: nothing is kept
  int slots = 0;              ///< of the pool
  int extra = 0;              ///< the express slot
  std::string why;            ///< one sentence
};

/// The figures of the rule; others than these are for tests and simulations.
struct ReservationRule {
  double factor = 3;                              ///< kFactor
  double full = 0.9;                              ///< kFull
  double line = 4;                                ///< kLine
  Duration express = std::chrono::seconds(5);     ///< kExpress
  Duration load_over = std::chrono::seconds(10);  ///< loads are forgotten at this time constant
  bool long_keep_a_slot = true;
  bool adapts = true;
  bool tries = true;
};

/// The decisions for one pool.
class Reservation {
 public:
  Reservation(Reserve reserve, int slots, std::vector<std::string> kinds, ReservationRule rule = {});

  /// The pool's slots and the one above them, if there may ever be one: what it needs threads for.
  [[nodiscard]] int most() const noexcept { return slots_ + (may_add() ? 1 : 0); }

  /// One more kind, which gets the next number.
  void add_kind(std::string name);

  /// An attempt of this pool has ended.
  void ended(int kind, Duration run, base::Mono now);

  /// What to ask for, in this order and in one step; nothing where there is no room. `times` by kind; `held` is what
  /// runs in the pool; `ahead`: so many more claims of short kinds wait for slots of it.
  [[nodiscard]] std::vector<Ask> asks(std::span<const RunTimes> times, std::span<const Held> held, base::Mono now,
                                      int ahead = 0);
  /// Decides anew where something may have changed; asks() does too.
  void consider(std::span<const RunTimes> times, std::span<const Held> held, base::Mono now);
  /// Slots that may be taken, of whatever kind: the pool's, and the one above them while it is of use.
  [[nodiscard]] int usable(std::span<const RunTimes> times, std::span<const Held> held) const;
  /// Slots that may be taken by any kind.
  [[nodiscard]] int open() const noexcept;
  /// More may be known soon, though no attempt ends: ask again after a while.
  [[nodiscard]] bool unsettled() const noexcept { return unsettled_ && decision_.reserved.empty() && may_add(); }

  [[nodiscard]] const Decision& decision() const noexcept { return decision_; }
  /// Grows when groups or their room change.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

 private:
  struct Fact;  // of a kind, while a decision is made
  struct Cut;

  [[nodiscard]] bool may_add() const noexcept;
  [[nodiscard]] bool can_keep() const noexcept;
  [[nodiscard]] bool overdue(const Held& held, base::Mono now) const;
  [[nodiscard]] bool must_decide(std::span<const Held> held, base::Mono now) const;
  void decide(std::span<const RunTimes> times, std::span<const Held> held, base::Mono now);
  [[nodiscard]] std::vector<Fact> facts(std::span<const RunTimes> times, std::span<const Held> held, base::Mono now);
  [[nodiscard]] std::vector<Cut> cuts(const std::vector<Fact>& facts) const;
  [[nodiscard]] std::vector<Cut> kept(std::vector<Cut> cuts) const;
  [[nodiscard]] std::vector<int> room(const std::vector<int>& group, int groups, int slots) const;
  [[nodiscard]] std::string why(const std::vector<Fact>& facts, const std::vector<int>& group,
                                const std::vector<int>& reserved) const;
  [[nodiscard]] std::string names(const std::vector<int>& group, int only) const;
  [[nodiscard]] std::vector<int> to_try(std::span<const RunTimes> times, std::span<const Held> held) const;
  static void add_trial(std::vector<Ask>& asks, const std::vector<int>& kinds);
  void fade(std::size_t kind, base::Mono now);

  struct Load {
    double slots = 0;
    base::Mono at{};
  };

  Reserve reserve_;
  int slots_;
  std::vector<std::string> names_;
  ReservationRule rule_;
  std::vector<Load> loads_;
  std::vector<Duration> overdue_;  ///< by kind: from this age on an attempt counts as long
  Decision decision_;
  std::uint64_t version_ = 0;
  base::Mono decided_{};
  bool decided_once_ = false;
  bool young_ = true;       ///< some kind that runs is hardly known
  bool unsettled_ = false;  ///< one that is not known runs
  bool surprised_ = false;
};

}  // namespace galley::job
