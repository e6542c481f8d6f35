// Retention: which completed jobs go.

#include <algorithm>

#include "store/batch_rules.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/times.hpp"

namespace galley::store::sqlite {

namespace {

// Rows that one step prunes with its jobs, ~1 us each: a thousand jobs have some ten thousand, but a thousand groups
// may have ten million.
constexpr int kMaxPrunedRows = 20'000;

// Jobs of a lane that one look passes over because their batch keeps them, ~2 us each. The next look goes on behind
// them, and begins anew when it has come to the end.
constexpr std::size_t kMaxKeptLook = 1'000;

}  // namespace

bool Backend::is_kept(const Transaction& tx, const Prunable& one) {
  const auto row = read_row(db_, one.id);
  if (!row) throw SqlError(SQLITE_CORRUPT, "completed job " + std::to_string(one.id) + " is missing");
  if (row->batch == 0) return false;
  const auto batch = read_batch(row->batch);
  if (!batch) throw SqlError(SQLITE_CORRUPT, "batch " + std::to_string(row->batch) + ", which has jobs, is missing");
  if (keeps_job(*batch, {}, time_of(one.ended_us), tx.now())) return true;
  std::vector<JobState> callbacks;
  for (const JobId id : callbacks_of(row->batch)) {
    const auto callback = read_row(db_, id);
    if (callback) callbacks.push_back(callback->place.state);
  }
  return keeps_job(*batch, callbacks, time_of(one.ended_us), tx.now());
}

/// Those that no batch keeps, oldest first. `passed`: there are kept ones before them.
std::vector<Backend::Prunable> Backend::oldest_completed(Transaction& tx, LaneKey lane, std::int64_t before_us,
                                                         std::size_t limit, bool& passed) {
  std::vector<Prunable> oldest;
  auto& [after_us, after] = pruned_to_.try_emplace(lane, -1, 0).first->second;
  std::size_t looked = 0;
  bool leading = true;
  Query rows(db_, Sql::EndedAfter);
  rows.bind(lane, name(JobState::Completed), after_us, after, before_us, limit + kMaxKeptLook);
  while (oldest.size() < limit && looked < kMaxKeptLook && rows.row()) {
    const Prunable one{lane, rows.integer(0), rows.integer(1)};
    if (is_kept(tx, one)) {
      ++looked;
      if (leading) std::tie(after_us, after) = std::pair(one.ended_us, one.id);
    } else {
      leading = false;
      oldest.push_back(one);
    }
  }
  passed = passed || looked > 0 || after_us >= 0;
  if (oldest.size() < limit && looked < kMaxKeptLook) pruned_to_.erase(lane);  // it has come to the end
  return oldest;
}

/// What retention lets go of: older than kKeepCompleted, or beyond kKeepCompletedJobs of its queue, oldest first; where
/// kept jobs fill that number, not before kKeepBesideBatches.
std::vector<Backend::Prunable> Backend::prunable(Transaction& tx, std::size_t limit) {
  const std::int64_t cutoff = tx.wall_us() - std::chrono::duration_cast<Duration>(limits::kKeepCompleted).count();
  const std::int64_t floor = tx.wall_us() - std::chrono::duration_cast<Duration>(kKeepBesideBatches).count();
  std::map<QueueKey, std::vector<LaneKey>> lanes;
  std::map<QueueKey, std::int64_t> excess;
  {
    Query counts(db_, Sql::LaneCounts);
    while (counts.row()) {
      const std::int64_t completed = counts.integer(1 + static_cast<int>(JobState::Completed));
      if (completed == 0) continue;
      const QueueKey queue = directory_.lane(counts.integer(0)).queue;
      lanes[queue].push_back(counts.integer(0));
      excess.try_emplace(queue, -limits::kKeepCompletedJobs).first->second += completed;
    }
  }
  std::vector<Prunable> gone;
  for (const auto& [queue, members] : lanes) {
    if (gone.size() >= limit) break;
    const std::int64_t before = excess[queue] > 0 ? std::numeric_limits<std::int64_t>::max() : cutoff;
    std::vector<Prunable> oldest;
    bool passed = false;
    for (const LaneKey lane : members) {
      const auto head = oldest_completed(tx, lane, before, limit - gone.size(), passed);
      oldest.insert(oldest.end(), head.begin(), head.end());
    }
    std::sort(oldest.begin(), oldest.end(), [](const Prunable& a, const Prunable& b) {
      return std::pair(a.ended_us, a.id) < std::pair(b.ended_us, b.id);
    });
    std::int64_t beyond = excess[queue];
    for (const Prunable& one : oldest) {
      const bool kept = beyond <= 0 || (passed && one.ended_us >= floor);
      if (gone.size() >= limit || (one.ended_us >= cutoff && kept)) break;
      gone.push_back(one);
      --beyond;
    }
  }
  return gone;
}

bool Backend::prune(Transaction& tx, std::size_t limit, StepAnswer& answer) {
  const auto gone = prunable(tx, limit);
  const int before = sqlite3_total_changes(db_.raw());
  for (const Prunable& one : gone) {
    if (sqlite3_total_changes(db_.raw()) - before > kMaxPrunedRows) return true;
    erase_job(tx, *read_row(db_, one.id));  // there: it was read a moment ago
    ++answer.pruned;
  }
  return gone.size() >= limit;
}

}  // namespace galley::store::sqlite
