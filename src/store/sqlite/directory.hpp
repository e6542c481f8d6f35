#pragma once
// The interned names: queues and lanes, cached per connection. They are only ever added, so what is cached stays true.
//
// Thread-safety: none; guarded by its store's mutex.

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "store/sqlite/database.hpp"

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

class Directory {
 public:
  explicit Directory(Database& db) : db_(db) {}

  /// Loads what other connections have added. Inside a transaction.
  void refresh();
  /// Forgets what a transaction that was rolled back had added.
  void rolled_back();
  void committed();

  /// 0: there is none.
  [[nodiscard]] QueueKey find_queue(const std::string& name) const;
  [[nodiscard]] LaneKey find_lane(QueueKey queue, const std::string& kind, const std::string& program) const;
  /// Adds what is missing; inside a writing transaction.
  [[nodiscard]] QueueKey queue(const std::string& name);
  [[nodiscard]] LaneKey lane(QueueKey queue, const std::string& kind, const std::string& program);

  [[nodiscard]] const Lane& lane(LaneKey id) const { return known(lanes_, id); }
  [[nodiscard]] const std::string& queue_name(QueueKey id) const { return known(queue_names_, id); }
  [[nodiscard]] const std::map<std::string, QueueKey>& queues() const { return queues_; }

  /// The lanes in which a ready job of `id` waits: its own, and for a command the two without a kind.
  [[nodiscard]] std::vector<LaneKey> waiting_lanes(LaneKey id) const;

 private:
  using LaneName = std::tuple<QueueKey, std::string, std::string>;
  /// Throws SqlError: a row that names a queue or lane which does not exist is damage.
  template <class Map>
  static const typename Map::mapped_type& known(const Map& map, std::int64_t id) {
    const auto at = map.find(id);
    if (at == map.end()) throw SqlError(SQLITE_CORRUPT, "a row names the unknown queue or lane " + std::to_string(id));
    return at->second;
  }

  void add_queue(QueueKey id, std::string name);
  void add_lane(Lane lane);

  Database& db_;
  std::map<std::string, QueueKey> queues_;
  std::unordered_map<QueueKey, std::string> queue_names_;
  std::map<LaneName, LaneKey> lane_ids_;
  std::unordered_map<LaneKey, Lane> lanes_;
  QueueKey last_queue_ = 0;
  LaneKey last_lane_ = 0;
  std::vector<QueueKey> new_queues_;  // of the present transaction
  std::vector<LaneKey> new_lanes_;
};

}  // namespace galley::store::sqlite
