#pragma once
// Asio's reactor, with a loop between it and Asio's scheduler. The scheduler calls run() when it is the reactor's turn;
// this one lets the loop go through its phases, and the loop asks the kernel (look) when it wants to. So every handler
// is begun by the loop, in its order and between two readings of the clock, and time asleep is known exactly; sockets,
// timers and executors remain Asio's own. See docs/decisions/0015.
//
// The one place that knows Asio from inside.
//
// Thread-safety: as epoll_reactor; look, take_posted and what they fill are for the thread inside run().

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <vector>

namespace galley::runtime {

/// Operations of Asio that are ready to be completed. What is left in it is destroyed with it.
using Operations = boost::asio::detail::op_queue<boost::asio::detail::scheduler_operation>;

/// What the reactor wants of a loop.
class LoopTurns {
 public:
  /// Goes through turns as long as it likes, once at least. `may_sleep`: nothing else waits in the scheduler, and
  /// whoever queues something there from another thread ends the sleep. What throws is passed on to run().
  virtual void turns(bool may_sleep) = 0;

 protected:
  ~LoopTurns() = default;
};

class LoopReactor final : public boost::asio::detail::epoll_reactor {
 public:
  /// Makes it the reactor of a context that has none yet; the context owns it.
  static LoopReactor& install(boost::asio::io_context& context, LoopTurns& loop);
  LoopReactor(boost::asio::io_context& context, LoopTurns& loop);

  void run(long usec, Operations& posted) override;
  void shutdown() override;

  /// Asks the kernel what is ready: into `io`, which must be empty, and `timers`.
  void look(bool sleep);
  /// What was posted to the scheduler by other threads, and from outside run(): into `ready`.
  void take_posted();
  /// Before a sleep. False, and in `ready`: something was posted since the scheduler has called. The interrupt that
  /// told so may have been consumed by a look that did not sleep, and no post after it would interrupt again. Between
  /// true and end_sleep() the loop counts as no work, so whoever drops the last work guard stops the scheduler, which
  /// ends the sleep.
  [[nodiscard]] bool begin_sleep();
  /// The first part of it: the next post interrupts.
  [[nodiscard]] bool arm();
  /// Between the two, after a look: there is something to do, or the scheduler was stopped.
  [[nodiscard]] bool found();
  void end_sleep() { scheduler_.work_started(); }
  /// What was posted by the handlers that were run here: into `ready`.
  void take_own() { ready.push(thread_->private_op_queue); }
  [[nodiscard]] bool has_own() const noexcept { return !thread_->private_op_queue.empty(); }
  /// Of the scheduler: operations under way, what is queued there, and work guards.
  [[nodiscard]] long outstanding_work();
  /// Completes the first one of a queue that is not empty.
  void run_first(Operations& operations) {
    Operation* const operation = operations.front();
    operations.pop();
    // Each operation was counted as work. What it queues is counted in its thread's private number, so as in the
    // scheduler only the difference reaches the shared one (settle_work).
    struct Finished {
      long& work;
      ~Finished() { --work; }
    } const finished{thread_->private_outstanding_work};
    const std::size_t result = Result::of(*operation);
    operation->complete(&scheduler_, boost::system::error_code(), result);
    thread_->rethrow_pending_exception();
  }

  Operations io;      ///< descriptors that are ready
  Operations timers;  ///< that were due
  Operations ready;   ///< posted functions
  /// When the steady timers of the last look were due, in the order of `timers`, which has those of the system clock
  /// behind them; nanoseconds of the monotonic clock.
  std::vector<std::int64_t> due;

 private:
  using Operation = boost::asio::detail::scheduler_operation;

  /// The result that an operation is completed with is for the scheduler and those who derive from an operation.
  struct Result : Operation {
    static std::size_t of(const Operation& operation) { return operation.*(&Result::task_result_); }
  };

  using TimerTraits = boost::asio::detail::chrono_time_traits<std::chrono::steady_clock,
                                                              boost::asio::wait_traits<std::chrono::steady_clock>>;
  using TimerQueue = boost::asio::detail::timer_queue<TimerTraits>;

  /// A queue without timers, which is asked before those of the timers, after all descriptors: so it sees where `io`
  /// ends.
  class Divider final : public TimerQueue {
   public:
    explicit Divider(LoopReactor& reactor) : reactor_(reactor) {}
    void get_ready_timers(Operations& found) override;

   private:
    LoopReactor& reactor_;
  };

  void note_due();
  void settle_work();

  LoopTurns& loop_;
  boost::asio::detail::scheduler& scheduler_;
  Divider divider_;
  TimerQueue* steady_ = nullptr;  ///< of all steady_timers of the context
  bool divided_ = false;
  std::vector<std::size_t> to_visit_;
  boost::asio::detail::scheduler_thread_info* thread_ = nullptr;  ///< of the scheduler's call that we are in
};

}  // namespace galley::runtime
