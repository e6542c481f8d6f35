#include "contract/lockstep.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "contract/support.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::store::contract {

namespace {
const std::vector<std::string> kQueues{"x", "y", "z"};
const std::vector<std::string> kKinds{"a", "b", "c"};
const std::vector<std::string> kPrograms{"p", "/bin/q"};
const std::vector<JobEvent> kEvents{JobEvent::Complete, JobEvent::Complete, JobEvent::Retry,   JobEvent::Pause,
                                    JobEvent::Release,  JobEvent::Die,      JobEvent::Discard, JobEvent::Cancel};
}  // namespace

Lockstep::Lockstep(std::uint64_t seed, const Backend& backend)
    : random_(seed), opened_{Opened{nullptr, open_memory(clock_)}, backend.make(clock_)} {
  for (int i = 0; i < 3; ++i) join();
}

template <class Verb>
auto Lockstep::same(const std::string& what, Verb verb) {
  const auto expected = verb(*opened_[0].store, std::size_t{0});
  auto got = verb(*opened_[1].store, std::size_t{1});
  EXPECT_EQ(to_text(expected), to_text(got)) << "the answer to: " << what;
  return got;
}

template <class Verb>
auto Lockstep::both(const std::string& what, Verb verb) {
  story_.push_back(what);
  return same(what, verb);
}

std::string Lockstep::story() const {
  std::string text;
  for (std::size_t i = story_.size() - std::min<std::size_t>(story_.size(), 40); i < story_.size(); ++i) {
    text += std::to_string(i) + ": " + story_[i] + "\n";
  }
  return text;
}

void Lockstep::operate() {
  const int dice = below(100);
  if (dice < 20) return enqueue();
  if (dice < 50) return exchange();
  if (dice < 55) return renew();
  if (dice < 65) return step();
  if (dice < 82) return pass_time();
  if (dice < 84) return change_workers();
  if (dice < 95) return by_person();
  look();
}

// ---- chance -----------------------------------------------------------------------------------------------------

job::NewJob Lockstep::any_job() {
  job::NewJob job;
  job.queue = any_of(kQueues);
  job.kind = any_of(kKinds);
  job.payload = "[" + std::to_string(below(1'000)) + "]";
  job.policy.max_crashes = 1 + below(3);
  if (one_in(5)) {
    job.content = job::Content::Command;
    job.program = any_of(kPrograms);
  }
  if (one_in(3)) job.key = "key" + std::to_string(below(3));
  if (one_in(3)) job.priority = below(7) - 3;
  if (one_in(8)) job.token = "token" + std::to_string(below(6));
  if (one_in(4)) {
    job.delay = std::chrono::seconds(below(20));
  } else if (one_in(6)) {
    job.at = clock_.wall() + std::chrono::seconds(below(40) - 20);
  }
  return job;
}

Finish Lockstep::any_finish(const job::Claim& claim) {
  Finish finish = a_finish(claim, any_of(kEvents), std::chrono::seconds(below(8)));
  if (finish.event == JobEvent::Release) return finish;
  if (one_in(3) && finish.event != JobEvent::Complete) finish.report.error = "error " + std::to_string(below(100));
  if (one_in(4)) finish.report.log = "a line";
  if (one_in(4)) finish.report.exit_code = below(3);
  if (one_in(8)) finish.report.signal = 9;
  if (one_in(2)) finish.report.run_time = std::chrono::milliseconds(below(100));
  if (one_in(4)) finish.result = "result";
  if (one_in(4)) finish.checkpoint = "checkpoint " + std::to_string(below(100));
  return finish;
}

ClaimRequest Lockstep::any_request() {
  ClaimRequest request;
  request.worker = below(static_cast<int>(workers_.size()));  // an index, until it is sent
  std::vector<std::string> queues = kQueues;
  std::shuffle(queues.begin(), queues.end(), random_);
  queues.resize(1 + random_() % queues.size());
  request.queues = queues;
  for (const std::string& kind : kKinds) {
    if (!one_in(3)) request.kinds.push_back({kind, below(4)});
  }
  if (one_in(2)) request.commands = {.max = below(3), .any = one_in(2), .programs = {any_of(kPrograms)}};
  request.limit = below(5);
  request.lease = std::chrono::seconds(1 + below(40));
  return request;
}

std::vector<JobId> Lockstep::any_ids() {
  std::vector<JobId> ids;
  const int last = enqueued_.empty() ? 0 : static_cast<int>(*enqueued_.rbegin());
  for (int i = below(4); i >= 0; --i) ids.push_back(1 + below(last + 2));
  return ids;
}

// ---- operations -------------------------------------------------------------------------------------------------

void Lockstep::join() {
  Worker worker{};
  const std::string name = "host:" + std::to_string(story_.size());
  (void)both("join " + name, [&](Store& store, std::size_t which) -> Result<void> {
    worker[which] = store.join(name, "x=1").value();
    return {};
  });
  workers_.push_back(worker);
}

void Lockstep::enqueue() {
  std::vector<job::NewJob> jobs;
  for (int i = below(5); i >= 0; --i) jobs.push_back(any_job());
  if (one_in(30)) jobs.back().kind.clear();
  const auto answer =
      both("enqueue " + std::to_string(jobs.size()), [&](Store& store, std::size_t) { return store.enqueue(jobs); });
  if (!answer) return;
  for (const Enqueued& one : *answer) {
    EXPECT_EQ(enqueued_.insert(one.id).second, !one.existed) << "job " << one.id;
    EXPECT_FALSE(erased_.contains(one.id)) << "job " << one.id << " has an id that was used before";
  }
}

void Lockstep::exchange() {
  std::vector<Finish> finishes;
  if (!claims_.empty()) {
    for (int i = below(5); i > 0; --i) {
      // Mostly the last ones, which are alive; now and then any that there ever was.
      const auto reach = one_in(6) ? claims_.size() : std::min<std::size_t>(claims_.size(), 8);
      finishes.push_back(any_finish(claims_[claims_.size() - 1 - random_() % reach]));
      if (one_in(10)) finishes.push_back(finishes.back());
    }
  }
  std::vector<ClaimRequest> requests;
  for (int i = below(3); i > 0; --i) requests.push_back(any_request());
  if (one_in(60) && !requests.empty()) requests.back().limit = -1;
  if (one_in(60) && !finishes.empty()) finishes.back().event = JobEvent::Crash;
  const bool stranger = one_in(60);

  std::string what = "finish";
  for (const Finish& finish : finishes) {
    what += " " + std::to_string(finish.claim.job) + "@" + std::to_string(finish.claim.epoch) + ":" +
            std::string(job::name(finish.event));
  }
  what += ", " + std::to_string(requests.size()) + " claims";
  const auto answer = both(what, [&](Store& store, std::size_t which) {
    auto own = requests;
    for (ClaimRequest& one : own) one.worker = workers_[static_cast<std::size_t>(one.worker)][which];
    if (stranger && !own.empty()) own.back().worker = 1'000'000;
    return store.finish_and_claim(finishes, own);
  });
  if (!answer) return;
  for (std::size_t i = 0; i < finishes.size(); ++i) note_finish(finishes[i], answer->finished.at(i));
  for (const Claimed& claimed : answer->claimed) {
    for (const job::Claim& claim : claimed.claims) note_claim(claim);
  }
}

void Lockstep::renew() {
  if (claims_.empty()) return;
  std::vector<Renewal> renewals;
  for (int i = below(4); i >= 0; --i) {
    const auto reach = std::min<std::size_t>(claims_.size(), 12);
    Renewal renewal{claims_[claims_.size() - 1 - random_() % reach].id, {}, {}};
    if (one_in(2)) renewal.progress = std::to_string(below(100)) + "%";
    if (one_in(3)) renewal.checkpoint = "checkpoint " + std::to_string(below(100));
    renewals.push_back(renewal);
  }
  const Duration lease = std::chrono::seconds(1 + below(40));
  (void)both("renew", [&](Store& store, std::size_t) { return store.renew(renewals, lease); });
}

void Lockstep::step() {
  // Which of several old jobs go first is each backend's own affair.
  const bool all = one_in(2) || something_to_prune();
  const std::size_t limit = all ? limits::kMaxStep : static_cast<std::size_t>(1 + below(4));
  const auto answer =
      both("step " + std::to_string(limit), [&](Store& store, std::size_t) { return store.step(limit); });
  if (!answer) return;
  pruned_ += static_cast<std::size_t>(answer->pruned);
  forget_lost_claims();
}

void Lockstep::pass_time() {
  const int dice = below(100);
  Duration by = std::chrono::microseconds(below(3'000'000));
  if (dice < 20) by = std::chrono::seconds(10);
  if (dice < 5) by = std::chrono::minutes(1);
  if (dice < 1) by = std::chrono::minutes(61);
  story_.push_back("advance " + std::to_string(by.count()));
  clock_.advance(by);
  if (!one_in(12)) return;
  const Duration wall = std::chrono::seconds(below(60) - 30);
  story_.push_back("step the wall clock by " + std::to_string(wall.count()));
  clock_.step_wall(wall);
}

void Lockstep::change_workers() {
  const auto which_worker = static_cast<std::size_t>(below(static_cast<int>(workers_.size())));
  (void)both("leave", [&](Store& store, std::size_t which) { return store.leave(workers_[which_worker][which]); });
  workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(which_worker));
  join();
}

void Lockstep::by_person() {
  const std::vector<JobId> ids = any_ids();
  std::string listed;
  for (const JobId id : ids) listed += " " + std::to_string(id);
  const std::string queue = any_of(kQueues);
  switch (below(6)) {
    case 0: (void)both("pause " + queue, [&](Store& store, std::size_t) { return store.pause(queue); }); break;
    case 1:
    case 2: (void)both("resume " + queue, [&](Store& store, std::size_t) { return store.resume(queue); }); break;
    case 3: (void)both("cancel" + listed, [&](Store& store, std::size_t) { return store.cancel(ids); }); break;
    case 4: (void)both("retry" + listed, [&](Store& store, std::size_t) { return store.retry(ids); }); break;
    default: {
      const auto answer = both("erase" + listed, [&](Store& store, std::size_t) { return store.erase(ids); });
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (answer && answer->at(i) == Operated::Done) erased_.insert(ids[i]);
      }
    }
  }
}

void Lockstep::look() {
  const std::vector<JobId> ids = any_ids();
  (void)same("states", [&](Store& store, std::size_t) { return store.states(ids); });
  for (const JobId id : ids) {
    (void)same("find " + std::to_string(id), [&](Store& store, std::size_t) { return store.find(id); });
    (void)same("attempts " + std::to_string(id), [&](Store& store, std::size_t) { return store.attempts(id); });
  }
  Filter filter;
  if (one_in(2)) filter.queue = any_of(kQueues);
  if (one_in(2)) filter.kind = any_of(kKinds);
  if (one_in(2)) filter.state = static_cast<JobState>(below(kJobStates));
  const auto page = static_cast<std::size_t>(1 + below(7));
  (void)same("list", [&](Store& store, std::size_t) { return all_pages(store, filter, page); });
}

// ---- the book ---------------------------------------------------------------------------------------------------

void Lockstep::note_claim(const job::Claim& claim) {
  EXPECT_GT(claim.id.epoch, last_epoch_) << "epochs only grow";
  EXPECT_TRUE(live_.emplace(claim.id.job, claim.id.epoch).second)
      << "job " << claim.id.job << " was claimed while it runs already";
  EXPECT_TRUE(enqueued_.contains(claim.id.job));
  last_epoch_ = claim.id.epoch;
  claims_.push_back(claim);
}

void Lockstep::note_finish(const Finish& finish, FinishAnswer answer) {
  const auto at = live_.find(finish.claim.job);
  const bool alive = at != live_.end() && at->second == finish.claim.epoch;
  EXPECT_EQ(answer == FinishAnswer::Finished, alive) << "job " << finish.claim.job << " epoch " << finish.claim.epoch;
  if (!alive) return;
  live_.erase(at);
  if (finish.event == JobEvent::Complete) completed_.insert(finish.claim.job);
}

void Lockstep::forget_lost_claims() {
  std::erase_if(live_, [&](const auto& claim) {
    const auto state = opened_[1].store->states(std::span(&claim.first, 1)).value().at(0);
    return state != JobState::Running;
  });
}

bool Lockstep::something_to_prune() {
  const auto completed = all_pages(*opened_[0].store, {.queue = {}, .kind = {}, .state = JobState::Completed}, 1'000);
  return std::any_of(completed->begin(), completed->end(), [&](const job::JobRecord& job) {
    return clock_.wall() - *job.finished_at > limits::kKeepCompleted;
  });
}

Result<std::vector<job::JobRecord>> Lockstep::all_pages(Store& store, const Filter& filter, std::size_t page) {
  std::vector<job::JobRecord> all;
  std::string cursor;
  do {
    auto one = store.list(filter, cursor, page);
    if (!one) return one.error();
    all.insert(all.end(), one->jobs.begin(), one->jobs.end());
    cursor = one->next;
  } while (!cursor.empty());
  return all;
}

void Lockstep::compare_contents() {
  const auto all = same("list all", [&](Store& store, std::size_t which) {
    return all_pages(store, {}, which == 0 ? limits::kMaxPage : std::size_t{17});
  });
  (void)same("lanes", [](Store& store, std::size_t) { return store.lanes(); });
  (void)same("queues", [](Store& store, std::size_t) { return store.queues(); });
  (void)same("workers", [](Store& store, std::size_t) { return store.workers(); });
  ASSERT_TRUE(all);

  std::set<JobId> present;
  for (const job::JobRecord& job : *all) {
    EXPECT_TRUE(present.insert(job.id).second) << "job " << job.id << " is listed twice";
    EXPECT_FALSE(erased_.contains(job.id)) << "job " << job.id << " was erased";
    EXPECT_EQ(job.state == JobState::Running, live_.contains(job.id)) << "job " << job.id;
  }
  for (const JobId id : enqueued_) {
    const bool may_be_gone = erased_.contains(id) || completed_.contains(id);
    EXPECT_TRUE(present.contains(id) || may_be_gone) << "job " << id << " is lost";
    (void)same("find " + std::to_string(id), [&](Store& store, std::size_t) { return store.find(id); });
    (void)same("attempts " + std::to_string(id), [&](Store& store, std::size_t) { return store.attempts(id); });
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(enqueued_.size(), present.size() + erased_.size() + pruned_);
}

}  // namespace galley::store::contract
