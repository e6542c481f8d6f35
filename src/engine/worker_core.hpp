#pragma once
// Every decision of a worker, as a state machine without threads, I/O or a clock: it is told what happened and when,
// and says what to do next. The shells round it (dispatcher, watchdog, slots) do only what it says, so that tests and
// simulations drive the same decisions with a clock of their own.
//
//   dispatcher:  plan(now) -> one store call, a wait or the end;  on_exchanged, on_renewed, ..., on_store_error
//   slots:       on_ended, next(slot) -> what was claimed ahead for it, if anything;  on_news
//   watchdog:    due(now) -> what is to be done to running attempts;  overtake(now) -> claims ahead that no slot came
//                for, for idle ones;  next_deadline()
//   anybody:     stop, hurry
//
// A claim is of a slot, or ahead (engine/ahead.hpp): held by this worker, and by no slot of it yet. Ahead it is not
// renewed, because it waits for milliseconds; whatever changes meanwhile (a signal, a stop, a lease that ends) gives it
// back. Its attempt begins, and its time-out counts, when a slot takes it.
//
// Phases: Working -> Stopping (nothing is claimed; attempts go on for the shutdown's grace) -> Ending (all were asked
// to stop). A drained worker goes from Working to its end.
//
// Stalled means, each for kStalled in a row while a slot is free: (1) no claim reached the store; (2) claims were
// given back because no thread could be started for their slots; (3) the same job stayed first in line, ready, in a
// queue that is not paused and of a kind this worker runs, while claims with room to spare brought nothing.
// A stalled worker stops as if it had been told to.
//
// Not thread-safe: the shells share one mutex.

#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "engine/ahead.hpp"
#include "engine/backlog.hpp"
#include "engine/ending.hpp"
#include "engine/running.hpp"
#include "engine/slot_pools.hpp"

namespace galley::engine {

struct CoreOptions {
  std::vector<job::PoolSpec> pools;
  Capability can;
  Duration lease = limits::kLease;
  Duration shutdown_grace = std::chrono::seconds(25);
  std::map<std::string, Duration, std::less<>> timeouts;  ///< by kind, of jobs that have none
  bool drain = false;
  bool may_abandon = false;  ///< the process can be ended under handlers that do not end
  job::Reserve reserve = job::Reserve::Off;
  int brief_after = 32;    ///< runs of a kind before it can be claimed ahead
  base::Random random{0};  ///< the jitter of retries
};

struct SlotClaim {
  SlotId slot = 0;
  job::ClaimId claim;
};

/// What a finish is logged with, and until when its claim is held at least.
struct FinishNote {
  std::string queue;
  std::string kind;
  StopReason reason = StopReason::None;
  base::Mono held_until{};
  bool completed_itself = false;  ///< see AttemptEnd
};

/// The store's answer to the end of an attempt that has completed itself: its handler's transaction was committed.
[[nodiscard]] constexpr bool has_completed_itself(const FinishNote& note, store::FinishAnswer answer) noexcept {
  return note.completed_itself && answer == store::FinishAnswer::AlreadyFinished;
}

// What plan() says. Spans stay valid until the call is answered (on_...).
struct Exchange {  ///< Store::finish_and_claim
  std::span<const store::Finish> finishes;
  std::span<const FinishNote> notes;  ///< one a finish
  std::span<const store::ClaimRequest> requests;
};
struct Renew {  ///< Store::renew, with what the attempts have to tell
  std::span<const SlotClaim> claims;
};
struct Step {};  ///< Store::step
struct Look {    ///< look_at_backlog
  std::vector<std::string> queues;
  std::vector<std::string> dry;
  bool whole = false;
};
struct Abandon {  ///< on_abandoned for each, with what it has saved so far
  std::vector<SlotId> slots;
};
struct Wait {  ///< for the bell, for on_ended, on_news, stop and hurry; kNever: without limit
  base::Mono until;
};
struct Done {
  bool abandoned = false;  ///< handlers still run, their jobs are put back: the process must end now
};
using Plan = std::variant<Exchange, Renew, Step, Look, Abandon, Wait, Done>;

/// A claimed job for a slot, which runs it from now on.
struct Start {
  SlotId slot = 0;
  job::Claim claim;
  std::optional<base::Mono> deadline;
};

class WorkerCore {
 public:
  WorkerCore(CoreOptions options, base::Mono now);

  void joined(store::WorkerId worker) { pools_.set_worker(worker); }

  [[nodiscard]] Plan plan(base::Mono now);
  /// The call of the last plan was answered; `sent` is when it was made (a lease counts from there).
  [[nodiscard]] std::vector<Start> on_exchanged(base::Mono sent, base::Mono now, store::FinishAndClaimAnswer answer);
  void on_renewed(base::Mono sent, base::Mono now, std::span<const store::Renewed> answers);
  void on_stepped(base::Mono now, const store::StepAnswer& answer);
  void on_looked(base::Mono now, const Backlog& backlog);
  /// It failed: nothing is forgotten, and the same is tried again after 50 ms to 2 s. True where nothing failed before.
  bool on_store_error(base::Mono now, const Error& error);
  void on_abandoned(SlotId slot, AttemptEnd end);
  /// No thread could be started for a claimed job: its claim is given back.
  void on_not_started(SlotId slot, base::Mono now);
  void on_ring();
  /// Finishes that were given up because their leases ended before the store could be reached.
  [[nodiscard]] std::vector<job::ClaimId> take_given_up() { return std::exchange(given_up_, {}); }

  /// Returns why it had been asked to stop; of a Lost one the end is dropped.
  StopReason on_ended(SlotId slot, AttemptEnd end);
  /// After it: what the slot, whose thread has nothing else to do, is to run now.
  [[nodiscard]] std::optional<Start> next(SlotId slot, base::Mono now);
  /// The attempt has progress or a checkpoint to tell.
  void on_news(SlotId slot);

  [[nodiscard]] std::vector<Action> due(base::Mono now);
  [[nodiscard]] std::vector<Start> overtake(base::Mono now);
  [[nodiscard]] base::Mono next_deadline() const noexcept;

  void stop(base::Mono now);
  void hurry(base::Mono now);

  [[nodiscard]] bool stopping() const noexcept { return phase_ != Phase::Working; }
  [[nodiscard]] bool drained() const noexcept { return phase_ == Phase::Drained; }
  /// Some call failed the last time, whether others succeed or not: on a full disk only those that write fail.
  [[nodiscard]] bool failing() const noexcept;
  [[nodiscard]] Duration lease() const noexcept { return options_.lease; }
  [[nodiscard]] const WorkerReport& report() const noexcept { return report_; }
  /// Why it is stalled; empty: it is not.
  [[nodiscard]] const std::string& stalled() const noexcept { return stalled_; }
  [[nodiscard]] const RunningSet& running() const noexcept { return running_; }
  [[nodiscard]] const SlotPools& pools() const noexcept { return pools_; }
  /// What has changed about the room that is kept for short kinds: the pool, and one sentence.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> take_room_news();
  /// Some kind is not known well enough to keep room for it, or not to: what others saw of it would help.
  [[nodiscard]] bool wants_history() { return pools_.rooms().wants_history(); }
  void learn(std::span<const store::Minute> minutes) { pools_.rooms().learn(minutes); }
  /// Claims ahead, and since when the first of them has been one.
  [[nodiscard]] std::size_t ahead() const;
  [[nodiscard]] std::optional<base::Mono> ahead_since() const;
  /// There are ends that the dispatcher has not been told of.
  [[nodiscard]] bool has_ends() const noexcept { return !pending_.empty(); }

 private:
  enum class Phase : std::uint8_t { Working, Stopping, Ending, Drained };
  enum class Call : std::uint8_t { Exchange, Renew, Step, Look };
  static constexpr std::size_t kCalls = 4;

  [[nodiscard]] std::optional<Renew> plan_renew(base::Mono now);
  [[nodiscard]] std::optional<Exchange> plan_exchange(base::Mono now);
  [[nodiscard]] std::span<const store::ClaimRequest> ask(base::Mono now, bool everyone, bool nothing);
  [[nodiscard]] std::optional<Look> plan_look(base::Mono now) const;
  [[nodiscard]] bool idle() const noexcept;
  [[nodiscard]] bool may_look() const noexcept;
  [[nodiscard]] std::optional<Abandon> plan_abandon(base::Mono now);
  [[nodiscard]] bool over() const noexcept;
  [[nodiscard]] base::Mono next_turn() const noexcept;
  void meet(std::size_t request, AheadClaim claim, std::vector<Start>& starts);
  [[nodiscard]] std::optional<Start> begin(SlotId slot, AheadClaim claim, base::Mono now);
  void feed(std::size_t pool, base::Mono now, std::vector<Start>& starts);
  [[nodiscard]] bool is_late(base::Mono sent, base::Mono now) const noexcept;
  void give_back(const AheadClaim& claim);
  void give_all_back();
  std::optional<Running> leave(SlotId slot);
  void renew_all();
  void look_soon() noexcept;
  void count(const store::Finish& finish, bool completed);
  void put_finish(store::Finish finish, FinishNote note);
  void drop_lapsed(base::Mono now);
  [[nodiscard]] int& failures(Call call) noexcept { return failures_[static_cast<std::size_t>(call)]; }
  void forget_failures() noexcept;
  void check_stalled(base::Mono now);
  void stall(base::Mono now, std::string why);

  CoreOptions options_;
  SlotPools pools_;
  Ahead ahead_;
  RunningSet running_;
  WorkerReport report_;
  Phase phase_ = Phase::Working;
  bool abandoned_ = false;
  bool asked_ = false;               ///< the exchange under way has requests
  base::Mono stop_all_at_ = kNever;  ///< of Stopping

  // Ends on their way to the store: those of the call under way, and those for the next one.
  std::vector<store::Finish> sending_;
  std::vector<FinishNote> sending_notes_;
  std::vector<store::Finish> pending_;
  std::vector<FinishNote> pending_notes_;
  std::vector<job::ClaimId> given_up_;

  // Renewals.
  base::Mono renew_at_;
  base::Mono tell_at_{};  ///< the news are told no sooner
  std::set<SlotId> to_renew_;
  std::set<SlotId> news_;
  std::vector<SlotClaim> renewing_;  ///< of the call under way
  std::uint64_t signals_ = 0;

  // Other things that come round.
  base::Mono step_at_;
  base::Mono look_at_;
  base::Mono looked_at_{};
  base::Mono exchanged_at_{};
  bool hear_signals_ = false;  ///< the bell rang while nothing could be claimed: it may have been a cancel

  // Trouble.
  Call calling_ = Call::Exchange;
  std::array<int, kCalls> failures_{};  ///< in a row, of each call
  base::Mono retry_at_{};
  std::optional<base::Mono> failing_since_;       ///< the first failure since the last exchange
  std::optional<base::Mono> not_starting_since_;  ///< the first of those in a row
  base::Mono not_started_at_{};                   ///< the last one
  std::string last_error_;
  std::optional<JobId> overlooked_;
  base::Mono overlooked_since_{};
  std::string stalled_;
};

}  // namespace galley::engine
