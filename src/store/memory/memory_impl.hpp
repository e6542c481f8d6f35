#pragma once
// The class behind open_memory; its verbs stand in verbs.cpp, claim.cpp, finish.cpp, step.cpp and look.cpp.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace galley::store::memory {

/// Both times of one verb, read once, so that all of its items see the same moment.
struct Now {
  base::Mono mono;
  Time wall;
};

/// A job, and what only the store knows of it.
struct Entry {
  job::JobRecord record;
  std::string token;
  std::int64_t rank = 0;               ///< of a ready job; a running one keeps it for a release
  std::int64_t epoch = 0;              ///< of the last claim
  std::int64_t finished_epoch = 0;     ///< of the last claim that a finish ended; 0: none
  WorkerId worker = 0;                 ///< of a running job
  base::Mono lease_until{};            ///< of a running job
  std::optional<Time> started_before;  ///< of a running job: what a release brings back
  std::deque<job::AttemptRecord> attempts;
  bool ended_silently = false;  ///< the last attempt completed and left nothing to keep
};

struct Member {
  WorkerStats stats;
  bool left = false;  ///< gone, but claims of it are still to be recovered
};

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

  [[nodiscard]] Enqueued enqueue_one(const job::NewJob& job, const Now& now);

  [[nodiscard]] FinishAnswer finish_one(const Finish& finish, const Now& now);
  void keep_attempt(Entry& entry, std::string outcome, const job::AttemptReport& report, const Now& now);

  [[nodiscard]] Result<void> check_workers(std::span<const ClaimRequest> requests) const;
  [[nodiscard]] Claimed claim_one(const ClaimRequest& request, const Now& now);
  [[nodiscard]] job::Claim start(Entry& entry, const ClaimRequest& request, const Now& now);
  /// Makes the earliest due jobs ready, of `queue` or of all; returns how many, at most `limit`.
  std::size_t promote(const std::string* queue, std::size_t limit, const Now& now);
  /// Until the earliest scheduled job of `queues`, or of all, is due.
  [[nodiscard]] std::optional<Duration> next_due(const std::vector<std::string>* queues, const Now& now) const;

  void recover(std::size_t limit, const Now& now, StepAnswer& answer);
  [[nodiscard]] bool crash(Entry& entry, const Now& now);
  [[nodiscard]] std::size_t prune(std::size_t limit, const Now& now);
  [[nodiscard]] Duration next_step(const Now& now) const;
  [[nodiscard]] bool holds_claims(WorkerId worker) const;

  [[nodiscard]] Operated retry_one(JobId id, const Now& now);
  [[nodiscard]] Operated cancel_one(JobId id, const Now& now);
  [[nodiscard]] Operated erase_one(JobId id);
  void signal();

  const base::Clock& clock_;
  std::mutex mutex_;
  std::map<JobId, Entry> jobs_;
  std::map<std::string, JobId> tokens_;
  std::map<WorkerId, Member> workers_;
  std::set<std::string> paused_;
  JobId last_id_ = 0;
  WorkerId last_worker_ = 0;
  std::int64_t last_tick_ = 0;
  std::int64_t last_epoch_ = 0;
  std::uint64_t signals_ = 0;
  Chime chime_;
};

}  // namespace galley::store::memory
