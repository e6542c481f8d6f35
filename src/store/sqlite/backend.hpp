#pragma once
// The backend's class. The verbs stand in enqueue.cpp, claim.cpp, finish.cpp, renew.cpp, step.cpp, look.cpp, list.cpp
// and operate.cpp; moves.cpp is what the start and the end of a job bring
// with them, and unique.cpp, group.cpp, limit.cpp, batch.cpp, schedule.cpp, measure.cpp and keep.cpp each hold one such
// thing with its verbs.

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <unordered_map>

#include "base/fair_mutex.hpp"
#include "store/lane_rules.hpp"
#include "store/limit_rules.hpp"
#include "store/schedule_rules.hpp"
#include "store/sqlite/bell.hpp"
#include "store/sqlite/checkpointer.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/sqlite/transaction.hpp"
#include "store/sqlite/turns.hpp"
#include "store/sqlite/worker_locks.hpp"

namespace galley::store::sqlite {

/// The row of galley_jobs that decides on a move.
struct JobRow {
  Place place;
  int priority = 0;
  job::Counters counters;
  int max_crashes = 0;
  std::optional<std::int64_t> started_us;
  std::int64_t epoch = 0;
  int extras = 0;
  std::optional<std::int64_t> expires_us;
  std::optional<std::int64_t> deadline_us;
  BatchId batch = 0;
  bool has_error = false;
  std::int64_t expect_us = 0;  ///< 0: as was learned
};
[[nodiscard]] std::optional<JobRow> read_row(Database& db, JobId id);

/// Running claims that one look walks through: more than all slots of a large installation. Beyond it, leases are
/// looked at when the first claims have ended, and a worker seems to hold fewer than it does.
inline constexpr std::size_t kMaxRunningLook = 20'000;

/// job::over_at, of columns.
[[nodiscard]] std::optional<std::int64_t> over_at(bool started, std::optional<std::int64_t> expires_us,
                                                  std::optional<std::int64_t> deadline_us) noexcept;

/// A job as it is shown and handed out, with what only this store knows of it.
struct StoredJob {
  job::JobRecord record;
  Place place;
  int extras = 0;
  std::optional<std::int64_t> due_us;  ///< of a ready job that was scheduled: when it was due
};

class Backend final : public Store {
 public:
  /// Throws Refused and SqlError.
  explicit Backend(const SqliteOptions& options);
  /// The same store on a connection of the application, whose transaction every verb then is a part of (joined.hpp).
  Backend(const Backend& owner, sqlite3* connection);
  ~Backend() override;

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

  /// For the test that holds the query plan of every statement.
  [[nodiscard]] Database& database() noexcept { return db_; }
  [[nodiscard]] const Database& database() const noexcept { return db_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  /// Whether the answer must wait for the disk: an enqueue and an operator's act under Durability::Full. A lost claim
  /// or finish is a repeat, which at-least-once allows.
  enum class Sync : std::uint8_t { Yes, No };
  enum class Rings : std::uint8_t { Yes, No };  ///< No: unless the transaction says so

  /// Runs `body(transaction)` as one transaction under the store's mutex and translates what goes wrong.
  template <class Body>
  auto write(Sync sync, Rings rings, Body body) -> Result<std::invoke_result_t<Body, Transaction&>>;
  template <class Body>
  auto read(Body body) -> Result<std::invoke_result_t<Body, Transaction&>>;
  template <class Body>
  auto guarded(Body body) -> decltype(body());

  void synchronous(Sync sync);

  struct Stand {
    std::int64_t position = 0;
    std::optional<std::int64_t> since_us;  ///< where the position does not say since when it has been ready
  };

  // enqueue.cpp
  Enqueued enqueue_one(Transaction& tx, const job::NewJob& job, Source source);
  /// A waiting job becomes what `job` is, and begins anew but for its counters.
  void replace_job(Transaction& tx, JobId id, job::NewJob job);
  [[nodiscard]] static std::int64_t due_us(const Transaction& tx, const job::NewJob& job);
  static void set_ends(const Transaction& tx, JobRow& row, const job::NewJob& job);
  // mark.cpp: tags and headers
  void keep_marks(JobId id, const job::NewJob& job);
  void drop_tags(JobId id);               ///< the rows; before the extras go, which know them
  void read_extras(job::JobRecord& job);  ///< all that galley_extras has of it
  struct Next;
  [[nodiscard]] Stand begin(Transaction& tx, JobRow& row, const job::NewJob& job);
  // claim.cpp
  int promote(Transaction& tx, QueueKey queue, std::size_t limit);
  void promote_one(Transaction& tx, QueueKey queue, std::int64_t due, JobId id);
  Claimed claim_one(Transaction& tx, const ClaimRequest& request);
  /// Nothing where its time is over.
  struct Taken {
    job::Claim claim;
    bool filled = false;  ///< a limit that others may need has no room any more
  };
  std::optional<Taken> take(Transaction& tx, const ClaimRequest& request, JobId id, const Next* next = nullptr);
  [[nodiscard]] bool anything_to_claim(Transaction& tx, const ClaimRequest& request, std::optional<Duration>& until);
  [[nodiscard]] std::vector<LaneKey> wanted_lanes(const ClaimRequest& request, QueueKey queue) const;
  [[nodiscard]] std::optional<Duration> next_due(Transaction& tx, const std::vector<std::string>& queues);
  [[nodiscard]] bool is_paused(QueueKey queue) const { return directory_.is_paused(queue); }
  void check_worker(WorkerId worker);
  // order.cpp: where a job that becomes ready stands
  [[nodiscard]] Stand stand(Transaction& tx, const JobRow& row);
  void note_since(JobId id, const Stand& stand);
  [[nodiscard]] std::optional<Duration> learned(QueueKey queue, const std::string& kind);
  void learn_from(const Measured& measured, QueueKey queue);
  // share.cpp: claims where there are keys or limits
  struct Wanted {
    LaneKey lane = 0;
    std::size_t group = 0;  ///< which bound of the request it counts against
  };
  struct Head {
    std::int64_t rank = 0;
    JobId job = 0;  ///< 0: none
  };
  using At = std::tuple<std::int64_t, std::int64_t, JobId>;  ///< standing, rank, job
  /// The first lanes of galley_turns that name the same limits, kept in step while one claim takes their turns.
  struct Front {
    struct Lane {
      std::int64_t keyed = 0;
      LaneKey own = 0;
      std::string key;
    };
    std::string under;
    bool read = false;
    bool whole = false;  ///< nothing stands behind the last one that was read
    At last;
    std::map<At, Lane> lanes;
  };
  struct Fronts {
    bool read = false;
    std::vector<Front> all;
  };
  struct Next {
    JobId job = 0;  ///< 0: nothing can be claimed now
    std::int64_t rank = 0;
    LaneKey keyed = 0;                       ///< the lane whose turn it is; 0: it is of none
    std::size_t front = 0;                   ///< its one among the fronts
    LaneKey lane = 0;                        ///< through which it was found
    bool competed = false;                   ///< it is of none, and others of its kind are
    std::vector<Head> behind{};              ///< those that go after it, the next one last; may be fewer than there are
    bool settles = false;                    ///< lanes were found that must be put aside
    std::optional<std::int64_t> until_us{};  ///< where a rate is in the way
  };
  enum class Settle : std::uint8_t { Yes, No };
  [[nodiscard]] bool is_shared(const Transaction& tx) const { return tx.has_keys() || !directory_.limits().empty(); }
  void claim_in_turn(Transaction& tx, const ClaimRequest& request, std::span<const Wanted> wanted,
                     std::vector<int>& left, std::size_t& free, Claimed& answer);
  /// Each lane once, with what the request wants of it.
  [[nodiscard]] static std::vector<Wanted> wanted(const ClaimRequest& request, std::span<const LaneKey> lanes);
  /// `ahead`: so many jobs may be asked for one after the other.
  [[nodiscard]] Next next_of(Transaction& tx, LaneKey lane, Settle settle, std::size_t ahead, Fronts& fronts);
  void next_keyed(Transaction& tx, LaneKey lane, Settle settle, std::size_t ahead, Fronts& fronts, Next& next,
                  At& best);
  void read_fronts(Transaction& tx, LaneKey lane, Fronts& fronts);
  void read_front(Transaction& tx, LaneKey lane, std::size_t ahead, Front& front);
  /// Nothing: each key there may start a job, or has no limit.
  struct Full {
    std::int64_t limit = 0;
    std::optional<std::int64_t> until_us;
  };
  [[nodiscard]] std::optional<Full> key_is_full(Transaction& tx, const Front::Lane& lane);
  [[nodiscard]] bool kind_has_room(Transaction& tx, LaneKey through, const Front::Lane& lane, Next& next);
  void first_under(Transaction& tx, LaneKey lane, Settle settle, std::size_t ahead, Fronts& fronts, std::size_t number,
                   Next& next, At& best);
  /// True: the first lane that may go was found.
  [[nodiscard]] bool find_first(Transaction& tx, LaneKey lane, Settle settle, Front& front, bool& aside, Next& next,
                                At& best);
  /// Its job was claimed.
  void move_on(Transaction& tx, Fronts& fronts, const Next& next);
  void next_plain(Transaction& tx, LaneKey lane, std::size_t ahead, Next& next, At& best);
  [[nodiscard]] Head first_with_room(Transaction& tx, LaneKey lane, Next& next);
  static void advance(Next& next);
  [[nodiscard]] Head first_by_kind(Transaction& tx, LaneKey lane, Next& next);
  [[nodiscard]] int weight_of(QueueKey queue, const std::string& key);
  /// The job leaves its lane, which has had its turn.
  void take_turn(Transaction& tx, const Next& next, const Place& place);
  /// Lanes whose rate lets them go on.
  void open_due(Transaction& tx);
  [[nodiscard]] bool has_due_keys(const Transaction& tx);
  void drop_idle_keys(Transaction& tx, std::size_t limit);
  [[nodiscard]] bool has_idle_keys(const Transaction& tx);
  // holds.cpp: limits, and the claims that count under them
  struct Bound {
    const KeptLimit* limit = nullptr;
    std::string key;
  };
  [[nodiscard]] std::vector<Bound> bounds_of(const std::string& queue, const std::string& kind, const std::string& key,
                                             const std::vector<std::string>& names) const;
  [[nodiscard]] static Room room_in(Transaction& tx, const Bound& bound);
  /// Of a queue, a kind or a name. True: there is room; else `until_us` may become sooner.
  [[nodiscard]] bool has_room(Transaction& tx, LimitScope scope, const std::string& name,
                              std::optional<std::int64_t>& until_us);
  struct Held {
    std::optional<std::string> text;  ///< of galley_running
    bool filled = false;              ///< a limit has no room any more
  };
  [[nodiscard]] Held start_holds(Transaction& tx, const job::JobRecord& job);
  void end_holds(Transaction& tx, const std::vector<Hold>& holds, std::optional<Duration> never);
  /// Lanes that were put aside for this limit have their turns again.
  void open_lanes(Transaction& tx, const LimitTarget& target);
  // finish.cpp
  FinishAnswer finish_one(Transaction& tx, const Finish& finish);
  /// The row of a job whose claim is held, so that it is as it was when it was claimed.
  [[nodiscard]] JobRow row_of(const job::ClaimId& claim);
  void keep_attempt(JobId id, int attempt, const Finish& finish, std::int64_t started_us, std::int64_t ended_us,
                    const std::string& worker);
  [[nodiscard]] std::string worker_name(WorkerId worker);
  // step.cpp
  struct Due {
    QueueKey queue;
    std::int64_t due_us;
    JobId id;
  };
  using DueSchedule = std::pair<std::int64_t, std::string>;  ///< when, name
  struct StepPlan {
    std::vector<Due> due;                                ///< by (due, id)
    std::vector<DueSchedule> ticks;                      ///< by (when, name)
    std::vector<std::pair<std::int64_t, JobId>> lapsed;  ///< (epoch, job): oldest claim first
    std::set<WorkerId> dead;
    std::set<WorkerId> bereft;  ///< the dead ones whose claims are among `lapsed`
    bool over = false;          ///< a waiting job is to expire
    Duration next{0};
  };
  [[nodiscard]] StepPlan plan_step(Transaction& tx, std::size_t limit);
  void recover_one(Transaction& tx, JobId id, std::int64_t epoch, StepAnswer& answer);
  // prune.cpp
  struct Prunable {
    LaneKey lane;
    std::int64_t ended_us;
    JobId id;
  };
  [[nodiscard]] std::vector<Prunable> prunable(Transaction& tx, std::size_t limit);
  [[nodiscard]] std::vector<Prunable> oldest_completed(Transaction& tx, LaneKey lane, std::int64_t before_us,
                                                       std::size_t limit, bool& passed);
  [[nodiscard]] bool is_kept(const Transaction& tx, const Prunable& one);
  /// True: there are more.
  [[nodiscard]] bool prune(Transaction& tx, std::size_t limit, StepAnswer& answer);
  // measure.cpp
  [[nodiscard]] bool has_old_minutes(const Transaction& tx);
  /// True: there are more.
  bool drop_old_minutes(const Transaction& tx);
  [[nodiscard]] std::map<WorkerId, std::int64_t> claims_held();
  // keep.cpp
  [[nodiscard]] std::vector<WorkerCard> living_cards();
  /// What waits for workers that are not there.
  [[nodiscard]] std::vector<Finding> unserved(Transaction& tx);
  /// Until there is nothing more to do; false: it failed.
  bool take_steps();
  void erase_job(Transaction& tx, const JobRow& row);
  // moves.cpp: what comes with a change of state, beside the job's own row and place
  void started(Transaction& tx, JobId id, int extras);
  void ended(Transaction& tx, const JobRow& row, JobState state);
  /// False: it cannot come back, because another job holds its unique key.
  [[nodiscard]] bool revived(Transaction& tx, const JobRow& row);
  void erased(Transaction& tx, const JobRow& row);
  // unique.cpp
  /// The answer where `job` is not to be added, because its key is held.
  [[nodiscard]] std::optional<Enqueued> meet_unique(Transaction& tx, const job::NewJob& job);
  [[nodiscard]] JobId unique_holder(std::string_view kind, std::string_view key);  ///< 0: nobody
  void hold_unique(JobId id, const job::NewJob& job);
  void release_unique(JobId id, UniqueUntil until);
  [[nodiscard]] bool regain_unique(JobId id);
  void read_unique(job::JobRecord& job);
  // group.cpp
  struct OpenGroup {
    JobId job = 0;
    int jobs = 0;
    std::int64_t bytes = 0;
    Group bounds;
    std::int64_t due_us = 0;
    bool redacted = false;
    std::optional<std::int64_t> over_us;
    bool stale = false;  ///< its job no longer waits for its age
  };
  [[nodiscard]] std::optional<OpenGroup> find_group(LaneKey lane, const std::string& key);
  [[nodiscard]] LaneKey lane_of(const job::NewJob& job);
  /// The answer where `job` joins a group that is open.
  [[nodiscard]] std::optional<Enqueued> meet_group(Transaction& tx, const job::NewJob& job);
  void close_former(Transaction& tx, const job::NewJob& job);  ///< the group that has no room for `job` runs as it is
  void open_group(const Place& place, const job::NewJob& job);
  void close_group(JobId id);
  [[nodiscard]] std::string gathered(JobId id);  ///< the payload of a group's job
  void read_group(job::JobRecord& job);
  void drop_group(JobId id);
  // limit.cpp
  /// The answer where a bound refuses `job`.
  [[nodiscard]] std::optional<Enqueued> meet_limits(Transaction& tx, const job::NewJob& job, Source source);
  /// Of the pages that hold something.
  [[nodiscard]] std::int64_t bytes_in_use();
  /// Ends a waiting job whose time is over.
  void expire_one(Transaction& tx, const JobRow& row);
  /// Ends a waiting job whose time is over, though no step has come to it: it will never run, and is in nobody's way.
  [[nodiscard]] bool ends_now(Transaction& tx, JobId id);
  /// Those that are over longest; how many.
  int expire(Transaction& tx, std::size_t limit);
  /// Until the first waiting job is over; not positive: one is. Nothing: none will be.
  [[nodiscard]] std::optional<Duration> next_expiry(const Transaction& tx);
  // batch.cpp
  /// The answer where `job` cannot be put into its batch, or cannot wait for it.
  [[nodiscard]] std::optional<Enqueued> meet_batch(Transaction& tx, const job::NewJob& job);
  void entered_batch(Transaction& tx, const Place& place, const job::NewJob& job);
  void ended_in_batch(Transaction& tx, BatchId batch, JobState state);
  void revived_in_batch(Transaction& tx, BatchId batch);
  void erased_in_batch(Transaction& tx, BatchId batch, JobState state);
  void drop_callback(Transaction& tx, JobId id);
  void read_callback(job::JobRecord& job);
  [[nodiscard]] std::optional<BatchStats> read_batch(BatchId id);
  [[nodiscard]] std::vector<JobId> callbacks_of(BatchId id);
  template <class Change>
  void change_batch(Transaction& tx, BatchId id, int present, Change change);
  void release_callbacks(Transaction& tx, BatchId id, job::Trigger trigger, const std::optional<std::string>& why);
  void release_callback(Transaction& tx, const JobRow& row, const std::optional<std::string>& why);
  [[nodiscard]] bool has_empty_batches(const Transaction& tx);
  /// True: there are more.
  bool drop_empty_batches(const Transaction& tx, std::size_t limit);
  // schedule.cpp
  struct KeptSchedule {
    std::string name;
    job::ScheduleRule rule;
    Result<job::NewJob> job;  ///< an error: it was written by a newer Galley
    ScheduleState state;
  };
  struct Ticked {
    int jobs = 0;
    bool more = false;  ///< a bound was reached
  };
  [[nodiscard]] static KeptSchedule kept_schedule(const Query& row);
  [[nodiscard]] std::optional<KeptSchedule> find_schedule(const std::string& name);
  [[nodiscard]] const job::Timetable* timetable(const std::string& schedule, const job::ScheduleRule& rule);
  [[nodiscard]] std::vector<DueSchedule> due_schedules(const Transaction& tx, QueueKey queue, std::size_t limit);
  /// Reads the files of zones where that holds nobody up: outside a writing transaction.
  void read_timetables(std::span<const DueSchedule> due);
  [[nodiscard]] std::optional<std::int64_t> next_schedule(const Transaction& tx, QueueKey queue);
  /// `due` by (when, name), at most `limit`.
  Ticked tick(Transaction& tx, std::span<const DueSchedule> due, std::size_t limit);
  [[nodiscard]] int tick_one(Transaction& tx, KeptSchedule& kept, TickBudget& budget);
  // list.cpp
  template <class Take>
  [[nodiscard]] std::string walk(const Filter& filter, const std::string& cursor, std::size_t limit, Take take);
  // look.cpp
  [[nodiscard]] std::optional<StoredJob> read_job(JobId id);
  [[nodiscard]] job::JobRecord with_claim(job::JobRecord job);  ///< as it is now: running, if it is claimed
  [[nodiscard]] std::string extra(JobId id, std::string_view what);
  // operate.cpp
  template <class One>
  Result<std::vector<Operated>> operate(std::span<const JobId> ids, One one);
  Result<void> set_paused(const std::string& queue, bool paused);

  const std::string path_;
  const Durability durability_;
  const base::Clock& clock_;
  const std::string boot_id_;
  const bool joined_ = false;

  base::FairMutex mutex_;  // guards everything below but bells_
  Turns turns_{mutex_};
  Database db_;
  Directory directory_;
  std::map<LaneKey, std::pair<std::int64_t, JobId>> pruned_to_;  ///< where the next look at a lane goes on, with turns_
  std::unordered_map<JobId, JobRow> held_;  // of claims made here, to finish them without reading again: a hint
  std::map<std::string, job::Timetable> timetables_;  // of schedules that have ticked here
  std::optional<Sync> synchronous_;
  std::int64_t failed_looks_ = 0;
  WorkerLocks locks_;

  std::atomic<bool> news_ = false;     // this process has added work since the last claim
  std::atomic<bool> writing_ = false;  // a transaction of this connection is under way
  BellTower bells_;
  std::optional<Checkpointer> log_;  // of a connection of our own; of the application's it is the application's

  class Writing {
   public:
    explicit Writing(std::atomic<bool>& flag) : flag_(flag) { flag_ = true; }
    ~Writing() { flag_ = false; }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

   private:
    std::atomic<bool>& flag_;
  };
};

/// The new values of a job that moves on after an attempt.
struct JobMove {
  JobState state = JobState::Ready;
  std::int64_t position = 0;
  job::Counters counters;
  std::optional<std::int64_t> started_us;
  std::int64_t epoch = 0;
  bool set_error = false;
  std::optional<std::string> error;
  std::optional<std::string> error_class;
  int extras = 0;
};
void write_row(Database& db, JobId id, const JobMove& move);

template <class Body>
auto Backend::guarded(Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const SqlError& error) {
    return to_error(error, path_, Written::Nothing);
  } catch (const Refused& refused) {
    return refused.error;
  }
}

template <class Body>
auto Backend::write(Sync sync, Rings rings, Body body) -> Result<std::invoke_result_t<Body, Transaction&>> {
  using Value = std::invoke_result_t<Body, Transaction&>;
  bool ring = rings == Rings::Yes;
  auto result = turns_.take(Turns::Kind::Write, [&] {
    const Writing writing(writing_);
    return guarded([&]() -> Result<Value> {
      synchronous(sync);
      Transaction tx(db_, directory_, clock_, joined_ ? Transaction::Kind::Joined : Transaction::Kind::Write);
      Value value = body(tx);
      const bool news = tx.rings();
      try {
        tx.commit();
      } catch (const SqlError& error) {
        const bool io = (error.code() & 0xff) == SQLITE_IOERR;
        return to_error(error, path_, tx.committing() && io ? Written::Unknown : Written::Nothing);
      }
      if (news) news_ = true;
      ring = ring || news;
      return value;
    });
  });
  if (result && ring) bells_.ring();
  return result;
}

template <class Body>
auto Backend::read(Body body) -> Result<std::invoke_result_t<Body, Transaction&>> {
  using Value = std::invoke_result_t<Body, Transaction&>;
  return turns_.take(Turns::Kind::Read, [&] {
    return guarded([&]() -> Result<Value> {
      Transaction tx(db_, directory_, clock_, joined_ ? Transaction::Kind::Joined : Transaction::Kind::Read);
      Value value = body(tx);
      tx.commit();
      return value;
    });
  });
}

}  // namespace galley::store::sqlite
