#include "contract/support.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "contract/describe.hpp"

namespace galley {

void PrintTo(JobState state, std::ostream* out) { *out << name(state); }

namespace store {

void PrintTo(Operated operated, std::ostream* out) { *out << contract::to_text(operated); }
void PrintTo(FinishAnswer answer, std::ostream* out) { *out << contract::to_text(answer); }

namespace contract {

void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }

Finish a_finish(const job::Claim& claim, JobEvent event, Duration delay) {
  Finish finish;
  finish.claim = claim.id;
  finish.event = event;
  finish.delay = delay;
  finish.counters = claim.counters;
  ++finish.counters.attempts;
  switch (event) {
    case JobEvent::Complete: finish.outcome = "completed"; break;
    case JobEvent::Pause:
      finish.outcome = "paused";
      ++finish.counters.pauses;
      break;
    case JobEvent::Cancel: finish.outcome = "cancelled"; break;
    case JobEvent::Discard: finish.outcome = "discarded"; break;
    default:
      finish.outcome = "failed";
      ++finish.counters.errors;
      break;
  }
  return finish;
}

Ids ids(const std::vector<job::Claim>& claims) {
  Ids all;
  for (const auto& claim : claims) all.push_back(claim.id.job);
  return all;
}

Ids ids(const std::vector<job::JobRecord>& jobs) {
  Ids all;
  for (const auto& job : jobs) all.push_back(job.id);
  return all;
}

JobId Contract::add(const job::NewJob& job) { return add({job}).front(); }

Ids Contract::add(std::initializer_list<job::NewJob> jobs) {
  Ids added;
  for (const Enqueued& one : store.enqueue(std::span(jobs.begin(), jobs.size())).value()) added.push_back(one.id);
  return added;
}

std::vector<job::Claim> Contract::claim(const ClaimRequest& request) { return store.claim(request).value().claims; }

std::vector<job::Claim> Contract::claim(int limit) { return claim(ClaimBuilder(worker).kind("k").limit(limit)); }

job::Claim Contract::claim_one() { return claim(1).at(0); }

FinishAnswer Contract::finish(const Finish& finish) { return store.finish(std::span(&finish, 1)).value().at(0); }

FinishAnswer Contract::finish(const job::Claim& claim, JobEvent event, Duration delay) {
  return finish(a_finish(claim, event, delay));
}

JobId Contract::run_one(JobEvent event, Duration delay) {
  const job::Claim claim = claim_one();
  EXPECT_EQ(finish(claim, event, delay), FinishAnswer::Finished);
  return claim.id.job;
}

StepAnswer Contract::step(std::size_t limit) { return store.step(limit).value(); }
job::JobRecord Contract::find(JobId id) { return store.find(id).value(); }
JobState Contract::state(JobId id) { return find(id).state; }
std::vector<job::AttemptRecord> Contract::attempts(JobId id) { return store.attempts(id).value(); }
Operated Contract::cancel(JobId id) { return store.cancel(std::span(&id, 1)).value().at(0); }
Operated Contract::retry(JobId id) { return store.retry(std::span(&id, 1)).value().at(0); }
Operated Contract::erase(JobId id) { return store.erase(std::span(&id, 1)).value().at(0); }

std::vector<job::JobRecord> Contract::list(const Filter& filter, std::size_t page) {
  std::vector<job::JobRecord> all;
  std::string cursor;
  do {
    Page one = store.list(filter, cursor, page).value();
    EXPECT_LE(one.jobs.size(), page);
    all.insert(all.end(), one.jobs.begin(), one.jobs.end());
    cursor = one.next;
  } while (!cursor.empty());
  return all;
}

void Contract::expect_counts_match_contents() {
  std::map<std::pair<std::string, std::string>, LaneStats> lanes;
  std::map<std::string, QueueStats> queues;
  std::set<JobId> seen;
  for (const auto& job : list()) {
    EXPECT_TRUE(seen.insert(job.id).second) << "job " << job.id << " is listed twice";
    LaneStats& lane = lanes[{job.queue, job.kind}];
    lane.queue = job.queue;
    lane.kind = job.kind;
    ++lane.count[static_cast<std::size_t>(job.state)];
    ++queues[job.queue].count[static_cast<std::size_t>(job.state)];
  }
  std::vector<LaneStats> counted;
  for (const auto& [name, lane] : lanes) counted.push_back(lane);
  EXPECT_EQ(to_text(store.lanes().value()), to_text(counted));
  for (const QueueStats& queue : store.queues().value()) {
    EXPECT_TRUE(std::equal(std::begin(queue.count), std::end(queue.count), std::begin(queues[queue.queue].count)))
        << to_text(queue);
    queues.erase(queue.queue);
  }
  EXPECT_TRUE(queues.empty()) << "a queue with jobs is not among queues()";
}

}  // namespace contract
}  // namespace store
}  // namespace galley
