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

Claimed MemoryStore::claim_one(const ClaimRequest& request, const Now& now) {
  if (expire(limits::kMaxStep, now) > 0) made_room_ = true;
  for (const std::string& queue : request.queues) promote(&queue, limits::kMaxStep, now);
  for (const std::string& queue : request.queues) (void)tick(&queue, limits::kMaxStep, now);

  Claimed answer;
  Budget budget(request);
  for (const std::string& queue : request.queues) {
    if (paused_.contains(queue)) continue;
    std::vector<Entry*> ready;
    for (auto& [id, job] : jobs_) {
      const auto& record = job.record;
      if (record.state == JobState::Ready && record.queue == queue && budget.of(record)) ready.push_back(&job);
    }
    // They come in the order of their ids, which settles ties.
    std::stable_sort(ready.begin(), ready.end(), [](const Entry* a, const Entry* b) { return a->rank < b->rank; });
    for (Entry* const job : ready) {
      if (answer.claims.size() == static_cast<std::size_t>(request.limit)) break;
      std::int64_t& left = *budget.of(job->record);
      if (left == 0 || is_over(*job, now)) continue;
      --left;
      made_room_ = made_room_ || max_waiting_.contains(queue);
      answer.claims.push_back(start(*job, request, now));
    }
  }
  answer.next_due = next_due(&request.queues, now);
  return answer;
}

job::Claim MemoryStore::start(Entry& job, const ClaimRequest& request, const Now& now) {
  move(job, job::JobEvent::Claim, now);
  auto& record = job.record;
  job.epoch = ++last_epoch_;
  job.worker = request.worker;
  job.lease_until = now.mono + request.lease;
  record.worker = workers_.at(request.worker).stats.card.name;
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
