// Claims where jobs have keys or limits (key_lanes.hpp): whose turn it is, and what a limit keeps from it.

#include <algorithm>

#include "job/order.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/key_lanes.hpp"

namespace galley::store::sqlite {

namespace {

// An idle lane's turn counts for kKeepTurn; its row stays for longer, so that a clock that is stepped back finds it.
// One that a job holds stays: what comes later has to wait for that job, however long it runs or waits for another try.
constexpr std::int64_t kKeepIdleUs = 3'600'000'000;

// Jobs of a lane that are read ahead: what is left of them when a limit has filled up was read in vain.
constexpr std::size_t kMostBehind = 64;

void sooner(std::optional<std::int64_t>& until_us, std::optional<std::int64_t> other) {
  if (other && (!until_us || *other < *until_us)) until_us = other;
}

}  // namespace

std::vector<Backend::Wanted> Backend::wanted(const ClaimRequest& request, std::span<const LaneKey> lanes) {
  std::vector<Wanted> all;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const std::size_t group = std::min(i, request.kinds.size());
    const bool none = group < request.kinds.size() && request.kinds[group].max <= 0;
    if (lanes[i] == 0 || none) continue;
    all.push_back({lanes[i], group});
  }
  return all;
}

void Backend::claim_in_turn(Transaction& tx, const ClaimRequest& request, std::span<const Wanted> wanted,
                            std::vector<int>& left, std::size_t& free, Claimed& answer) {
  std::vector<std::optional<Next>> found(wanted.size());
  std::vector<Fronts> fronts(wanted.size());
  while (free > 0) {
    const Next* best = nullptr;
    std::size_t chosen = 0;
    std::optional<std::int64_t> until_us;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (left[wanted[i].group] <= 0) continue;
      if (!found[i]) {
        const bool anew = directory_.lane(wanted[i].lane).kind.empty();  // commands are looked at anew after each
        const auto most = anew ? 1 : std::min(free, static_cast<std::size_t>(left[wanted[i].group]));
        found[i] = next_of(tx, wanted[i].lane, Settle::Yes, most, fronts[i]);
      }
      sooner(until_us, found[i]->until_us);
      if (found[i]->job == 0) continue;
      if (best && std::pair(best->rank, best->job) <= std::pair(found[i]->rank, found[i]->job)) continue;
      best = &*found[i];
      chosen = i;
    }
    if (!best) {
      if (until_us) {
        const Duration wait(*until_us - tx.wall_us());
        answer.next_due = answer.next_due ? std::min(*answer.next_due, wait) : wait;
      }
      return;
    }
    auto taken = take(tx, request, best->job, best);
    if (!taken) {  // its time is over: what is behind it waits for the next step
      found[chosen] = Next{};
      continue;
    }
    answer.claims.push_back(std::move(taken->claim));
    --left[wanted[chosen].group];
    --free;
    // Others may choose otherwise now: where a limit has filled up, and among commands, which all share.
    const bool command = directory_.lane(wanted[chosen].lane).kind.empty();
    if (command) {
      fronts.assign(wanted.size(), Fronts{});
    } else if (best->keyed != 0) {
      move_on(tx, fronts[chosen], *best);
    }
    const bool goes_on = !taken->filled && !command && !best->behind.empty();
    if (goes_on) advance(*found[chosen]);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const bool same = wanted[i].lane == wanted[chosen].lane;
      if (same && i != chosen) fronts[i] = {};
      if (taken->filled || command || (same && (i != chosen || !goes_on))) found[i].reset();
    }
  }
}

void Backend::advance(Next& next) {
  next.rank = next.behind.back().rank;
  next.job = next.behind.back().job;
  next.behind.pop_back();
}

Backend::Next Backend::next_of(Transaction& tx, LaneKey lane, Settle settle, std::size_t ahead, Fronts& fronts) {
  Next next;
  next.lane = lane;
  const Lane& own = directory_.lane(lane);
  if (!directory_.limits().empty()) {
    std::optional<std::int64_t> until_us;
    const bool room = has_room(tx, LimitScope::Queue, directory_.queue_name(own.queue), until_us) &&
                      (own.kind.empty() || has_room(tx, LimitScope::Kind, own.kind, until_us));
    if (!room) {
      KeyLanes(tx, db_, directory_).write();
      Query head(db_, Sql::ReadyHead);
      head.bind(lane, 1);
      if (head.row()) next.until_us = until_us;
      Query turns(db_, Sql::NextUnder);
      turns.bind(lane, "");
      if (turns.row()) next.until_us = until_us;
      return next;
    }
  }
  At best;
  if (tx.has_keys()) next_keyed(tx, lane, settle, ahead, fronts, next, best);
  next_plain(tx, lane, tx.has_keys() ? 1 : std::min(ahead, kMostBehind), next, best);
  if (next.job == 0 && tx.has_keys() && !directory_.limits().empty()) {
    KeyLanes(tx, db_, directory_).write();
    Query full(db_, Sql::NextFull);
    if (full.row()) sooner(next.until_us, full.maybe(0));
  }
  return next;
}

/// Lanes that name the same limits stand together, so that one look at these limits is enough for all of them.
void Backend::next_keyed(Transaction& tx, LaneKey lane, Settle settle, std::size_t ahead, Fronts& fronts, Next& next,
                         At& best) {
  if (!fronts.read) read_fronts(tx, lane, fronts);
  for (std::size_t i = 0; i < fronts.all.size(); ++i) {
    bool room = true;
    for (const std::string& name : limits_from(fronts.all[i].under)) {
      room = room && has_room(tx, LimitScope::Name, name, next.until_us);
    }
    if (room) first_under(tx, lane, settle, ahead, fronts, i, next, best);
  }
}

void Backend::read_fronts(Transaction& tx, LaneKey lane, Fronts& fronts) {
  KeyLanes(tx, db_, directory_).write();
  fronts = {true, {}};
  std::string from;
  while (true) {
    Query row(db_, Sql::NextUnder);
    row.bind(lane, from);
    if (!row.row()) return;
    Front& front = fronts.all.emplace_back();
    front.under = row.text(0);
    from = front.under + '\x01';  // below all that names are made of
  }
}

/// As far as `ahead` jobs can need it; a bounded number of lanes.
void Backend::read_front(Transaction& tx, LaneKey lane, std::size_t ahead, Front& front) {
  KeyLanes(tx, db_, directory_).write();
  front.lanes.clear();
  front.read = true;
  Query turns(db_, Sql::TurnsOf);
  // Commands of a full kind are passed over, because no other lane leads to those behind them.
  const std::size_t most = directory_.lane(lane).kind.empty() ? limits::kMaxStep : limits::kMaxLaneLook;
  turns.bind(lane, front.under, most);
  Next ignored;
  std::size_t rows = 0;
  std::size_t open = 0;
  front.whole = false;
  for (std::size_t good = 0; good < ahead && open < limits::kMaxLaneLook && rows < most; ++rows) {
    if (!turns.row()) {
      front.whole = true;
      return;
    }
    front.last = {turns.integer(0), turns.integer(1), turns.integer(2)};
    const auto [at, added] = front.lanes.try_emplace(front.last);
    at->second = {turns.integer(3), turns.integer(4), turns.text(5)};
    if (!kind_has_room(tx, lane, at->second, ignored)) continue;
    ++open;
    if (!key_is_full(tx, at->second)) ++good;
  }
}

std::optional<Backend::Full> Backend::key_is_full(Transaction& tx, const Front::Lane& lane) {
  if (lane.key.empty() || !directory_.has_limits(LimitScope::Key)) return std::nullopt;
  const std::string& queue = directory_.queue_name(directory_.lane(lane.own).queue);
  const KeptLimit* limit = directory_.limit({LimitScope::Key, queue, lane.key});
  const bool each = limit == nullptr;
  if (each) limit = directory_.limit({LimitScope::Key, queue, ""});
  if (limit == nullptr) return std::nullopt;
  const Room room = room_in(tx, {limit, each ? lane.key : std::string()});
  if (room.jobs > 0) return std::nullopt;
  return Full{limit->id, room.until_us};
}

/// The kind of a command, which the lane does not tell through which it is claimed.
bool Backend::kind_has_room(Transaction& tx, LaneKey through, const Front::Lane& lane, Next& next) {
  const bool command = directory_.lane(through).kind.empty();
  return !command || has_room(tx, LimitScope::Kind, directory_.lane(lane.own).kind, next.until_us);
}

/// Again, as long as only lanes were found that have been put aside; a bounded number of times.
void Backend::first_under(Transaction& tx, LaneKey lane, Settle settle, std::size_t ahead, Fronts& fronts,
                          std::size_t number, Next& next, At& best) {
  Front& front = fronts.all[number];
  for (std::size_t round = 0; round < limits::kMaxStep / limits::kMaxLaneLook; ++round) {
    const bool anew = !front.read;
    if (anew) read_front(tx, lane, ahead, front);
    bool aside = false;
    const JobId before = next.job;
    if (find_first(tx, lane, settle, front, aside, next, best)) {
      if (next.job != before) next.front = number;
      return;
    }
    if (front.whole || (anew && (settle == Settle::No || !aside))) return;
    front.read = false;
  }
}

bool Backend::find_first(Transaction& tx, LaneKey lane, Settle settle, Front& front, bool& aside, Next& next,
                         At& best) {
  for (auto at = front.lanes.begin(); at != front.lanes.end();) {
    const auto& [place, one] = *at;
    if (const auto full = key_is_full(tx, one)) {
      sooner(next.until_us, full->until_us);
      next.settles = true;
      aside = true;
      if (settle == Settle::Yes) KeyLanes(tx, db_, directory_).put_aside(one.keyed, full->limit, full->until_us);
      at = settle == Settle::Yes ? front.lanes.erase(at) : std::next(at);
      continue;
    }
    if (!kind_has_room(tx, lane, one, next)) {
      ++at;
      continue;
    }
    if (next.job != 0 && best < place) return true;
    best = place;
    next.rank = std::get<1>(place);
    next.job = std::get<2>(place);
    next.keyed = one.keyed;
    return true;
  }
  return false;
}

void Backend::move_on(Transaction& tx, Fronts& fronts, const Next& next) {
  Front& front = fronts.all[next.front];
  const auto first = std::find_if(front.lanes.begin(), front.lanes.end(),
                                  [&](const auto& one) { return one.second.keyed == next.keyed; });
  const KeyLane* const lane = KeyLanes(tx, db_, directory_).find(next.keyed);
  if (first == front.lanes.end() || lane == nullptr || (lane->head && lane->head->under != front.under)) {
    fronts = {};
    return;
  }
  auto moved = front.lanes.extract(first);
  if (!lane->head) return;
  moved.key() = {lane->head->standing, lane->head->rank, lane->head->job};
  if (front.whole || moved.key() <= front.last) front.lanes.insert(std::move(moved));
}

/// Without keys in the store its lane's jobs follow each other, and are read ahead.
void Backend::next_plain(Transaction& tx, LaneKey lane, std::size_t ahead, Next& next, At& best) {
  Head first;
  std::vector<Head> behind;
  if (directory_.lane(lane).kind.empty() && !directory_.limits().empty()) {
    first = first_with_room(tx, lane, next);
  } else {
    Query head(db_, Sql::ReadyHead);
    head.bind(lane, ahead);
    if (head.row()) first = {head.integer(0), head.integer(1)};
    while (ahead > 1 && head.row()) behind.push_back({head.integer(0), head.integer(1)});
    std::reverse(behind.begin(), behind.end());
  }
  if (first.job == 0) return;
  if (next.job != 0) {
    next.competed = true;
    const Share share = KeyLanes(tx, db_, directory_).share(lane);
    Query row(db_, Sql::HeadOf);
    row.bind(first.job);
    if (!row.row()) throw SqlError(SQLITE_CORRUPT, "ready job " + std::to_string(first.job) + " is missing");
    const At at(standing_of(std::max(share.plain, share.time), row.small(0)), first.rank, first.job);
    if (best < at) return;
  }
  next.keyed = 0;
  next.rank = first.rank;
  next.job = first.job;
  next.behind = std::move(behind);
}

/// Of commands, whose kinds may have limits.
Backend::Head Backend::first_with_room(Transaction& tx, LaneKey lane, Next& next) {
  std::size_t rows = 0;
  {
    Query head(db_, Sql::ReadyHead);
    head.bind(lane, limits::kMaxLaneLook);
    while (head.row()) {
      ++rows;
      const Head first{head.integer(0), head.integer(1)};
      Query job(db_, Sql::LookAt);
      job.bind(first.job);
      if (!job.row()) throw SqlError(SQLITE_CORRUPT, "ready job " + std::to_string(first.job) + " is missing");
      if (has_room(tx, LimitScope::Kind, directory_.lane(job.integer(0)).kind, next.until_us)) return first;
    }
  }
  return rows == limits::kMaxLaneLook ? first_by_kind(tx, lane, next) : Head{};
}

/// Of commands, where many of kinds whose limits are full stand before the others.
Backend::Head Backend::first_by_kind(Transaction& tx, LaneKey lane, Next& next) {
  Head first;
  for (const LaneKey one : directory_.command_lanes(lane)) {
    if (!has_room(tx, LimitScope::Kind, directory_.lane(one).kind, next.until_us)) continue;
    Query head(db_, Sql::ReadyHead);
    head.bind(one, 1);
    if (!head.row()) continue;
    const Head at{head.integer(0), head.integer(1)};
    if (first.job == 0 || std::pair(at.rank, at.job) < std::pair(first.rank, first.job)) first = at;
  }
  return first;
}

int Backend::weight_of(QueueKey queue, const std::string& key) {
  if (!directory_.has_weights() || key.empty()) return 1;
  Query row(db_, Sql::WeightOf);
  row.bind(queue, key);
  return row.row() ? std::clamp(row.small(0), 1, limits::kMaxWeight) : 1;
}

void Backend::take_turn(Transaction& tx, const Next& next, const Place& place) {
  KeyLanes lanes(tx, db_, directory_);
  if (next.keyed == 0) {
    tx.leave(place);
    if (!next.competed) return;
    Share share = lanes.share(next.lane);
    store::take_turn(share.plain, share.time, 1);
    lanes.put_share(next.lane, share);
    return;
  }
  KeyLane* const lane = lanes.find(next.keyed);
  if (lane == nullptr) throw SqlError(SQLITE_CORRUPT, "a turn is of a lane that does not exist");
  Share share = lanes.share(next.lane);
  store::take_turn(lane->turn, share.time, weight_of(directory_.lane(lane->lane).queue, lane->key));
  if (lane->ordered) lane->holder = next.job;
  lanes.put_share(next.lane, share);
  tx.leave(place, lane);
}

void Backend::open_due(Transaction& tx) {
  std::vector<std::int64_t> due;
  KeyLanes lanes(tx, db_, directory_);
  lanes.write();
  {
    Query rows(db_, Sql::DueKeys);
    rows.bind(tx.wall_us(), limits::kMaxStep);
    while (rows.row()) due.push_back(rows.integer(0));
  }
  for (const std::int64_t id : due) lanes.open(id);
}

bool Backend::has_due_keys(const Transaction& tx) {
  Query rows(db_, Sql::DueKeys);
  rows.bind(tx.wall_us(), 1);
  return rows.row();
}

bool Backend::has_idle_keys(const Transaction& tx) {
  {
    Query uses(db_, Sql::OverUses);
    uses.bind(tx.wall_us() - kKeepIdleUs, 1);
    if (uses.row()) return true;
  }
  if (!tx.has_keys()) return false;
  Query rows(db_, Sql::IdleKeys);
  rows.bind(tx.wall_us() - kKeepIdleUs, 1);
  return rows.row();
}

void Backend::drop_idle_keys(Transaction& tx, std::size_t limit) {
  std::vector<std::int64_t> idle;
  KeyLanes lanes(tx, db_, directory_);
  lanes.write();
  {
    Query rows(db_, Sql::IdleKeys);
    rows.bind(tx.wall_us() - kKeepIdleUs, limit);
    while (rows.row()) idle.push_back(rows.integer(0));
  }
  for (const std::int64_t id : idle) lanes.drop(id);
  std::vector<std::pair<std::int64_t, std::string>> over;
  {
    Query rows(db_, Sql::OverUses);
    rows.bind(tx.wall_us() - kKeepIdleUs, limit);
    while (rows.row()) over.emplace_back(rows.integer(0), rows.text(1));
  }
  for (const auto& [id, key] : over) Query(db_, Sql::DropUse).bind(id, key).run();
}

Result<void> Backend::set_weight(const std::string& queue, const std::string& key, int weight) {
  if (auto valid = check_weight(queue, key, weight); !valid) return valid.error();
  auto done = write(Sync::Yes, Rings::No, [&](Transaction& tx) {
    const QueueKey id = directory_.queue(queue);
    if (weight == 1) {
      Query(db_, Sql::DropWeight).bind(id, key).run();
    } else {
      Query(db_, Sql::PutWeight).bind(id, key, weight).run();
    }
    tx.configured();
    return true;
  });
  if (!done) return done.error();
  return {};
}

}  // namespace galley::store::sqlite
