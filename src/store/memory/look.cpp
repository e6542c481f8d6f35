#include <algorithm>

#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

Error no_such_job(JobId id) { return {Errc::NotFound, "job " + std::to_string(id) + " is not in this store"}; }

}  // namespace

Result<job::JobRecord> MemoryStore::find(JobId id) {
  const std::scoped_lock lock(mutex_);
  const Entry* const job = entry(id);
  if (!job) return no_such_job(id);
  return job->record;
}

Result<std::vector<job::AttemptRecord>> MemoryStore::attempts(JobId id) {
  const std::scoped_lock lock(mutex_);
  const Entry* const job = entry(id);
  if (!job) return no_such_job(id);
  std::vector<job::AttemptRecord> records(job->attempts.begin(), job->attempts.end());
  if (job->record.state == JobState::Completed && job->ended_silently) {
    if (records.size() == limits::kMaxKeptAttempts) records.erase(records.begin());
    auto& last = records.emplace_back();
    last.attempt = job->record.counters.attempts;
    last.outcome = "completed";
    last.started_at = *job->record.started_at;
    last.ended_at = *job->record.finished_at;
    last.report.run_time = std::max(last.ended_at - last.started_at, Duration{0});
  }
  return records;
}

Result<std::vector<std::optional<JobState>>> MemoryStore::states(std::span<const JobId> ids) {
  if (auto fine = check(ids); !fine) return fine.error();
  const std::scoped_lock lock(mutex_);
  std::vector<std::optional<JobState>> answers;
  for (const JobId id : ids) {
    const Entry* const job = entry(id);
    answers.push_back(job ? std::optional(job->record.state) : std::nullopt);
  }
  return answers;
}

Result<std::vector<LaneStats>> MemoryStore::lanes() {
  const std::scoped_lock lock(mutex_);
  std::map<std::pair<std::string, std::string>, LaneStats> lanes;
  for (const auto& [id, job] : jobs_) {
    LaneStats& lane = lanes[{job.record.queue, job.record.kind}];
    ++lane.count[static_cast<std::size_t>(job.record.state)];
  }
  std::vector<LaneStats> answer;
  for (auto& [name, lane] : lanes) {
    lane.queue = name.first;
    lane.kind = name.second;
    answer.push_back(lane);
  }
  return answer;
}

Result<std::vector<QueueStats>> MemoryStore::queues() {
  const std::scoped_lock lock(mutex_);
  std::map<std::string, QueueStats> queues;
  std::map<std::string, const Entry*> first;  // the job that runs next, by queue
  for (const std::string& queue : paused_) queues[queue].paused = true;
  for (const auto& [queue, most] : max_waiting_) queues[queue].max_waiting = most;
  for (const auto& [queue, order] : orders_) queues[queue].order = order;
  for (const auto& [id, job] : jobs_) {
    const auto& record = job.record;
    ++queues[record.queue].count[static_cast<std::size_t>(record.state)];
    if (record.state != JobState::Ready) continue;
    const Entry*& next = first[record.queue];
    if (!next || job.rank < next->rank) next = &job;
  }
  std::vector<QueueStats> answer;
  for (auto& [name, queue] : queues) {
    queue.queue = name;
    if (first.contains(name)) {
      queue.oldest_ready = std::max(clock_.wall() - first[name]->record.enqueued_at, Duration{0});
    }
    answer.push_back(queue);
  }
  return answer;
}

Result<std::vector<WorkerStats>> MemoryStore::workers() {
  const std::scoped_lock lock(mutex_);
  std::vector<WorkerStats> answer;
  for (const auto& [id, worker] : workers_) {
    if (worker.left) continue;
    answer.push_back(worker.stats);
    answer.back().running = std::count_if(jobs_.begin(), jobs_.end(), [&, who = id](const auto& item) {
      return item.second.record.state == JobState::Running && item.second.worker == who;
    });
  }
  return answer;
}

}  // namespace galley::store::memory
