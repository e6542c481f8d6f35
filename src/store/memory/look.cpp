#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

Error no_such_job(JobId id) { return {Errc::NotFound, "job " + std::to_string(id) + " is not in this store"}; }

/// Where a job stands in a list: its state's turn, then as much of queue, kind and number as its state is ordered by.
using Place = std::tuple<int, std::string, std::string, std::int64_t, JobId>;

int turn(JobState state) {
  constexpr std::array kTurns{JobState::Running, JobState::Ready, JobState::Scheduled, JobState::Blocked};
  const auto* const at = std::find(kTurns.begin(), kTurns.end(), state);
  return at == kTurns.end() ? static_cast<int>(state) : static_cast<int>(at - kTurns.begin());
}

Place place(const Entry& job) {
  const auto& record = job.record;
  const auto count = [](const std::optional<Time>& time) { return time->time_since_epoch().count(); };
  const int first = turn(record.state);
  switch (record.state) {
    case JobState::Running:
    case JobState::Blocked: return {first, "", "", 0, record.id};
    case JobState::Scheduled: return {first, record.queue, "", count(record.due_at), record.id};
    case JobState::Ready: return {first, record.queue, record.kind, job.rank, record.id};
    default: return {first, record.queue, record.kind, count(record.finished_at), record.id};
  }
}

/// "TURN qQUEUE kKIND NUMBER ID"; neither name holds a blank.
std::string to_cursor(const Place& at) {
  return std::to_string(std::get<0>(at)) + " q" + std::get<1>(at) + " k" + std::get<2>(at) + " " +
         std::to_string(std::get<3>(at)) + " " + std::to_string(std::get<4>(at));
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Place> from_cursor(std::string_view cursor) {
  std::vector<std::string_view> words;
  for (std::size_t from = 0; from <= cursor.size();) {
    const std::size_t end = std::min(cursor.find(' ', from), cursor.size());
    words.push_back(cursor.substr(from, end - from));
    from = end + 1;
  }
  if (words.size() != 5 || !words[1].starts_with('q') || !words[2].starts_with('k')) return std::nullopt;
  const auto first = number(words[0]), third = number(words[3]), id = number(words[4]);
  if (!first || !third || !id || *first < 0 || *first >= kJobStates) return std::nullopt;
  return Place{static_cast<int>(*first), words[1].substr(1), words[2].substr(1), *third, *id};
}

bool fits(const job::JobRecord& record, const Filter& filter) {
  return record.queue == filter.queue.value_or(record.queue) && record.kind == filter.kind.value_or(record.kind) &&
         record.state == filter.state.value_or(record.state);
}

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

Result<Page> MemoryStore::list(const Filter& filter, const std::string& cursor, std::size_t limit) {
  if (auto fine = check_limit(limit, limits::kMaxPage); !fine) return fine.error();
  const auto after = from_cursor(cursor);
  if (!cursor.empty() && !after) return Error{Errc::InvalidInput, "cursor is not one that this list has given"};
  const std::scoped_lock lock(mutex_);
  std::map<Place, const job::JobRecord*> found;
  for (const auto& [id, job] : jobs_) {
    if (!fits(job.record, filter)) continue;
    Place at = place(job);
    if (!after || at > *after) found.emplace(std::move(at), &job.record);
  }
  Page page;
  for (const auto& [at, record] : found) {
    page.jobs.push_back(*record);
    if (page.jobs.size() == limit) {
      if (found.size() > limit) page.next = to_cursor(at);
      break;
    }
  }
  return page;
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
    if (!worker.left) answer.push_back(worker.stats);
  }
  return answer;
}

}  // namespace galley::store::memory
