#pragma once
// Running jobs: handlers, pools of slots, and the worker that owns them.
//
//   galley::Worker worker{store};
//   worker.handle<Thumbnail>("thumbnail", [](galley::Attempt&, const Thumbnail& job) { render(job); });
//   worker.pool("fast", 4).pool("slow", 1).run().value();
//
// Every job is run at least once: after a crash it is run again, and the same job may then have been half done.
// In a live worker that reaches its store an attempt never overlaps its successor.

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/queue.hpp"
#include "galley/store.hpp"

namespace galley {

/// How an attempt ended, where a handler wants to say more than "well".
class Outcome {
 public:
  enum class Kind : std::uint8_t { Done, Failed, Discarded, Snoozed, Paused };

  /// The job is completed.
  [[nodiscard]] static Outcome done() { return {Kind::Done, {}, Duration{0}}; }
  /// Counts as an error: another try after the backoff, or dead.
  [[nodiscard]] static Outcome fail(std::string why) { return {Kind::Failed, std::move(why), Duration{0}}; }
  /// Trying again is pointless: no retry.
  [[nodiscard]] static Outcome discard(std::string why) { return {Kind::Discarded, std::move(why), Duration{0}}; }
  /// Run me again after `delay`; no try is used.
  [[nodiscard]] static Outcome snooze(Duration delay) { return {Kind::Snoozed, {}, delay}; }
  /// I gave way: put me back behind everything ready of my priority, with my checkpoint; no try is used.
  [[nodiscard]] static Outcome pause() { return {Kind::Paused, {}, Duration{0}}; }

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] Duration delay() const noexcept { return delay_; }

 private:
  Outcome(Kind kind, std::string text, Duration delay) : kind_(kind), text_(std::move(text)), delay_(delay) {}
  Kind kind_;
  std::string text_;
  Duration delay_;
};

/// What a handler knows of the attempt it runs, and what it can say while it runs.
/// Thread-safety: any thread of the handler, as long as the handler has not returned.
class Attempt {
 public:
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  virtual ~Attempt() = default;

  [[nodiscard]] virtual JobId id() const noexcept = 0;
  /// From 1; every run counts, whatever ended it.
  [[nodiscard]] virtual int number() const noexcept = 0;
  /// The claim's epoch: grows with each attempt of a job; pass it on to fence writes of your own.
  [[nodiscard]] virtual std::int64_t epoch() const noexcept = 0;
  [[nodiscard]] virtual const std::string& queue() const noexcept = 0;
  [[nodiscard]] virtual const std::string& kind() const noexcept = 0;
  [[nodiscard]] virtual const std::string& key() const noexcept = 0;
  /// What travelled with the job ("traceparent"), in the order it was given.
  [[nodiscard]] virtual const std::vector<Header>& headers() const noexcept = 0;
  /// The first header of this name, compared without regard to case; empty: none.
  [[nodiscard]] virtual std::string_view header(std::string_view name) const noexcept = 0;
  /// The batch it is a job of, to add more to it; 0: none.
  [[nodiscard]] virtual BatchId batch() const noexcept = 0;
  /// Time left until the attempt is asked to stop, by its time-out or its job's deadline; nothing: it has neither.
  [[nodiscard]] virtual std::optional<Duration> time_left() const = 0;
  /// How long this attempt has been running.
  [[nodiscard]] virtual Duration run_time() const = 0;

  /// True when the attempt should end: time-out, deadline, cancel, shutdown, or the claim was lost. A handler that has
  /// seen it and returns without an Outcome is taken as stopped early (and put back); one that never looked, as done.
  [[nodiscard]] virtual bool stop_requested() const noexcept = 0;
  /// For condition_variable_any, callbacks and threads. Taking it counts as having looked.
  [[nodiscard]] virtual std::stop_token stop_token() const noexcept = 0;
  /// True when a handler that can go on later had better save its checkpoint and return Outcome::pause(): it was asked
  /// to stop, or its queue is paused. Counts as having looked where stop_requested() would.
  [[nodiscard]] virtual bool should_give_way() const noexcept = 0;

  /// A line for `galley jobs show`; the last 16 KiB are kept.
  virtual void log(std::string_view line) = 0;
  /// Seen by others at the next renewal, within seconds; at most 1 KiB, the rest is cut.
  virtual void progress(std::string_view text) = 0;

  /// Saved by an earlier attempt; empty: none.
  [[nodiscard]] virtual const std::string& checkpoint() const noexcept = 0;
  /// Kept from the next renewal on, within a fraction of a second, and at the latest when this attempt ends. One
  /// that differs from the last is work done for good: the job's counts of pauses and crashes start anew.
  /// galley::resume (galley/resume.hpp) saves them by itself. Errors: InvalidInput over 64 KiB.
  [[nodiscard]] virtual Result<void> save_checkpoint(std::string bytes) = 0;

  /// Kept as long as the job. Errors: InvalidInput over 64 KiB.
  [[nodiscard]] virtual Result<void> result(std::string bytes) = 0;

 protected:
  Attempt() = default;
};

/// A handler as the worker calls it. An exception counts as Outcome::fail with its text.
/// Nothing returned: done, unless it has seen a stop request (see Attempt::stop_requested).
using Handler = std::function<std::optional<Outcome>(Attempt&, std::string_view payload)>;

/// A handler that is a coroutine (galley/coroutine.hpp): while it waits it takes a slot, and no thread.
class CoroutineHandler;

/// Whether a handler that returns this is a coroutine. galley/coroutine.hpp knows those that are.
template <class Returned>
struct CoroutineResult : std::false_type {};

/// What a worker is doing, for whoever watches over it.
struct WorkerPulse {
  int slots = 0;               ///< of all its pools
  int busy = 0;                ///< slots with an attempt
  int stuck = 0;               ///< of these: their handlers did not end within their grace after a stop
  std::int64_t completed = 0;  ///< this and the next two: so far, as in WorkerReport
  std::int64_t failed = 0;
  std::int64_t dead = 0;
  bool stopping = false;
  bool store_failing = false;  ///< the store's last answer was an error; the worker tries again
};

struct WorkerOptions {
  std::string name;                                    ///< in logs and `galley stats`; empty: "host:pid"
  Duration shutdown_grace = std::chrono::seconds(25);  ///< after stop(): how long running attempts may go on
  Duration lease = std::chrono::seconds(30);           ///< for a worker that is alive but stuck; 1 s..1 h
  bool drain = false;  ///< run() returns when nothing is left that this worker could run
  /// Room for kinds that were measured to be short, so that long ones do not hold them up (docs/short-jobs.md):
  /// "auto": as "express" in pools of two slots or more; "express": one slot above the pool's, for short kinds alone;
  /// "slots": out of the pool's own slots, so that long kinds have fewer; "off": none.
  std::string reserve = "auto";
  /// Commands it may run: none, any, or those listed (names looked up on PATH at start, or absolute paths).
  bool allow_any_command = false;
  std::vector<std::string> allow_commands;
  /// Called as the very last act of a shutdown when handlers do not end: their jobs have just been put back, with a
  /// delay of 1 s, and this must end the process. Empty: run() waits until they end.
  std::function<void()> exit_process;
  /// A sign of life for a watchdog: called once the worker has joined its store and is about to claim, then once in
  /// each `pulse_every`, idle or busy, as long as its loop goes round. It stays away while the loop is stuck: in one
  /// call to the store (SQLite gives up on a locked file after about 30 s, and the loop goes on) or for ever, by a bug.
  /// Called by the thread that called run(), which claims, renews and finishes nothing meanwhile: it must return within
  /// milliseconds, and must not throw.
  std::function<void(const WorkerPulse&)> on_pulse;
  Duration pulse_every = std::chrono::seconds(5);  ///< 10 ms..1 h
  /// A handler that has not ended by the end of its grace is logged once as job.stuck; with a signal that the program
  /// does not use (SIGUSR2), its thread's stack is logged with it. run() installs a handler for the signal until it
  /// returns, and sends it to that one thread, in which it may interrupt a system call (EINTR). 0: no stack.
  int stack_signal = 0;
  std::string log_level = "off";    ///< debug | info | warn | error | off, on stderr
  std::string log_format = "text";  ///< text | json
};

/// What run() did.
struct WorkerReport {
  std::int64_t completed = 0;
  std::int64_t failed = 0;  ///< attempts that ended in an error or a time-out
  std::int64_t dead = 0;    ///< jobs that died here
  bool stalled = false;  ///< a free slot and a claimable job for 30 s, and it did not start: a bug or a broken machine
};

/// Thread-safety: set up from one thread, then run(); stop() and hurry() from any thread.
class Worker {
 public:
  /// The options are checked by run().
  explicit Worker(StorePtr store, WorkerOptions options = {});
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// A handler is called by several slots at once, so what it shares must be thread-safe.
  /// Typed arguments (galley/payload.hpp): f(Attempt&, const Args&) -> void or Outcome.
  /// With galley/coroutine.hpp f may also be a coroutine, whose awaitable<...> gives the same.
  template <class Args, class F>
  Worker& handle(std::string_view kind, F f) {
    using Coroutine = CoroutineResult<std::invoke_result_t<F&, Attempt&, const Args&>>;
    if constexpr (Coroutine::value) {
      return handle_coroutine(kind, Coroutine::template of_args<Args>(std::move(f)));
    } else {
      return handle_bytes(kind, [f = std::move(f)](Attempt& attempt, std::string_view payload) mutable {
        auto args = Codec<Args>::decode(payload);
        if (!args) return std::optional(Outcome::fail(args.error().message));  // a newer worker may understand it
        return call(f, attempt, static_cast<const Args&>(*args));
      });
    }
  }
  /// Raw bytes: f(Attempt&, std::string_view) -> void, Outcome or std::optional<Outcome>, or a coroutine of these.
  template <class F>
  Worker& handle(std::string_view kind, F f) {
    using Coroutine = CoroutineResult<std::invoke_result_t<F&, Attempt&, const std::string_view&>>;
    if constexpr (Coroutine::value) {
      return handle_coroutine(kind, Coroutine::of_bytes(std::move(f)));
    } else {
      return handle_bytes(kind, [f = std::move(f)](Attempt& attempt, std::string_view payload) mutable {
        return call(f, attempt, payload);
      });
    }
  }
  /// Throws Exception (InvalidInput) on a bad kind, or one that has a handler already.
  Worker& handle_bytes(std::string_view kind, Handler handler);
  /// The same.
  Worker& handle_coroutine(std::string_view kind, std::shared_ptr<CoroutineHandler> handler);
  /// Jobs of `other` are run by the handler of `kind`, which must be there: the way to rename a kind while jobs of the
  /// old name still wait. Throws as handle_bytes.
  Worker& alias(std::string_view other, std::string_view kind);
  /// The run time of one attempt for jobs of this kind, handled or command, that have no time-out of their own; up to
  /// 366 days. Throws Exception (InvalidInput) on a bad kind or time.
  Worker& timeout(std::string_view kind, Duration timeout);

  /// Slots 1..10,000 bound to queues: "a" (default: the pool's name), "a,b" strict order, "a*3,b*1" by weight. Threads
  /// are started as they are needed: one a slot that runs a command or a handler that is no coroutine.
  /// Without any pool: "default" with one slot a core. Throws Exception (InvalidInput).
  Worker& pool(std::string_view name, int slots, std::string_view queues = {});

  /// Runs until stop() (or until drained) and every attempt has ended. Errors: InvalidInput, Unavailable, Io, ...
  [[nodiscard]] Result<WorkerReport> run();

  /// Graceful: claims nothing more, waits the grace time, asks to pause, puts back. Signal-safe: no. Idempotent.
  void stop() noexcept;
  /// A second signal: the grace time is over now.
  void hurry() noexcept;

 private:
  void check_new(std::string_view kind, bool empty) const;
  template <class F, class Args>
  static std::optional<Outcome> call(F& f, Attempt& attempt, const Args& args) {
    using Returned = std::invoke_result_t<F&, Attempt&, const Args&>;
    if constexpr (std::is_void_v<Returned>) {
      f(attempt, args);
      return std::nullopt;
    } else {
      static_assert(std::is_convertible_v<Returned, std::optional<Outcome>>,
                    "a handler returns void, Outcome or std::optional<Outcome>, or, where galley/coroutine.hpp is "
                    "included, a boost::asio::awaitable of these");
      return f(attempt, args);
    }
  }
  struct Impl;
  explicit Worker(std::unique_ptr<Impl> impl);
  friend struct WorkerSeam;  ///< tests and simulations: a worker with a clock of their own
  std::unique_ptr<Impl> impl_;
};

}  // namespace galley
