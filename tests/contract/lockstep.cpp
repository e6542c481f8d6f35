#include "contract/lockstep.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "contract/support.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::store::contract {

namespace {
const std::vector<std::string> kQueues{"x", "y", "z"};
const std::vector<std::string> kKinds{"a", "b", "c"};
const std::vector<std::string> kTags{"red", "blue", "two words"};
const std::vector<std::string> kErrorClasses{"exit:3", "timeout", "std::runtime_error"};
const std::vector<std::string> kLimits{"red", "blue", "unset"};
const std::vector<std::string> kTimetables{"*/15 * * * * *", "5-59/27 * * * * *", "@every 25s", "*/2 * * * *",
                                           "@hourly"};
const std::vector<std::string> kPrograms{"p", "/bin/q"};
const std::vector<JobEvent> kEvents{JobEvent::Complete, JobEvent::Complete, JobEvent::Retry,
                                    JobEvent::Pause,    JobEvent::Release,  JobEvent::Die,
                                    JobEvent::Discard,  JobEvent::Cancel,   JobEvent::Expire};
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
  if (one_in(25)) return change_schedules();
  if (one_in(20)) return change_limits();
  const int dice = below(100);
  if (dice < 20) return enqueue();
  if (dice < 50) return exchange();
  if (dice < 55) return renew();
  if (dice < 65) return step();
  if (dice < 82) return pass_time();
  if (dice < 84) return change_workers();
  if (dice < 86) return report();
  if (dice < 89) return change_batches();
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
  if (!job.key.empty() && one_in(3)) job.ordered = true;
  if (one_in(4)) job.limits = {any_of(kLimits)};
  if (one_in(9)) job.limits = {"red", "blue"};
  if (one_in(4)) job.expect = std::chrono::milliseconds(below(3'000));
  if (one_in(3)) job.priority = below(7) - 3;
  if (one_in(8)) job.token = "token" + std::to_string(below(6));
  if (one_in(4)) {
    job.delay = std::chrono::seconds(below(20));
  } else if (one_in(6)) {
    job.at = clock_.wall() + std::chrono::seconds(below(40) - 20);
  }
  if (one_in(6)) job.expires = std::chrono::seconds(below(20));
  if (one_in(6)) job.deadline = std::chrono::seconds(below(40));
  if (one_in(8)) job.redacted = true;
  if (one_in(3)) job.tags = {any_of(kTags)};
  if (one_in(6)) job.tags = {"more", "red"};
  if (one_in(6)) job.headers = {{"traceparent", std::to_string(below(100))}, {"tenant", "a: b"}};
  if (one_in(4)) {
    job.unique = {"unique" + std::to_string(below(3)), static_cast<UniqueUntil>(below(2)),
                  static_cast<OnConflict>(below(3))};
  } else if (one_in(5)) {
    job = grouped(job);
  }
  if (job.group.key.empty()) put_into_batches(job);
  return job;
}

/// Few batches, mostly the latest ones, so that some of them come to their ends.
void Lockstep::put_into_batches(job::NewJob& job) {
  const auto any_batch = [&] { return std::max<BatchId>(1, opened_batches_ + 1 - below(4)); };
  if (one_in(2)) job.batch = any_batch();
  if (one_in(3) && job.delay == Duration{0} && !job.at && job.unique.on_conflict != OnConflict::Replace) {
    job.awaits = any_batch();
    job.trigger = static_cast<job::Trigger>(below(3));
    if (job.awaits == job.batch) job.batch = 0;
  }
}

store::Schedule Lockstep::any_schedule(const std::string& name) {
  store::Schedule schedule{name, {}, any_job()};
  schedule.rule.expression = any_of(kTimetables);
  if (one_in(2)) schedule.rule.zone = "Europe/Berlin";
  schedule.rule.misfire = static_cast<Misfire>(below(3));
  schedule.rule.overlap = static_cast<Overlap>(below(2));
  if (one_in(3)) schedule.rule.jitter = std::chrono::seconds(below(10));
  if (one_in(3)) schedule.rule.spread = std::chrono::seconds(below(20));
  if (one_in(20)) return schedule;  // mostly one that is refused
  schedule.job.delay = Duration{0};
  schedule.job.at.reset();
  schedule.job.token.clear();
  schedule.job.group = {};
  schedule.job.awaits = 0;
  schedule.job.trigger = job::Trigger::Success;
  return schedule;
}

/// A job of a group has little of its own.
job::NewJob Lockstep::grouped(const job::NewJob& job) {
  job::NewJob member;
  member.queue = job.queue;
  member.kind = job.kind;
  member.payload = job.payload;
  member.priority = job.priority;
  member.redacted = job.redacted;
  member.expires = job.expires;
  member.deadline = job.deadline;
  member.key = job.key;
  member.ordered = job.ordered;
  member.limits = job.limits;
  member.group = {"group" + std::to_string(below(2)), 1 + below(4), 4 + below(20), std::chrono::seconds(below(10))};
  return member;
}

Finish Lockstep::any_finish(const job::Claim& claim) {
  Finish finish = a_finish(claim, any_of(kEvents), std::chrono::seconds(below(8)));
  if (finish.event == JobEvent::Release) return finish;
  if (one_in(3) && finish.event != JobEvent::Complete) finish.report.error = "error " + std::to_string(below(100));
  if (!finish.report.error.empty() && !one_in(4)) finish.report.error_class = any_of(kErrorClasses);
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

Filter Lockstep::any_filter() {
  const auto any_time = [&] { return clock_.wall() + std::chrono::seconds(below(120) - 100); };
  Filter filter;
  if (one_in(3)) filter.queue = any_of(kQueues);
  if (one_in(3)) filter.kind = any_of(kKinds);
  if (one_in(3)) filter.state = static_cast<JobState>(below(kJobStates));
  if (one_in(5)) filter.key = "key" + std::to_string(below(3));
  if (one_in(5)) filter.tag = any_of(kTags);
  if (one_in(5)) filter.error_class = any_of(kErrorClasses);
  if (one_in(6)) filter.batch = std::max<BatchId>(0, opened_batches_ - below(4));
  if (one_in(5)) filter.since = any_time();
  if (one_in(5)) filter.until = any_time();
  if (one_in(5)) filter.ended_since = any_time();
  if (one_in(5)) filter.ended_until = any_time();
  return filter;
}

Alteration Lockstep::any_alteration() {
  Alteration change;
  if (one_in(2)) change.queue = any_of(kQueues);
  if (!change.queue || one_in(2)) change.priority = below(7) - 3;
  return change;
}

// ---- operations -------------------------------------------------------------------------------------------------

void Lockstep::join() {
  Worker worker{};
  const std::string name = "host:" + std::to_string(story_.size());
  (void)both("join " + name, [&](Store& store, std::size_t which) -> Result<void> {
    worker[which] = store.join({name, "x=1", kQueues, {kKinds[0], name}, name.size() % 2 == 0, kPrograms, 1}).value();
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
    if (one.refused) continue;
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
    auto both_answers = store.finish_and_claim(finishes, own);
    if (both_answers && rates_) {
      for (Claimed& claimed : both_answers->claimed) claimed.next_due.reset();
    }
    return both_answers;
  });
  if (!answer) return;
  note_ticks();
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
  note_ticks();
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
  const Alteration change = any_alteration();
  const auto most = one_in(2) ? std::optional<std::int64_t>(below(15)) : std::nullopt;
  switch (below(9)) {
    case 0: (void)both("pause " + queue, [&](Store& store, std::size_t) { return store.pause(queue); }); break;
    case 1:
    case 2: (void)both("resume " + queue, [&](Store& store, std::size_t) { return store.resume(queue); }); break;
    case 3: (void)both("cancel" + listed, [&](Store& store, std::size_t) { return store.cancel(ids); }); break;
    case 4: (void)both("retry" + listed, [&](Store& store, std::size_t) { return store.retry(ids); }); break;
    case 5: (void)both("run now" + listed, [&](Store& store, std::size_t) { return store.run_now(ids); }); break;
    case 8:
      (void)both("bound " + queue + " to " + std::to_string(most.value_or(-1)),
                 [&](Store& store, std::size_t) { return store.set_max_waiting(queue, most); });
      break;
    case 6: (void)both("alter" + listed, [&](Store& store, std::size_t) { return store.alter(ids, change); }); break;
    default: {
      const auto answer = both("erase" + listed, [&](Store& store, std::size_t) { return store.erase(ids); });
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (answer && answer->at(i) == Operated::Done) erased_.insert(ids[i]);
      }
    }
  }
}

void Lockstep::change_batches() {
  const BatchId batch = std::max<BatchId>(1, opened_batches_ + 1 - below(5));
  if (one_in(2)) {
    (void)both("seal " + std::to_string(batch), [&](Store& store, std::size_t) { return store.seal_batch(batch); });
    return;
  }
  const std::string token = one_in(3) ? "token" + std::to_string(below(3)) : "";
  std::array<BatchId, 2> ids{};
  (void)both("open batch " + token, [&](Store& store, std::size_t which) -> Result<void> {
    ids[which] = store.open_batch("b", token).value();
    return {};
  });
  EXPECT_EQ(ids[0], ids[1]);
  opened_batches_ = std::max(opened_batches_, ids[1]);
}

void Lockstep::change_schedules() {
  const std::string name = "s" + std::to_string(below(4));
  const store::Schedule schedule = any_schedule(name);
  switch (below(6)) {
    case 0: (void)both("remove " + name, [&](Store& store, std::size_t) { return store.remove_schedule(name); }); break;
    case 1: (void)both("pause " + name, [&](Store& s, std::size_t) { return s.pause_schedule(name, true); }); break;
    case 2: (void)both("resume " + name, [&](Store& s, std::size_t) { return s.pause_schedule(name, false); }); break;
    default:
      (void)both("put " + name + " " + schedule.rule.expression,
                 [&](Store& store, std::size_t) { return store.put_schedule(schedule); });
  }
  note_ticks();
}

LimitTarget Lockstep::any_target() {
  LimitTarget target{static_cast<LimitScope>(below(4)), "", any_of(kLimits)};
  if (target.scope == LimitScope::Queue) target.name = any_of(kQueues);
  if (target.scope == LimitScope::Kind) target.name = any_of(kKinds);
  if (target.scope == LimitScope::Key) {
    target.queue = any_of(kQueues);
    target.name = one_in(2) ? "" : "key" + std::to_string(below(3));
  }
  return target;
}

LimitRule Lockstep::any_rule(LimitScope scope) {
  LimitRule rule;
  if (!one_in(3)) rule.max_running = 1 + below(scope == LimitScope::Key ? 2 : 4);
  if (rule.max_running == 0 || one_in(4)) {
    rule.rate = 1 + below(4);
    rule.period = std::chrono::seconds(1 + below(20));
    rule.burst = 1 + below(3);
  }
  return rule;
}

void Lockstep::change_limits() {
  const LimitTarget target = any_target();
  const LimitRule rule = any_rule(target.scope);
  const std::string queue = any_of(kQueues);
  const std::string key = "key" + std::to_string(below(3));
  const std::string what = std::string(name(target.scope)) + " " + target.queue + "/" + target.name;
  const int weight = below(4) - (one_in(10) ? 1 : 0);
  const auto order = static_cast<job::Order>(below(3));
  switch (below(8)) {
    case 0:
      (void)both("order " + queue, [&](Store& store, std::size_t) { return store.set_order(queue, order); });
      break;
    case 1:
      (void)both("weigh " + key, [&](Store& store, std::size_t) { return store.set_weight(queue, key, weight); });
      break;
    case 2:
    case 3:
    case 4:
      (void)both("no limit of " + what, [&](Store& store, std::size_t) { return store.remove_limit(target); });
      break;
    default:
      rates_ = rates_ || rule.rate > 0;
      (void)both("limit " + what + " to " + std::to_string(rule.max_running) + " and " + std::to_string(rule.rate),
                 [&](Store& store, std::size_t) { return store.put_limit(target, rule); });
  }
}

void Lockstep::look() {
  const std::vector<JobId> ids = any_ids();
  (void)same("states", [&](Store& store, std::size_t) { return store.states(ids); });
  for (const JobId id : ids) {
    (void)same("find " + std::to_string(id), [&](Store& store, std::size_t) { return store.find(id); });
    (void)same("attempts " + std::to_string(id), [&](Store& store, std::size_t) { return store.attempts(id); });
    (void)same("standing " + std::to_string(id), [&](Store& store, std::size_t) { return store.standing(id); });
  }
  const Filter filter = any_filter();
  const auto page = static_cast<std::size_t>(1 + below(7));
  (void)same("list", [&](Store& store, std::size_t) { return all_pages(store, filter, page); });
  (void)same("select", [&](Store& store, std::size_t) { return all_ids(store, filter, page); });
}

// ---- the book ---------------------------------------------------------------------------------------------------

/// Ids grow one by one, and those of enqueues are in the book already.
void Lockstep::note_ticks() {
  for (JobId next = enqueued_.empty() ? 1 : *enqueued_.rbegin() + 1;; ++next) {
    if (!opened_[1].store->states(std::span(&next, 1)).value().at(0)) return;
    enqueued_.insert(next);
  }
}

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

Result<std::vector<JobId>> Lockstep::all_ids(Store& store, const Filter& filter, std::size_t page) {
  std::vector<JobId> all;
  std::string cursor;
  do {
    auto one = store.select(filter, cursor, page);
    if (!one) return one.error();
    all.insert(all.end(), one->ids.begin(), one->ids.end());
    cursor = one->next;
  } while (!cursor.empty());
  return all;
}

/// Nothing that is stored contradicts anything else; who serves what, and what the clock does, is chance here.
void Lockstep::expect_sound() {
  const std::set<std::string> by_chance{"unserved", "overdue", "clock_behind", "durability"};
  for (const Opened& opened : opened_) {
    for (const Finding& finding : opened.store->examine(false).value()) {
      EXPECT_TRUE(by_chance.contains(finding.code)) << finding.code << ": " << finding.what;
    }
  }
}

void Lockstep::report() {
  std::vector<Measured> measured;
  for (int i = below(3); i >= 0; --i) {
    Measured one;
    one.queue = any_of(kQueues);
    one.kind = any_of(kKinds);
    one.completed = below(9);
    one.failed = below(3) - (one_in(40) ? 4 : 0);
    one.wait.add(std::chrono::milliseconds(below(5'000)), one.completed);
    one.run.add(std::chrono::milliseconds(below(500)), one.completed);
    measured.push_back(std::move(one));
  }
  (void)both("report " + std::to_string(measured.size()),
             [&](Store& store, std::size_t) { return store.report(measured); });
}

void Lockstep::compare_contents() {
  const auto all = same("list all", [&](Store& store, std::size_t which) {
    return all_pages(store, {}, which == 0 ? limits::kMaxPage : std::size_t{17});
  });
  (void)same("lanes", [](Store& store, std::size_t) { return store.lanes(); });
  (void)same("queues", [](Store& store, std::size_t) { return store.queues(); });
  (void)same("limits", [](Store& store, std::size_t) { return store.limits(); });
  (void)same("workers", [](Store& store, std::size_t) { return store.workers(); });
  (void)same("batches", [](Store& store, std::size_t) { return store.batches(0, limits::kMaxPage); });
  for (BatchId id = 1; id <= opened_batches_; ++id) {
    (void)same("batch " + std::to_string(id), [&](Store& store, std::size_t) { return store.find_batch(id); });
  }
  (void)same("schedules", [](Store& store, std::size_t) { return store.schedules(); });
  (void)same("minutes", [](Store& store, std::size_t) { return store.minutes(limits::kKeepMinutes); });
  expect_sound();
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
