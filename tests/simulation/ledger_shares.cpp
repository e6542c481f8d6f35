// What the ledger knows of lanes, of the order within a key, and of limits.

#include <algorithm>

#include "simulation/ledger.hpp"

namespace galley::simulation {

namespace {

std::string of(JobId id) { return "job " + std::to_string(id); }

/// Where one job is chosen, the other could have been.
bool same_lane(const Fact& one, const Fact& other) {
  return one.queue == other.queue && one.kind == other.kind && one.command == other.command && one.key == other.key &&
         one.ordered == other.ordered && (one.ordered || one.limits == other.limits);
}

std::string text(const store::LimitTarget& target) {
  return "the limit of " + std::string(store::name(target.scope)) + " \"" + target.name + "\"";
}

}  // namespace

/// Of one lane and priority, nothing may be left that was ready before what was taken. Those of an ordered lane stand
/// in one line whatever their priorities; the one that had begun goes before it.
void Ledger::check_order() const {
  for (const JobId id : started_) {
    const auto taken = facts_.find(id);
    if (taken == facts_.end() || (taken->second.ordered && taken->second.went_first)) continue;
    const Fact& job = taken->second;
    for (const auto& [other_id, other] : facts_) {
      if (other.state != JobState::Ready || other.place >= job.place || !same_lane(job, other)) continue;
      if (!job.ordered && other.priority != job.priority) continue;
      violated(job.ordered ? Rule::KeyOrder : Rule::Order, of(id) + " was taken before " + of(other_id));
    }
  }
}

/// Looked at after the whole call: a claim itself ends what is over, and what had gone first until then.
void Ledger::check_keys() const {
  for (const JobId id : started_) {
    const auto taken = facts_.find(id);
    if (taken == facts_.end() || !taken->second.ordered) continue;
    for (const auto& [other_id, other] : facts_) {
      if (other_id == id || !other.first || !same_lane(taken->second, other)) continue;
      violated(Rule::KeyOrder, of(id) + " was taken, and " + of(other_id) + " of its key has begun and not ended");
    }
  }
}

// ---- limits -----------------------------------------------------------------------------------------------------

/// What was counted under it stays.
void Ledger::limited(const store::LimitTarget& target, int most) {
  Limit& limit = limits_[target];
  if (limit.number == 0) limit.number = ++limits_put_;
  limit.most = most;
}

bool Ledger::binds(const store::LimitTarget& target, const Fact& fact) const {
  switch (target.scope) {
    case store::LimitScope::Queue: return fact.queue == target.name;
    case store::LimitScope::Kind: return fact.kind == target.name;
    case store::LimitScope::Name:
      return std::find(fact.limits.begin(), fact.limits.end(), target.name) != fact.limits.end();
    case store::LimitScope::Key: break;
  }
  if (fact.queue != target.queue || fact.key.empty()) return false;
  const bool own = limits_.contains({store::LimitScope::Key, fact.queue, fact.key});
  return own ? fact.key == target.name : target.name.empty();
}

void Ledger::take_holds(JobId id, Fact& known) {
  known.holds.clear();
  for (const auto& [target, limit] : limits_) {
    if (!binds(target, known)) continue;
    const bool each_key = target.scope == store::LimitScope::Key && target.name.empty();
    const Hold& hold = known.holds.emplace_back(Hold{limit.number, each_key ? known.key : ""});
    const auto counts = std::count_if(facts_.begin(), facts_.end(), [&](const auto& item) {
      const auto& [other, fact] = item;
      return fact.held && std::find(fact.holds.begin(), fact.holds.end(), hold) != fact.holds.end();
    });
    if (counts > limit.most) {
      violated(Rule::Limit, of(id) + " is the " + std::to_string(counts) + ". claim under " + text(target) +
                                ", which allows " + std::to_string(limit.most));
    }
  }
}

void Ledger::check_limits(const std::vector<store::LimitStats>& stats) const {
  if (stats.size() != limits_.size()) violated(Rule::Limit, "there are not the limits that were put");
  for (const store::LimitStats& one : stats) {
    const auto at = limits_.find(one.target);
    if (at == limits_.end()) violated(Rule::Limit, text(one.target) + " was not put");
    const auto counts = std::count_if(facts_.begin(), facts_.end(), [&](const auto& item) {
      const auto& holds = item.second.holds;
      return item.second.held &&
             std::any_of(holds.begin(), holds.end(), [&](const Hold& hold) { return hold.limit == at->second.number; });
    });
    if (counts == one.running) continue;
    violated(Rule::Limit,
             text(one.target) + " counts " + std::to_string(one.running) + " of " + std::to_string(counts) + " claims");
  }
}

}  // namespace galley::simulation
