#pragma once
// The class behind open_memory; its verbs stand in verbs.cpp, claim.cpp, finish.cpp, step.cpp and look.cpp.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "store/lane_rules.hpp"
#include "store/limit_rules.hpp"
#include "store/schedule_rules.hpp"
#include "store/store.hpp"

namespace galley::store::memory {

/// Both times of one verb, read once, so that all of its items see the same moment.
struct Now {
  base::Mono mono;
  Time wall;
};

/// What makes a lane: its jobs are claimed in turn with those of the other lanes of its kind. `limits`: as text_of; not
/// of ordered jobs, which keep their order whatever each is limited by.
struct LaneName {
  std::string queue;
  std::string kind;
  std::string program;
  std::string key;
  std::string limits;
  bool ordered = false;
  friend auto operator<=>(const LaneName&, const LaneName&) = default;
};

struct LaneState {
  std::int64_t turn = 0;
  Time idle_since{};
  JobId holder = 0;  ///< of an ordered lane: the job that has started and not ended
};

struct Limit {
  std::int64_t id = 0;
  LimitRule rule;
  std::map<std::string, Use> uses;  ///< by key; of each key's limit; else by ""
};

/// A claim counts under this limit.
struct Hold {
  std::int64_t limit = 0;
  std::string key;
};

/// A job, and what only the store knows of it.
struct Entry {
  job::JobRecord record;
  std::string token;
  Unique unique;                       ///< what it holds, or may hold again after a retry; record.unique: holds now
  bool gathers = false;                ///< its group is open
  std::int64_t rank = 0;               ///< of a ready job; a running one keeps it for a release
  Time ready_since{};                  ///< of a ready job: when it was due, or became ready
  std::int64_t epoch = 0;              ///< of the last claim
  std::int64_t finished_epoch = 0;     ///< of the last claim that a finish ended; 0: none
  WorkerId worker = 0;                 ///< of a running job
  base::Mono lease_until{};            ///< of a running job
  std::optional<Time> started_before;  ///< of a running job: what a release brings back
  std::deque<job::AttemptRecord> attempts;
  std::vector<Hold> holds;      ///< of a running job
  bool ended_silently = false;  ///< the last attempt completed and left nothing to keep
};

struct Batch {
  BatchStats stats;
  std::string token;
};

struct Recurring {
  Schedule schedule;
  job::Timetable timetable;
  ScheduleState state;
};

/// Minutes since 1970, queue, kind.
using MinuteKey = std::tuple<std::int64_t, std::string, std::string>;

struct Member {
  WorkerStats stats;
  bool left = false;  ///< gone, but claims of it are still to be recovered
};

[[nodiscard]] bool is_plain(const job::JobRecord& job);  ///< of no lane of its own: it has neither key nor limits
[[nodiscard]] LaneName lane_name(const job::JobRecord& job);

/// What the bells listen to. It has a lock of its own, so that an interrupt never waits for a verb.
struct Chime {
  std::mutex mutex;
  std::condition_variable rung;
  std::uint64_t changes = 0;

  void ring();
};

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(const base::Clock& clock) : clock_(clock) {}

  Result<std::vector<Enqueued>> enqueue(std::span<const job::NewJob> jobs) override;
  Result<WorkerId> join(const WorkerCard& card) override;
  Result<void> leave(WorkerId worker) override;
  Result<FinishAndClaimAnswer> finish_and_claim(std::span<const Finish> finishes,
                                                std::span<const ClaimRequest> requests) override;
  Result<std::vector<Renewed>> renew(std::span<const Renewal> renewals, Duration lease) override;
  Result<StepAnswer> step(std::size_t limit) override;
  std::unique_ptr<Bell> bell() override;

  Result<job::JobRecord> find(JobId id) override;
  Result<std::vector<job::AttemptRecord>> attempts(JobId id) override;
  Result<std::vector<std::optional<JobState>>> states(std::span<const JobId> ids) override;
  Result<Page> list(const Filter& filter, const std::string& cursor, std::size_t limit) override;
  Result<IdPage> select(const Filter& filter, const std::string& cursor, std::size_t limit) override;
  Result<std::vector<LaneStats>> lanes() override;
  Result<std::vector<QueueStats>> queues() override;
  Result<std::vector<WorkerStats>> workers() override;

  Result<std::vector<Operated>> retry(std::span<const JobId> ids) override;
  Result<std::vector<Operated>> cancel(std::span<const JobId> ids) override;
  Result<std::vector<Operated>> erase(std::span<const JobId> ids) override;
  Result<std::vector<Operated>> run_now(std::span<const JobId> ids) override;
  Result<std::vector<Operated>> alter(std::span<const JobId> ids, const Alteration& change) override;
  Result<void> pause(const std::string& queue) override;
  Result<void> resume(const std::string& queue) override;
  Result<void> set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) override;
  Result<void> set_max_bytes(std::optional<std::int64_t> most) override;
  Result<void> set_order(const std::string& queue, job::Order order) override;
  Result<void> set_weight(const std::string& queue, const std::string& key, int weight) override;
  Result<void> put_limit(const LimitTarget& target, const LimitRule& rule) override;
  Result<void> remove_limit(const LimitTarget& target) override;
  Result<std::vector<LimitStats>> limits() override;
  Result<Standing> standing(JobId id) override;
  Result<BatchId> open_batch(const std::string& name, const std::string& token) override;
  Result<void> seal_batch(BatchId batch) override;
  Result<BatchStats> find_batch(BatchId batch) override;
  Result<std::vector<BatchStats>> batches(BatchId after, std::size_t limit) override;
  Result<void> put_schedule(const Schedule& schedule) override;
  Result<void> remove_schedule(const std::string& name) override;
  Result<void> pause_schedule(const std::string& name, bool paused) override;
  Result<std::vector<ScheduleStats>> schedules() override;
  Result<void> report(std::span<const Measured> measured) override;
  Result<std::vector<Minute>> minutes(int minutes) override;
  Result<StoreInfo> info() override;
  Result<std::vector<Finding>> examine(bool repair) override;
  Result<void> backup(const std::string& path) override;

 private:
  // All of these are called with mutex_ held.
  [[nodiscard]] Now now() const { return {clock_.mono(), clock_.wall()}; }
  [[nodiscard]] Entry* entry(JobId id);
  /// Nothing where `claim` is no longer the right to run its job.
  [[nodiscard]] Entry* held(const job::ClaimId& claim);
  /// Takes the place behind all that became ready before, but for its priority's head start.
  void take_place(Entry& entry, const Now& now);
  /// The one place where a job's state changes. `delay` counts where the new state is Scheduled.
  void move(Entry& entry, job::JobEvent event, const Now& now, Duration delay = Duration{0});
  void forget(JobId id);

  [[nodiscard]] Enqueued enqueue_one(const job::NewJob& job, const Now& now, Source source);
  /// All that a job is told to be, but its id, its times, its token, its batch and where it stands.
  void give(Entry& entry, const job::NewJob& job);
  /// When it is over, should it still wait then.
  static void set_ends(Entry& entry, const job::NewJob& job, const Now& now);
  /// Puts it where it waits first, or again from the start.
  void begin(Entry& entry, const job::NewJob& job, const Now& now);

  /// The job of this kind that holds the unique key.
  [[nodiscard]] Entry* holder(const std::string& kind, const std::string& key);
  /// The answer where `job` is not to be added, because its key is held.
  [[nodiscard]] std::optional<Enqueued> meet_unique(const job::NewJob& job, const Now& now);
  void replace(Entry& held, job::NewJob job, const Now& now);
  /// Gives the key up, or takes it again, as the state says.
  void move_unique(Entry& entry);
  [[nodiscard]] bool may_regain(const Entry& entry);
  /// The job that gathers such jobs now.
  [[nodiscard]] Entry* open_group(const job::NewJob& job);
  /// The answer where `job` joins a group.
  [[nodiscard]] std::optional<Enqueued> meet_group(const job::NewJob& job, const Now& now);
  /// The group that has no room for `job` runs as it is.
  void close_group(const job::NewJob& job, const Now& now);

  [[nodiscard]] const BatchStats* batch(BatchId id) const;
  [[nodiscard]] std::vector<JobId> callbacks_of(BatchId id) const;
  [[nodiscard]] bool kept_by_batch(const Entry& completed, const Now& now) const;
  /// Counts, and does for the callbacks what the change brings.
  void change_batch(BatchId id, const Now& now, const std::function<void(BatchStats&)>& change);
  /// It becomes ready, or is cancelled where there is a `why`.
  void release_callback(Entry& callback, const std::optional<std::string>& why, const Now& now);
  /// The answer where `job` cannot be put into its batch, or cannot wait for it.
  [[nodiscard]] std::optional<Enqueued> meet_batch(const job::NewJob& job) const;
  void entered_batch(Entry& job, const Now& now);
  void moved_in_batch(const Entry& job, bool was_ended, const Now& now);
  void erased_in_batch(BatchId id, JobState state, const Now& now);
  /// True: there are more.
  bool drop_empty_batches(std::size_t limit, const Now& now);

  [[nodiscard]] FinishAnswer finish_one(const Finish& finish, const Now& now);
  void keep_attempt(Entry& entry, std::string outcome, const job::AttemptReport& report, const Now& now);

  [[nodiscard]] Result<void> check_workers(std::span<const ClaimRequest> requests) const;
  /// The answer where a bound refuses `job`.
  [[nodiscard]] std::optional<Enqueued> meet_limits(const job::NewJob& job, Source source) const;
  [[nodiscard]] std::int64_t waiting(const std::string& queue) const;
  [[nodiscard]] static bool is_over(const Entry& entry, const Now& now);
  void expire_one(Entry& entry, const Now& now);
  /// Ends a job whose time is over, though no step has come to it: it will never run, and is in nobody's way.
  [[nodiscard]] bool ends_now(Entry& entry, const Now& now);
  /// Ends those that are over longest, at most `limit`; how many.
  std::size_t expire(std::size_t limit, const Now& now);
  /// Until the first waiting job is over; not positive: one is.
  [[nodiscard]] std::optional<Duration> next_expiry(const Now& now) const;
  // share.cpp
  [[nodiscard]] job::Order order_of(const std::string& queue) const;
  [[nodiscard]] int weight_of(const job::JobRecord& job) const;
  [[nodiscard]] Share& share_of(const job::JobRecord& job);
  /// A job has become ready, or is not any more; before its queue, key or limits change.
  void enter_lane(const Entry& entry, const Now& now);
  void leave_lane(const Entry& entry, const Now& now);
  void drop_holder(const Entry& entry);
  /// Those whose turns nobody remembers any more.
  void drop_idle_lanes(const Now& now);
  struct Bound {
    const LimitTarget* target;
    Limit* limit;
    std::string key;
  };
  /// The limits that bind a job.
  [[nodiscard]] std::vector<Bound> bounds_of(const job::JobRecord& job);
  [[nodiscard]] std::optional<FullLimit> full_limit(const job::JobRecord& job, const Now& now);
  void start_holds(Entry& entry, const Now& now);
  /// The claim is over; `never`: its job was put back before it ran.
  void end_holds(Entry& entry, std::optional<Duration> never, const Now& now);
  struct Next {
    Entry* job = nullptr;
    bool competed = false;            ///< it is of no lane, and others of its kind are
    std::optional<Duration> until{};  ///< where a rate is in the way
    [[nodiscard]] std::int64_t rank() const;
  };
  /// Which of a kind's ready jobs, given by rank, runs next.
  [[nodiscard]] Next next_of(const std::vector<Entry*>& ready, const Now& now);
  void take_turn(const Next& next);

  [[nodiscard]] Claimed claim_one(const ClaimRequest& request, const Now& now);
  [[nodiscard]] std::vector<Entry*> ready_in(const std::string& queue, const Now& now);
  [[nodiscard]] job::Claim start(Entry& entry, const ClaimRequest& request, const Now& now);
  /// Makes the earliest due jobs ready, of `queue` or of all; returns how many, at most `limit`.
  std::size_t promote(const std::string* queue, std::size_t limit, const Now& now);
  /// Until the earliest scheduled job of `queues`, or of all, is due.
  [[nodiscard]] std::optional<Duration> next_due(const std::vector<std::string>* queues, const Now& now) const;
  struct Ticked {
    std::size_t jobs = 0;
    bool more = false;  ///< a bound was reached
  };
  /// Decides on the ticks that have passed, of schedules of `queue` or of all, the earliest first.
  Ticked tick(const std::string* queue, std::size_t limit, const Now& now);
  std::size_t tick_one(Recurring& one, TickBudget& budget, const Now& now);

  void recover(std::size_t limit, const Now& now, StepAnswer& answer);
  [[nodiscard]] bool crash(Entry& entry, const Now& now);
  [[nodiscard]] std::size_t prune(std::size_t limit, const Now& now);
  [[nodiscard]] Duration next_step(const Now& now) const;
  [[nodiscard]] bool holds_claims(WorkerId worker) const;

  [[nodiscard]] Operated retry_one(JobId id, const Now& now);
  [[nodiscard]] Operated cancel_one(JobId id, const Now& now);
  [[nodiscard]] Operated erase_one(JobId id);
  [[nodiscard]] Operated run_now_one(JobId id, const Now& now);
  [[nodiscard]] Operated alter_one(JobId id, const Alteration& change, const Now& now);
  void signal();
  /// The present minute of a kind.
  [[nodiscard]] Minute& minute(const std::string& queue, const std::string& kind, const Now& now);
  void drop_old_minutes(const Now& now);
  [[nodiscard]] std::int64_t bytes() const;

  const base::Clock& clock_;
  std::mutex mutex_;
  std::map<JobId, Entry> jobs_;
  std::map<std::string, JobId> tokens_;
  std::map<WorkerId, Member> workers_;
  std::map<BatchId, Batch> batches_;
  BatchId last_batch_ = 0;
  std::set<std::string> paused_;
  std::map<std::string, std::int64_t> max_waiting_;
  std::optional<std::int64_t> max_bytes_;
  bool made_room_ = false;  ///< by the claims of the present call: those who wait for room want to hear of it
  JobId last_id_ = 0;
  WorkerId last_worker_ = 0;
  std::int64_t last_tick_ = 0;
  Time last_enqueued_{};
  std::int64_t last_epoch_ = 0;
  std::uint64_t signals_ = 0;
  std::map<std::string, Recurring> schedules_;
  std::map<MinuteKey, Minute> minutes_;
  std::map<LaneName, LaneState> lanes_;
  std::map<std::pair<std::string, std::string>, Share> shares_;  // by queue and kind; of commands: without a kind
  std::map<LimitTarget, Limit> limits_;
  std::int64_t last_limit_ = 0;
  std::map<std::pair<std::string, std::string>, int> weights_;       // by queue and key
  std::map<std::string, job::Order> orders_;                         // but Fifo
  std::map<std::pair<std::string, std::string>, Duration> learned_;  // run times, by queue and kind
  Chime chime_;
};

}  // namespace galley::store::memory
