// What the ledger knows of batches: counted from the states of their jobs, and held against what the store counts.

#include <algorithm>

#include "simulation/ledger.hpp"

namespace galley::simulation {

namespace {

std::string of(JobId id) { return "job " + std::to_string(id); }
std::string called(BatchId id) { return "batch " + std::to_string(id); }

}  // namespace

std::int64_t BatchFact::count(bool completed) const {
  return std::count_if(jobs.begin(), jobs.end(), [&](const auto& item) {
    return is_ended(item.second) && (item.second == JobState::Completed) == completed;
  });
}

bool BatchFact::over() const {
  return sealed && std::all_of(jobs.begin(), jobs.end(), [](const auto& item) { return is_ended(item.second); });
}

bool BatchFact::has_come(job::Trigger trigger) const {
  switch (trigger) {
    case job::Trigger::Success: return over() && lost == 0 && count(false) == 0;
    case job::Trigger::Failure: return failed;
    default: return finished;
  }
}

bool BatchFact::can_never_come(job::Trigger trigger) const {
  return (trigger == job::Trigger::Success && lost > 0) || (trigger == job::Trigger::Failure && over() && !failed);
}

void Ledger::opened(const std::string& token, BatchId batch) {
  const auto same = batch_tokens_.find(token);
  if (same != batch_tokens_.end() && same->second != batch && batches_.contains(same->second)) {
    violated(Rule::Batch, "token " + token + " is " + called(same->second) + " and " + called(batch));
  }
  batch_tokens_[token] = batch;
  (void)batches_[batch];
}

bool Ledger::has_ended(const Fact& known) const {
  if (is_ended(known.state)) return true;
  if (known.state != JobState::Blocked || known.trigger != job::Trigger::Success) return false;
  const BatchFact& batch = batches_.at(known.awaits);
  return batch.over() && batch.count(false) > 0;
}

/// What its jobs have given is kept for whoever joins it.
bool Ledger::keeps(const Fact& known) const {
  const auto at = batches_.find(known.batch);
  if (at == batches_.end()) return false;
  if (!at->second.finished) return true;
  return std::any_of(facts_.begin(), facts_.end(), [&](const auto& item) {
    return item.second.awaits == known.batch && (!is_ended(item.second.state) || item.second.state == JobState::Dead);
  });
}

void Ledger::count_batches() {
  for (const auto& [id, known] : facts_) {
    if (known.batch == 0) continue;
    BatchFact& batch = batches_.at(known.batch);
    batch.jobs[id] = known.state;
    batch.failed = batch.failed || (is_ended(known.state) && known.state != JobState::Completed);
  }
  for (auto& [id, batch] : batches_) batch.finished = batch.finished || batch.over();
}

void Ledger::check_callbacks() const {
  for (const auto& [id, state] : unblocked_) {
    const auto at = facts_.find(id);
    if (at == facts_.end() || state == JobState::Expired) continue;
    const BatchFact& batch = batches_.at(at->second.awaits);
    const bool may =
        state == JobState::Cancelled ? batch.can_never_come(at->second.trigger) : batch.has_come(at->second.trigger);
    if (may) continue;
    violated(Rule::Batch, of(id) + " is " + std::string(name(state)) + " before " +
                              std::string(job::name(at->second.trigger)) + " of " + called(at->second.awaits));
  }
  for (const auto& [id, known] : facts_) {
    if (known.state != JobState::Blocked) continue;
    const BatchFact& batch = batches_.at(known.awaits);
    if (!batch.has_come(known.trigger) && !batch.can_never_come(known.trigger)) continue;
    violated(Rule::Batch, of(id) + " still waits for " + std::string(job::name(known.trigger)) + " of " +
                              called(known.awaits) + ", which is decided");
  }
}

void Ledger::check_batches(const std::vector<store::BatchStats>& stats) {
  count_batches();
  check_callbacks();
  std::set<BatchId> seen;
  for (const store::BatchStats& one : stats) {
    seen.insert(one.id);
    const auto at = batches_.find(one.id);
    if (at == batches_.end()) violated(Rule::Batch, called(one.id) + " was not opened");
    const BatchFact& batch = at->second;
    const bool fits = one.sealed == batch.sealed && one.lost == batch.lost &&
                      one.total == static_cast<std::int64_t>(batch.jobs.size()) && one.succeeded == batch.count(true) &&
                      one.failed == batch.count(false) && one.failed_at.has_value() == batch.failed &&
                      one.finished_at.has_value() == batch.finished;
    if (!fits) violated(Rule::Batch, called(one.id) + " does not count what its jobs have done");
  }
  std::erase_if(batches_, [&](const auto& item) {
    if (seen.contains(item.first)) return false;
    if (!stepping_ || !item.second.finished) violated(Rule::Batch, called(item.first) + " is lost");
    return true;
  });
}

}  // namespace galley::simulation
