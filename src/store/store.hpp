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
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "galley/store.hpp"
#include "job/job.hpp"
#include "job/schedule.hpp"
#include "job/state.hpp"
#include "telemetry/histogram.hpp"

namespace galley::store {

class Combiner;

using WorkerId = std::int64_t;

// ---- enqueue ----------------------------------------------------------------------------------------------------

struct Enqueued {
  JobId id = 0;           ///< of the new job, of the one that is there already, or of the one that is in the way
  bool existed = false;   ///< nothing was added: the token or the unique key is this job's, or it joined its group
  bool replaced = false;  ///< `id` was waiting and is now what was given
  /// Nothing was changed for this item: Conflict (a unique key with OnConflict::Error), QueueFull, NotFound (there is
  /// no such batch), or WrongState (its batch has ended, what it waits for can never come, or has callbacks enough).
  std::optional<Errc> refused{};
  std::string reason{};  ///< of a refusal, for a person
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

/// One pool's wish. Jobs are taken from queues[0] as long as it has some, then from queues[1], and so on. Within a
/// queue the request's kinds (its commands as one, or each program as one) are compared by the rank of the job that
/// each would run next. That is the first by rank, or, where some of them have keys or limits, the first of the lane
/// whose turn it is (lane_rules.hpp). Jobs that a limit does not let start are passed over.
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
  /// Until the earliest scheduled job or tick of these queues, or until a limit's rate lets a wanted job go on;
  /// nothing: there is none of these.
  std::optional<Duration> next_due;
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
  int ticked = 0;  ///< jobs that schedules enqueued
  int expired = 0;
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
  std::optional<Duration> oldest_ready;     ///< how long the job that runs next has been waiting
  std::optional<std::int64_t> max_waiting;  ///< scheduled, ready and blocked jobs it may hold; nothing: no bound
  job::Order order = job::Order::Fifo;      ///< of what becomes ready
};

/// A worker as it introduces itself.
struct WorkerCard {
  std::string name{};                 ///< "host:pid"
  std::string pools{};                ///< "fast=4:drinks slow=2:burgers"
  std::vector<std::string> queues{};  ///< of all pools, each once
  std::vector<std::string> kinds{};   ///< with a handler
  bool any_command = false;
  std::vector<std::string> programs{};  ///< of commands, when not any
  int slots = 0;
};

struct WorkerStats {
  WorkerId id = 0;
  WorkerCard card;
  Time started_at{};
  std::int64_t running = 0;  ///< claims that it holds
};

/// All that are given must hold.
struct Filter {
  std::optional<std::string> queue{};
  std::optional<std::string> kind{};
  std::optional<JobState> state{};
  std::optional<std::string> key{};
  std::optional<std::string> tag{};
  std::optional<std::string> error_class{};
  std::optional<BatchId> batch{};     ///< the jobs of a batch, without its callbacks
  std::optional<Time> since{};        ///< enqueued at it or later
  std::optional<Time> until{};        ///< enqueued before it
  std::optional<Time> ended_since{};  ///< has ended, at it or later
  std::optional<Time> ended_until{};  ///< has ended, before it
};

/// A page of jobs. Order: by id where the filter names a key, tag, error class, batch, since or until; else by state
/// (running, ready, scheduled, blocked, then the ended ones), within ready by lane and rank, within scheduled by due
/// time, within ended by lane and time of the end, within the others by id. The cursor is opaque. A page may be short,
/// or empty, and yet not be the last: a call looks at a bounded number of rows, and a list ends with the job with which
/// its payloads, results and checkpoints reach limits::kMaxPageBytes. A cursor belongs to its filter.
struct Page {
  std::vector<job::JobRecord> jobs;
  std::string next;  ///< empty: no more
};
struct IdPage {
  std::vector<JobId> ids;
  std::string next;
};

/// What an operator's verb did to one job.
enum class Operated : std::uint8_t {
  Done,
  Requested,  ///< cancel of a running job: its worker was told
  NotFound,
  WrongState,  ///< nothing was changed
  Conflict,    ///< nothing was changed: another job holds its unique key by now
};

/// What is to be different about waiting or ended jobs.
struct Alteration {
  std::optional<std::string> queue;
  std::optional<int> priority;
};

// ---- fair shares and limits -------------------------------------------------------------------------------------

/// What a limit binds.
enum class LimitScope : std::uint8_t {
  Queue,  ///< all jobs of the queue `name`
  Kind,   ///< all jobs of the kind `name`, in all queues
  Key,    ///< the jobs of `queue` with the key `name`; an empty name: each key there that has no limit of its own
  Name,   ///< the jobs that name it
};
[[nodiscard]] std::string_view name(LimitScope scope) noexcept;
[[nodiscard]] std::optional<LimitScope> limit_scope_from(std::string_view name) noexcept;

struct LimitTarget {
  LimitScope scope = LimitScope::Name;
  std::string queue{};  ///< of Key; else empty
  std::string name{};
  friend auto operator<=>(const LimitTarget&, const LimitTarget&) = default;
};

/// One of the two or both. Claims that were made before it was put are not counted.
struct LimitRule {
  int max_running = 0;  ///< claims at a time; 0: any number
  int rate = 0;         ///< starts in a `period`; 0: any number
  Duration period = std::chrono::seconds(1);
  int burst = 1;  ///< starts that may come at once after a pause
  friend bool operator==(const LimitRule&, const LimitRule&) = default;
};

struct LimitStats {
  LimitTarget target;
  LimitRule rule;
  std::int64_t running = 0;            ///< claims under it; of each key: of all keys together
  std::optional<std::int64_t> tokens;  ///< starts that its rate allows at once; nothing: no rate, or of each key
};

/// A limit that does not let a job start now.
struct FullLimit {
  LimitTarget target;
  std::optional<Duration> until;  ///< when its rate lets one start; nothing: when a claim under it ends
  std::string key{};              ///< where the target is each key
};

/// Where a job stands among those that it shares with.
struct Standing {
  std::vector<FullLimit> full;  ///< limits that are full now for it
  JobId behind = 0;             ///< of an ordered job: the one of its key that goes first; 0: none does
  int weight = 1;               ///< of its key
};

// ---- batches ----------------------------------------------------------------------------------------------------

struct BatchStats {
  BatchId id = 0;
  std::string name;
  Time opened_at{};
  bool sealed = false;              ///< success and finished may come true
  std::int64_t total = 0;           ///< jobs that were put into it, without the lost ones
  std::int64_t succeeded = 0;       ///< completed, whether they are still stored or not
  std::int64_t failed = 0;          ///< ended otherwise
  std::int64_t lost = 0;            ///< deleted before they had completed: Success can no longer come
  std::optional<Time> failed_at;    ///< when the first one failed, whatever became of it
  std::optional<Time> finished_at;  ///< when all had ended for the first time
  std::vector<JobId> callbacks;     ///< by id; of find_batch only
};

// ---- schedules --------------------------------------------------------------------------------------------------

/// A recurring job: when, and what is enqueued at each tick. Its job has no delay, no `at`, no token and no group.
struct Schedule {
  std::string name;  ///< as a queue's
  job::ScheduleRule rule;
  job::NewJob job;
};

struct ScheduleStats {
  Schedule schedule;
  bool paused = false;
  std::optional<Time> next_at;  ///< the tick, without its offset; nothing: there is none
  std::optional<Time> last_at;
  std::optional<JobId> last_job;
  std::int64_t enqueued = 0;
  std::int64_t skipped = 0;  ///< ticks without a job: misfire, overlap, catch-up bound
};

// ---- measures ---------------------------------------------------------------------------------------------------

/// What a worker saw of one kind since its last report.
struct Measured {
  std::string queue;
  std::string kind;
  std::int64_t completed = 0;
  std::int64_t failed = 0;    ///< attempts that ended in an error, a time-out or a crash of their command
  telemetry::Histogram wait;  ///< from due to start
  telemetry::Histogram run;
};

/// One minute of one queue's kind, as all processes together saw it.
struct Minute {
  Time minute{};  ///< its beginning
  std::int64_t enqueued = 0;
  Measured measured;
};

// ---- the store itself -------------------------------------------------------------------------------------------

struct StoreInfo {
  std::string backend;   ///< "sqlite", "memory"
  std::string location;  ///< the file; empty: none
  int schema = 0;
  std::string durability;  ///< "full", "normal", "none"
  std::int64_t bytes = 0;  ///< that it takes now, without what is free inside
  std::optional<std::int64_t> max_bytes;
};

/// What an examination found wrong.
struct Finding {
  std::string code;  ///< snake_case, of the list in docs/doctor.md
  std::string what;  ///< one sentence for a person
  bool repairable = false;
  bool repaired = false;
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
  [[nodiscard]] virtual Result<WorkerId> join(const WorkerCard& card) = 0;
  /// The worker is gone; claims that it still holds are recovered as if it had died. Repeating it is harmless.
  [[nodiscard]] virtual Result<void> leave(WorkerId worker) = 0;

  /// Ends claims, then claims anew, as one step (one round trip when busy). Claims promote what is due in their queues.
  [[nodiscard]] virtual Result<FinishAndClaimAnswer> finish_and_claim(std::span<const Finish> finishes,
                                                                      std::span<const ClaimRequest> requests) = 0;

  /// Extends leases, saves progress and checkpoints (job::moved_on), brings cancels and pauses. Answers item by item.
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
  /// As list, without reading the jobs. The cursors of both are the same.
  [[nodiscard]] virtual Result<IdPage> select(const Filter& filter, const std::string& cursor, std::size_t limit) = 0;
  [[nodiscard]] virtual Result<std::vector<LaneStats>> lanes() = 0;
  [[nodiscard]] virtual Result<std::vector<QueueStats>> queues() = 0;
  [[nodiscard]] virtual Result<std::vector<WorkerStats>> workers() = 0;

  /// Up to kMaxPage jobs each, answered item by item. retry: an ended (not completed) or scheduled job becomes ready
  /// now, its counters of errors, pauses, snoozes and crashes start anew. erase: any job that is not running.
  /// run_now: a scheduled job is due now. alter: any job that is not running; a ready one stands behind everything of
  /// its new priority or queue that is ready.
  [[nodiscard]] virtual Result<std::vector<Operated>> retry(std::span<const JobId> ids) = 0;
  [[nodiscard]] virtual Result<std::vector<Operated>> cancel(std::span<const JobId> ids) = 0;
  [[nodiscard]] virtual Result<std::vector<Operated>> erase(std::span<const JobId> ids) = 0;
  [[nodiscard]] virtual Result<std::vector<Operated>> run_now(std::span<const JobId> ids) = 0;
  [[nodiscard]] virtual Result<std::vector<Operated>> alter(std::span<const JobId> ids, const Alteration& change) = 0;
  /// Pausing a queue that has no jobs yet is allowed; both are idempotent.
  [[nodiscard]] virtual Result<void> pause(const std::string& queue) = 0;
  [[nodiscard]] virtual Result<void> resume(const std::string& queue) = 0;
  /// Nothing: no bound. What is there already stays, and what is put back or retried is never refused.
  [[nodiscard]] virtual Result<void> set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) = 0;
  [[nodiscard]] virtual Result<void> set_max_bytes(std::optional<std::int64_t> most) = 0;
  /// The order of what becomes ready in the queue from now on; what is ready keeps its place.
  [[nodiscard]] virtual Result<void> set_order(const std::string& queue, job::Order order) = 0;

  /// A key's share of each kind of its queue while several have ready jobs: 1..kMaxWeight, 1 where nothing is said.
  [[nodiscard]] virtual Result<void> set_weight(const std::string& queue, const std::string& key, int weight) = 0;
  /// Adds a limit or changes its rule; what was counted under it stays. A job starts when all limits that bind it have
  /// room, and counts under all of them until its claim has ended, however it ends.
  [[nodiscard]] virtual Result<void> put_limit(const LimitTarget& target, const LimitRule& rule) = 0;
  /// NotFound where there is none.
  [[nodiscard]] virtual Result<void> remove_limit(const LimitTarget& target) = 0;
  /// By target; at most kMaxLimits.
  [[nodiscard]] virtual Result<std::vector<LimitStats>> limits() = 0;
  /// NotFound where there is no such job.
  [[nodiscard]] virtual Result<Standing> standing(JobId id) = 0;

  /// A batch of jobs watched together. `token` as an enqueue's: opening it twice gives the same batch. Jobs and
  /// callbacks are enqueued with its id. Success and finished come true after seal_batch, which may be repeated;
  /// failure with the first job that fails, even before. Each comes true once, with the change that brings it about;
  /// callbacks of what can never come true any more are cancelled. A sealed batch takes more jobs as long as it has one
  /// that has not ended. Its completed jobs are kept as store::keeps_job says, itself until the last of its jobs
  /// and callbacks has gone, and kKeepCompleted after its end. Errors: NotFound.
  [[nodiscard]] virtual Result<BatchId> open_batch(const std::string& name, const std::string& token) = 0;
  [[nodiscard]] virtual Result<void> seal_batch(BatchId batch) = 0;
  [[nodiscard]] virtual Result<BatchStats> find_batch(BatchId batch) = 0;
  /// By id, from the one after `after`; at most `limit` of kMaxPage.
  [[nodiscard]] virtual Result<std::vector<BatchStats>> batches(BatchId after, std::size_t limit) = 0;

  /// Adds a schedule or changes the one of this name; its next tick is counted from now. Ticks are enqueued by steps
  /// and claims, each exactly once. Unchanged rules keep the next tick, so that putting it again is harmless.
  [[nodiscard]] virtual Result<void> put_schedule(const Schedule& schedule) = 0;
  /// NotFound where there is none. Jobs that it has enqueued stay.
  [[nodiscard]] virtual Result<void> remove_schedule(const std::string& name) = 0;
  /// A paused schedule skips its ticks.
  [[nodiscard]] virtual Result<void> pause_schedule(const std::string& name, bool paused) = 0;
  /// By name; at most kMaxSchedules.
  [[nodiscard]] virtual Result<std::vector<ScheduleStats>> schedules() = 0;

  /// Adds to the present minute; at most kMaxClaimKinds items. Lost with a worker's death: statistics only.
  [[nodiscard]] virtual Result<void> report(std::span<const Measured> measured) = 0;
  /// The last `minutes` whole minutes and the present one, oldest first; kept for kKeepMinutes.
  [[nodiscard]] virtual Result<std::vector<Minute>> minutes(int minutes) = 0;

  [[nodiscard]] virtual Result<StoreInfo> info() = 0;
  /// Holds all that is stored against itself; with `repair`, puts right what can be.
  [[nodiscard]] virtual Result<std::vector<Finding>> examine(bool repair) = 0;
  /// A consistent copy into the new file `path`, while others go on. InvalidInput where the store has no file.
  [[nodiscard]] virtual Result<void> backup(const std::string& path) = 0;

  // Shorthands of the verbs above.
  [[nodiscard]] Result<std::vector<FinishAnswer>> finish(std::span<const Finish> finishes);
  [[nodiscard]] Result<Claimed> claim(const ClaimRequest& request);

  /// What the engine does with every job of this process (galley/middleware.hpp), outermost first.
  [[nodiscard]] std::vector<std::shared_ptr<Middleware>> middleware() const;
  /// False: there are kMaxMiddleware already.
  [[nodiscard]] bool use(std::shared_ptr<Middleware> middleware);

  /// Merges concurrent callers of enqueue into batches (store/combiner.hpp); one a store, shared by all its queues.
  [[nodiscard]] Combiner& combiner() noexcept { return *combiner_; }

 private:
  std::unique_ptr<Combiner> combiner_;
  mutable std::mutex middleware_mutex_;
  std::vector<std::shared_ptr<Middleware>> middleware_;
};

}  // namespace galley::store
