#pragma once
// The lanes of jobs with a key or limits: rows of galley_keys, made when such a job becomes ready and dropped some time
// after the last one has left. A lane whose first job may be claimed has that job in galley_turns, by its standing, for
// each lane through which a claim looks for it (its kind's own; of a command, those of its program and of all
// commands). So a claim finds whose turn it is with one seek, however many keys there are. A ready job of such a lane
// has two rows in galley_ready: under its lane here, and under keyed_jobs() of its own lane, by which it is listed.
//
// A transaction keeps the lanes that it has read, and writes those that it has changed once, at its end: many jobs of
// one lane that come and go together cost as many rows of galley_ready and one of the others. Whoever looks into
// galley_keys or galley_turns itself calls write() before.
//
// Thread-safety: none; used inside a writing transaction.

#include <cstdint>
#include <optional>
#include <string>

#include "store/lane_rules.hpp"
#include "store/sqlite/key_lane.hpp"
#include "store/sqlite/transaction.hpp"

namespace galley::store::sqlite {

class KeyLanes {
 public:
  KeyLanes(Transaction& tx, Database& db, Directory& directory) : tx_(tx), db_(db), directory_(directory) {}

  /// A job has become ready; its row says so already.
  void enter(const Place& place);
  /// A job is not ready any more. False: it was not there.
  [[nodiscard]] bool leave(const Place& place);
  /// The same for the first job of a lane that is known, whose turn and holder the claim has changed.
  [[nodiscard]] bool leave(const Place& place, KeyLane& lane);
  /// Its claim was put back: it gets its turn back. `never`: it has not run before either, and holds nothing.
  void released(const Place& place, int weight, bool never);
  /// If it is the one that holds its lane.
  void drop_holder(const Place& place);
  /// Puts a lane aside until `limit` has room.
  void put_aside(std::int64_t id, std::int64_t limit, std::optional<std::int64_t> until_us);
  void open(std::int64_t id);
  /// Some are put aside; else nobody needs to look for them.
  [[nodiscard]] bool any_aside();

  /// nullptr: there is none. Stays as long as the transaction.
  [[nodiscard]] KeyLane* find(std::int64_t id);
  [[nodiscard]] KeyLane* find(const Place& place);
  /// It is idle.
  void drop(std::int64_t id);
  /// What was changed so far.
  void write();
  [[nodiscard]] Share share(LaneKey lane);
  void put_share(LaneKey lane, const Share& share);

 private:
  [[nodiscard]] KeyLane* read(Query& row);
  [[nodiscard]] KeyLane& make(const Place& place);
  [[nodiscard]] LaneKey share_lane(LaneKey lane) const;
  /// The job that a claim would get, with what decides about its place; nothing: none may start.
  [[nodiscard]] std::optional<KeyLane::Head> first_of(const KeyLane& lane);
  [[nodiscard]] std::optional<KeyLane::Head> held_by(const KeyLane& lane);
  [[nodiscard]] bool is_empty(const KeyLane& lane);
  [[nodiscard]] bool drop_ready(const Place& place, std::int64_t lane);
  /// Puts what is stored of a lane right after any change.
  void settle(KeyLane& lane);

  Transaction& tx_;
  Database& db_;
  Directory& directory_;
};

}  // namespace galley::store::sqlite
