#pragma once
// For the tests of programs that use Galley: a store in memory, a clock that stands still until it is told to move, and
// a worker that runs everything due on the calling thread.
//
//   galley::testkit::Clock clock;
//   auto store = galley::testkit::memory_store(clock);
//   mailer.sign_up(store, "ann@example.com");                       // enqueues, with a delay of a day
//   galley::testkit::Drain drain{store, clock};
//   drain.worker().handle<Mail>("mail", send);
//   clock.advance(24h);
//   EXPECT_EQ(drain.run().value().completed, 1);
//
// Thread-safety: Clock: any thread; Drain: one.

#include <memory>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/store.hpp"
#include "galley/worker.hpp"

namespace galley::testkit {

class Clock {
 public:
  /// Starts at 2026-01-01T00:00:00Z.
  Clock();
  ~Clock();
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  [[nodiscard]] Time wall() const noexcept;
  /// By 0 or more.
  void advance(Duration by) noexcept;

 private:
  friend struct ClockSeam;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// An empty store; `clock` must outlive it.
[[nodiscard]] StorePtr memory_store(const Clock& clock);

/// A worker without threads. Handlers run one after the other, in the order in which a worker with one slot would claim
/// their jobs; time-outs and deadlines cannot stop them, because the clock stands still.
class Drain {
 public:
  /// Serves all queues. `clock` is the store's.
  Drain(StorePtr store, const Clock& clock);
  ~Drain();
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

  /// For handle() and alias(); its pools and its run() are not used.
  [[nodiscard]] Worker& worker() noexcept;

  /// Runs every job that is due and of a kind that has a handler, and those that they enqueue, until none is left; jobs
  /// that are put back for later stay. At most `most` attempts, because a job may enqueue itself for ever: then
  /// Errc::QueueFull. What a handler throws is its attempt's failure, as in a worker.
  [[nodiscard]] Result<WorkerReport> run(int most = 10'000);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace galley::testkit
