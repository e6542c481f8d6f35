#include <algorithm>

#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

/// How many of each kind a request may still be given, over all of its queues.
class Budget {
 public:
  explicit Budget(const ClaimRequest& request)
      : programs_(request.commands.programs.begin(), request.commands.programs.end()),
        any_program_(request.commands.any),
        commands_(request.commands.max) {
    for (const Want& want : request.kinds) kinds_[want.kind] += want.max;
  }

  /// The count that this job would be taken from; nothing where the request does not want it.
  [[nodiscard]] std::int64_t* of(const job::JobRecord& job) {
    if (job.content == job::Content::Command) {
      return any_program_ || programs_.contains(job.program) ? &commands_ : nullptr;
    }
    const auto at = kinds_.find(job.kind);
    return at == kinds_.end() ? nullptr : &at->second;
  }

  /// What the jobs that it is compared with have in common: its kind, or of a command what the request asks for.
  [[nodiscard]] std::string group(const job::JobRecord& job) const {
    if (job.content != job::Content::Command) return "kind " + job.kind;
    return any_program_ ? "any" : "program " + job.program;
  }

 private:
  std::map<std::string, std::int64_t> kinds_;
  std::set<std::string> programs_;
  bool any_program_;
  std::int64_t commands_;
};

}  // namespace

Result<void> MemoryStore::check_workers(std::span<const ClaimRequest> requests) const {
  for (const ClaimRequest& request : requests) {
    const auto at = workers_.find(request.worker);
    if (at == workers_.end() || at->second.left) {
      return Error{Errc::NotFound, "worker " + std::to_string(request.worker) + " is not registered; it must join"};
    }
  }
  return {};
}

/// By rank; ties are settled by their ids.
std::vector<Entry*> MemoryStore::ready_in(const std::string& queue, const Now& now) {
  std::vector<Entry*> ready;
  for (auto& [id, job] : jobs_) {
    const auto& record = job.record;
    if (record.state == JobState::Ready && record.queue == queue && !is_over(job, now)) ready.push_back(&job);
  }
  std::stable_sort(ready.begin(), ready.end(), [](const Entry* a, const Entry* b) { return a->rank < b->rank; });
  return ready;
}

Claimed MemoryStore::claim_one(const ClaimRequest& request, const Now& now) {
  if (expire(limits::kMaxStep, now) > 0) made_room_ = true;
  for (const std::string& queue : request.queues) promote(&queue, limits::kMaxStep, now);
  for (const std::string& queue : request.queues) (void)tick(&queue, limits::kMaxStep, now);

  Claimed answer;
  Budget budget(request);
  std::optional<Duration> until;
  const auto limit = static_cast<std::size_t>(request.limit);
  for (const std::string& queue : request.queues) {
    if (paused_.contains(queue)) continue;
    std::map<std::string, std::vector<Entry*>> kinds;
    for (Entry* const job : ready_in(queue, now)) {
      if (budget.of(job->record)) kinds[budget.group(job->record)].push_back(job);
    }
    while (answer.claims.size() < limit) {
      Next best;
      std::optional<Duration> waits;
      for (const auto& [kind, jobs] : kinds) {
        if (jobs.empty() || *budget.of(jobs.front()->record) <= 0) continue;
        const Next next = next_of(jobs, now);
        if (next.until) waits = waits ? std::min(*waits, *next.until) : *next.until;
        if (!next.job) continue;
        const auto at = [](const Next& one) { return std::pair(one.rank(), one.job->record.id); };
        if (!best.job || at(next) < at(best)) best = next;
      }
      if (!best.job) {
        if (waits) until = until ? std::min(*until, *waits) : *waits;
        break;
      }
      --*budget.of(best.job->record);
      made_room_ = made_room_ || max_waiting_.contains(queue);
      take_turn(best);
      answer.claims.push_back(start(*best.job, request, now));
      std::erase(kinds[budget.group(best.job->record)], best.job);
    }
  }
  answer.next_due = next_due(&request.queues, now);
  if (until && answer.claims.size() < limit) {  // else it has no free slot that could wait for it
    answer.next_due = answer.next_due ? std::min(*answer.next_due, *until) : *until;
  }
  return answer;
}

job::Claim MemoryStore::start(Entry& job, const ClaimRequest& request, const Now& now) {
  move(job, job::JobEvent::Claim, now);
  auto& record = job.record;
  job.epoch = ++last_epoch_;
  job.worker = request.worker;
  job.lease_until = now.mono + request.lease;
  record.worker = workers_.at(request.worker).stats.card.name;
  start_holds(job, now);
  if (record.ordered) lanes_[lane_name(record)].holder = record.id;
  job.started_before = record.started_at;
  record.started_at = now.wall;
  return {.id = {record.id, job.epoch},
          .queue = record.queue,
          .kind = record.kind,
          .key = record.key,
          .content = record.content,
          .program = record.program,
          .payload = record.payload,
          .priority = record.priority,
          .policy = record.policy,
          .counters = record.counters,
          .checkpoint = record.checkpoint,
          .enqueued_at = record.enqueued_at,
          .deadline = record.deadline_at ? std::optional<Duration>(*record.deadline_at - now.wall) : std::nullopt,
          .headers = record.headers,
          .batch = record.batch,
          .waited = std::max(now.wall - job.ready_since, Duration{0})};
}

std::size_t MemoryStore::promote(const std::string* queue, std::size_t limit, const Now& now) {
  std::vector<Entry*> due;
  for (auto& [id, job] : jobs_) {
    const auto& record = job.record;
    if (record.state != JobState::Scheduled || *record.due_at > now.wall) continue;
    if (!queue || record.queue == *queue) due.push_back(&job);
  }
  std::stable_sort(due.begin(), due.end(),
                   [](const Entry* a, const Entry* b) { return a->record.due_at < b->record.due_at; });
  if (due.size() > limit) due.resize(limit);
  for (Entry* const job : due) move(*job, job::JobEvent::Due, now);
  return due.size();
}

std::optional<Duration> MemoryStore::next_due(const std::vector<std::string>* queues, const Now& now) const {
  std::optional<Duration> next;
  for (const auto& [id, job] : jobs_) {
    const auto& record = job.record;
    if (record.state != JobState::Scheduled) continue;
    if (queues && std::find(queues->begin(), queues->end(), record.queue) == queues->end()) continue;
    const Duration until = std::max(*record.due_at - now.wall, Duration{0});
    next = next ? std::min(*next, until) : until;
  }
  for (const auto& [name, one] : schedules_) {
    if (!one.state.next) continue;
    if (queues && std::find(queues->begin(), queues->end(), one.schedule.job.queue) == queues->end()) continue;
    const Duration until = std::max(*one.state.next - now.wall, Duration{0});
    next = next ? std::min(*next, until) : until;
  }
  return next;
}

}  // namespace galley::store::memory
