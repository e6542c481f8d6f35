#pragma once
// Group commit: the one component that merges concurrent callers of `enqueue` into the next batch while the previous
// one is on its way. There is no timer and no thread: the caller at the front of the line leads, takes everybody
// behind it up to a batch's limits, makes one store call for all, and hands each caller its own part of the answer
// (the writer queue of leveldb's DBImpl::Write).
//
// A caller alone pays nothing but two locks. Where many wait, waking them costs more than the store's work does: so
// those of one batch wait at a gate that opens for all with one call of the system, outside the lock, and only the one
// that leads the next batch is woken by itself, before them. And who leads gives way once before it looks who stands
// behind it: where cores are scarce the others have not come so far yet, and each would commit for itself. A thread
// that has been alone for some batches does not.
//
// A caller looks for its answer before it sleeps, for about as long as a commit without a sync takes, and gives way at
// each look (base/patience.hpp): a wake-up takes longer than such a commit.
//
// Bounded: callers with more than limits::kMaxMergeJobs jobs or kMaxMergeBytes of payload between them do not stand in
// line; the next one blocks until there is room.
//
// Thread-safety: any thread. Must not outlive its store.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/patience.hpp"
#include "job/job.hpp"
#include "store/store.hpp"

namespace galley::store {

class Combiner {
 public:
  explicit Combiner(Store& store);

  /// As Store::enqueue, in a batch shared with others. `jobs` stay together, in order; at most a batch's limits.
  /// A batch that the store refuses is tried again caller by caller, so that nobody suffers for another's jobs. A batch
  /// that finds the store unreachable (Errc::Unavailable) speaks for all that had come before it was sent: they have
  /// waited as long. So no caller waits for longer than two of the store's time limits.
  [[nodiscard]] Result<std::vector<Enqueued>> enqueue(std::vector<job::NewJob> jobs);

  /// Callers that stand in line now, with those of the batch under way.
  [[nodiscard]] std::size_t waiting() const;
  /// Callers for whom the line has no room now.
  [[nodiscard]] std::size_t waiting_outside() const;

 private:
  struct Caller;
  struct Gate;
  using Batch = std::vector<Caller*>;
  using Gates = std::vector<std::shared_ptr<Gate>>;

  [[nodiscard]] bool has_room(std::size_t jobs, std::size_t bytes) const noexcept;
  [[nodiscard]] Batch next_batch() const;
  void carry_out(const Batch& batch) const noexcept;
  void wait(std::unique_lock<std::mutex>& lock, Caller& me);
  template <class Over>
  [[nodiscard]] bool look_for(const Over& over) noexcept;
  void lead(std::unique_lock<std::mutex>& lock, const Caller& me) noexcept;
  void dismiss(Caller& caller, Gates& gates);
  void dismiss_all_before(std::uint64_t batch, const Error& error, Gates& gates);
  [[nodiscard]] Result<std::vector<Enqueued>> send(std::span<const job::NewJob> jobs) const;

  Store& store_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Caller*> line_;    ///< the front one leads; those of the batch under way stay until it is answered
  std::size_t under_way_ = 0;   ///< of the line; 0: nobody leads
  std::shared_ptr<Gate> gate_;  ///< of those who come now
  std::atomic<std::uint32_t> done_ = 0;  ///< batches answered; the one behind those under way waits for its change
  std::size_t jobs_ = 0;                 ///< of the line
  std::size_t bytes_ = 0;
  std::size_t outside_ = 0;
  base::Patience patience_;
  std::thread::id last_leader_;
  int alone_ = 0;                  ///< batches in a row of this one thread alone
  std::uint64_t batches_ = 0;      ///< sent so far
  std::uint64_t unreachable_ = 0;  ///< the last one that found the store unreachable; 0: none
  Error why_;                      ///< of `unreachable_`
};

}  // namespace galley::store
