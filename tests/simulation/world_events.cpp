// What comes from outside: producers, persons, crashes, pauses, the calendar.

#include <utility>

#include "simulation/world.hpp"

namespace galley::simulation {

namespace {
using namespace std::chrono_literals;
const std::vector<std::string> kQueues{"a", "b"};
const std::vector<std::string> kKeys{"x", "y"};
const std::vector<store::LimitTarget> kLimits{{store::LimitScope::Name, "", "m"},
                                              {store::LimitScope::Name, "", "n"},
                                              {store::LimitScope::Queue, "", "b"},
                                              {store::LimitScope::Key, "a", ""}};
}  // namespace

void World::happen() {
  if (workers_.empty() || (workers_.size() < kMaxWorkers && draw_.chance(0.1))) return join();
  SimWorker* const worker = any_worker();
  if (draw_.chance(weather_.outage)) {
    const base::Mono until = clock_.mono() + draw_.duration(1s, 180s);
    const bool for_all = !worker || draw_.chance(0.3);
    (for_all ? outage_until_ : worker->cut_off_until) = until;
    return trace_.say(for_all ? "world" : worker->name(), "cannot reach the store");
  }
  if (worker && draw_.chance(weather_.crash)) return crash(*worker);
  if (worker && draw_.chance(weather_.freeze)) return freeze(*worker);
  if (worker && draw_.chance(weather_.leave)) {
    trace_.say(worker->name(), "is told to stop");
    worker->stop();
    if (draw_.chance(0.3)) worker->hurry();
    return;
  }
  if (draw_.chance(weather_.calendar)) {
    const int minutes = draw_.between(-240, 240);
    trace_.say("world", "the calendar steps by " + std::to_string(minutes) + " min");
    clock_.step_wall(std::chrono::minutes(minutes));
    ledger_.calendar_stepped();
    latest_ = std::max(latest_, clock_.wall());
    return;
  }
  SimWorker* const before = std::exchange(caller_, nullptr);
  if (!dead_.empty() && draw_.chance(0.2)) {
    prove_a_death();
  } else if (draw_.chance(weather_.person)) {
    operate();
  } else {
    produce();
  }
  caller_ = before;
}

SimWorker* World::any_worker() {
  std::vector<SimWorker*> all;
  for (const auto& worker : workers_) {
    if (!worker->doomed) all.push_back(worker.get());
  }
  return all.empty() ? nullptr : draw_.one_of(all);
}

void World::join() {
  auto worker =
      std::make_unique<SimWorker>("w" + std::to_string(++names_), store_, clock_, draw_, trace_, starts(), settings_);
  SimWorker* const before = std::exchange(caller_, nullptr);
  if (worker->join()) {
    trace_.say(worker->name(), "joins");
    workers_.push_back(std::move(worker));
  }
  caller_ = before;
}

void World::crash(SimWorker& worker) {
  trace_.say(worker.name(), "crashes");
  worker.doomed = true;
  dead_.push_back(worker.id());
}

void World::freeze(SimWorker& worker) {
  const Duration time = draw_.duration(100ms, 3 * settings_.lease);
  trace_.say(worker.name(), "does not run for " + std::to_string(time.count()) + "us");
  worker.frozen_until = std::max(worker.frozen_until, clock_.mono() + time);
  worker.trouble_at = worker.frozen_until;
  worker.slept();
}

/// The lock of a dead worker is free, and somebody noticed.
void World::prove_a_death() {
  const std::size_t which = draw_.bits() % dead_.size();
  const store::WorkerId worker = dead_[which];
  for (const auto& one : workers_) {
    if (one->id() == worker) return;  // its last call is still on its way
  }
  dead_.erase(dead_.begin() + static_cast<std::ptrdiff_t>(which));
  trace_.say("world", "worker " + std::to_string(worker) + " is found dead");
  (void)store_.leave(worker);
}

// ---- producers --------------------------------------------------------------------------------------------------

job::NewJob World::new_job() {
  job::NewJob job;
  job.queue = draw_.one_of(kQueues);
  job.kind = draw_.chance(0.8) ? "k" : "l";
  job.content = job::Content::Bytes;
  if (draw_.chance(0.2)) {
    job.content = job::Content::Command;
    job.kind = "p";
    job.program = "p";
  }
  job.priority = draw_.chance(0.2) ? draw_.between(-2, 2) : 0;
  if (draw_.chance(0.2)) job.delay = draw_.duration(1ms, 60s);
  job.token = "t" + std::to_string(++tokens_);
  job.policy.max_attempts = draw_.between(1, 4);
  job.policy.max_pauses = draw_.between(0, 5);
  job.policy.max_crashes = draw_.between(1, 3);
  job.policy.backoff.cap = 60s;
  job.policy.grace = draw_.duration(1ms, 5s);
  if (draw_.chance(0.3)) job.policy.timeout = draw_.duration(10ms, 60s);
  job.policy.on_timeout = static_cast<OnTimeout>(draw_.between(0, 2));
  if (draw_.chance(0.2)) {
    job.unique.key = "u";
    job.unique.until = draw_.chance(0.5) ? UniqueUntil::Start : UniqueUntil::Finish;
    job.unique.on_conflict = static_cast<OnConflict>(draw_.between(0, 2));
    job.queue = "a";  // a replacement stays in its queue
  }
  if (draw_.chance(mix_.keyed)) {
    job.key = draw_.one_of(kKeys);
    job.ordered = draw_.chance(mix_.ordered);
  }
  for (const char* const limit : {"m", "n"}) {
    if (draw_.chance(0.6 * mix_.limited)) job.limits.emplace_back(limit);
  }
  if (draw_.chance(0.1)) job.expires = draw_.duration(100ms, 60s);
  if (draw_.chance(0.1)) job.deadline = draw_.duration(100ms, 120s);
  return job;
}

void World::produce() {
  if (draw_.chance(mix_.batched)) return gather();
  if (!unsent_.empty() && draw_.chance(0.5)) return send(draw_.bits() % unsent_.size());
  for (int count = draw_.between(1, 4); count > 0 && jobs_left_ > 0; --count, --jobs_left_) {
    unsent_.push_back(new_job());
    if (draw_.chance(0.5)) send(unsent_.size() - 1);
  }
}

/// Until it is acknowledged or refused, it is sent again.
void World::send(std::size_t index) {
  const auto answer = store_.enqueue(std::span(&unsent_[index], 1));
  if (!answer) return;
  unsent_.erase(unsent_.begin() + static_cast<std::ptrdiff_t>(index));
  const store::Enqueued& one = answer->front();
  if (!one.refused && !ledger_.facts().contains(one.id)) {
    violated(Rule::Kept, "job " + std::to_string(one.id) + " was acknowledged, and is not there");
  }
}

// ---- persons ----------------------------------------------------------------------------------------------------

void World::change_queue() {
  const std::string& queue = draw_.one_of(kQueues);
  switch (draw_.between(0, 3)) {
    case 0: trace_.say("person", "pauses " + queue); return (void)store_.pause(queue);
    case 1: trace_.say("person", "resumes " + queue); return (void)store_.resume(queue);
    case 2: {
      const int most = draw_.between(1, 10);
      trace_.say("person", "bounds " + queue + " to " + std::to_string(most));
      return (void)store_.set_max_waiting(queue, most);
    }
    default: trace_.say("person", "unbounds " + queue); return (void)store_.set_max_waiting(queue, std::nullopt);
  }
}

void World::change_limit() {
  const store::LimitTarget& target = draw_.one_of(kLimits);
  const std::string name = "limit " + std::string(store::name(target.scope)) + " " + target.queue + target.name;
  if (draw_.chance(0.2)) {
    trace_.say("person", "removes " + name);
    return (void)store_.remove_limit(target);
  }
  store::LimitRule rule{.max_running = draw_.between(1, 3)};
  if (draw_.chance(mix_.rated)) {
    rule = {.max_running = draw_.chance(0.5) ? rule.max_running : 0,
            .rate = draw_.between(1, 5),
            .period = draw_.duration(100ms, 20s),
            .burst = draw_.between(1, 3)};
  }
  trace_.say("person", "sets " + name + " to " + std::to_string(rule.max_running) + ", " + std::to_string(rule.rate) +
                           " in " + std::to_string(rule.period.count()) + "us, burst " + std::to_string(rule.burst));
  (void)store_.put_limit(target, rule);
}

void World::weigh() {
  for (const std::string& queue : kQueues) {
    for (const std::string& key : kKeys) (void)store_.set_weight(queue, key, draw_.between(1, 3));
  }
}

/// Few and slow ones: each of their ticks is a job more.
void World::change_schedule() {
  const std::string name = draw_.chance(0.5) ? "s1" : "s2";
  if (schedules_.contains(name)) {
    const bool paused = draw_.chance(0.5);
    switch (draw_.between(0, 2)) {
      case 0:
        trace_.say("person", (paused ? "pauses schedule " : "resumes schedule ") + name);
        return (void)store_.pause_schedule(name, paused);
      case 1:
        if (draw_.chance(0.7)) break;
        trace_.say("person", "removes schedule " + name);
        schedules_.erase(name);
        return (void)store_.remove_schedule(name);
      default: break;
    }
  }
  store::Schedule schedule;
  schedule.name = name;
  schedule.rule.misfire = static_cast<job::Misfire>(draw_.between(0, 2));
  schedule.rule.overlap = static_cast<job::Overlap>(draw_.between(0, 1));
  const int seconds = schedule.rule.misfire == job::Misfire::All ? 1'200 : draw_.chance(0.5) ? 20 : 90;
  schedule.rule.expression = "@every " + std::to_string(seconds) + "s";
  schedule.job.queue = name == "s1" ? "a" : "b";
  schedule.job.kind = "k";
  schedule.job.content = job::Content::Bytes;
  schedule.job.payload = name;
  schedule.job.policy.max_attempts = 2;
  trace_.say("person", "puts schedule " + name + " " + schedule.rule.expression);
  schedules_.insert(name);
  (void)store_.put_schedule(schedule);
}

void World::operate() {
  if (draw_.chance(0.3 * mix_.limited)) return change_limit();
  if (draw_.chance(mix_.recurring)) return change_schedule();
  if (ledger_.facts().empty() || draw_.chance(0.2)) return change_queue();
  std::vector<JobId> ids;
  for (const auto& [id, fact] : ledger_.facts()) ids.push_back(id);
  const JobId id = draw_.one_of(ids);
  const std::span<const JobId> one(&id, 1);
  const std::string job = " job " + std::to_string(id);
  switch (draw_.between(0, 5)) {
    case 0: trace_.say("person", "cancels" + job); return (void)store_.cancel(one);
    case 1:
    case 2: trace_.say("person", "retries" + job); return (void)store_.retry(one);
    case 3: trace_.say("person", "deletes" + job); return (void)store_.erase(one);
    case 4: trace_.say("person", "runs now" + job); return (void)store_.run_now(one);
    default: break;
  }
  trace_.say("person", "alters" + job);
  store::Alteration change;
  change.priority = draw_.between(-2, 2);
  if (draw_.chance(0.5)) change.queue = draw_.one_of(kQueues);
  (void)store_.alter(one, change);
}

}  // namespace galley::simulation
