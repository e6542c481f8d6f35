#pragma once
// What the store has promised, kept apart from it: each executed verb is entered with its answer, and after each the
// contents are held against what was entered. Throws a Violation where they differ.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "simulation/schedule_book.hpp"
#include "simulation/violation.hpp"
#include "store/store.hpp"

namespace galley::simulation {

/// Who sees the workers.
class Witness {
 public:
  virtual ~Witness() = default;
  /// A claim of this job was handed out: no earlier attempt may still run where it can be helped.
  virtual void claimed(const job::ClaimId& claim) = 0;
  /// The claim of a worker was taken from it.
  virtual void recovered(const job::ClaimId& claim) = 0;
};

/// A claim counts under a limit.
struct Hold {
  int limit = 0;    ///< the number of its putting
  std::string key;  ///< of a limit of each key
  friend bool operator==(const Hold&, const Hold&) = default;
};

/// One job as the answers have told it.
struct Fact {
  std::string queue;
  std::string kind;
  bool command = false;
  int priority = 0;
  std::string key;
  std::vector<std::string> limits;  ///< sorted
  bool ordered = false;
  job::Policy policy;
  Unique unique;
  bool gave_up_key = false;  ///< of UniqueUntil::Start
  std::string token;
  JobState state = JobState::Scheduled;
  Time finished_at{};
  job::Counters counters;
  std::string checkpoint;
  std::int64_t place = 0;  ///< of a ready job: the call by which it became ready
  std::int64_t epoch = 0;  ///< of its last claim
  bool held = false;
  std::vector<Hold> holds;      ///< of the claim
  bool started = false;         ///< it has an attempt that began, as the store sees it
  bool started_before = false;  ///< the same before its last claim
  bool first = false;           ///< ordered: no other one of its key starts
  bool went_first = false;      ///< the same before its last claim
  store::WorkerId worker = 0;
  base::Mono lease_until{};
  std::set<std::int64_t> finished;  ///< epochs
  bool erased = false;
  bool touched = false;   ///< by a person in the present call
  bool replaced = false;  ///< its bounds are not those that it was counted against
  BatchId batch = 0;
  BatchId awaits = 0;
  job::Trigger trigger = job::Trigger::Success;
};

/// One batch as the answers have told it.
struct BatchFact {
  std::map<JobId, JobState> jobs;  ///< completed ones stay when they are pruned
  std::int64_t lost = 0;
  bool sealed = false;
  bool failed = false;    ///< one of them has, whatever became of it
  bool finished = false;  ///< all had ended once
  [[nodiscard]] std::int64_t count(bool completed) const;
  [[nodiscard]] bool over() const;
  [[nodiscard]] bool has_come(job::Trigger trigger) const;
  [[nodiscard]] bool can_never_come(job::Trigger trigger) const;
};

/// All that a store shows.
struct Contents {
  std::vector<job::JobRecord> jobs;
  std::vector<store::LaneStats> lanes;
  std::vector<store::QueueStats> queues;
  std::vector<store::LimitStats> limits;
  std::vector<store::BatchStats> batches;
  std::vector<store::ScheduleStats> schedules;
};

class Ledger {
 public:
  Ledger(const base::Clock& clock, Witness& witness) : clock_(clock), witness_(witness) {}

  // What was executed, and answered. A call may be entered in parts; holds() ends it.
  void enqueued(std::span<const job::NewJob> jobs, const std::vector<store::Enqueued>& answers);
  void finished(std::span<const store::Finish> finishes, const std::vector<store::FinishAnswer>& answers);
  void claimed(std::span<const store::ClaimRequest> requests, const std::vector<store::Claimed>& answers);
  void renewed(std::span<const store::Renewal> renewals, const std::vector<store::Renewed>& answers, Duration lease);
  void stepped() { stepping_ = true; }
  void left(store::WorkerId worker) { gone_.insert(worker); }
  enum class Operation : std::uint8_t { Retry, Cancel, Erase, RunNow, Alter };
  void operated(Operation operation, std::span<const JobId> ids, const std::vector<store::Operated>& answers);
  void paused(const std::string& queue, bool is_paused);
  void bounded(const std::string& queue, std::optional<std::int64_t> most);
  void limited(const store::LimitTarget& target, const store::LimitRule& rule);
  void unlimited(const store::LimitTarget& target) { limits_.erase(target); }
  void weighed(const std::string& queue, const std::string& key, int weight) { weights_[{queue, key}] = weight; }
  void opened(const std::string& token, BatchId batch);
  void sealed(BatchId batch) { batches_[batch].sealed = true; }
  [[nodiscard]] ScheduleBook& schedules() noexcept { return schedules_; }
  /// What rates have counted so far was by another calendar.
  void calendar_stepped();

  /// What is there after the call.
  void holds(const Contents& contents);

  [[nodiscard]] const std::map<JobId, Fact>& facts() const noexcept { return facts_; }
  /// Or waits for the success of a batch that is over and of which one failed: until a person retries that one.
  [[nodiscard]] bool has_ended(const Fact& fact) const;
  [[nodiscard]] bool all_ended() const;
  [[nodiscard]] std::int64_t calls() const noexcept { return call_; }
  [[nodiscard]] bool is_current(const job::ClaimId& claim) const;

 private:
  Fact& fact(JobId id, Rule rule);
  void enqueued_one(const job::NewJob& job, const store::Enqueued& answer);
  void finished_one(const store::Finish& finish, store::FinishAnswer answer);
  void claimed_one(const store::ClaimRequest& request, const job::Claim& claim);
  void meet(JobId id, Fact& fact, const job::JobRecord& record);
  void lost_claim(JobId id, Fact& fact);
  void meet_tick(JobId id, const std::string& payload);
  void check_counters(JobId id, const Fact& fact, const job::JobRecord& record) const;
  void check_gone(const std::set<JobId>& seen);
  void check_order() const;
  void check_keys() const;
  void check_unique() const;
  void check_bounds(const std::vector<job::JobRecord>& jobs) const;
  void check_statistics(const std::vector<job::JobRecord>& jobs, const std::vector<store::LaneStats>& lanes,
                        const std::vector<store::QueueStats>& queues) const;
  [[nodiscard]] bool binds(const store::LimitTarget& target, const Fact& fact) const;
  void take_holds(JobId id, Fact& fact);
  void check_limits(const std::vector<store::LimitStats>& stats) const;
  void give_back_start(JobId id, const Fact& fact);
  void check_shares();
  void check_batches(const std::vector<store::BatchStats>& stats);
  void count_batches();
  void check_callbacks() const;
  [[nodiscard]] bool keeps(const Fact& fact) const;

  const base::Clock& clock_;
  Witness& witness_;
  std::map<JobId, Fact> facts_;
  std::map<std::string, JobId> tokens_;
  std::map<std::string, std::int64_t> bounds_;
  struct Start {
    base::Mono at;
    JobId job = 0;
    std::int64_t epoch = 0;
  };
  struct Limit {
    int number = 0;
    store::LimitRule rule;
    std::map<std::string, std::vector<Start>> starts;  ///< by key, or of all
  };
  void check_rate(const store::LimitTarget& target, const Limit& limit, const std::vector<Start>& starts) const;
  std::map<store::LimitTarget, Limit> limits_;
  /// The lanes among which a kind's jobs are shared: all that has one key, or none.
  struct Line {
    std::string queue, kind, key;
    bool command = false;
    friend auto operator<=>(const Line&, const Line&) = default;
  };
  [[nodiscard]] static Line line_of(const Fact& fact) { return {fact.queue, fact.kind, fact.key, fact.command}; }
  [[nodiscard]] int weight_of(const Line& line) const;
  [[nodiscard]] std::map<Line, int> ready_lines() const;
  std::map<std::pair<std::string, std::string>, int> weights_;
  std::map<Line, int> ready_before_;
  std::map<std::pair<Line, Line>, int> passed_over_;  ///< how often the second one went since the first one could
  std::map<std::string, BatchId> batch_tokens_;
  std::map<BatchId, BatchFact> batches_;
  ScheduleBook schedules_;
  int limits_put_ = 0;
  std::set<std::string> paused_;
  std::set<store::WorkerId> gone_;
  JobId last_id_ = 0;    ///< of the calls before
  JobId newest_id_ = 0;  ///< of the present one too
  std::int64_t call_ = 1;
  // Of the present call.
  bool stepping_ = false;
  std::set<std::string> grown_;  ///< queues that an enqueue has added to
  std::vector<JobId> started_;
  std::vector<Line> given_back_;
  std::vector<std::pair<JobId, JobState>> unblocked_;
};

}  // namespace galley::simulation
