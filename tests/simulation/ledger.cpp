#include "simulation/ledger.hpp"

#include <algorithm>
#include <utility>

#include "job/settle.hpp"

namespace galley::simulation {

namespace {

std::string of(JobId id) { return "job " + std::to_string(id); }
std::string of(const job::ClaimId& claim) { return of(claim.job) + " epoch " + std::to_string(claim.epoch); }

bool is_one_further(const job::Counters& before, const job::Counters& after) {
  const int counted = after.errors + after.pauses + after.snoozes - before.errors - before.pauses - before.snoozes;
  return after.attempts == before.attempts + 1 && after.crashes == before.crashes && counted >= 0 && counted <= 1;
}

}  // namespace

Fact& Ledger::fact(JobId id, Rule rule) {
  const auto at = facts_.find(id);
  if (at == facts_.end()) violated(rule, of(id) + " was never enqueued, or is gone");
  return at->second;
}

bool Ledger::all_ended() const {
  return std::all_of(facts_.begin(), facts_.end(), [this](const auto& item) { return has_ended(item.second); });
}

bool Ledger::is_current(const job::ClaimId& claim) const {
  const auto at = facts_.find(claim.job);
  return at != facts_.end() && at->second.held && at->second.epoch == claim.epoch;
}

// ---- what was executed ------------------------------------------------------------------------------------------

void Ledger::enqueued(std::span<const job::NewJob> jobs, const std::vector<store::Enqueued>& answers) {
  for (std::size_t i = 0; i < jobs.size(); ++i) enqueued_one(jobs[i], answers[i]);
}

void Ledger::enqueued_one(const job::NewJob& job, const store::Enqueued& answer) {
  if (answer.refused) return;
  const auto same = tokens_.find(job.token);
  if (same != tokens_.end() && same->second != answer.id) {
    violated(Rule::Kept, "token " + job.token + " is " + of(same->second) + " and " + of(answer.id));
  }
  if (answer.existed && !answer.replaced) {
    (void)fact(answer.id, Rule::Kept);
    return;
  }
  if (!answer.replaced && answer.id <= last_id_) violated(Rule::Kept, of(answer.id) + " was used before");
  newest_id_ = std::max(newest_id_, answer.id);
  Fact& known = answer.replaced ? fact(answer.id, Rule::Kept) : facts_[answer.id];
  if (!answer.replaced) grown_.insert(job.queue);
  known.replaced = answer.replaced;
  known.touched = true;
  known.queue = job.queue;
  known.kind = job.kind;
  known.command = job.content == job::Content::Command;
  known.priority = job.priority;
  known.key = job.key;
  known.limits = job.limits;
  std::sort(known.limits.begin(), known.limits.end());
  known.ordered = job.ordered;
  known.batch = job.batch;
  known.awaits = job.awaits;
  known.trigger = job.trigger;
  if (job.batch != 0) batches_[job.batch].jobs[answer.id] = JobState::Ready;
  if (job.awaits != 0) known.state = JobState::Blocked;
  known.first = false;
  known.policy = job.policy;
  known.unique = job.unique;
  known.gave_up_key = false;
  known.place = call_;
  if (job.token.empty()) return;
  if (!known.token.empty()) tokens_.erase(known.token);
  known.token = job.token;
  tokens_[job.token] = answer.id;
}

void Ledger::finished(std::span<const store::Finish> finishes, const std::vector<store::FinishAnswer>& answers) {
  if (finishes.size() != answers.size()) violated(Rule::Fence, "not one answer a finish");
  for (std::size_t i = 0; i < finishes.size(); ++i) finished_one(finishes[i], answers[i]);
}

void Ledger::finished_one(const store::Finish& finish, store::FinishAnswer answer) {
  const bool current = is_current(finish.claim);
  if (answer == store::FinishAnswer::Finished && !current) {
    violated(Rule::Fence, of(finish.claim) + " was finished by one that no longer holds it");
  }
  if (answer != store::FinishAnswer::Finished && current) {
    violated(Rule::Fence, of(finish.claim) + " is held, and its finish was refused");
  }
  const auto at = facts_.find(finish.claim.job);
  if (at == facts_.end()) return;
  Fact& known = at->second;
  if (answer == store::FinishAnswer::AlreadyFinished && !known.finished.contains(finish.claim.epoch)) {
    violated(Rule::Fence, of(finish.claim) + " was not finished before");
  }
  if (answer != store::FinishAnswer::Finished) return;
  known.finished.insert(finish.claim.epoch);
  known.held = false;
  known.state = JobState::Scheduled;
  switch (finish.event) {
    case job::JobEvent::Release:
      give_back_start(finish.claim.job, known);
      known.state = JobState::Ready;
      known.started = known.started_before;
      known.first = known.first && known.started;
      return;
    case job::JobEvent::Complete: known.state = JobState::Completed; break;
    case job::JobEvent::Discard: known.state = JobState::Discarded; break;
    case job::JobEvent::Pause:
      known.state = JobState::Ready;
      known.place = call_;
      break;
    default: break;
  }
  const job::Counters& after = finish.counters;
  job::Counters moved_on = known.counters;  // its checkpoint says so: what kept it from its end is counted anew
  moved_on.pauses = 0;
  moved_on.crashes = 0;
  if (!is_one_further(known.counters, after) && !is_one_further(moved_on, after)) {
    violated(Rule::Counters, of(finish.claim) + " is finished with counters that are not one attempt further");
  }
  known.counters = after;
}

void Ledger::claimed(std::span<const store::ClaimRequest> requests, const std::vector<store::Claimed>& answers) {
  if (requests.size() != answers.size()) violated(Rule::ClaimBound, "not one answer a request");
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto& claims = answers[i].claims;
    for (const job::Claim& claim : claims) claimed_one(requests[i], claim);
    if (claims.size() > static_cast<std::size_t>(requests[i].limit)) {
      violated(Rule::ClaimBound, std::to_string(claims.size()) + " claims for " + std::to_string(requests[i].limit));
    }
  }
}

void Ledger::claimed_one(const store::ClaimRequest& request, const job::Claim& claim) {
  meet_tick(claim.id.job, claim.payload);
  Fact& known = fact(claim.id.job, Rule::Kept);
  if (known.held) violated(Rule::OneClaim, of(claim.id) + " is claimed, and held as " + std::to_string(known.epoch));
  if (claim.id.epoch <= known.epoch) {
    violated(Rule::Epoch, of(claim.id) + " is claimed after epoch " + std::to_string(known.epoch));
  }
  if (is_ended(known.state)) violated(Rule::State, of(claim.id) + " is claimed and had ended");
  const auto& queues = request.queues;
  const bool wanted = std::any_of(request.kinds.begin(), request.kinds.end(),
                                  [&](const store::Want& want) { return want.kind == claim.kind; });
  if (std::find(queues.begin(), queues.end(), claim.queue) == queues.end() || (!known.command && !wanted)) {
    violated(Rule::ClaimBound, of(claim.id) + " was not asked for");
  }
  if (paused_.contains(claim.queue)) violated(Rule::State, of(claim.id) + " is claimed from a paused queue");
  if (known.state == JobState::Blocked) unblocked_.emplace_back(claim.id.job, JobState::Running);
  // It became due, or was let go, in this very call.
  if (known.state == JobState::Scheduled || known.state == JobState::Blocked) known.place = call_;
  known.state = JobState::Running;
  known.held = true;
  known.epoch = claim.id.epoch;
  known.worker = request.worker;
  known.lease_until = clock_.mono() + request.lease;
  known.gave_up_key = true;
  known.started_before = std::exchange(known.started, true);
  known.went_first = std::exchange(known.first, known.ordered);
  take_holds(claim.id.job, known);
  started_.push_back(claim.id.job);
  witness_.claimed(claim.id);
}

void Ledger::renewed(std::span<const store::Renewal> renewals, const std::vector<store::Renewed>& answers,
                     Duration lease) {
  if (renewals.size() != answers.size()) violated(Rule::Fence, "not one answer a renewal");
  for (std::size_t i = 0; i < renewals.size(); ++i) {
    const job::ClaimId& claim = renewals[i].claim;
    if (answers[i].held != is_current(claim)) {
      violated(Rule::Fence, of(claim) + (answers[i].held ? " is lost and was renewed" : " is held and was refused"));
    }
    if (!answers[i].held) continue;
    Fact& known = facts_.at(claim.job);
    known.lease_until = clock_.mono() + lease;
    const bool moved_on = renewals[i].checkpoint && *renewals[i].checkpoint != known.checkpoint;
    if (moved_on) known.counters = job::moved_on(known.counters);
  }
}

void Ledger::operated(Operation operation, std::span<const JobId> ids, const std::vector<store::Operated>& answers) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto at = facts_.find(ids[i]);
    const bool there = at != facts_.end();
    if (there == (answers[i] == store::Operated::NotFound)) violated(Rule::Kept, of(ids[i]) + " is there or not");
    if (!there || answers[i] != store::Operated::Done) continue;
    Fact& known = at->second;
    known.touched = true;
    if (operation == Operation::Retry) known.counters = {.attempts = known.counters.attempts};
    if (operation == Operation::Erase) known.erased = true;
    if (operation == Operation::Alter || operation == Operation::Retry) known.place = call_;
  }
}

void Ledger::paused(const std::string& queue, bool is_paused) {
  if (is_paused) {
    paused_.insert(queue);
  } else {
    paused_.erase(queue);
  }
}

void Ledger::bounded(const std::string& queue, std::optional<std::int64_t> most) {
  bounds_.erase(queue);
  if (most) bounds_[queue] = *most;
}

// ---- the contents -----------------------------------------------------------------------------------------------

void Ledger::holds(const Contents& contents) {
  std::set<JobId> seen;
  for (const job::JobRecord& record : contents.jobs) {
    if (!seen.insert(record.id).second) violated(Rule::Kept, of(record.id) + " is listed twice");
    meet_tick(record.id, record.payload);
    meet(record.id, fact(record.id, Rule::Kept), record);
  }
  check_gone(seen);
  check_order();
  check_keys();
  check_unique();
  check_bounds(contents.jobs);
  check_statistics(contents.jobs, contents.lanes, contents.queues);
  check_limits(contents.limits);
  check_shares();
  check_batches(contents.batches);
  schedules_.check(contents.schedules, {clock_.wall(), stepping_, bounds_, [this](JobId id) {
                                          const auto at = facts_.find(id);
                                          return at != facts_.end() && !is_ended(at->second.state);
                                        }});
  last_id_ = newest_id_;
  stepping_ = false;
  grown_.clear();
  started_.clear();
  given_back_.clear();
  unblocked_.clear();
  ++call_;
}

/// A job that nobody has enqueued: a schedule has.
void Ledger::meet_tick(JobId id, const std::string& payload) {
  if (facts_.contains(id)) return;
  const job::NewJob* const job = schedules_.ticked(payload);
  if (job != nullptr) enqueued_one(*job, {.id = id});
}

void Ledger::check_statistics(const std::vector<job::JobRecord>& jobs, const std::vector<store::LaneStats>& lanes,
                              const std::vector<store::QueueStats>& queues) const {
  std::map<std::pair<std::string, int>, std::int64_t> by_lane;
  for (const job::JobRecord& record : jobs) {
    ++by_lane[{record.queue + "/" + record.kind, static_cast<int>(record.state)}];
    ++by_lane[{record.queue, static_cast<int>(record.state)}];
  }
  const auto compare = [&](const std::string& name, const std::int64_t(&count)[kJobStates]) {
    for (int state = 0; state < kJobStates; ++state) {
      const auto at = by_lane.find({name, state});
      if (count[state] != (at == by_lane.end() ? 0 : at->second)) violated(Rule::Statistics, "of " + name);
      if (at != by_lane.end()) by_lane.erase(at);
    }
  };
  for (const store::LaneStats& lane : lanes) compare(lane.queue + "/" + lane.kind, lane.count);
  for (const store::QueueStats& queue : queues) compare(queue.queue, queue.count);
  if (!by_lane.empty()) violated(Rule::Statistics, "of " + by_lane.begin()->first.first + " are missing");
}

void Ledger::meet(JobId id, Fact& known, const job::JobRecord& record) {
  if (known.erased) violated(Rule::State, of(id) + " was deleted and is there");
  const bool running = record.state == JobState::Running;
  if (known.held && !running) lost_claim(id, known);
  if (!known.held && running) violated(Rule::OneClaim, of(id) + " runs, and nobody was given its claim");
  if (stepping_ && known.held && clock_.mono() > known.lease_until) {
    violated(Rule::Lease, of(id) + " was not recovered by a step after its lease");
  }
  check_counters(id, known, record);
  if (is_ended(known.state) && record.state != known.state && !known.touched) {
    violated(Rule::State,
             of(id) + " had ended as " + std::string(name(known.state)) + " and is " + std::string(name(record.state)));
  }
  const bool was_touched = known.touched;
  if (known.touched) {
    known.first = known.first && known.queue == record.queue;
    known.queue = record.queue;
    known.priority = record.priority;
  } else if (known.queue != record.queue || known.priority != record.priority) {
    violated(Rule::State, of(id) + " has another queue or priority");
  }
  if (record.state == JobState::Ready && known.state != JobState::Ready) known.place = call_;
  if (known.state == JobState::Blocked && record.state != JobState::Blocked &&
      !(was_touched && record.state == JobState::Cancelled)) {
    unblocked_.emplace_back(id, record.state);
  }
  if (record.state == JobState::Blocked && known.state != JobState::Blocked) {
    violated(Rule::Batch, of(id) + " waits for its batch again");
  }
  known.state = record.state;
  known.checkpoint = record.checkpoint;
  known.started = record.started_at.has_value();
  known.touched = false;
  if (!is_ended(known.state)) return;
  known.finished_at = record.finished_at.value_or(Time{});
  known.gave_up_key = true;
  known.first = false;
}

void Ledger::lost_claim(JobId id, Fact& known) {
  if (!stepping_) violated(Rule::State, of(id) + " ran, and is not running, without a finish");
  if (clock_.mono() <= known.lease_until && !gone_.contains(known.worker)) {
    violated(Rule::Lease, of({id, known.epoch}) + " was recovered before its lease was over");
  }
  ++known.counters.attempts;
  ++known.counters.crashes;
  known.held = false;
  witness_.recovered({id, known.epoch});
}

void Ledger::check_counters(JobId id, const Fact& known, const job::JobRecord& record) const {
  const job::Counters& count = record.counters;
  if (count != known.counters) violated(Rule::Counters, of(id) + " has counters that nobody has told");
  if (known.replaced) return;
  const int ended = is_ended(record.state) ? 1 : 0;
  const job::Policy& policy = known.policy;
  if (count.errors >= policy.max_attempts + ended || count.crashes >= policy.max_crashes + ended ||
      count.pauses > policy.max_pauses + ended || count.snoozes > limits::kMaxSnoozes + ended) {
    violated(Rule::Counters, of(id) + " is over one of its bounds");
  }
}

void Ledger::check_gone(const std::set<JobId>& seen) {
  for (auto at = facts_.begin(); at != facts_.end();) {
    const Fact& known = at->second;
    if (seen.contains(at->first)) {
      ++at;
      continue;
    }
    const bool old = known.state == JobState::Completed && clock_.wall() - known.finished_at > limits::kKeepCompleted;
    if (!known.erased && !(old && stepping_)) violated(Rule::Kept, of(at->first) + " is lost");
    if (!known.erased && keeps(known)) violated(Rule::Batch, of(at->first) + " is pruned, and its batch goes on");
    if (known.batch != 0 && known.state != JobState::Completed) {
      batches_.at(known.batch).jobs.erase(at->first);
      ++batches_.at(known.batch).lost;
    }
    if (!known.token.empty()) tokens_.erase(known.token);
    at = facts_.erase(at);
  }
}

void Ledger::check_unique() const {
  std::map<std::string, JobId> holders;
  for (const auto& [id, known] : facts_) {
    if (known.unique.key.empty() || is_ended(known.state)) continue;
    if (known.unique.until == UniqueUntil::Start && known.gave_up_key) continue;
    const auto [at, first] = holders.emplace(known.kind + "/" + known.unique.key, id);
    if (!first) violated(Rule::Unique, of(id) + " and " + of(at->second) + " hold " + at->first);
  }
}

void Ledger::check_bounds(const std::vector<job::JobRecord>& jobs) const {
  for (const std::string& queue : grown_) {
    const auto most = bounds_.find(queue);
    if (most == bounds_.end()) continue;
    const auto waiting = std::count_if(jobs.begin(), jobs.end(), [&](const job::JobRecord& job) {
      return job.queue == queue &&
             (job.state == JobState::Scheduled || job.state == JobState::Ready || job.state == JobState::Blocked);
    });
    if (waiting > most->second) {
      violated(Rule::QueueBound,
               std::to_string(waiting) + " wait in " + queue + ", which may hold " + std::to_string(most->second));
    }
  }
}

}  // namespace galley::simulation
