// Fair shares among keys, limits, and the order within a key.

#include <algorithm>
#include <tuple>

#include "job/order.hpp"
#include "job/validate.hpp"
#include "store/check.hpp"
#include "store/memory/memory_impl.hpp"

namespace galley::store::memory {

bool is_plain(const job::JobRecord& job) { return job.key.empty() && job.limits.empty(); }

LaneName lane_name(const job::JobRecord& job) {
  return {job.queue, job.kind, job.program, job.key, job.ordered ? "" : text_of(job.limits), job.ordered};
}

job::Order MemoryStore::order_of(const std::string& queue) const {
  const auto at = orders_.find(queue);
  return at == orders_.end() ? job::Order::Fifo : at->second;
}

int MemoryStore::weight_of(const job::JobRecord& job) const {
  const auto at = weights_.find({job.queue, job.key});
  return at == weights_.end() ? 1 : at->second;
}

Share& MemoryStore::share_of(const job::JobRecord& job) {
  return shares_[{job.queue, job.content == job::Content::Command ? "" : job.kind}];
}

// ---- lanes ------------------------------------------------------------------------------------------------------

void MemoryStore::enter_lane(const Entry& entered, const Now& now) {
  if (is_plain(entered.record)) return;
  const LaneName name = lane_name(entered.record);
  const bool first = std::none_of(jobs_.begin(), jobs_.end(), [&](const auto& item) {
    const auto& other = item.second.record;
    return other.state == JobState::Ready && other.id != entered.record.id && lane_name(other) == name;
  });
  LaneState& lane = lanes_[name];
  if (first) lane.turn = turn_again(lane.turn, share_of(entered.record).time, now.wall - lane.idle_since);
}

void MemoryStore::leave_lane(const Entry& left, const Now& now) {
  if (!is_plain(left.record)) lanes_[lane_name(left.record)].idle_since = now.wall;
}

void MemoryStore::drop_holder(const Entry& job) {
  if (!job.record.ordered) return;
  LaneState& lane = lanes_[lane_name(job.record)];
  if (lane.holder == job.record.id) lane.holder = 0;
}

void MemoryStore::drop_idle_lanes(const Now& now) {
  if (lanes_.empty()) return;
  std::set<LaneName> ready;
  for (const auto& [id, job] : jobs_) {
    if (job.record.state == JobState::Ready && !is_plain(job.record)) ready.insert(lane_name(job.record));
  }
  std::erase_if(lanes_, [&](const auto& item) {
    const auto& [name, lane] = item;
    return lane.holder == 0 && now.wall - lane.idle_since > kKeepTurn && !ready.contains(name);
  });
}

std::int64_t MemoryStore::Next::rank() const {
  return job->record.ordered ? job::rank(job->rank, job->record.priority) : job->rank;
}

MemoryStore::Next MemoryStore::next_of(const std::vector<Entry*>& ready, const Now& now) {
  Next next;
  const auto may_start = [&](const Entry* job) {
    const auto full = full_limit(job->record, now);
    if (full && full->until) next.until = next.until ? std::min(*next.until, *full->until) : *full->until;
    return !full;
  };
  Entry* plain = nullptr;
  std::map<LaneName, Entry*> heads;
  const bool shared = std::any_of(ready.begin(), ready.end(), [](const Entry* job) { return !is_plain(job->record); });
  for (Entry* const job : ready) {
    if (plain && !shared) break;
    const auto& record = job->record;
    if (is_plain(record)) {
      if (!plain && may_start(job)) plain = job;
      continue;
    }
    const LaneName name = lane_name(record);
    const JobId holder = record.ordered ? lanes_[name].holder : 0;
    if (holder == 0 || holder == record.id) heads.emplace(name, job);
  }
  std::tuple<std::int64_t, std::int64_t, JobId> best;
  const auto compete = [&](Entry* job, std::int64_t turn) {
    const Next other{job, false, {}};
    const std::tuple at(standing_of(turn, job->record.priority), other.rank(), job->record.id);
    if (next.job && best < at) return;
    next.job = job;
    best = at;
  };
  for (const auto& [name, job] : heads) {
    if (may_start(job)) compete(job, lanes_[name].turn);
  }
  if (!plain) return next;
  next.competed = next.job != nullptr;
  const Share& share = share_of(plain->record);
  compete(plain, std::max(share.plain, share.time));
  return next;
}

void MemoryStore::take_turn(const Next& next) {
  const auto& record = next.job->record;
  Share& share = share_of(record);
  if (!is_plain(record)) {
    store::take_turn(lanes_[lane_name(record)].turn, share.time, weight_of(record));
  } else if (next.competed) {
    store::take_turn(share.plain, share.time, 1);
  }
}

// ---- limits -----------------------------------------------------------------------------------------------------

std::vector<MemoryStore::Bound> MemoryStore::bounds_of(const job::JobRecord& job) {
  std::vector<Bound> all;
  const auto add = [&](const LimitTarget& target, const std::string& key) {
    const auto at = limits_.find(target);
    if (at == limits_.end()) return false;
    all.push_back({&at->first, &at->second, key});
    return true;
  };
  add({LimitScope::Queue, "", job.queue}, "");
  add({LimitScope::Kind, "", job.kind}, "");
  if (!job.key.empty() && !add({LimitScope::Key, job.queue, job.key}, "")) {
    add({LimitScope::Key, job.queue, ""}, job.key);
  }
  for (const std::string& name : job.limits) add({LimitScope::Name, "", name}, "");
  return all;
}

std::optional<FullLimit> MemoryStore::full_limit(const job::JobRecord& job, const Now& now) {
  const std::int64_t now_us = now.wall.time_since_epoch().count();
  for (const Bound& bound : bounds_of(job)) {
    const Room room = room_in(bound.limit->rule, bound.limit->uses[bound.key], now_us);
    if (room.jobs > 0) continue;
    FullLimit full{*bound.target, {}, bound.key};
    if (room.until_us) full.until = Duration(*room.until_us - now_us);
    return full;
  }
  return std::nullopt;
}

void MemoryStore::start_holds(Entry& job, const Now& now) {
  job.holds.clear();
  for (const Bound& bound : bounds_of(job.record)) {
    count_start(bound.limit->rule, bound.limit->uses[bound.key], now.wall.time_since_epoch().count());
    job.holds.push_back({bound.limit->id, bound.key});
  }
}

void MemoryStore::end_holds(Entry& job, std::optional<Duration> never, const Now& now) {
  for (const Hold& hold : job.holds) {
    for (auto& [target, limit] : limits_) {
      if (limit.id != hold.limit) continue;
      Use& use = limit.uses[hold.key];
      count_end(limit.rule, use, never);
      if (is_nothing(limit.rule, use, now.wall.time_since_epoch().count())) limit.uses.erase(hold.key);
    }
  }
  job.holds.clear();
  if (never && !is_plain(job.record)) lanes_[lane_name(job.record)].turn -= kTurnCost / weight_of(job.record);
}

// ---- verbs ------------------------------------------------------------------------------------------------------

Result<void> MemoryStore::set_order(const std::string& queue, job::Order order) {
  if (auto fine = job::check_queue("queue", queue); !fine) return fine;
  const std::scoped_lock lock(mutex_);
  orders_.erase(queue);
  if (order != job::Order::Fifo) orders_[queue] = order;
  return {};
}

Result<void> MemoryStore::set_weight(const std::string& queue, const std::string& key, int weight) {
  if (auto fine = check_weight(queue, key, weight); !fine) return fine;
  const std::scoped_lock lock(mutex_);
  weights_.erase({queue, key});
  if (weight != 1) weights_[{queue, key}] = weight;
  return {};
}

Result<void> MemoryStore::put_limit(const LimitTarget& target, const LimitRule& rule) {
  if (auto fine = check(target); !fine) return fine;
  if (auto fine = check(rule); !fine) return fine;
  {
    const std::scoped_lock lock(mutex_);
    if (!limits_.contains(target) && limits_.size() >= limits::kMaxLimits) return too_many_limits();
    Limit& limit = limits_[target];
    if (limit.id == 0) limit.id = ++last_limit_;
    limit.rule = rule;
  }
  chime_.ring();
  return {};
}

Result<void> MemoryStore::remove_limit(const LimitTarget& target) {
  if (auto fine = check(target); !fine) return fine;
  {
    const std::scoped_lock lock(mutex_);
    if (limits_.erase(target) == 0) return no_such_limit(target);
  }
  chime_.ring();
  return {};
}

Result<std::vector<LimitStats>> MemoryStore::limits() {
  const std::scoped_lock lock(mutex_);
  const std::int64_t now_us = now().wall.time_since_epoch().count();
  std::vector<LimitStats> all;
  for (const auto& [target, limit] : limits_) {
    LimitStats& stats = all.emplace_back(LimitStats{target, limit.rule, 0, {}});
    Use use;
    for (const auto& [key, one] : limit.uses) {
      stats.running += one.running;
      use = one;
    }
    if (target.scope != LimitScope::Key || !target.name.empty()) stats.tokens = tokens_in(limit.rule, use, now_us);
  }
  return all;
}

Result<Standing> MemoryStore::standing(JobId id) {
  const std::scoped_lock lock(mutex_);
  const Entry* const job = entry(id);
  if (!job) return Error{Errc::NotFound, "job " + std::to_string(id) + " is not in this store"};
  const auto& record = job->record;
  Standing standing;
  standing.weight = weight_of(record);
  if (!waits(record.state)) return standing;
  const std::int64_t now_us = now().wall.time_since_epoch().count();
  for (const Bound& bound : bounds_of(record)) {
    const Room room = room_in(bound.limit->rule, bound.limit->uses[bound.key], now_us);
    if (room.jobs > 0) continue;
    const auto until = room.until_us ? std::optional(Duration(*room.until_us - now_us)) : std::nullopt;
    standing.full.push_back({*bound.target, until, bound.key});
  }
  if (!record.ordered) return standing;
  const LaneName name = lane_name(record);
  if (const JobId holder = lanes_[name].holder; holder != 0) {
    standing.behind = holder == id ? 0 : holder;
    return standing;
  }
  const Entry* first = nullptr;
  for (const auto& [other, entry] : jobs_) {
    if (entry.record.state != JobState::Ready || lane_name(entry.record) != name) continue;
    if (!first || entry.rank < first->rank) first = &entry;
  }
  if (first && first->record.id != id) standing.behind = first->record.id;
  return standing;
}

}  // namespace galley::store::memory
