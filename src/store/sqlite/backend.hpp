#pragma once
// The backend's class; its verbs stand in enqueue.cpp, claim.cpp, finish.cpp, renew.cpp, step.cpp, look.cpp,
// operate.cpp.

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "base/fair_mutex.hpp"
#include "store/sqlite/bell.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/sqlite/transaction.hpp"
#include "store/sqlite/worker_locks.hpp"

namespace galley::store::sqlite {

class Backend final : public Store {
 public:
  /// Throws Refused and SqlError.
  explicit Backend(const SqliteOptions& options);
  ~Backend() override;

  Result<std::vector<Enqueued>> enqueue(std::span<const job::NewJob> jobs) override;
  Result<WorkerId> join(const std::string& name, const std::string& pools) override;
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
  Result<std::vector<LaneStats>> lanes() override;
  Result<std::vector<QueueStats>> queues() override;
  Result<std::vector<WorkerStats>> workers() override;
  Result<std::vector<Operated>> retry(std::span<const JobId> ids) override;
  Result<std::vector<Operated>> cancel(std::span<const JobId> ids) override;
  Result<std::vector<Operated>> erase(std::span<const JobId> ids) override;
  Result<void> pause(const std::string& queue) override;
  Result<void> resume(const std::string& queue) override;

  /// For the test that holds the query plan of every statement.
  [[nodiscard]] Database& database() noexcept { return db_; }

 private:
  /// Whether the answer must wait for the disk: an enqueue and an operator's act under Durability::Full. A lost claim
  /// or finish is a repeat, which at-least-once allows.
  enum class Sync : std::uint8_t { Yes, No };
  enum class Rings : std::uint8_t { Yes, No };

  /// Runs `body(transaction)` as one transaction under the store's mutex and translates what goes wrong.
  template <class Body>
  auto write(Sync sync, Rings rings, Body body) -> Result<std::invoke_result_t<Body, Transaction&>>;
  template <class Body>
  auto read(Body body) -> Result<std::invoke_result_t<Body, Transaction&>>;
  template <class Body>
  auto guarded(Body body) -> decltype(body());

  void synchronous(Sync sync);

  // enqueue.cpp
  Enqueued enqueue_one(Transaction& tx, const job::NewJob& job);
  // claim.cpp
  int promote(Transaction& tx, QueueKey queue, std::size_t limit);
  void promote_one(Transaction& tx, QueueKey queue, std::int64_t due, JobId id);
  Claimed claim_one(Transaction& tx, const ClaimRequest& request);
  job::Claim take(Transaction& tx, const ClaimRequest& request, std::int64_t rank, JobId id);
  [[nodiscard]] bool anything_to_claim(Transaction& tx, const ClaimRequest& request);
  [[nodiscard]] std::vector<LaneKey> wanted_lanes(const ClaimRequest& request, QueueKey queue) const;
  [[nodiscard]] std::optional<Duration> next_due(Transaction& tx, const std::vector<std::string>& queues);
  [[nodiscard]] bool is_paused(QueueKey queue);
  void check_worker(WorkerId worker);
  // finish.cpp
  FinishAnswer finish_one(Transaction& tx, const Finish& finish);
  void keep_attempt(JobId id, int attempt, const Finish& finish, std::int64_t started_us, std::int64_t ended_us,
                    const std::string& worker);
  [[nodiscard]] std::string worker_name(WorkerId worker);
  // step.cpp
  struct Due {
    QueueKey queue;
    std::int64_t due_us;
    JobId id;
  };
  struct StepPlan {
    std::vector<Due> due;                                ///< by (due, id)
    std::vector<std::pair<std::int64_t, JobId>> lapsed;  ///< (epoch, job): oldest claim first
    std::set<WorkerId> dead;
    std::set<WorkerId> bereft;  ///< the dead ones whose claims are among `lapsed`
    Duration next{0};
  };
  [[nodiscard]] StepPlan plan_step(Transaction& tx, std::size_t limit);
  void recover_one(Transaction& tx, JobId id, std::int64_t epoch, StepAnswer& answer);
  int prune(Transaction& tx, std::size_t limit);
  void erase_job(Transaction& tx, const Place& place, int extras);
  // look.cpp
  [[nodiscard]] std::optional<job::JobRecord> read_job(JobId id);
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

  base::FairMutex mutex_;  // guards everything below but bells_
  Database db_;
  Directory directory_;
  std::optional<Sync> synchronous_;
  std::int64_t failed_looks_ = 0;
  WorkerLocks locks_;

  BellTower bells_;
};

/// The row of galley_jobs that decides on a move.
struct JobRow {
  Place place;
  int priority = 0;
  job::Counters counters;
  int max_crashes = 0;
  std::optional<std::int64_t> started_us;
  std::int64_t epoch = 0;
  int extras = 0;
};
[[nodiscard]] std::optional<JobRow> read_row(Database& db, JobId id);

/// The new values of a job that moves on after an attempt.
struct JobMove {
  JobState state = JobState::Ready;
  std::int64_t position = 0;
  job::Counters counters;
  std::optional<std::int64_t> started_us;
  std::int64_t epoch = 0;
  bool set_error = false;
  std::optional<std::string> error;
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
  auto result = [&]() -> Result<Value> {
    const std::lock_guard lock(mutex_);
    return guarded([&]() -> Result<Value> {
      synchronous(sync);
      Transaction tx(db_, directory_, clock_, Transaction::Kind::Write);
      Value value = body(tx);
      try {
        tx.commit();
      } catch (const SqlError& error) {
        const bool io = (error.code() & 0xff) == SQLITE_IOERR;
        return to_error(error, path_, tx.committing() && io ? Written::Unknown : Written::Nothing);
      }
      return value;
    });
  }();
  if (result && rings == Rings::Yes) bells_.ring();
  return result;
}

template <class Body>
auto Backend::read(Body body) -> Result<std::invoke_result_t<Body, Transaction&>> {
  using Value = std::invoke_result_t<Body, Transaction&>;
  const std::lock_guard lock(mutex_);
  return guarded([&]() -> Result<Value> {
    Transaction tx(db_, directory_, clock_, Transaction::Kind::Read);
    Value value = body(tx);
    tx.commit();
    return value;
  });
}

}  // namespace galley::store::sqlite
