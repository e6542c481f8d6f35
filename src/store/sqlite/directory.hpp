#pragma once
// The interned names, queues and lanes, and the settings of queues and store, cached per connection. Two counters in
// the clock's row say when to read them again: `names` grows with each name that is added (none is ever removed),
// `config` with each setting that is changed. So a transaction in which nobody changed anything reads neither.
//
// Thread-safety: none; guarded by its store's mutex.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/sqlite/database.hpp"
#include "store/store.hpp"

namespace galley::store::sqlite {

using QueueKey = std::int64_t;
using LaneKey = std::int64_t;

/// A lane of (queue, kind). Command jobs also wait in two lanes without a kind: (queue, "", program) and (queue, "",
/// ""), so that a worker that may run some or all programs finds them with one seek, however many kinds there are.
struct Lane {
  LaneKey id = 0;
  QueueKey queue = 0;
  std::string kind;
  std::string program;  ///< empty: a handler's
};

inline constexpr std::string_view kAnyProgram;

/// A limit as it is stored.
struct KeptLimit {
  std::int64_t id = 0;
  LimitTarget target;
  LimitRule rule;
};

class Directory {
 public:
  explicit Directory(Database& db) : db_(db) {}

  /// Loads what was added or set since the last time, as the clock's counters say. Inside a transaction.
  void refresh(std::int64_t names, std::int64_t config);
  /// What the present transaction must add to `names`.
  [[nodiscard]] bool has_grown() const noexcept { return !new_queues_.empty() || !new_lanes_.empty(); }
  /// Forgets what a transaction that was rolled back had added.
  void rolled_back();
  void committed();
  /// Forgets everything: what was read in a transaction of the application may have been rolled back by it.
  void forget();

  [[nodiscard]] bool is_paused(QueueKey queue) const { return paused_.contains(queue); }
  /// Any queue has a bound; else nobody needs to count.
  [[nodiscard]] bool has_bounds() const noexcept { return !max_waiting_.empty(); }
  [[nodiscard]] std::optional<std::int64_t> max_waiting(QueueKey queue) const;
  [[nodiscard]] job::Order order(QueueKey queue) const;
  [[nodiscard]] bool has_weights() const noexcept { return has_weights_; }
  [[nodiscard]] const std::map<LimitTarget, KeptLimit>& limits() const noexcept { return limits_; }
  /// Of this scope; else nobody needs to look for one.
  [[nodiscard]] bool has_limits(LimitScope scope) const noexcept {
    return has_limits_[static_cast<std::size_t>(scope)];
  }
  /// nullptr: there is none.
  [[nodiscard]] const KeptLimit* limit(const LimitTarget& target) const;
  [[nodiscard]] const KeptLimit* limit(std::int64_t id) const;
  [[nodiscard]] std::optional<std::int64_t> max_bytes() const noexcept { return max_bytes_; }

  /// 0: there is none.
  [[nodiscard]] QueueKey find_queue(const std::string& name) const;
  [[nodiscard]] LaneKey find_lane(QueueKey queue, const std::string& kind, const std::string& program) const;
  /// Adds what is missing; inside a writing transaction.
  [[nodiscard]] QueueKey queue(const std::string& name);
  [[nodiscard]] LaneKey lane(QueueKey queue, const std::string& kind, const std::string& program);

  /// A lane of this queue and kind, whatever its program; adds one without a program where there is none.
  [[nodiscard]] LaneKey any_lane(QueueKey queue, const std::string& kind);

  [[nodiscard]] const Lane& lane(LaneKey id) const { return known(lanes_, id); }
  [[nodiscard]] const std::string& queue_name(QueueKey id) const { return known(queue_names_, id); }
  [[nodiscard]] const std::map<std::string, QueueKey>& queues() const { return queues_; }

  /// The lanes in which a ready job of `id` waits: its own, and for a command the two without a kind.
  [[nodiscard]] std::vector<LaneKey> waiting_lanes(LaneKey id) const;
  /// The lanes through which claims look for them: its own, or of a command the two without a kind.
  [[nodiscard]] std::vector<LaneKey> claim_lanes(LaneKey id) const;
  /// Of each kind and program, those whose commands are claimed through this lane of a program or of all commands.
  [[nodiscard]] std::vector<LaneKey> command_lanes(LaneKey through) const;

 private:
  static constexpr std::int64_t kNone = -1;
  using LaneName = std::tuple<QueueKey, std::string, std::string>;
  /// Throws SqlError: a row that names a queue or lane which does not exist is damage.
  template <class Map>
  static const typename Map::mapped_type& known(const Map& map, std::int64_t id) {
    const auto at = map.find(id);
    if (at == map.end()) throw SqlError(SQLITE_CORRUPT, "a row names the unknown queue or lane " + std::to_string(id));
    return at->second;
  }

  void load_names();
  void load_settings();
  void load_limits();
  void add_queue(QueueKey id, std::string name);
  void add_lane(Lane lane);

  Database& db_;
  std::map<std::string, QueueKey> queues_;
  std::unordered_map<QueueKey, std::string> queue_names_;
  std::map<LaneName, LaneKey> lane_ids_;
  std::unordered_map<LaneKey, Lane> lanes_;
  QueueKey last_queue_ = 0;
  LaneKey last_lane_ = 0;
  std::int64_t names_ = kNone;  // the counters when it was last read
  std::int64_t config_ = kNone;
  std::unordered_set<QueueKey> paused_;
  std::unordered_map<QueueKey, std::int64_t> max_waiting_;
  std::unordered_map<QueueKey, job::Order> orders_;  // but Fifo
  std::map<LimitTarget, KeptLimit> limits_;
  std::unordered_map<std::int64_t, const KeptLimit*> limits_by_id_;
  std::array<bool, 4> has_limits_{};  // by LimitScope
  bool has_weights_ = false;
  std::optional<std::int64_t> max_bytes_;
  std::vector<QueueKey> new_queues_;  // of the present transaction
  std::vector<LaneKey> new_lanes_;
};

}  // namespace galley::store::sqlite
