// Statistics by the minute.

#include <limits>

#include "store/check.hpp"
#include "store/lane_rules.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

namespace {

std::int64_t minute_of(const Now& now) {
  return std::chrono::floor<std::chrono::minutes>(now.wall.time_since_epoch()).count();
}

std::int64_t sum(std::int64_t a, std::int64_t b) {
  return a > std::numeric_limits<std::int64_t>::max() - b ? std::numeric_limits<std::int64_t>::max() : a + b;
}

}  // namespace

Minute& MemoryStore::minute(const std::string& queue, const std::string& kind, const Now& now) {
  const std::int64_t minute = minute_of(now);
  Minute& found = minutes_[{minute, queue, kind}];
  found.minute = Time(std::chrono::minutes(minute));
  found.measured.queue = queue;
  found.measured.kind = kind;
  return found;
}

void MemoryStore::drop_old_minutes(const Now& now) {
  minutes_.erase(minutes_.begin(), minutes_.lower_bound({minute_of(now) - limits::kKeepMinutes, "", ""}));
}

Result<void> MemoryStore::report(std::span<const Measured> measured) {
  if (auto fine = check(measured); !fine) return fine.error();
  const std::scoped_lock lock(mutex_);
  for (const Measured& one : measured) {
    Measured& all = minute(one.queue, one.kind, now()).measured;
    all.completed = sum(all.completed, one.completed);
    all.failed = sum(all.failed, one.failed);
    all.wait.merge(one.wait);
    all.run.merge(one.run);
    if (one.run.count() > 0) learn(learned_[{one.queue, one.kind}], one.run);
  }
  return {};
}

Result<std::vector<Minute>> MemoryStore::minutes(int minutes) {
  if (auto fine = check_minutes(minutes); !fine) return fine.error();
  const std::scoped_lock lock(mutex_);
  const std::int64_t last = minute_of(now());
  std::vector<Minute> answer;
  for (const auto& [key, minute] : minutes_) {
    if (std::get<0>(key) >= last - minutes && std::get<0>(key) <= last) answer.push_back(minute);
  }
  return answer;
}

}  // namespace galley::store::memory
