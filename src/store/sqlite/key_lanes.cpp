#include "store/sqlite/key_lanes.hpp"

#include "job/order.hpp"

namespace galley::store::sqlite {

std::optional<KeyLane> KeyLanes::read(Query& row) {
  if (!row.row()) return std::nullopt;
  KeyLane lane;
  lane.id = row.integer(0);
  lane.lane = row.integer(1);
  lane.key = row.text(2);
  lane.limits = row.text(3);
  lane.ordered = row.integer(4) != 0;
  lane.turn = row.integer(5);
  lane.holder = row.integer(6);
  if (const auto standing = row.maybe(7)) lane.head = {*standing, row.integer(8), row.integer(9), row.text(10)};
  lane.idle_us = row.maybe(11);
  lane.full_limit = row.maybe(12);
  lane.full_until_us = row.maybe(13);
  return lane;
}

std::optional<KeyLane> KeyLanes::find(std::int64_t id) {
  Query row(db_, Sql::KeyById);
  row.bind(id);
  return read(row);
}

std::optional<KeyLane> KeyLanes::find(const Place& place) {
  Query row(db_, Sql::FindKey);
  row.bind(place.lane, place.key, place.ordered ? std::string_view() : std::string_view(place.limits), place.ordered);
  return read(row);
}

LaneKey KeyLanes::share_lane(LaneKey id) const {
  const Lane& lane = directory_.lane(id);
  const bool command = !lane.program.empty() || lane.kind.empty();
  return command ? directory_.find_lane(lane.queue, "", std::string(kAnyProgram)) : id;
}

Share KeyLanes::share(LaneKey lane) {
  Query row(db_, Sql::ShareOf);
  row.bind(share_lane(lane));
  return row.row() ? Share{row.integer(0), row.integer(1)} : Share{};
}

void KeyLanes::put_share(LaneKey lane, const Share& share) {
  Query(db_, Sql::PutShare).bind(share_lane(lane), share.time, share.plain).run();
}

KeyLane KeyLanes::make(const Place& place) {
  KeyLane lane;
  {
    Query last(db_, Sql::NextKey);
    lane.id = (last.row() ? last.maybe(0) : std::nullopt).value_or(kFirstKeyId) + 1;
  }
  lane.lane = place.lane;
  lane.key = place.key;
  if (!place.ordered) lane.limits = place.limits;
  lane.ordered = place.ordered;
  lane.turn = share(place.lane).time;
  Query(db_, Sql::InsertKey).bind(lane.id, lane.lane, lane.key, lane.limits, lane.ordered, lane.turn).run();
  lane.idle_us = tx_.wall_us();
  tx_.made_key();
  return lane;
}

void KeyLanes::enter(const Place& place) {
  auto found = find(place);
  KeyLane lane = found ? *std::move(found) : make(place);
  Query(db_, Sql::InsertReady).bind(keyed_jobs(place.lane), place.position, place.id).run();
  Query(db_, Sql::InsertReady).bind(lane.id, place.position, place.id).run();
  if (lane.idle_us) {
    lane.turn = turn_again(lane.turn, share(place.lane).time, Duration(tx_.wall_us() - *lane.idle_us));
  } else if (!lane.ordered && lane.head &&
             std::pair(lane.head->rank, lane.head->job) < std::pair(place.position, place.id)) {
    return;  // behind its first one
  }
  settle(lane);
}

bool KeyLanes::leave(const Place& place) {
  auto lane = find(place);
  if (!lane) return false;
  int gone = Query(db_, Sql::DeleteReady).bind(keyed_jobs(place.lane), place.position, place.id).run();
  gone &= Query(db_, Sql::DeleteReady).bind(lane->id, place.position, place.id).run();
  if (!lane->head || lane->head->job == place.id || lane->ordered) settle(*lane);
  return gone == 1;
}

void KeyLanes::set_turn(const KeyLane& lane) { Query(db_, Sql::SetTurn).bind(lane.turn, lane.holder, lane.id).run(); }

void KeyLanes::released(const Place& place, int weight, bool never) {
  auto lane = find(place);
  if (!lane) return;
  lane->turn -= kTurnCost / weight;
  if (never && lane->holder == place.id) lane->holder = 0;
  settle(*lane);
}

void KeyLanes::drop_holder(const Place& place) {
  auto lane = find(place);
  if (!lane || lane->holder != place.id) return;
  lane->holder = 0;
  settle(*lane);
}

void KeyLanes::put_aside(std::int64_t id, std::int64_t limit, std::optional<std::int64_t> until_us) {
  auto lane = find(id);
  if (!lane) throw SqlError(SQLITE_CORRUPT, "a turn is of a lane that does not exist");
  lane->full_limit = limit;
  lane->full_until_us = until_us;
  settle(*lane);
}

void KeyLanes::open(std::int64_t id) {
  auto lane = find(id);
  if (!lane) return;
  lane->full_limit.reset();
  lane->full_until_us.reset();
  settle(*lane);
}

bool KeyLanes::is_empty(const KeyLane& lane) {
  Query head(db_, Sql::ReadyHead);
  head.bind(lane.id, 1);
  return !head.row();
}

std::optional<JobId> KeyLanes::first_of(const KeyLane& lane) {
  if (lane.holder == 0) {
    Query head(db_, Sql::ReadyHead);
    head.bind(lane.id, 1);
    return head.row() ? std::optional(head.integer(1)) : std::nullopt;
  }
  std::int64_t position = 0;
  {
    Query row(db_, Sql::LookAt);
    row.bind(lane.holder);
    if (!row.row()) return std::nullopt;
    position = row.integer(2);
  }
  Query ready(db_, Sql::IsReady);
  ready.bind(lane.id, position, lane.holder);
  return ready.row() ? std::optional(lane.holder) : std::nullopt;
}

void KeyLanes::settle(KeyLane& lane) {
  const std::vector<LaneKey> through = directory_.claim_lanes(lane.lane);
  if (lane.head) {
    for (const LaneKey one : through) {
      Query(db_, Sql::DropTurn).bind(one, lane.head->under, lane.head->standing, lane.head->rank, lane.head->job).run();
    }
    lane.head.reset();
  }
  const auto first = first_of(lane);
  if (!first && is_empty(lane)) {
    if (!lane.idle_us) lane.idle_us = tx_.wall_us();
  } else {
    lane.idle_us.reset();
  }
  if (first && !lane.full_limit) {
    Query row(db_, Sql::HeadOf);
    row.bind(*first);
    if (!row.row()) throw SqlError(SQLITE_CORRUPT, "ready job " + std::to_string(*first) + " is missing");
    const int priority = row.small(0);
    const std::int64_t position = row.integer(2);
    lane.head = {standing_of(lane.turn, priority), lane.ordered ? job::rank(position, priority) : position, *first,
                 row.null(1) ? std::string() : row.text(1)};
  }
  std::optional<std::int64_t> standing, rank, job;
  std::optional<std::string_view> under;
  if (lane.head) {
    for (const LaneKey one : through) {
      Query(db_, Sql::InsertTurn)
          .bind(one, lane.head->under, lane.head->standing, lane.head->rank, lane.head->job, lane.id)
          .run();
    }
    standing = lane.head->standing;
    rank = lane.head->rank;
    job = lane.head->job;
    under = lane.head->under;
  }
  Query(db_, Sql::PutKey)
      .bind(lane.turn, lane.holder, standing, rank, job, under, lane.idle_us, lane.full_limit, lane.full_until_us,
            lane.id)
      .run();
}

}  // namespace galley::store::sqlite
