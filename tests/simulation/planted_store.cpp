#include "simulation/planted_store.hpp"

#include <algorithm>

namespace galley::simulation {

Result<std::vector<store::Enqueued>> PlantedStore::enqueue(std::span<const job::NewJob> jobs) {
  std::vector<job::NewJob> wrong(jobs.begin(), jobs.end());
  for (job::NewJob& job : wrong) {
    if (bug_ == Bug::ForgetToken) job.token.clear();
    if (bug_ == Bug::ForgetUnique) job.unique = {};
    if (bug_ == Bug::IgnoreOrdered) job.ordered = false;
    if (bug_ == Bug::CallbackEarly) job.awaits = 0;
    if (bug_ == Bug::LoseMember) job.batch = 0;
  }
  auto answer = ForwardingStore::enqueue(wrong);
  if (answer && bug_ == Bug::LoseEnqueue && ++enqueues_ % 5 == 0) {
    (void)ForwardingStore::erase(std::span(&answer->back().id, 1));
  }
  return answer;
}

store::Finish PlantedStore::wrong(store::Finish finish) const {
  const auto last = last_.find(finish.claim.job);
  if (bug_ == Bug::IgnoreEpoch && last != last_.end()) finish.claim = last->second.id;
  if (bug_ == Bug::CountNoErrors) finish.counters.errors = 0;
  return finish;
}

store::ClaimRequest PlantedStore::wrong(store::ClaimRequest request) const {
  if (bug_ == Bug::ShortLease) request.lease /= 2;
  if (bug_ != Bug::ClaimTooMany || request.limit == 0) return request;
  ++request.limit;
  ++request.commands.max;
  for (store::Want& want : request.kinds) ++want.max;
  return request;
}

Result<store::FinishAndClaimAnswer> PlantedStore::finish_and_claim(std::span<const store::Finish> finishes,
                                                                   std::span<const store::ClaimRequest> requests) {
  std::vector<store::Finish> ends;
  for (const store::Finish& finish : finishes) ends.push_back(wrong(finish));
  std::vector<store::ClaimRequest> asked;
  for (const store::ClaimRequest& request : requests) asked.push_back(wrong(request));

  Result<store::FinishAndClaimAnswer> answer = store::FinishAndClaimAnswer{};
  if ((bug_ == Bug::PutBackInFront || bug_ == Bug::IgnoreHolder) && !finishes.empty()) {
    auto first = ForwardingStore::finish_and_claim(ends, {});
    if (!first) return first;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (first->finished[i] != store::FinishAnswer::Finished) continue;
      bug_ == Bug::IgnoreHolder ? let_pass(ends[i]) : put_in_front(ends[i]);
    }
    answer = ForwardingStore::finish_and_claim({}, asked);
    if (answer) answer->finished = first->finished;
  } else {
    answer = ForwardingStore::finish_and_claim(ends, asked);
  }
  if (!answer) return answer;
  if (bug_ == Bug::HandOutTwice) hand_out_twice(requests, *answer);
  for (const store::Claimed& claimed : answer->claimed) {
    for (const job::Claim& claim : claimed.claims) last_[claim.id.job] = claim;
  }
  return answer;
}

/// All others that are ready in its queue step behind it, in their order.
void PlantedStore::put_in_front(const store::Finish& finish) {
  if (finish.event != job::JobEvent::Pause) return;
  const auto job = find(finish.claim.job);
  if (!job || job->state != JobState::Ready) return;
  const auto ready = list({.queue = job->queue, .state = JobState::Ready}, "", limits::kMaxPage);
  if (!ready) return;
  for (const job::JobRecord& other : ready->jobs) {
    if (other.id != job->id) (void)ForwardingStore::alter(std::span(&other.id, 1), {other.queue, other.priority});
  }
}

/// A job that was in another queue meanwhile does not go first any more.
void PlantedStore::let_pass(const store::Finish& finish) {
  const auto job = find(finish.claim.job);
  if (!job || job->state != JobState::Scheduled || !job->ordered) return;
  for (const std::string& queue : {job->queue + "2", job->queue}) {
    (void)ForwardingStore::alter(std::span(&job->id, 1), {queue, std::nullopt});
  }
}

void PlantedStore::hand_out_twice(std::span<const store::ClaimRequest> requests, store::FinishAndClaimAnswer& answer) {
  for (std::size_t i = 0; i < answer.claimed.size(); ++i) {
    auto& claims = answer.claimed[i].claims;
    const bool room = claims.size() < static_cast<std::size_t>(requests[i].limit);
    if (room && copy_ && copy_->first != requests[i].worker) {
      claims.push_back(copy_->second);
      copy_.reset();
    } else if (!claims.empty()) {
      copy_.emplace(requests[i].worker, claims.back());
    }
  }
}

Result<std::vector<store::Renewed>> PlantedStore::renew(std::span<const store::Renewal> renewals, Duration lease) {
  auto answer = ForwardingStore::renew(renewals, bug_ == Bug::ShortLease ? lease / 2 : lease);
  if (answer && bug_ == Bug::RenewAnything) {
    for (store::Renewed& renewed : *answer) renewed.held = true;
  }
  return answer;
}

Result<store::StepAnswer> PlantedStore::step(std::size_t limit) {
  if (bug_ == Bug::NeverRecover) {
    std::vector<store::Renewal> all;
    for (const auto& [job, claim] : last_) all.push_back({claim.id, {}, {}});
    (void)ForwardingStore::renew(all, std::chrono::hours(1));
  }
  if (bug_ != Bug::TickTwice) return ForwardingStore::step(limit);
  const auto before = schedules();
  auto answer = ForwardingStore::step(limit);
  if (before) tick_again(*before);
  return answer;
}

void PlantedStore::tick_again(std::span<const store::ScheduleStats> before) {
  const auto after = schedules();
  if (!after) return;
  for (std::size_t i = 0; i < after->size(); ++i) {
    if ((*after)[i].enqueued > before[i].enqueued) (void)ForwardingStore::enqueue({&before[i].schedule.job, 1});
  }
}

Result<void> PlantedStore::set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) {
  if (bug_ == Bug::BoundOff && most) ++*most;
  return ForwardingStore::set_max_waiting(queue, most);
}

Result<void> PlantedStore::put_limit(const store::LimitTarget& target, const store::LimitRule& rule) {
  store::LimitRule wrong = rule;
  if (bug_ == Bug::LimitOff && wrong.max_running > 0) ++wrong.max_running;
  if (bug_ == Bug::RateOff) wrong.rate *= 2;
  if (bug_ == Bug::LimitForgets) (void)ForwardingStore::remove_limit(target);
  return ForwardingStore::put_limit(target, wrong);
}

Result<void> PlantedStore::put_schedule(const store::Schedule& schedule) {
  store::Schedule wrong = schedule;
  if (bug_ == Bug::ForgetTick) wrong.rule.misfire = job::Misfire::Skip;
  return ForwardingStore::put_schedule(wrong);
}

Result<void> PlantedStore::set_weight(const std::string& queue, const std::string& key, int weight) {
  return ForwardingStore::set_weight(queue, key, bug_ == Bug::WeightOff && key == "x" ? limits::kMaxWeight : weight);
}

}  // namespace galley::simulation
