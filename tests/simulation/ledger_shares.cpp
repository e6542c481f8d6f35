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

/// What was counted under it stays, but what a former rate has let start says nothing about this one.
void Ledger::limited(const store::LimitTarget& target, const store::LimitRule& rule) {
  Limit& limit = limits_[target];
  if (limit.number == 0) limit.number = ++limits_put_;
  if (limit.rule != rule) limit.starts.clear();
  limit.rule = rule;
}

void Ledger::calendar_stepped() {
  for (auto& [target, limit] : limits_) limit.starts.clear();
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
  for (auto& [target, limit] : limits_) {
    if (!binds(target, known)) continue;
    const bool each_key = target.scope == store::LimitScope::Key && target.name.empty();
    const Hold& hold = known.holds.emplace_back(Hold{limit.number, each_key ? known.key : ""});
    const auto counts = std::count_if(facts_.begin(), facts_.end(), [&](const auto& item) {
      const auto& [other, fact] = item;
      return fact.held && std::find(fact.holds.begin(), fact.holds.end(), hold) != fact.holds.end();
    });
    if (limit.rule.max_running > 0 && counts > limit.rule.max_running) {
      violated(Rule::Limit, of(id) + " is the " + std::to_string(counts) + ". claim under " + text(target) +
                                ", which allows " + std::to_string(limit.rule.max_running));
    }
    if (limit.rule.rate == 0) continue;
    auto& starts = limit.starts[hold.key];
    starts.push_back({clock_.mono(), id, known.epoch});
    check_rate(target, limit, starts);
  }
}

/// Each window that ends with the last one.
void Ledger::check_rate(const store::LimitTarget& target, const Limit& limit, const std::vector<Start>& starts) const {
  const Duration interval((limit.rule.period.count() + limit.rule.rate - 1) / limit.rule.rate);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto count = static_cast<std::int64_t>(starts.size() - i);
    const Duration window = starts.back().at - starts[i].at;
    if (count <= limit.rule.burst + window / interval) continue;
    violated(Rule::Rate, std::to_string(count) + " started within " + std::to_string(window.count()) + "us under " +
                             text(target) + ", which allows one in " + std::to_string(interval.count()) +
                             "us and a burst of " + std::to_string(limit.rule.burst));
  }
}

/// The last claim of this job never started: no rate counts it.
void Ledger::give_back_start(JobId id, const Fact& known) {
  given_back_.push_back(line_of(known));
  for (auto& [target, limit] : limits_) {
    for (auto& [key, starts] : limit.starts) {
      std::erase_if(starts, [&](const Start& start) { return start.job == id && start.epoch == known.epoch; });
    }
  }
}

// ---- shares -----------------------------------------------------------------------------------------------------

int Ledger::weight_of(const Line& line) const {
  const auto at = weights_.find({line.queue, line.key});
  return at == weights_.end() ? 1 : at->second;
}

/// Those whose ready jobs all have one priority, which is the answer; others are compared by more than their turns.
std::map<Ledger::Line, int> Ledger::ready_lines() const {
  std::map<Line, int> lines;
  std::set<Line> mixed;
  for (const auto& [id, fact] : facts_) {
    if (fact.state != JobState::Ready) continue;
    const auto [at, first] = lines.emplace(line_of(fact), fact.priority);
    if (!first && at->second != fact.priority) mixed.insert(at->first);
  }
  for (const Line& line : mixed) lines.erase(line);
  return lines;
}

/// A line whose turn has come gives way to another one of weight w at most w / its own weight times, and once more
/// (the start tags of lane_rules.hpp); one more is the slack of whole jobs. Of runs whose jobs have weights and are
/// kept from starting by nothing else.
void Ledger::check_shares() {
  if (weights_.empty()) return;
  for (const Line& line : given_back_) {
    for (auto& [pair, times] : passed_over_) {
      if (pair.second == line) --times;
    }
  }
  const std::map<Line, int> ready = ready_lines();
  std::erase_if(passed_over_, [&](const auto& item) { return !ready.contains(item.first.first); });
  for (const JobId id : started_) {
    const auto taken = facts_.find(id);
    if (taken == facts_.end()) continue;
    const Line went = line_of(taken->second);
    std::erase_if(passed_over_, [&](const auto& item) { return item.first.first == went; });
    for (const auto& [line, priority] : ready) {
      const auto before = ready_before_.find(line);
      const bool waited = before != ready_before_.end() && before->second == priority;
      const bool same = line.queue == went.queue && line.kind == went.kind && line.key != went.key;
      if (!waited || !same || priority < taken->second.priority) continue;
      const int times = ++passed_over_[{line, went}];
      const int most = (weight_of(went) + weight_of(line) - 1) / weight_of(line) + 2;
      if (times <= most) continue;
      violated(Rule::Share, of(id) + " of key \"" + went.key + "\" goes before those of \"" + line.key + "\", the " +
                                std::to_string(times) + ". in a row; its weight allows " + std::to_string(most));
    }
  }
  ready_before_ = ready;
}

// ---- what is counted --------------------------------------------------------------------------------------------

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
