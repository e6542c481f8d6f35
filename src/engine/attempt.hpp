#pragma once
// One running attempt: what its handler sees of it (galley::Attempt), and what the worker does to it from outside.
//
// Thread-safety: any thread. The handler, the watchdog (stop, kill) and the dispatcher (renewals) meet here.

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.hpp"
#include "engine/checkpoint_file.hpp"
#include "engine/ending.hpp"
#include "engine/process.hpp"
#include "galley/worker.hpp"
#include "job/job.hpp"
#include "runtime/stack_taker.hpp"
#include "store/store.hpp"

namespace galley::engine {

class RunningAttempt final : public Attempt {
 public:
  /// `on_news` is called once when there is something new for the next renewal. `clock` must outlive the attempt.
  RunningAttempt(job::Claim claim, std::optional<base::Mono> deadline, const base::Clock& clock,
                 std::function<void()> on_news);

  // What the handler sees.
  [[nodiscard]] JobId id() const noexcept override { return claim_.id.job; }
  [[nodiscard]] int number() const noexcept override { return claim_.counters.attempts + 1; }
  [[nodiscard]] std::int64_t epoch() const noexcept override { return claim_.id.epoch; }
  [[nodiscard]] const std::string& queue() const noexcept override { return claim_.queue; }
  [[nodiscard]] const std::string& kind() const noexcept override { return claim_.kind; }
  [[nodiscard]] const std::string& key() const noexcept override { return claim_.key; }
  [[nodiscard]] const std::vector<Header>& headers() const noexcept override { return claim_.headers; }
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept override;
  [[nodiscard]] BatchId batch() const noexcept override { return claim_.batch; }
  [[nodiscard]] std::optional<Duration> time_left() const override;
  [[nodiscard]] Duration run_time() const override { return clock_.mono() - begun_; }
  [[nodiscard]] bool stop_requested() const noexcept override;
  [[nodiscard]] std::stop_token stop_token() const noexcept override;
  [[nodiscard]] bool should_give_way() const noexcept override { return stop_requested() || queue_paused_; }
  void log(std::string_view line) override;
  void progress(std::string_view text) override;
  [[nodiscard]] const std::string& checkpoint() const noexcept override { return claim_.checkpoint; }
  [[nodiscard]] Result<void> save_checkpoint(std::string bytes) override;
  [[nodiscard]] Result<void> result(std::string bytes) override;

  // What the worker does.
  /// As stop_token(), which counts as having looked.
  [[nodiscard]] std::stop_token stop_token_unseen() const noexcept { return stop_.get_token(); }
  /// Its coroutine was cancelled: it has looked.
  void saw_stop() noexcept { looked_ = true; }
  /// The calling thread runs its handler from now on, until it leaves.
  void enter() noexcept;
  void leave() noexcept;
  /// The stack of its thread, or why there is none.
  [[nodiscard]] std::string stack(runtime::StackTaker& taker);
  [[nodiscard]] const job::Claim& claim() const noexcept { return claim_; }
  /// The stop token; a command gets its signal. Runs the handler's stop callbacks.
  void request_stop() noexcept;
  /// Ends a command. A handler cannot be killed.
  void kill() noexcept;
  /// A command runs until let_go(). One that was to be stopped or killed before gets its signals at once.
  void attach(Process& process) noexcept;
  void let_go() noexcept;
  /// Of a command that saves checkpoints: renewals look there until unwatch(), which looks once more.
  void watch(const CheckpointFile& file) noexcept;
  void unwatch();

  /// A renewal has said whether its queue is paused.
  void queue_paused(bool paused) noexcept { queue_paused_ = paused; }
  /// A renewal with what is new; told() when the store has it.
  [[nodiscard]] store::Renewal renewal();
  void told();
  /// Its handler has completed it in a transaction that may be committed or not.
  void completes_itself() noexcept { completes_itself_ = true; }
  [[nodiscard]] bool has_completed_itself() const noexcept { return completes_itself_; }
  /// What it has said so far: log, result, checkpoint, and whether it knows of a stop.
  void collect(AttemptEnd& end) const;

 private:
  /// A text whose newest version the store is to have.
  struct News {
    std::string text;
    int version = 0;  ///< 0: none yet
    int sent = 0;
    int told = 0;
  };
  void put(News& news, std::string text);
  void look_at_file();

  const job::Claim claim_;
  const std::optional<base::Mono> deadline_;
  const base::Clock& clock_;
  const std::function<void()> on_news_;
  const base::Mono begun_ = clock_.mono();
  std::atomic<bool> completes_itself_ = false;
  std::atomic<bool> queue_paused_ = false;
  std::stop_source stop_;
  mutable std::atomic<bool> looked_ = false;  ///< stop_requested() said true
  mutable std::atomic<bool> took_token_ = false;

  mutable std::mutex mutex_;
  Process* process_ = nullptr;
  const CheckpointFile* checkpoint_file_ = nullptr;
  bool signalled_ = false;       ///< the command was sent the signal before it ended
  std::optional<pid_t> thread_;  ///< that runs it now
  bool has_begun_ = false;       ///< some thread runs it or has run it
  bool kill_wanted_ = false;     ///< kept for a command that is about to be attached
  bool announced_ = false;       ///< on_news_ was called and no renewal has been taken since
  News progress_;
  News checkpoint_;
  std::string log_;
  std::string result_;
};

}  // namespace galley::engine
