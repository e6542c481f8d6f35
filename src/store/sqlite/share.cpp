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

void sooner(std::optional<std::int64_t>& until_us, std::optional<std::int64_t> other) {
  if (other && (!until_us || *other < *until_us)) until_us = other;
}

using At = std::tuple<std::int64_t, std::int64_t, JobId>;

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
  while (free > 0) {
    const Next* best = nullptr;
    std::size_t chosen = 0;
    std::optional<std::int64_t> until_us;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (left[wanted[i].group] <= 0) continue;
      if (!found[i]) found[i] = next_of(tx, wanted[i].lane, Settle::Yes);
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
    auto claim = take(tx, request, best->job, best);
    if (!claim) {  // its time is over: what is behind it waits for the next step
      found[chosen] = Next{};
      continue;
    }
    // Others may choose otherwise now: where a limit has filled up, and among commands, which all share.
    const bool alone = !best->limited && !directory_.lane(best->lane).kind.empty() &&
                       bounds_of(claim->queue, claim->kind, claim->key, {}).empty();
    answer.claims.push_back(*std::move(claim));
    --left[wanted[chosen].group];
    --free;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!alone || wanted[i].lane == wanted[chosen].lane) found[i].reset();
    }
  }
}

Backend::Next Backend::next_of(Transaction& tx, LaneKey lane, Settle settle) {
  Next next;
  next.lane = lane;
  const Lane own = directory_.lane(lane);
  if (!directory_.limits().empty()) {
    std::optional<std::int64_t> until_us;
    const bool room = has_room(tx, {LimitScope::Queue, "", directory_.queue_name(own.queue)}, until_us) &&
                      (own.kind.empty() || has_room(tx, {LimitScope::Kind, "", own.kind}, until_us));
    if (!room) {
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
  if (tx.has_keys()) next_keyed(tx, lane, settle, next, best);
  next_plain(tx, lane, next, best);
  return next;
}

/// Lanes that name the same limits stand together, so that one look at these limits is enough for all of them.
void Backend::next_keyed(Transaction& tx, LaneKey lane, Settle settle, Next& next, At& best) {
  std::string from;
  while (true) {
    std::string under;
    {
      Query row(db_, Sql::NextUnder);
      row.bind(lane, from);
      if (!row.row()) break;
      under = row.text(0);
    }
    from = under + '\x01';  // below all that names are made of
    bool room = true;
    for (const std::string& name : limits_from(under)) {
      room = room && has_room(tx, {LimitScope::Name, "", name}, next.until_us);
    }
    // Again, as long as only lanes were found that have been put aside; a bounded number of them.
    for (std::size_t round = 0; room && round < limits::kMaxStep / limits::kMaxLaneLook; ++round) {
      if (!first_under(tx, lane, under, settle, next, best)) break;
    }
  }
  if (directory_.limits().empty()) return;
  Query full(db_, Sql::NextFull);
  if (full.row()) sooner(next.until_us, full.maybe(0));
}

bool Backend::first_under(Transaction& tx, LaneKey lane, const std::string& under, Settle settle, Next& next,
                          At& best) {
  struct Full {
    std::int64_t lane;
    std::int64_t limit;
    std::optional<std::int64_t> until_us;
  };
  std::vector<Full> full;
  const bool command = directory_.lane(lane).kind.empty();
  bool found = false;
  std::size_t rows = 0;
  {
    Query turns(db_, Sql::TurnsOf);
    turns.bind(lane, under, limits::kMaxLaneLook);
    while (!found && turns.row()) {
      ++rows;
      const Lane& own = directory_.lane(turns.integer(4));
      const std::string& queue = directory_.queue_name(own.queue);
      if (!directory_.limits().empty()) {
        if (const std::string key = turns.text(5); !key.empty()) {
          const KeptLimit* limit = directory_.limit({LimitScope::Key, queue, key});
          const bool each = limit == nullptr;
          if (each) limit = directory_.limit({LimitScope::Key, queue, ""});
          if (limit) {
            const Room room = room_in(tx, {limit, each ? key : std::string()});
            if (room.jobs == 0) {
              full.push_back({turns.integer(3), limit->id, room.until_us});
              sooner(next.until_us, room.until_us);
              continue;
            }
          }
        }
        if (command && !has_room(tx, {LimitScope::Kind, "", own.kind}, next.until_us)) continue;
      }
      found = true;
      const At at(turns.integer(0), turns.integer(1), turns.integer(2));
      if (next.job != 0 && best < at) continue;
      best = at;
      next.rank = turns.integer(1);
      next.job = turns.integer(2);
      next.keyed = turns.integer(3);
      next.limited = !under.empty();
    }
  }
  next.settles = next.settles || !full.empty();
  if (settle == Settle::Yes) {
    KeyLanes lanes(tx, db_, directory_);
    for (const Full& one : full) lanes.put_aside(one.lane, one.limit, one.until_us);
  }
  return settle == Settle::Yes && !found && rows == limits::kMaxLaneLook && !full.empty();
}

void Backend::next_plain(Transaction& tx, LaneKey lane, Next& next, At& best) {
  const bool look = directory_.lane(lane).kind.empty() && !directory_.limits().empty();
  Head first;
  std::size_t rows = 0;
  {
    Query head(db_, Sql::ReadyHead);
    head.bind(lane, look ? limits::kMaxLaneLook : 1);
    while (first.job == 0 && head.row()) {
      ++rows;
      first = {head.integer(0), head.integer(1)};
      if (!look) break;
      Query job(db_, Sql::LookAt);  // the kind of a command may have a limit
      job.bind(first.job);
      if (!job.row()) throw SqlError(SQLITE_CORRUPT, "ready job " + std::to_string(first.job) + " is missing");
      const std::string& kind = directory_.lane(job.integer(0)).kind;
      if (!has_room(tx, {LimitScope::Kind, "", kind}, next.until_us)) first = {};
    }
  }
  if (first.job == 0 && rows == limits::kMaxLaneLook) first = first_by_kind(tx, lane, next);
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
  next.limited = false;
  next.rank = first.rank;
  next.job = first.job;
}

/// Of commands, where many of kinds whose limits are full stand before the others.
Backend::Head Backend::first_by_kind(Transaction& tx, LaneKey lane, Next& next) {
  Head first;
  for (const LaneKey one : directory_.command_lanes(lane)) {
    if (!has_room(tx, {LimitScope::Kind, "", directory_.lane(one).kind}, next.until_us)) continue;
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

void Backend::take_turn(Transaction& tx, const Next& next) {
  KeyLanes lanes(tx, db_, directory_);
  if (next.keyed != 0) {
    auto lane = lanes.find(next.keyed);
    if (!lane) throw SqlError(SQLITE_CORRUPT, "a turn is of a lane that does not exist");
    Share share = lanes.share(next.lane);
    store::take_turn(lane->turn, share.time, weight_of(directory_.lane(lane->lane).queue, lane->key));
    if (lane->ordered) lane->holder = next.job;
    lanes.set_turn(*lane);
    lanes.put_share(next.lane, share);
  } else if (next.competed) {
    Share share = lanes.share(next.lane);
    store::take_turn(share.plain, share.time, 1);
    lanes.put_share(next.lane, share);
  }
}

void Backend::open_due(Transaction& tx) {
  std::vector<std::int64_t> due;
  {
    Query rows(db_, Sql::DueKeys);
    rows.bind(tx.wall_us(), limits::kMaxStep);
    while (rows.row()) due.push_back(rows.integer(0));
  }
  KeyLanes lanes(tx, db_, directory_);
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

void Backend::drop_idle_keys(const Transaction& tx, std::size_t limit) {
  std::vector<std::int64_t> idle;
  {
    Query rows(db_, Sql::IdleKeys);
    rows.bind(tx.wall_us() - kKeepIdleUs, limit);
    while (rows.row()) idle.push_back(rows.integer(0));
  }
  for (const std::int64_t id : idle) Query(db_, Sql::DropKey).bind(id).run();
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
