#pragma once
// What each pool may ask the store for, so that long jobs leave room for short ones (job/reservation.hpp): knows which
// kind runs in which slot, and how long the attempts of each kind took. Pure: no threads, no I/O, no clock.
//
// A kind is here what a claim can name: a kind with a handler, or a command's program. Where any program is allowed,
// each is known from its first run on, or by its name from what the store tells of the worker's queues; until then it
// is claimed with all others only.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "job/order.hpp"
#include "job/reservation.hpp"
#include "store/store.hpp"

namespace galley::engine {

struct Capability;

/// One request of a pool.
struct Wish {
  int limit = 0;
  bool all = false;  ///< of whatever it can run; the others are empty
  std::vector<store::Want> kinds;
  store::WantCommands commands;
};

class Rooms {
 public:
  Rooms(job::Reserve reserve, const std::vector<job::PoolSpec>& pools, const Capability& can);

  /// Decides anew for pools whose slots are all taken: they ask for nothing that would make it do so.
  void consider(base::Mono now);
  /// Slots that a pool may ever take: its own, and the one above them.
  [[nodiscard]] int most(std::size_t pool) const { return pools_[pool].reservation.most(); }
  /// Slots that may be taken now.
  [[nodiscard]] int usable(std::size_t pool) const {
    return pools_[pool].reservation.usable(times_, pools_[pool].held);
  }
  /// Slots that may be taken now by any kind.
  [[nodiscard]] int open(std::size_t pool) const { return pools_[pool].reservation.open(); }
  /// Time alone may make more room.
  [[nodiscard]] bool unsettled(std::size_t pool) const { return pools_[pool].reservation.unsettled(); }

  /// `ahead`: so many claims of brief kinds wait for slots of it.
  [[nodiscard]] std::vector<Wish> wishes(std::size_t pool, std::size_t ahead, base::Mono now);

  void started(std::size_t pool, int slot, const job::Claim& claim, base::Mono now);
  void left(std::size_t pool, int slot);
  /// How long what has left the slot last had run.
  void ran(std::size_t pool, int slot, Duration time);

  /// Some kind was not run often enough to be known; or any program may come, and nobody has told which did.
  [[nodiscard]] bool wants_history() const;
  /// What all workers saw, for kinds that are not known here.
  void learn(std::span<const store::Minute> minutes);

  /// What has changed since the last call, a sentence a pool.
  struct News {
    std::size_t pool = 0;
    std::string why;
  };
  [[nodiscard]] std::vector<News> take_news();
  [[nodiscard]] const job::Decision& decision(std::size_t pool) const { return pools_[pool].reservation.decision(); }

 private:
  struct Pool {
    int slots = 0;
    std::vector<job::PoolQueue> queues;
    job::Reservation reservation;
    std::vector<job::Held> held;
    std::vector<int> slot_of;  ///< of each one held
    std::uint64_t told = 0;
  };
  struct Last {
    int kind = -1;
    base::Mono since{};
  };
  [[nodiscard]] int number_of(const job::Claim& claim);
  [[nodiscard]] bool serves(const std::string& queue) const;
  int add(const std::string& name);

  bool off_;
  bool any_command_;
  bool told_programs_ = false;
  std::vector<Pool> pools_;
  std::vector<std::string> names_;    ///< by number
  std::vector<job::RunTimes> times_;  ///< by number
  std::unordered_map<std::string, int> kinds_;
  std::unordered_map<std::string, int> programs_;
  std::vector<Last> last_;  ///< by slot: what runs there, or ran last
};

}  // namespace galley::engine
