// What the store says of itself. Its contents are one map of jobs, so there is little that could contradict itself.

#include <algorithm>

#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

// A scheduled job this late, while a worker lives, says that nobody takes steps. Steps come every 5 s.
constexpr std::chrono::minutes kOverdue{5};

/// Whether a job's kind, or its program, is among what the worker says it runs.
bool serves(const WorkerCard& card, const job::JobRecord& job) {
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!has(card.queues, job.queue)) return false;
  if (job.content != job::Content::Command) return has(card.kinds, job.kind);
  return card.any_command || has(card.programs, job.program);
}

}  // namespace

/// What users gave and handlers returned; not what the process needs to keep it.
std::int64_t MemoryStore::bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, job] : jobs_) {
    const auto& record = job.record;
    bytes += record.payload.size() + record.result.size() + record.checkpoint.size() + record.progress.size();
  }
  return static_cast<std::int64_t>(bytes);
}

Result<StoreInfo> MemoryStore::info() {
  const std::scoped_lock lock(mutex_);
  StoreInfo info;
  info.backend = "memory";
  info.durability = "none";
  info.bytes = bytes();
  info.max_bytes = max_bytes_;
  return info;
}

Result<std::vector<Finding>> MemoryStore::examine(bool) {
  const std::scoped_lock lock(mutex_);
  const Time now = clock_.wall();
  std::vector<Finding> findings;
  std::map<std::string, std::int64_t> unserved;
  std::int64_t overdue = 0;
  const bool alive = std::any_of(workers_.begin(), workers_.end(), [](const auto& w) { return !w.second.left; });
  for (const auto& [id, job] : jobs_) {
    const auto& record = job.record;
    if (record.state == JobState::Scheduled && alive && now - *record.due_at > kOverdue) ++overdue;
    if (record.state != JobState::Ready || paused_.contains(record.queue)) continue;
    const bool served = std::any_of(workers_.begin(), workers_.end(), [&](const auto& worker) {
      return !worker.second.left && serves(worker.second.stats.card, record);
    });
    if (!served) ++unserved[record.queue + "/" + record.kind];
  }
  for (const auto& [lane, jobs] : unserved) {
    findings.push_back({"unserved", std::to_string(jobs) + " ready jobs of " + lane + ", and no live worker runs it"});
  }
  if (overdue > 0) findings.push_back({"overdue", std::to_string(overdue) + " scheduled jobs are over 5 minutes late"});
  if (Time(Duration(last_tick_)) > now + std::chrono::minutes(1)) {
    findings.push_back({"clock_behind", "the calendar has been stepped back: new jobs are ordered by a later time"});
  }
  return findings;
}

Result<void> MemoryStore::backup(const std::string&) {
  return Error{Errc::InvalidInput, "the store 'memory:' has no file; only sqlite: stores can be backed up"};
}

}  // namespace galley::store::memory
