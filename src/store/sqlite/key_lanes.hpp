#pragma once
// The lanes of jobs with a key or limits: rows of galley_keys, made when such a job becomes ready and dropped some time
// after the last one has left. A lane whose first job may be claimed has that job in galley_turns, by its standing, for
// each lane through which a claim looks for it (its kind's own; of a command, those of its program and of all
// commands). So a claim finds whose turn it is with one seek, however many keys there are. A ready job of such a lane
// has two rows in galley_ready: under its lane here, and under keyed_jobs() of its own lane, by which it is listed.
//
// Thread-safety: none; used inside a writing transaction.

#include <cstdint>
#include <optional>
#include <string>

#include "store/lane_rules.hpp"
#include "store/sqlite/transaction.hpp"

namespace galley::store::sqlite {

/// Where the ready jobs of a lane's keys are listed.
[[nodiscard]] constexpr LaneKey keyed_jobs(LaneKey lane) noexcept { return -lane; }

/// Ids of galley_keys begin after it, so that they never meet those of galley_lanes.
inline constexpr std::int64_t kFirstKeyId = std::int64_t{1} << 40;

struct KeyLane {
  std::int64_t id = 0;
  LaneKey lane = 0;
  std::string key;
  std::string limits;  ///< as text_of; of an ordered lane empty, because its jobs keep their order whatever limits them
  bool ordered = false;
  std::int64_t turn = 0;
  JobId holder = 0;  ///< of an ordered lane: the job that has started and not ended; 0: none
  /// As galley_turns has it; nothing: it is not there.
  struct Head {
    std::int64_t standing = 0;
    std::int64_t rank = 0;
    JobId job = 0;
    std::string under;  ///< the limits that it names
  };
  std::optional<Head> head;
  std::optional<std::int64_t> idle_us;     ///< since when nothing is ready
  std::optional<std::int64_t> full_limit;  ///< it is put aside until this limit has room
  std::optional<std::int64_t> full_until_us;
};

class KeyLanes {
 public:
  KeyLanes(Transaction& tx, Database& db, Directory& directory) : tx_(tx), db_(db), directory_(directory) {}

  /// A job has become ready; its row says so already.
  void enter(const Place& place);
  /// A job is not ready any more. False: it was not there.
  [[nodiscard]] bool leave(const Place& place);
  /// A claim took its turn, and holds the lane where it is ordered.
  void set_turn(const KeyLane& lane);
  /// Its claim was put back: it gets its turn back. `never`: it has not run before either, and holds nothing.
  void released(const Place& place, int weight, bool never);
  /// If it is the one that holds its lane.
  void drop_holder(const Place& place);
  /// Puts a lane aside until `limit` has room.
  void put_aside(std::int64_t id, std::int64_t limit, std::optional<std::int64_t> until_us);
  void open(std::int64_t id);

  [[nodiscard]] std::optional<KeyLane> find(std::int64_t id);
  [[nodiscard]] std::optional<KeyLane> find(const Place& place);
  [[nodiscard]] Share share(LaneKey lane);
  void put_share(LaneKey lane, const Share& share);

 private:
  [[nodiscard]] static std::optional<KeyLane> read(Query& row);
  [[nodiscard]] KeyLane make(const Place& place);
  [[nodiscard]] LaneKey share_lane(LaneKey lane) const;
  [[nodiscard]] std::optional<JobId> first_of(const KeyLane& lane);
  [[nodiscard]] bool is_empty(const KeyLane& lane);
  /// Puts what is stored of a lane right after any change.
  void settle(KeyLane& lane);

  Transaction& tx_;
  Database& db_;
  Directory& directory_;
};

}  // namespace galley::store::sqlite
