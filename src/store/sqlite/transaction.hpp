#pragma once
// One transaction: the store's clock, the moves of a job between the hot tables, and the counts that go with them.
// A job's place is one row in exactly one of galley_ready, galley_scheduled, galley_running and galley_ended (a ready
// command has three rows in galley_ready, one for each lane it can be claimed through).
//
// Thread-safety: none; guarded by its store's mutex.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "store/sqlite/directory.hpp"
#include "store/sqlite/key_lane.hpp"
#include "store/sqlite/uses.hpp"

namespace galley::store::sqlite {

/// What galley_jobs.extras remembers, so that a job without them pays for none.
inline constexpr int kHasExtras = 1;     ///< rows in galley_extras
inline constexpr int kHasAttempts = 2;   ///< rows in galley_attempts
inline constexpr int kHasUnique = 4;     ///< a row in galley_unique, held or not
inline constexpr int kHasTags = 8;       ///< rows in galley_tags, and what they are in galley_extras
inline constexpr int kHasGroup = 16;     ///< a row in galley_groups, its payload is in galley_members
inline constexpr int kHasCallback = 32;  ///< a row in galley_callbacks: it waits for a batch

/// Where a job is, as its row says.
struct Place {
  JobId id = 0;
  LaneKey lane = 0;
  JobState state = JobState::Ready;          ///< never Running: that is a row in galley_running beside it
  std::int64_t position = 0;                 ///< rank, due time or time of the end, in microseconds
  std::optional<std::int64_t> expires_us{};  ///< when it is over, should it still wait then
  std::string key{};                         ///< with `limits` (as text_of) what makes the lane it is claimed from
  std::string limits{};
  bool ordered = false;
  /// It is claimed from a lane that comes and goes (key_lanes.hpp), not from its own.
  [[nodiscard]] bool keyed() const noexcept { return !key.empty() || !limits.empty(); }
};

/// Whole minutes since 1970, as statistics are kept by.
[[nodiscard]] constexpr std::int64_t minute_of(std::int64_t wall_us) noexcept {
  return std::chrono::floor<std::chrono::minutes>(Duration(wall_us)).count();
}

class Transaction {
 public:
  enum class Kind : std::uint8_t {
    Read,
    Write,
    Joined,  ///< a part of a transaction that the application has open on this connection, and ends
  };
  Transaction(Database& db, Directory& directory, const base::Clock& clock, Kind kind);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Throws SqlError; whether anything was written is unknown if the commit itself failed on I/O.
  void commit();
  [[nodiscard]] bool committing() const noexcept { return committing_; }

  [[nodiscard]] std::int64_t wall_us() const noexcept { return wall_us_; }
  [[nodiscard]] Time now() const noexcept { return Time(Duration(wall_us_)); }
  [[nodiscard]] std::int64_t mono_us() const noexcept { return mono_us_; }
  [[nodiscard]] JobId next_id() noexcept { return touched(), next_id_++; }
  [[nodiscard]] std::int64_t next_epoch() noexcept { return touched(), ++epoch_; }
  /// The next growing count of microseconds: max(last + 1, wall).
  [[nodiscard]] std::int64_t next_tick() noexcept {
    touched();
    return tick_ = std::max(tick_ + 1, wall_us_);
  }
  /// When a job that is enqueued now was: never before an earlier one, so that a time range is a range of ids.
  [[nodiscard]] std::int64_t next_enqueued_us() noexcept {
    touched();
    return enqueued_us_ = std::max(enqueued_us_, wall_us_);
  }
  /// There are some in the store; or none, and nobody needs to look for them.
  [[nodiscard]] bool has_schedules() const noexcept { return has_schedules_; }
  /// There may be lanes of keys and limits.
  [[nodiscard]] bool has_keys() const noexcept { return has_keys_; }
  void made_key() noexcept { has_keys_ = true; }
  void signal() noexcept { touched(), ++signals_; }
  [[nodiscard]] std::uint64_t signals() const noexcept { return static_cast<std::uint64_t>(signals_); }

  /// Counts a job into or out of a state.
  void count(LaneKey lane, JobState state, int by) {
    counts_[lane][static_cast<std::size_t>(state)] += by;
    if (directory_.has_bounds()) count_waiting(lane, state, by);
  }
  /// The scheduled, ready and blocked jobs of a queue that has a bound.
  [[nodiscard]] std::int64_t waiting(QueueKey queue);
  /// Others want to know of it: something was added, or there is room in a queue that has a bound.
  [[nodiscard]] bool rings() const noexcept;
  void ring() noexcept { rings_ = true; }
  /// A setting of a queue or of the store was changed.
  void configured() noexcept { touched(), ++config_; }

  /// Counts a new job for the statistics of the present minute.
  void enqueued(LaneKey lane) { ++enqueued_[lane]; }

  /// Adds or removes the row that a waiting or ended job has in its hot table, and counts it. Not for Running.
  void enter(const Place& place);
  void leave(const Place& place) { leave(place, nullptr); }
  /// `known`: the lane from which a keyed job is claimed, with what the claim changes about it.
  void leave(const Place& place, KeyLane* known);

  [[nodiscard]] Uses& uses() noexcept { return uses_; }
  /// What the lanes have in common that share under `lane`; written at the commit, where it was changed.
  [[nodiscard]] Share share(LaneKey lane);
  void put_share(LaneKey lane, const Share& share) { shares_[lane] = {share, true}; }
  /// What KeyLanes alone uses.
  struct KeyLanesRead {
    std::map<std::int64_t, KeptKeyLane> by_id;
    std::set<std::int64_t> changed;
    std::optional<bool> any_aside;  ///< some are put aside for a limit; nothing: nobody has asked
  };
  [[nodiscard]] KeyLanesRead& key_lanes() noexcept { return key_lanes_; }

 private:
  void touched() noexcept { clock_changed_ = true; }
  void begin();
  void roll_back() noexcept;
  void count_waiting(LaneKey lane, JobState state, int by);

  Database& db_;
  Directory& directory_;
  Kind kind_;
  bool open_ = false;
  bool committing_ = false;
  bool clock_changed_ = false;
  bool rings_ = false;
  bool has_schedules_ = false;
  bool has_keys_ = false;
  std::int64_t wall_us_ = 0;
  std::int64_t mono_us_ = 0;
  JobId next_id_ = 0;
  std::int64_t tick_ = 0;
  std::int64_t epoch_ = 0;
  std::int64_t signals_ = 0;
  std::int64_t enqueued_us_ = 0;
  std::int64_t names_ = 0;
  std::int64_t config_ = 0;
  std::map<LaneKey, std::array<int, kJobStates>> counts_;
  std::map<LaneKey, int> enqueued_;
  struct Waiting {
    std::optional<std::int64_t> before;  ///< as it is stored, where somebody asked
    std::int64_t by = 0;
  };
  std::map<QueueKey, Waiting> waiting_;  ///< of queues that have a bound
  Uses uses_{db_};
  struct KeptShare {
    Share share;
    bool changed = false;
  };
  std::map<LaneKey, KeptShare> shares_;
  KeyLanesRead key_lanes_;
};

}  // namespace galley::store::sqlite
