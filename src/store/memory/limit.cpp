// Bounds on what waits, and the end of what has waited too long.

#include <algorithm>

#include "job/expiry.hpp"
#include "job/validate.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

std::optional<Time> over_at(const Entry& job) {
  const auto& record = job.record;
  return waits(record.state) ? job::over_at(record.started_at.has_value(), record.expires_at, record.deadline_at)
                             : std::nullopt;
}

}  // namespace

std::int64_t MemoryStore::waiting(const std::string& queue) const {
  return std::count_if(jobs_.begin(), jobs_.end(), [&](const auto& item) {
    return item.second.record.queue == queue && waits(item.second.record.state);
  });
}

std::optional<Enqueued> MemoryStore::meet_limits(const job::NewJob& job, Source source) const {
  if (const auto most = max_waiting_.find(job.queue); most != max_waiting_.end()) {
    if (auto refused = refuse_waiting(job.queue, waiting(job.queue), most->second)) return refused;
  }
  if (source == Source::Schedule || !max_bytes_) return std::nullopt;
  return refuse_bytes(bytes(), job.payload.size(), max_bytes_);
}

bool MemoryStore::is_over(const Entry& job, const Now& now) {
  const auto at = over_at(job);
  return at && *at <= now.wall;
}

void MemoryStore::expire_one(Entry& job, const Now& now) {
  auto& record = job.record;
  record.error = job::why_over(record.started_at.has_value(), record.expires_at, record.deadline_at);
  record.error_class = job::kExpiredClass;
  move(job, job::JobEvent::Expire, now);
}

bool MemoryStore::ends_now(Entry& job, const Now& now) {
  if (!is_over(job, now)) return false;
  expire_one(job, now);
  return true;
}

std::size_t MemoryStore::expire(std::size_t limit, const Now& now) {
  std::vector<Entry*> over;
  for (auto& [id, job] : jobs_) {
    if (is_over(job, now)) over.push_back(&job);
  }
  std::stable_sort(over.begin(), over.end(), [](const Entry* a, const Entry* b) { return over_at(*a) < over_at(*b); });
  if (over.size() > limit) over.resize(limit);
  for (Entry* const job : over) expire_one(*job, now);
  return over.size();
}

std::optional<Duration> MemoryStore::next_expiry(const Now& now) const {
  std::optional<Time> first;
  for (const auto& [id, job] : jobs_) {
    const auto at = over_at(job);
    if (at && (!first || *at < *first)) first = at;
  }
  return first ? std::optional<Duration>(*first - now.wall) : std::nullopt;
}

Result<void> MemoryStore::set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) {
  if (auto fine = job::check_queue("queue", queue); !fine) return fine;
  if (auto fine = check_bound("max_waiting", most); !fine) return fine;
  {
    const std::scoped_lock lock(mutex_);
    max_waiting_.erase(queue);
    if (most) max_waiting_[queue] = *most;
  }
  chime_.ring();
  return {};
}

Result<void> MemoryStore::set_max_bytes(std::optional<std::int64_t> most) {
  if (auto fine = check_bound("max_bytes", most); !fine) return fine;
  {
    const std::scoped_lock lock(mutex_);
    max_bytes_ = most;
  }
  chime_.ring();
  return {};
}

}  // namespace galley::store::memory
