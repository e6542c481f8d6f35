#include "store/sqlite/key_lanes.hpp"

#include <utility>

#include "job/order.hpp"

namespace galley::store::sqlite {

KeyLane* KeyLanes::read(Query& row) {
  if (!row.row()) return nullptr;
  const auto [at, added] = tx_.key_lanes().by_id.try_emplace(row.integer(0));
  KeptKeyLane& kept = at->second;
  KeyLane& lane = kept.lane;
  if (!added) return &lane;
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
  kept.stored = lane.head;
  return &lane;
}

KeyLane* KeyLanes::find(std::int64_t id) {
  auto& known = tx_.key_lanes().by_id;
  if (const auto at = known.find(id); at != known.end()) return &at->second.lane;
  Query row(db_, Sql::KeyById);
  row.bind(id);
  return read(row);
}

KeyLane* KeyLanes::find(const Place& place) {
  Query row(db_, Sql::FindKey);
  row.bind(place.lane, place.key, place.ordered ? std::string_view() : std::string_view(place.limits), place.ordered);
  return read(row);
}

void KeyLanes::drop(std::int64_t id) {
  tx_.key_lanes().by_id.erase(id);
  tx_.key_lanes().changed.erase(id);
  Query(db_, Sql::DropKey).bind(id).run();
}

LaneKey KeyLanes::share_lane(LaneKey id) const {
  const Lane& lane = directory_.lane(id);
  const bool command = !lane.program.empty() || lane.kind.empty();
  return command ? directory_.find_lane(lane.queue, "", std::string(kAnyProgram)) : id;
}

Share KeyLanes::share(LaneKey lane) { return tx_.share(share_lane(lane)); }

void KeyLanes::put_share(LaneKey lane, const Share& share) { tx_.put_share(share_lane(lane), share); }

KeyLane& KeyLanes::make(const Place& place) {
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
  KeptKeyLane& kept = tx_.key_lanes().by_id[lane.id];
  kept.lane = std::move(lane);
  return kept.lane;
}

void KeyLanes::enter(const Place& place) {
  KeyLane* const found = find(place);
  KeyLane& lane = found != nullptr ? *found : make(place);
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
  KeyLane* const lane = find(place);
  if (lane == nullptr) return false;
  const bool gone = drop_ready(place, lane->id);
  if (!lane->head || lane->head->job == place.id || lane->ordered) settle(*lane);
  return gone;
}

bool KeyLanes::leave(const Place& place, KeyLane& lane) {
  const bool gone = drop_ready(place, lane.id);
  settle(lane);
  return gone;
}

bool KeyLanes::drop_ready(const Place& place, std::int64_t lane) {
  int gone = Query(db_, Sql::DeleteReady).bind(keyed_jobs(place.lane), place.position, place.id).run();
  gone &= Query(db_, Sql::DeleteReady).bind(lane, place.position, place.id).run();
  return gone == 1;
}

void KeyLanes::released(const Place& place, int weight, bool never) {
  KeyLane* const lane = find(place);
  if (lane == nullptr) return;
  lane->turn -= kTurnCost / weight;
  if (never && lane->holder == place.id) lane->holder = 0;
  settle(*lane);
}

void KeyLanes::drop_holder(const Place& place) {
  KeyLane* const lane = find(place);
  if (lane == nullptr || lane->holder != place.id) return;
  lane->holder = 0;
  settle(*lane);
}

void KeyLanes::put_aside(std::int64_t id, std::int64_t limit, std::optional<std::int64_t> until_us) {
  KeyLane* const lane = find(id);
  if (lane == nullptr) throw SqlError(SQLITE_CORRUPT, "a turn is of a lane that does not exist");
  tx_.key_lanes().any_aside = true;
  lane->full_limit = limit;
  lane->full_until_us = until_us;
  settle(*lane);
}

void KeyLanes::open(std::int64_t id) {
  KeyLane* const lane = find(id);
  if (lane == nullptr) return;
  lane->full_limit.reset();
  lane->full_until_us.reset();
  settle(*lane);
}

bool KeyLanes::any_aside() {
  auto& known = tx_.key_lanes().any_aside;
  if (!known) {
    Query row(db_, Sql::AnyAside);
    known = row.row();
  }
  return *known;
}

bool KeyLanes::is_empty(const KeyLane& lane) {
  Query head(db_, Sql::ReadyHead);
  head.bind(lane.id, 1);
  return !head.row();
}

std::optional<KeyLane::Head> KeyLanes::first_of(const KeyLane& lane) {
  if (lane.holder != 0) return held_by(lane);
  Query row(db_, Sql::FirstOfKey);
  row.bind(lane.id);
  if (!row.row()) return std::nullopt;
  const JobId job = row.integer(1);
  if (row.null(2)) throw SqlError(SQLITE_CORRUPT, "ready job " + std::to_string(job) + " is missing");
  const int priority = row.small(2);
  const std::int64_t position = row.integer(4);
  return KeyLane::Head{standing_of(lane.turn, priority), lane.ordered ? job::rank(position, priority) : position, job,
                       row.null(3) ? std::string() : row.text(3)};
}

std::optional<KeyLane::Head> KeyLanes::held_by(const KeyLane& lane) {
  Query row(db_, Sql::HeadOf);
  row.bind(lane.holder);
  if (!row.row()) return std::nullopt;
  const int priority = row.small(0);
  const std::int64_t position = row.integer(2);
  Query ready(db_, Sql::IsReady);
  ready.bind(lane.id, position, lane.holder);
  if (!ready.row()) return std::nullopt;
  return KeyLane::Head{standing_of(lane.turn, priority), lane.ordered ? job::rank(position, priority) : position,
                       lane.holder, row.null(1) ? std::string() : row.text(1)};
}

void KeyLanes::settle(KeyLane& lane) {
  auto first = first_of(lane);
  if (!first && (lane.holder == 0 || is_empty(lane))) {
    if (!lane.idle_us) lane.idle_us = tx_.wall_us();
  } else {
    lane.idle_us.reset();
  }
  lane.head = lane.full_limit ? std::nullopt : std::move(first);
  tx_.key_lanes().changed.insert(lane.id);
}

void KeyLanes::write() {
  const auto changed = std::exchange(tx_.key_lanes().changed, {});
  for (const std::int64_t id : changed) {  // first, because a job may stand in another lane at the place that it had
    const KeptKeyLane& kept = tx_.key_lanes().by_id.at(id);
    const auto& old = kept.stored;
    if (!old || kept.lane.head == old) continue;
    for (const LaneKey through : directory_.claim_lanes(kept.lane.lane)) {
      Query(db_, Sql::DropTurn).bind(through, old->under, old->standing, old->rank, old->job).run();
    }
  }
  for (const std::int64_t id : changed) {
    KeptKeyLane& kept = tx_.key_lanes().by_id.at(id);
    const KeyLane& lane = kept.lane;
    if (const auto& now = lane.head; now && now != kept.stored) {
      for (const LaneKey through : directory_.claim_lanes(lane.lane)) {
        Query(db_, Sql::InsertTurn).bind(through, now->under, now->standing, now->rank, now->job, id).run();
      }
    }
    kept.stored = lane.head;
    std::optional<std::int64_t> standing, rank, job;
    std::optional<std::string_view> under;
    if (lane.head) {
      standing = lane.head->standing;
      rank = lane.head->rank;
      job = lane.head->job;
      under = lane.head->under;
    }
    Query(db_, Sql::PutKey)
        .bind(lane.turn, lane.holder, standing, rank, job, under, lane.idle_us, lane.full_limit, lane.full_until_us, id)
        .run();
  }
}

}  // namespace galley::store::sqlite
