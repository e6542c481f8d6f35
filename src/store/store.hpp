#pragma once
// The store's contract: what every backend does, the same way, proven by tests/contract.
//
// Nine invariants hold for every verb (ARCHITECTURE.md spells them out): nothing is popped without a claim; late
// writes are fenced by (job, epoch); the store owns its clock, so verbs take durations; limits and uniqueness are
// facts of the store; every verb does bounded work; at least once; every verb may be sent twice; a batch is one
// durable step that answers item by item; each verb can be one bounded script on the keys of one hash slot.
//
// Errors of every verb: InvalidInput (the whole batch refused before the first write), Unavailable, ReadOnly,
// DiskFull, Io; Error::written says whether anything may have been written.
//
// Thread-safety: every verb may be called from any thread. Verbs block; none waits for work except Bell::wait.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "job/job.hpp"
#include "job/state.hpp"

namespace galley::store {

class Combiner;

using WorkerId = std::int64_t;

// ---- enqueue ----------------------------------------------------------------------------------------------------

struct Enqueued {
  JobId id = 0;
  bool existed = false;  ///< a job with this token is there already; this is its id
};

// ---- claim ------------------------------------------------------------------------------------------------------

/// A kind that this worker can run now, and how many of it at most.
struct Want {
  std::string kind;
  int max = 0;
};

/// Which commands a worker may run: none, any, or those whose argv[0] is listed.
struct WantCommands {
  int max = 0;  ///< 0: none
  bool any = false;
  std::vector<std::string> programs;  ///< looked at when `any` is false
};

/// One pool's wish. Jobs are taken from queues[0] as long as it has some, then from queues[1], and so on; within a
/// queue by rank over all lanes that the request names.
struct ClaimRequest {
  WorkerId worker = 0;
  std::vector<std::string> queues;
  std::vector<Want> kinds;
  WantCommands commands;
  int limit = 0;  ///< 0..kMaxClaimBatch; 0 claims nothing and still answers next_due and signals
  Duration lease = limits::kLease;
};

struct Claimed {
  std::vector<job::Claim> claims;
  std::optional<Duration> next_due;  ///< until the earliest scheduled job of these queues; nothing: none is scheduled
};

// ---- finish -----------------------------------------------------------------------------------------------------

/// The end of one claim. `event` is one that job::next allows from Running, except Crash.
struct Finish {
  job::ClaimId claim;
  job::JobEvent event = job::JobEvent::Complete;
  Duration delay{0};       ///< of Retry
  job::Counters counters;  ///< as they stand after this attempt; of Release: ignored
  std::string outcome;     ///< AttemptRecord::outcome
  job::AttemptReport report;
  std::string result;                     ///< of Complete; at most kMaxResultBytes
  std::optional<std::string> checkpoint;  ///< replaces the kept one; nothing: it stays; dropped when the job ends
};

enum class FinishAnswer : std::uint8_t {
  Finished,
  AlreadyFinished,  ///< this very claim was finished before; nothing was changed
  LeaseLost,        ///< the claim is no longer held; nothing was changed
};

struct FinishAndClaimAnswer {
  std::vector<FinishAnswer> finished;  ///< one an item, in order
  std::vector<Claimed> claimed;        ///< one a request, in order
  std::uint64_t signals = 0;           ///< grows whenever a worker should renew to hear news (cancel, pause)
};

// ---- renew ------------------------------------------------------------------------------------------------------

struct Renewal {
  job::ClaimId claim;
  std::optional<std::string> progress;
  std::optional<std::string> checkpoint;
};

struct Renewed {
  bool held = false;  ///< false: lease lost, nothing was changed
  bool cancel_requested = false;
  bool queue_paused = false;
};

// ---- housekeeping -----------------------------------------------------------------------------------------------

struct StepAnswer {
  int promoted = 0;
  int recovered = 0;    ///< put back to ready after their worker died or their lease ended
  int quarantined = 0;  ///< dead because of it
  int pruned = 0;
  bool more = false;                   ///< a bound was reached: call again soon
  Duration next{0};                    ///< when the next step is due at the latest
  std::vector<WorkerId> dead_workers;  ///< whose claims were recovered
};

// ---- look -------------------------------------------------------------------------------------------------------

/// Jobs by state, of one lane group: a queue's kind.
struct LaneStats {
  std::string queue;
  std::string kind;
  std::int64_t count[kJobStates] = {};  ///< indexed by JobState
};

struct QueueStats {
  std::string queue;
  bool paused = false;
  std::int64_t count[kJobStates] = {};
  std::optional<Duration> oldest_ready;  ///< how long the job that runs next has been waiting
};

struct WorkerStats {
  WorkerId id = 0;
  std::string name;   ///< "host:pid"
  std::string pools;  ///< "fast=4:drinks slow=2:burgers"
  Time started_at{};
};

struct Filter {
  std::optional<std::string> queue;
  std::optional<std::string> kind;
  std::optional<JobState> state;
};

/// A page of jobs. Order: by state (running, ready, scheduled, blocked, then the ended ones), within ready by lane and
/// rank, within scheduled by due time, within ended by lane and time of the end. The cursor is opaque.
struct Page {
  std::vector<job::JobRecord> jobs;
  std::string next;  ///< empty: no more
};

/// What an operator's verb did to one job.
enum class Operated : std::uint8_t {
  Done,
  Requested,  ///< cancel of a running job: its worker was told
  NotFound,
  WrongState,  ///< nothing was changed
};

// ---- the bell ---------------------------------------------------------------------------------------------------

enum class Ring : std::uint8_t { Changed, Interrupted, TimedOut };

/// Rings within milliseconds of a commit that may bring work to any queue, by whatever process.
/// Thread-safety: wait from one thread at a time, interrupt from any. Must not outlive its store.
class Bell {
 public:
  virtual ~Bell() = default;
  /// Blocks until something changed since the last wait returned, an interrupt, or the time-out (the manual clock's
  /// time does not count: this one is real).
  virtual Ring wait(Duration timeout) = 0;
  /// Wakes the present or the next wait. Never blocks.
  virtual void interrupt() noexcept = 0;
};

// ---- the contract -----------------------------------------------------------------------------------------------

class Store {
 public:
  Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store();

  /// 1..kMaxEnqueueBatch jobs in one durable step, ids growing in order. An acknowledged job survives what the
  /// chosen durability says it survives.
  [[nodiscard]] virtual Result<std::vector<Enqueued>> enqueue(std::span<const job::NewJob> jobs) = 0;

  /// Registers a worker; where the backend can, takes a lock whose release proves its death.
  [[nodiscard]] virtual Result<WorkerId> join(const std::string& name, const std::string& pools) = 0;
  /// The worker is gone; claims that it still holds are recovered as if it had died. Repeating it is harmless.
  [[nodiscard]] virtual Result<void> leave(WorkerId worker) = 0;

  /// Ends claims, then claims anew, as one step (one round trip when busy). Claims promote what is due in their queues.
  [[nodiscard]] virtual Result<FinishAndClaimAnswer> finish_and_claim(std::span<const Finish> finishes,
                                                                      std::span<const ClaimRequest> requests) = 0;

  /// Extends leases, saves progress and checkpoints, brings cancellations and pauses. Answers item by item.
  [[nodiscard]] virtual Result<std::vector<Renewed>> renew(std::span<const Renewal> renewals, Duration lease) = 0;

  /// Housekeeping that every worker takes part in, without a leader: promote what is due, recover what was lost, prune
  /// what was kept long enough; at most `limit` rows of each.
  [[nodiscard]] virtual Result<StepAnswer> step(std::size_t limit) = 0;

  [[nodiscard]] virtual std::unique_ptr<Bell> bell() = 0;

  /// NotFound where there is no such job.
  [[nodiscard]] virtual Result<job::JobRecord> find(JobId id) = 0;
  /// The last kMaxKeptAttempts attempts, oldest first. An attempt that ended silently well has no row but the last one.
  [[nodiscard]] virtual Result<std::vector<job::AttemptRecord>> attempts(JobId id) = 0;
  /// The states of up to kMaxPage jobs; nothing for those that are not there (any more).
  [[nodiscard]] virtual Result<std::vector<std::optional<JobState>>> states(std::span<const JobId> ids) = 0;
  [[nodiscard]] virtual Result<Page> list(const Filter& filter, const std::string& cursor, std::size_t limit) = 0;
  [[nodiscard]] virtual Result<std::vector<LaneStats>> lanes() = 0;
  [[nodiscard]] virtual Result<std::vector<QueueStats>> queues() = 0;
  [[nodiscard]] virtual Result<std::vector<WorkerStats>> workers() = 0;

  /// Up to kMaxPage jobs each, answered item by item. retry: an ended (not completed) or scheduled job becomes ready
  /// now, its counters of errors, pauses, snoozes and crashes start anew. erase: any job that is not running.
  [[nodiscard]] virtual Result<std::vector<Operated>> retry(std::span<const JobId> ids) = 0;
  [[nodiscard]] virtual Result<std::vector<Operated>> cancel(std::span<const JobId> ids) = 0;
  [[nodiscard]] virtual Result<std::vector<Operated>> erase(std::span<const JobId> ids) = 0;
  /// Pausing a queue that has no jobs yet is allowed; both are idempotent.
  [[nodiscard]] virtual Result<void> pause(const std::string& queue) = 0;
  [[nodiscard]] virtual Result<void> resume(const std::string& queue) = 0;

  // Shorthands of the verbs above.
  [[nodiscard]] Result<std::vector<FinishAnswer>> finish(std::span<const Finish> finishes);
  [[nodiscard]] Result<Claimed> claim(const ClaimRequest& request);

  /// Merges concurrent callers of enqueue into batches (store/combiner.hpp); one a store, shared by all its queues.
  [[nodiscard]] Combiner& combiner() noexcept { return *combiner_; }

 private:
  std::unique_ptr<Combiner> combiner_;
};

}  // namespace galley::store
