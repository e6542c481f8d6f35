#include "history/recording_store.hpp"

#include <algorithm>

namespace galley::history {

namespace {

/// One call in the journal: what is asked is written before it, what came of it after.
class Call {
 public:
  Call(Journal& journal, const std::string& verb) : journal_(journal), call_(journal.next_call()) {
    add({.what = What::Call, .verb = verb});
  }
  void add(Event event) {
    event.call = call_;
    events_.push_back(std::move(event));
  }
  void write() { journal_.write(std::exchange(events_, {})); }
  void answered() {
    add({.what = What::Answered});
    write();
  }
  void failed(const Error& error) {
    add({.what = What::Failed,
         .say = std::string(galley::name(error.code)),
         .flag = error.written == Written::Unknown});
    write();
  }

 private:
  Journal& journal_;
  const std::int64_t call_;
  std::vector<Event> events_;
};

std::string word(store::FinishAnswer answer) {
  switch (answer) {
    case store::FinishAnswer::Finished: return "finished";
    case store::FinishAnswer::AlreadyFinished: return "already_finished";
    case store::FinishAnswer::LeaseLost: return "lease_lost";
  }
  return "?";
}

std::string word(store::Operated answer) {
  switch (answer) {
    case store::Operated::Done: return "done";
    case store::Operated::Requested: return "requested";
    case store::Operated::NotFound: return "not_found";
    case store::Operated::WrongState: return "wrong_state";
    case store::Operated::Conflict: return "conflict";
  }
  return "?";
}

/// Which of the requests a claim answers is known by its place.
Event claimed(const store::ClaimRequest& request, const job::Claim& claim) {
  return {.what = What::Claimed,
          .job = claim.id.job,
          .epoch = claim.id.epoch,
          .attempt = claim.counters.attempts + 1,
          .worker = request.worker,
          .lease = request.lease.count()};
}

}  // namespace

Event RecordingStore::enqueued(const job::NewJob& job, const store::Enqueued& answer) const {
  Event event{.what = What::Enqueued, .job = answer.id, .token = job.token};
  event.say = answer.replaced ? "replaced" : answer.existed ? "existed" : "new";
  if (event.say != "new") return event;
  if (!job.group.key.empty()) event.say = "gathered";
  if (job.awaits != 0) event.say = "blocked";
  event.delay = job.at ? std::max<std::int64_t>(0, (*job.at - clock_.wall()).count()) : job.delay.count();
  event.queue = job.queue;
  event.kind = job.kind + (job.program.empty() ? "" : ":" + job.program);
  event.key = job.key;
  event.unique = job.unique.key;
  event.until_start = job.unique.until == UniqueUntil::Start;
  event.expires = job.expires > Duration{0} || job.deadline > Duration{0};
  event.priority = job.priority;
  event.max_attempts = job.policy.max_attempts;
  event.max_crashes = job.policy.max_crashes;
  return event;
}

Result<std::vector<store::Enqueued>> RecordingStore::enqueue(std::span<const job::NewJob> jobs) {
  Call call(journal_, "enqueue");
  call.write();
  auto answer = ForwardingStore::enqueue(jobs);
  if (!answer) return call.failed(answer.error()), answer;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!(*answer)[i].refused) call.add(enqueued(jobs[i], (*answer)[i]));
  }
  call.answered();
  return answer;
}

Result<void> RecordingStore::leave(store::WorkerId worker) {
  Call call(journal_, "leave");
  call.add({.what = What::Leaving, .worker = worker});
  call.write();
  auto answer = ForwardingStore::leave(worker);
  if (!answer) return call.failed(answer.error()), answer;
  call.answered();
  return answer;
}

Result<store::FinishAndClaimAnswer> RecordingStore::finish_and_claim(std::span<const store::Finish> finishes,
                                                                     std::span<const store::ClaimRequest> requests) {
  Call call(journal_, "exchange");
  for (const store::Finish& finish : finishes) {
    call.add({.what = What::Finishing,
              .job = finish.claim.job,
              .epoch = finish.claim.epoch,
              .delay = finish.event == job::JobEvent::Retry ? finish.delay.count() : 0,
              .say = std::string(job::name(finish.event)),
              .outcome = finish.outcome,
              .flag = finish.checkpoint.has_value()});
  }
  call.write();
  auto answer = ForwardingStore::finish_and_claim(finishes, requests);
  if (!answer) return call.failed(answer.error()), answer;
  for (std::size_t i = 0; i < finishes.size(); ++i) {
    call.add({.what = What::Finished,
              .job = finishes[i].claim.job,
              .epoch = finishes[i].claim.epoch,
              .say = word(answer->finished[i])});
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (const job::Claim& claim : answer->claimed[i].claims) call.add(claimed(requests[i], claim));
  }
  call.answered();
  return answer;
}

Result<std::vector<store::Renewed>> RecordingStore::renew(std::span<const store::Renewal> renewals, Duration lease) {
  Call call(journal_, "renew");
  for (const store::Renewal& renewal : renewals) {
    call.add({.what = What::Renewing,
              .job = renewal.claim.job,
              .epoch = renewal.claim.epoch,
              .lease = lease.count(),
              .flag = renewal.checkpoint.has_value()});
  }
  call.write();
  auto answer = ForwardingStore::renew(renewals, lease);
  if (!answer) return call.failed(answer.error()), answer;
  for (std::size_t i = 0; i < renewals.size(); ++i) {
    const job::ClaimId& claim = renewals[i].claim;
    call.add({.what = What::Renewed, .job = claim.job, .epoch = claim.epoch, .flag = (*answer)[i].held});
  }
  call.answered();
  return answer;
}

Result<std::vector<store::Operated>> RecordingStore::operated(const std::string& verb, std::span<const JobId> ids,
                                                              const Operate& operate) {
  Call call(journal_, verb);
  for (const JobId id : ids) call.add({.what = What::Operating, .verb = verb, .job = id});
  call.write();
  auto answer = operate();
  if (!answer) return call.failed(answer.error()), answer;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    call.add({.what = What::Operated, .verb = verb, .job = ids[i], .say = word((*answer)[i])});
  }
  call.answered();
  return answer;
}

Result<std::vector<store::Operated>> RecordingStore::retry(std::span<const JobId> ids) {
  return operated("retry", ids, [&] { return ForwardingStore::retry(ids); });
}
Result<std::vector<store::Operated>> RecordingStore::cancel(std::span<const JobId> ids) {
  return operated("cancel", ids, [&] { return ForwardingStore::cancel(ids); });
}
Result<std::vector<store::Operated>> RecordingStore::erase(std::span<const JobId> ids) {
  return operated("erase", ids, [&] { return ForwardingStore::erase(ids); });
}
Result<std::vector<store::Operated>> RecordingStore::run_now(std::span<const JobId> ids) {
  return operated("run_now", ids, [&] { return ForwardingStore::run_now(ids); });
}
Result<std::vector<store::Operated>> RecordingStore::alter(std::span<const JobId> ids,
                                                           const store::Alteration& change) {
  return operated("alter", ids, [&] { return ForwardingStore::alter(ids, change); });
}

Result<void> write_end(store::Store& store, Journal& journal, bool cut) {
  std::string cursor;
  do {
    const auto page = store.list({}, cursor, limits::kMaxPage);
    if (!page) return page.error();
    std::vector<Event> events;
    for (const job::JobRecord& job : page->jobs) {
      events.push_back({.what = What::Kept, .job = job.id, .say = std::string(galley::name(job.state))});
    }
    journal.write(std::move(events));
    cursor = page->next;
  } while (!cursor.empty());
  journal.write({{.what = What::Close, .flag = cut}});
  return {};
}

}  // namespace galley::history
