#pragma once
// Waiting for room: jobs that a full queue has refused are tried again when the store's bell rings, in their order.
//
// The bell rings when a claim, a cancel or an expiry makes room, and for every other commit too. A ring costs each
// waiting caller one try of one job; only when that one is in, two follow, then four, and so on. The tries of all
// callers of a process that come together are one transaction (store/combiner.hpp), and a refusal rings no bell, so
// that a hundred waiting callers cost two transactions a ring. Between rings nothing happens, but for the safety look.

#include <cstddef>
#include <deque>
#include <vector>

#include "base/clock.hpp"
#include "job/job.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// Of one call, on the calling thread.
class RoomWait {
 public:
  explicit RoomWait(store::Store& store) : store_(store) {}

  /// `job`, the item `index` of the call, was refused now and may wait for `patience`.
  void add(std::size_t index, job::NewJob job, Duration patience);
  [[nodiscard]] std::size_t waiting() const noexcept { return jobs_.size(); }

  /// Returns when each is in, or its time is over, or it is refused for another reason: `answers[index]` is its last
  /// answer. Errors: the store's; those of `waiting` are not in.
  [[nodiscard]] Result<void> run(std::vector<store::Enqueued>& answers);

 private:
  struct Waiting {
    std::size_t index = 0;
    job::NewJob job;
    Duration patience{0};
    base::Mono until;
  };
  [[nodiscard]] Result<bool> try_some(std::size_t most, std::vector<store::Enqueued>& answers);
  void drop_late(std::vector<store::Enqueued>& answers);
  [[nodiscard]] base::Mono next_end() const;

  store::Store& store_;
  base::SystemClock clock_;  // the caller's patience, not a time of the store
  std::deque<Waiting> jobs_;
};

}  // namespace galley::engine
