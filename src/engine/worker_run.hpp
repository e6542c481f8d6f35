#pragma once
// One run of a worker: the threads round the core.
//
//   the thread that calls run()   the dispatcher's turns; waits at the store's bell in between
//   the watchdog                  does to running attempts what is due: time-outs fire also while the dispatcher is
//                                 blocked in the store; and puts idle slots to claims ahead that nobody came for
//   a WorkerPool for each pool    its threads, of which there are as many as slots that have been in use at once, run
//                                 attempts, tell the core how each ended, and take what was claimed ahead
//   the loop                      does the same for all attempts of coroutine handlers, whatever their pool
//
// Thread-safety: run() once; stop() and hurry() from any thread.

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <thread>

#include "engine/attempt.hpp"
#include "engine/dispatcher.hpp"
#include "engine/executor.hpp"
#include "galley/runtime/worker_pool.hpp"

namespace galley::engine {

struct RunSettings {
  CoreOptions core;
  store::WorkerCard card;  ///< as it joins
  std::function<void()> exit_process;
  std::function<void(const WorkerPulse&)> on_pulse;  ///< empty: nobody wants it
  Duration pulse_every{};
  int stack_signal = 0;  ///< 0: no stacks are taken
};

class WorkerRun final : private Runner {
 public:
  /// Store and clock are borrowed.
  WorkerRun(store::Store& store, RunSettings settings, Executor executor, const base::Clock& clock,
            base::Logger logger);
  WorkerRun(const WorkerRun&) = delete;
  WorkerRun& operator=(const WorkerRun&) = delete;
  ~WorkerRun() override;

  /// Errors: those of Store::join; Unavailable where the watchdog's thread cannot be started.
  [[nodiscard]] Result<WorkerReport> run();
  void stop() noexcept;
  void hurry() noexcept;

 private:
  void adopt(Start& start) override;
  bool launch(SlotId slot) override;
  void changed() override;
  store::Renewal renewal(const SlotClaim& claim) override;
  void told(const SlotClaim& claim, bool queue_paused) override;
  bool has_completed_itself(const SlotClaim& claim) override;
  AttemptEnd snapshot(SlotId slot) override;

  Turn take_turns();
  /// Gives the next one's time.
  base::Mono pulse(base::Mono now);
  void leave(store::WorkerId worker);
  void watch();
  void end_watch() noexcept;
  void carry_out(const Action& action);
  void report_stuck(RunningAttempt& attempt, StopReason reason);
  [[nodiscard]] std::string stack_of(RunningAttempt& attempt);
  void run_attempts(SlotId slot, std::shared_ptr<RunningAttempt> attempt);
  void run_coroutine(SlotId slot, const CoroutineChain& chain, std::shared_ptr<RunningAttempt> attempt);
  /// Gives what the slot is to run next.
  [[nodiscard]] std::shared_ptr<RunningAttempt> ended(SlotId slot, const RunningAttempt& attempt, AttemptEnd end);
  void wake_dispatcher();
  [[nodiscard]] std::shared_ptr<RunningAttempt> attempt_in(SlotId slot);

  store::Store& store_;
  RunSettings settings_;
  const Executor executor_;
  const base::Clock& clock_;
  base::Logger logger_;
  SharedCore shared_;
  std::unique_ptr<runtime::StackTaker> stacks_;  ///< none where it may not take any
  std::unique_ptr<store::Bell> bell_;
  Dispatcher dispatcher_;

  // With the lock of shared_.
  std::map<SlotId, std::shared_ptr<RunningAttempt>> attempts_;
  std::condition_variable watch_;
  base::Mono watch_until_{};  ///< the watchdog sleeps until then; the least value: it does not sleep
  bool watch_over_ = false;

  std::thread watchdog_;
  std::deque<WorkerPool> pools_;         ///< by pool; their threads use the rest
  std::unique_ptr<CoroutineLoop> loop_;  ///< none where no handler is a coroutine; its thread uses the rest
};

}  // namespace galley::engine
