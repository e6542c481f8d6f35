#include "history/checker.hpp"

#include <algorithm>

namespace galley::history {

namespace {

constexpr std::size_t kMaxLines = 24;  // of a job, to be shown with a violation

ClaimStory* claim_of(JobStory& story, std::int64_t epoch) {
  const auto found =
      std::find_if(story.claims.rbegin(), story.claims.rend(), [&](const auto& claim) { return claim.epoch == epoch; });
  return found == story.claims.rend() ? nullptr : &*found;
}

/// The first thing that was asked by this call and has no answer yet: a call may ask for the same twice.
template <class Asked>
Asked* unanswered(std::vector<Asked>& all, const Event& event) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Asked& asked) {
    return asked.by == event.by && asked.call == event.call && asked.answer.empty();
  });
  return found == all.end() ? nullptr : &*found;
}

template <class Asked>
void answer(Asked* asked, const Event& event) {
  if (asked == nullptr) return;
  asked->answer = event.say;
  asked->span.answered = event.at;
}

template <class Asked>
void refuse(std::vector<Asked>& all, const Event& event) {
  for (Asked& asked : all) {
    if (asked.by == event.by && asked.call == event.call) asked.span.refused = true;
  }
}

/// Its story is told once all that was being asked for when it completed is answered. What is taken for held then has
/// its answer.
bool is_complete(const JobStory& story) {
  return std::any_of(story.claims.begin(), story.claims.end(), [](const ClaimStory& claim) {
    const Ending* const end = taken(claim);
    return end != nullptr && end->event == "complete";
  });
}

}  // namespace

void Checker::add(const Event& event) {
  switch (event.what) {
    case What::Call:
      open_[{event.by, event.call}] = {event.verb, event.at, {}, {}};
      by_time_.insert({event.at, {event.by, event.call}});
      break;
    case What::Finishing:
    case What::Renewing:
    case What::Operating:
    case What::Leaving: asked(event); break;
    case What::Enqueued: enqueued(event); break;
    case What::Claimed: claimed(event); break;
    case What::Finished: finished(event); break;
    case What::Renewed: renewed(event); break;
    case What::Operated: operated(event); break;
    case What::Answered: close({event.by, event.call}); break;
    case What::Failed: failed(event); break;
    case What::Kill: around_.killed.insert({event.name, event.at}); break;
    case What::Died: died(event); break;
    case What::Kept: kept(event); break;
    case What::Close:
      around_.closed = true;
      around_.cut = event.flag;
      break;
  }
}

JobStory& Checker::story(const Event& event) {
  JobStory& story = stories_[event.job];
  story.id = event.job;
  most_held_ = std::max(most_held_, stories_.size());
  if (story.lines.size() >= kMaxLines) story.lines.erase(story.lines.begin());
  story.lines.push_back(to_line(event));
  return story;
}

bool Checker::has_completed(std::int64_t job) const {
  return job >= 0 && static_cast<std::size_t>(job) < retired_.size() && retired_[static_cast<std::size_t>(job)];
}

std::int64_t Checker::called(const Event& event) const {
  const auto call = open_.find({event.by, event.call});
  return call == open_.end() ? event.at : call->second.at;
}

void Checker::violate(Violation violation) {
  if (violations_.size() < kMaxViolations) violations_.push_back(std::move(violation));
}

void Checker::asked(const Event& event) {
  if (event.what == What::Leaving) {
    around_.left.insert({event.worker, event.at});
    return;
  }
  if (event.what != What::Renewing) unique_.may_free(event.job);
  if (event.what == What::Operating) order_.touched(event.job);
  if (has_completed(event.job)) return;
  Open& call = open_[{event.by, event.call}];
  JobStory& job = story(event);
  if (event.what == What::Renewing) {
    call.renews.emplace_back(event.job, event);
    if (ClaimStory* const claim = claim_of(job, event.epoch); claim != nullptr && event.flag) claim->moved_on = true;
    return;
  }
  call.jobs.push_back(event.job);
  const Span span{event.at, kNever, false};
  if (event.what == What::Operating) {
    job.operations.push_back({span, event.verb, {}, event.by, event.call});
    return;
  }
  ClaimStory* const claim = claim_of(job, event.epoch);
  (claim != nullptr ? claim->endings : job.strays)
      .push_back({span, event.say, event.outcome, event.delay, {}, event.by, event.call});
  if (claim != nullptr && event.flag) claim->moved_on = true;
}

void Checker::check_token(const Event& event, std::int64_t called) {
  if (event.token.empty()) return;
  const auto [before, fresh] = tokens_.insert({event.token, {event.job, event.at}});
  if (fresh || before->second.first == event.job) return;
  const auto [job, acknowledged] = before->second;
  const auto first = stories_.find(job);
  // A completed or deleted job's token may be used again.
  if (first != stories_.end() && acknowledged < called && first->second.operations.empty() &&
      !is_complete(first->second)) {
    violate({"token", event.job, "job " + std::to_string(job) + " has the same token", first->second.lines});
  }
  before->second = {event.job, event.at};
}

void Checker::enqueued(const Event& event) {
  const std::int64_t asked_at = called(event);
  ++acknowledged_;
  check_token(event, asked_at);
  if (has_completed(event.job)) return;  // it existed
  JobStory& job = story(event);
  job.acknowledged = true;
  if (event.say == "replaced" || event.say == "existed") job.due_is_known = false;
  if (event.say == "replaced") order_.touched(event.job);
  if (event.say != "new" && event.say != "blocked" && event.say != "gathered") return;
  job.enqueue = {asked_at, event.at, false};
  job.delay = event.delay;
  job.due_is_known = event.say == "new";
  job.expires = event.expires;
  job.max_attempts = event.max_attempts;
  job.max_crashes = event.max_crashes;
  if (job.claims.empty()) order_.enqueued(event, asked_at);
  const auto holder = unique_.enqueued(event, asked_at);
  const auto held = holder ? stories_.find(holder->job) : stories_.end();
  if (held == stories_.end()) return;
  const bool may_have_lapsed = std::any_of(
      held->second.claims.begin(), held->second.claims.end(),
      [&](const ClaimStory& claim) { return taken(claim) == nullptr && may_lapse(claim, around_) <= event.at; });
  if (!may_have_lapsed) {
    violate({"unique", event.job, "job " + std::to_string(holder->job) + " holds its unique key", held->second.lines});
  }
}

void Checker::claimed(const Event& event) {
  ++claims_;
  const std::int64_t asked_at = called(event);
  if (has_completed(event.job)) {
    violate({"once", event.job, "it was given to a worker long after it had ended for good", {to_line(event)}});
    return;
  }
  order_.claimed(event, asked_at);
  JobStory& job = story(event);
  if (const auto violation = order_.violation()) violate({"order", event.job, *violation, job.lines});
  ClaimStory claim;
  claim.epoch = event.epoch;
  claim.attempt = event.attempt;
  claim.by = event.by;
  claim.worker = event.worker;
  claim.span = {asked_at, event.at, false};
  claim.lease_end = asked_at + event.lease;
  job.claims.push_back(std::move(claim));
}

void Checker::finished(const Event& event) {
  if (has_completed(event.job)) {
    if (event.say == "finished") {
      violate({"fencing", event.job, "an end was taken long after it had completed", {to_line(event)}});
    }
    return;
  }
  JobStory& job = story(event);
  ClaimStory* const claim = claim_of(job, event.epoch);
  answer(unanswered(claim != nullptr ? claim->endings : job.strays, event), event);
  if (event.say != "lease_lost" && is_complete(job)) retiring_.emplace_back(event.at, event.job);
}

void Checker::renewed(const Event& event) {
  const auto call = open_.find({event.by, event.call});
  if (call == open_.end() || has_completed(event.job)) return;
  JobStory& job = story(event);
  ClaimStory* const claim = claim_of(job, event.epoch);
  for (const auto& [id, asked] : call->second.renews) {
    if (id != event.job || asked.epoch != event.epoch || claim == nullptr) continue;
    if (event.flag) claim->lease_end = asked.at + asked.lease;  // as it was asked for, even where that is sooner
    if (!event.flag && claim->endings.empty() && event.at < may_lapse(*claim, around_)) {
      violate({"lease", event.job, "a claim was lost while its lease lasted", job.lines});
    }
  }
}

void Checker::operated(const Event& event) {
  if (has_completed(event.job)) return;
  answer(unanswered(story(event).operations, event), event);
  if (event.verb == "erase" && event.say == "done") retiring_.emplace_back(event.at, event.job);
}

void Checker::failed(const Event& event) {
  const CallKey key{event.by, event.call};
  const auto call = open_.find(key);
  if (call == open_.end()) return;
  if (event.flag) {
    lose(call->second, event.at);
  } else {
    for (const std::int64_t id : call->second.jobs) {
      const auto found = stories_.find(id);
      if (found == stories_.end()) continue;
      for (ClaimStory& claim : found->second.claims) refuse(claim.endings, event);
      refuse(found->second.strays, event);
      refuse(found->second.operations, event);
    }
  }
  close(key);
}

void Checker::lose(const Open& call, std::int64_t until) {
  if (call.verb == "exchange") around_.lost_claims.push_back({call.at, until, false});
  if (call.verb == "enqueue") around_.lost_enqueues.push_back({call.at, until, false});
}

void Checker::close(const CallKey& key) {
  const auto call = open_.find(key);
  if (call == open_.end()) return;
  by_time_.erase({call->second.at, key});
  open_.erase(call);
  retire();
}

void Checker::died(const Event& event) {
  around_.killed.insert({event.name, event.at});
  std::vector<CallKey> keys;
  for (auto call = open_.lower_bound({event.name, 0}); call != open_.end() && call->first.first == event.name; ++call) {
    lose(call->second, event.at);
    keys.push_back(call->first);
  }
  for (const CallKey& key : keys) close(key);
}

void Checker::kept(const Event& event) {
  if (!has_completed(event.job)) {
    story(event).kept = event.say;
  } else if (event.say != "completed") {
    violate({"end", event.job, "it completed or was deleted, and is kept as " + event.say, {to_line(event)}});
  }
}

void Checker::retire() {
  while (!retiring_.empty() && (by_time_.empty() || retiring_.front().first < by_time_.begin()->first)) {
    const std::int64_t id = retiring_.front().second;
    retiring_.pop_front();
    const auto found = stories_.find(id);
    if (found == stories_.end()) continue;
    for (Violation& violation : check(found->second, around_)) violate(std::move(violation));
    if (is_complete(found->second)) ++completed_;
    stories_.erase(found);
    order_.touched(id);
    if (retired_.size() <= static_cast<std::size_t>(id)) retired_.resize(static_cast<std::size_t>(id) * 2 + 64);
    retired_[static_cast<std::size_t>(id)] = true;
  }
}

void Checker::finish() {
  for (const auto& [key, call] : open_) lose(call, kNever);
  std::vector<const JobStory*> left;
  for (const auto& [id, story] : stories_) left.push_back(&story);
  std::sort(left.begin(), left.end(), [](const auto* one, const auto* other) { return one->id < other->id; });
  for (const JobStory* const story : left) {
    if (is_complete(*story)) ++completed_;
    for (Violation& violation : check(*story, around_)) violate(std::move(violation));
  }
}

std::string Checker::text() const {
  std::string all;
  for (const Violation& violation : violations_) all += violation.text() + "\n";
  return all;
}

}  // namespace galley::history
