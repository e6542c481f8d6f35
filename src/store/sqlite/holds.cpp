// Limits. galley_uses counts what runs under each, and for a rate the time of the next start; galley_running.holds says
// which limits a claim counts under, so that its end, whoever brings it about, gives back what its start took.

#include "store/check.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/key_lanes.hpp"

namespace galley::store::sqlite {

std::vector<Backend::Bound> Backend::bounds_of(const std::string& queue, const std::string& kind,
                                               const std::string& key, const std::vector<std::string>& names) const {
  std::vector<Bound> all;
  const auto add = [&](LimitScope scope, const std::string& within, const std::string& name, const std::string& of) {
    if (!directory_.has_limits(scope)) return false;
    const KeptLimit* const limit = directory_.limit({scope, within, name});
    if (limit) all.push_back({limit, of});
    return limit != nullptr;
  };
  add(LimitScope::Queue, "", queue, "");
  add(LimitScope::Kind, "", kind, "");
  if (!key.empty() && !add(LimitScope::Key, queue, key, "")) add(LimitScope::Key, queue, "", key);
  for (const std::string& name : names) add(LimitScope::Name, "", name, "");
  return all;
}

Room Backend::room_in(Transaction& tx, const Bound& bound) {
  return store::room_in(bound.limit->rule, tx.uses().of(bound.limit->id, bound.key), tx.wall_us());
}

bool Backend::has_room(Transaction& tx, LimitScope scope, const std::string& name,
                       std::optional<std::int64_t>& until_us) {
  if (!directory_.has_limits(scope)) return true;
  const KeptLimit* const limit = directory_.limit({scope, "", name});
  if (!limit) return true;
  const Room room = room_in(tx, {limit, ""});
  if (room.until_us && (!until_us || *room.until_us < *until_us)) until_us = room.until_us;
  return room.jobs > 0;
}

Backend::Held Backend::start_holds(Transaction& tx, const job::JobRecord& job) {
  Held held;
  if (directory_.limits().empty()) return held;
  std::vector<Hold> holds;
  for (const Bound& bound : bounds_of(job.queue, job.kind, job.key, job.limits)) {
    Use use = tx.uses().of(bound.limit->id, bound.key);
    count_start(bound.limit->rule, use, tx.wall_us());
    tx.uses().put(bound.limit->id, bound.key, use);
    holds.push_back({bound.limit->id, bound.key});
    held.filled = held.filled || store::room_in(bound.limit->rule, use, tx.wall_us()).jobs == 0;
  }
  if (!holds.empty()) held.text = text_from(holds);
  return held;
}

void Backend::end_holds(Transaction& tx, const std::vector<Hold>& holds, std::optional<Duration> never) {
  for (const auto& [limit_id, key] : holds) {
    const KeptLimit* const limit = directory_.limit(limit_id);
    if (!limit) continue;  // it was removed meanwhile
    Use use = tx.uses().of(limit_id, key);
    const LimitRule& rule = limit->rule;
    const bool had_room = rule.rate == 0 && store::room_in(rule, use, tx.wall_us()).jobs > 0;
    count_end(rule, use, never);
    tx.uses().put(limit_id, key, use);
    KeyLanes lanes(tx, db_, directory_);
    if (limit->target.scope != LimitScope::Key || had_room || !lanes.any_aside()) continue;  // or they are back
    std::vector<std::int64_t> aside;
    lanes.write();
    {
      Query rows(db_, Sql::OpenKeys);
      rows.bind(limit_id, key.empty() ? limit->target.name : key);
      while (rows.row()) aside.push_back(rows.integer(0));
    }
    for (const std::int64_t lane : aside) lanes.open(lane);
  }
}

void Backend::open_lanes(Transaction& tx, const LimitTarget& target) {
  if (target.scope != LimitScope::Key) return;
  KeyLanes lanes(tx, db_, directory_);
  for (const std::string& name : {target.name, std::string()}) {
    std::vector<std::int64_t> aside;
    lanes.write();
    {
      Query known(db_, Sql::LimitId);
      known.bind(store::name(target.scope), target.queue, name);
      if (!known.row()) continue;
      Query rows(db_, Sql::OpenKeysOfAll);
      rows.bind(known.integer(0));
      while (rows.row()) aside.push_back(rows.integer(0));
    }
    for (const std::int64_t lane : aside) lanes.open(lane);
  }
}

Result<void> Backend::put_limit(const LimitTarget& target, const LimitRule& rule) {
  if (auto valid = check(target); !valid) return valid.error();
  if (auto valid = check(rule); !valid) return valid.error();
  auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    if (!directory_.limit(target) && directory_.limits().size() >= limits::kMaxLimits) throw Refused{too_many_limits()};
    Query(db_, Sql::PutLimit)
        .bind(name(target.scope), target.queue, target.name, rule.max_running, rule.rate, rule.period.count(),
              rule.burst)
        .run();
    open_lanes(tx, target);
    tx.configured();
    return true;
  });
  if (!done) return done.error();
  return {};
}

Result<void> Backend::remove_limit(const LimitTarget& target) {
  if (auto valid = check(target); !valid) return valid.error();
  auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    const KeptLimit* const limit = directory_.limit(target);
    if (!limit) throw Refused{no_such_limit(target)};
    open_lanes(tx, target);
    Query(db_, Sql::DropUses).bind(limit->id).run();
    Query(db_, Sql::DropLimit).bind(limit->id).run();
    tx.configured();
    return true;
  });
  if (!done) return done.error();
  return {};
}

Result<std::vector<LimitStats>> Backend::limits() {
  return read([&](Transaction& tx) {
    std::vector<LimitStats> all;
    for (const auto& [target, limit] : directory_.limits()) {
      LimitStats stats{target, limit.rule, 0, {}};
      const bool each = target.scope == LimitScope::Key && target.name.empty();
      Query row(db_, Sql::UsesTogether);
      row.bind(limit.id);
      if (row.row()) stats.running = row.integer(0);
      if (!each) stats.tokens = tokens_in(limit.rule, tx.uses().of(limit.id, ""), tx.wall_us());
      all.push_back(std::move(stats));
    }
    return all;
  });
}

Result<Standing> Backend::standing(JobId id) {
  auto found = read([&](Transaction& tx) -> std::optional<Standing> {
    const auto row = read_row(db_, id);
    if (!row) return std::nullopt;
    const Lane& lane = directory_.lane(row->place.lane);
    const Place& place = row->place;
    Standing standing;
    standing.weight = weight_of(lane.queue, place.key);
    Query running(db_, Sql::FindRunning);
    running.bind(id);
    if (!waits(place.state) || running.row()) return standing;
    const std::string& queue = directory_.queue_name(lane.queue);
    for (const Bound& bound : bounds_of(queue, lane.kind, place.key, limits_from(place.limits))) {
      const Room room = room_in(tx, bound);
      if (room.jobs > 0) continue;
      const auto until = room.until_us ? std::optional(Duration(*room.until_us - tx.wall_us())) : std::nullopt;
      standing.full.push_back({bound.limit->target, until, bound.key});
    }
    if (!place.ordered) return standing;
    const KeyLane* const own = KeyLanes(tx, db_, directory_).find(place);
    if (own == nullptr) return standing;
    standing.behind = own->holder;
    if (own->holder == 0) {
      Query head(db_, Sql::ReadyHead);
      head.bind(own->id, 1);
      if (head.row()) standing.behind = head.integer(1);
    }
    if (standing.behind == id) standing.behind = 0;
    return standing;
  });
  if (!found) return found.error();
  if (!*found) return Error{Errc::NotFound, "job " + std::to_string(id) + ": there is no such job (any more)"};
  return std::move(**found);
}

}  // namespace galley::store::sqlite
