#include "simulation/world.hpp"

#include <algorithm>
#include <utility>

#include "store/memory/memory_store.hpp"

namespace galley::simulation {

namespace {

using namespace std::chrono_literals;

constexpr int kMoves = 400;
constexpr int kDrainMoves = 20'000;
constexpr int kDepth = 3;  ///< calls that wait for each other

/// Thrown through the call of a worker that died in it.
struct Died {};

WorkerSettings draw_settings(Draw& draw) {
  WorkerSettings settings;
  settings.lease = draw.chance(0.5) ? limits::kLease : Duration(5s);
  if (draw.chance(0.4)) settings.stubborn = 0.3;
  if (draw.chance(0.2)) settings.endless = 0.1;
  if (draw.chance(0.2)) settings.not_started = 0.1;
  if (draw.chance(0.3)) settings.deaf = 0.5;
  if (draw.chance(0.5)) settings.brief = draw.chance(0.5) ? 0.7 : 0.98;
  return settings;
}

Weather draw_weather(Draw& draw) {
  const auto maybe = [&draw](double most) { return draw.chance(0.5) ? most * draw.between(1, 4) / 4.0 : 0.0; };
  Weather weather;
  weather.lost_request = maybe(0.2);
  weather.lost_reply = maybe(0.2);
  weather.twice = maybe(0.2);
  weather.slow = maybe(0.2);
  weather.dies_in_call = maybe(0.02);
  weather.outage = maybe(0.1);
  weather.crash = maybe(0.2);
  weather.freeze = maybe(0.3);
  weather.leave = maybe(0.1);
  weather.calendar = maybe(0.1);
  weather.person = maybe(1.0);
  return weather;
}

Mix draw_mix(Draw& draw) {
  Mix mix;
  if (draw.chance(0.6)) mix = {.keyed = 0.7, .ordered = draw.chance(0.5) ? 0.8 : 0.3};
  if (draw.chance(0.5)) mix.limited = draw.between(1, 2) / 2.0;
  if (draw.chance(0.5)) mix.rated = 0.6;
  if (draw.chance(0.4)) mix.batched = draw.chance(0.5) ? 0.3 : 0.8;
  if (draw.chance(0.3)) mix.recurring = 0.3;
  if (draw.chance(0.2)) mix = {.keyed = 0.8, .batched = mix.batched, .recurring = mix.recurring, .weighted = true};
  return mix;
}

}  // namespace

Ran simulate(std::uint64_t seed, Bug bug) {
  Ran ran;
  World world(seed, bug);
  try {
    world.run();
  } catch (const Violation& violation) {
    ran.broken = violation.rule;
    ran.what = violation.what();
  }
  ran.trace = world.trace().text();
  ran.hash = world.trace().hash();
  ran.moves = world.moves();
  return ran;
}

World::World(std::uint64_t seed, Bug bug)
    : bug_(bug),
      draw_(seed),
      latest_(clock_.wall()),
      trace_(clock_),
      ledger_(clock_, *this),
      settings_(draw_settings(draw_)),
      weather_(draw_weather(draw_)),
      mix_(draw_mix(draw_)),
      store_(std::make_unique<WatchedStore>(std::make_unique<PlantedStore>(store::open_memory(clock_), bug), ledger_),
             *this),
      happens_at_(clock_.mono()),
      jobs_left_(draw_.between(5, 40)) {
  settings_.hoards = bug == Bug::HoardAhead;
  settings_.outlives = bug == Bug::IgnoreLeaseEnd;
}

void World::run() {
  join();
  if (mix_.limited > 0) change_limit();
  if (mix_.weighted) weigh();
  if (mix_.recurring > 0) change_schedule();
  const int until = draw_.between(kMoves / 4, kMoves);
  while (moves_ < until) move(engine::kNever);
  drain();
}

// ---- the scheduler ----------------------------------------------------------------------------------------------

bool World::runs(const SimWorker& worker) const { return !worker.doomed && clock_.mono() >= worker.frozen_until; }

/// One move, or time goes on to where there is one, but not beyond `no_later`.
void World::move(base::Mono no_later) {
  ++moves_;
  if (depth_ == 0) bury();
  check_ahead();
  if (move_urgent()) return;
  check_lost();
  if (!calm_ && clock_.mono() >= happens_at_) {
    happens_at_ = clock_.mono() + draw_.duration(1ms, 10s);
    return happen();
  }
  if (move_one()) return;
  advance(no_later);
}

/// Watchdogs and handlers are threads of their own: a worker that runs does not keep them waiting.
bool World::move_urgent() {
  for (const auto& worker : workers_) {
    if (!runs(*worker) || !worker->watchdog_due()) continue;
    worker->watch();
    return true;
  }
  const std::size_t first = workers_.empty() ? 0 : draw_.bits() % workers_.size();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    SimWorker& worker = *workers_[(first + i) % workers_.size()];
    const auto slot = runs(worker) ? worker.handler_due() : std::nullopt;
    if (!slot) continue;
    worker.speak(*slot);
    return true;
  }
  return false;
}

bool World::move_one() {
  std::vector<SimWorker*> ready;
  for (const auto& worker : workers_) {
    if (runs(*worker) && !worker->in_call && worker->dispatcher_due(ledger_.calls())) ready.push_back(worker.get());
  }
  if (ready.empty()) return false;
  if (draw_.chance(0.05)) {  // it is not scheduled at once
    advance(clock_.mono() + draw_.duration(10us, 20ms));
  } else {
    turn(*draw_.one_of(ready));
  }
  return true;
}

/// A second more than it should take: the clock goes on in steps.
void World::check_ahead() const {
  const base::Mono latest = clock_.mono() - engine::Ahead::kPatience - 1s;
  for (const auto& worker : workers_) {
    if (!runs(*worker) || worker->frozen_until > latest) continue;
    const auto since = worker->ahead_since();
    if (since && *since < latest) violated(Rule::Ahead, worker->name() + " has not begun what it has claimed ahead");
  }
}

/// The watchdogs have done what there was to do.
void World::check_lost() const {
  for (const auto& worker : workers_) {
    if (!runs(*worker) || worker->in_call) continue;
    for (const auto& [slot, handler] : worker->handlers()) {
      const job::ClaimId& claim = handler.attempt->claim().id;
      if (!worker->has_lost(claim) || handler.stopped) continue;
      violated(Rule::Lease, worker->name() + " goes on with job " + std::to_string(claim.job) + ", which it has lost");
    }
  }
}

void World::advance(base::Mono no_later) {
  base::Mono next = std::min(no_later, calm_ ? engine::kNever : happens_at_);
  for (const auto& worker : workers_) {
    if (worker->doomed) continue;
    const base::Mono wakes = worker->next_wake(!worker->in_call);
    next = std::min(next, std::max(worker->frozen_until, wakes));
  }
  const base::Mono longest = clock_.mono() + 1h;
  clock_.advance(std::max(Duration{1}, std::min(next, longest) - clock_.mono()));
  latest_ = std::max(latest_, clock_.wall());
}

void World::turn(SimWorker& worker) {
  SimWorker* const before = std::exchange(caller_, &worker);
  try {
    const SimWorker::Turned turned = worker.turn();
    if (turned.ended) {
      worker.doomed = true;
      const bool left = !turned.abandoned && store_.leave(worker.id());
      if (!left) dead_.push_back(worker.id());
    }
  } catch (const Died&) {
    worker.in_call = false;
  }
  caller_ = before;
}

void World::bury() {
  std::erase_if(workers_, [](const auto& worker) { return worker->doomed && !worker->in_call; });
}

/// Faults stop: what was acknowledged must come to its end.
void World::drain() {
  trace_.say("world", "faults stop");
  calm_ = true;
  outage_until_ = {};
  if (latest_ > clock_.wall()) clock_.step_wall(latest_ - clock_.wall());
  ledger_.calendar_stepped();
  for (const auto& worker : workers_) {
    worker->frozen_until = std::min(worker->frozen_until, clock_.mono());  // it wakes only now
    worker->calm();
    if (worker->has_endless()) crash(*worker);
  }
  bury();
  settings_ = {.lease = settings_.lease};
  for (const char* const queue : {"a", "b"}) (void)store_.resume(queue);
  for (const std::string& schedule : schedules_) (void)store_.remove_schedule(schedule);
  while (!unsent_.empty()) send(unsent_.size() - 1);
  end_gathering();
  std::vector<std::string> seasoned;
  for (const auto& worker : workers_) seasoned.push_back(worker->name());
  for (const int last = moves_ + kDrainMoves; !ledger_.all_ended();) {
    if (moves_ > last) violated(Rule::Drained, what_is_left());
    const bool any = std::any_of(workers_.begin(), workers_.end(), [](const auto& w) { return !w->stopping(); });
    if (!any) join();
    move(engine::kNever);
    for (const auto& worker : workers_) {
      const bool old = std::find(seasoned.begin(), seasoned.end(), worker->name()) != seasoned.end();
      if (!old && !worker->stalled().empty()) violated(Rule::Drained, worker->name() + " stalls: " + worker->stalled());
    }
  }
}

std::string World::what_is_left() const {
  std::string text = "jobs are left that have not ended:";
  for (const auto& [id, fact] : ledger_.facts()) {
    if (ledger_.has_ended(fact)) continue;
    text += " " + std::to_string(id) + " " + std::string(name(fact.state));
    if (fact.awaits != 0) text += " by batch " + std::to_string(fact.awaits);
  }
  return text;
}

// ---- the way to the store ---------------------------------------------------------------------------------------

Journey World::journey(std::string_view verb) {
  Journey journey;
  if (calm_) return journey;
  const bool outage = clock_.mono() < std::max(outage_until_, caller_ ? caller_->cut_off_until : base::Mono{});
  journey.arrives = !outage && !draw_.chance(weather_.lost_request);
  journey.answered = !draw_.chance(weather_.lost_reply);
  journey.twice = draw_.chance(weather_.twice);
  const Duration longest = draw_.chance(0.2) ? 2 * settings_.lease : Duration(2s);
  if (caller_ && draw_.chance(weather_.slow)) journey.before = draw_.duration(1ms, longest);
  if (caller_ && draw_.chance(weather_.slow)) {
    journey.after =
        draw_.chance(0.3) ? draw_.duration(settings_.lease / 8, settings_.lease) : draw_.duration(1ms, longest);
    // What is late is often the last that comes for a while.
    if (draw_.chance(4 * weather_.outage)) caller_->cut_off_until = clock_.mono() + journey.after + 2 * settings_.lease;
  }
  journey.dies = caller_ && draw_.chance(weather_.dies_in_call);
  const bool fine = journey.arrives && journey.answered && journey.before + journey.after < 1s;
  if (caller_ && !fine) caller_->trouble_at = clock_.mono() + journey.before + journey.after;
  trace_.say(caller_ ? caller_->name() : "somebody",
             std::string(verb) + (journey.arrives ? "" : ", lost") + (journey.answered ? "" : ", unanswered") +
                 (journey.twice ? ", twice" : "") + (journey.dies ? ", dies " : " ") +
                 std::to_string((journey.before + journey.after).count()) + "us");
  return journey;
}

bool World::loses(const job::ClaimId& claim) {
  if (caller_) caller_->loses(claim);
  return bug_ != Bug::IgnoreLoss;
}

void World::ends(const job::ClaimId& claim) {
  if (!caller_ || !caller_->has_lost(claim)) return;
  violated(Rule::Lease, caller_->name() + " ends job " + std::to_string(claim.job) + ", which it has lost");
}

void World::die() {
  crash(*caller_);
  throw Died{};
}

void World::pass(Duration time) {
  SimWorker* const me = caller_;
  if (me == nullptr || me->doomed) return;
  if (time > Duration{0} && depth_ < kDepth) {
    ++depth_;
    me->in_call = true;
    me->called_at = clock_.mono();
    const base::Mono until = clock_.mono() + time;
    while (!me->doomed && clock_.mono() < std::max(until, me->frozen_until)) {
      move(std::max(until, me->frozen_until));
    }
    me->in_call = false;
    if (clock_.mono() - me->called_at > 1s) me->trouble_at = clock_.mono();
    caller_ = me;
    --depth_;
  }
  if (me->doomed) throw Died{};
}

// ---- what is seen of the workers --------------------------------------------------------------------------------

void World::claimed(const job::ClaimId& claim) {
  trace_.say("store", "hands out job " + std::to_string(claim.job) + " epoch " + std::to_string(claim.epoch));
  for (const auto& worker : workers_) {
    if (!runs(*worker)) continue;
    for (const auto& [slot, handler] : worker->handlers()) {
      const job::Claim& old = handler.attempt->claim();
      const bool obeys = old.content == job::Content::Command || (!handler.stubborn && !handler.endless);
      if (old.id.job != claim.job || handler.slept || !obeys) continue;
      violated(Rule::Overlap, "job " + std::to_string(claim.job) + " is handed out, and runs on " + worker->name());
    }
  }
}

void World::recovered(const job::ClaimId& claim) {
  trace_.say("store", "recovers job " + std::to_string(claim.job) + " epoch " + std::to_string(claim.epoch));
  for (const auto& worker : workers_) {
    if (!runs(*worker)) continue;
    const bool waits = worker->in_call && clock_.mono() - worker->called_at > 1s;
    const bool healthy = !waits && clock_.mono() - worker->trouble_at > 2 * settings_.lease;
    for (const auto& [slot, handler] : worker->handlers()) {
      const job::Claim& old = handler.attempt->claim();
      const bool obeys = old.content == job::Content::Command || (!handler.stubborn && !handler.endless);
      if (old.id != claim || handler.slept || !(obeys || healthy)) continue;
      violated(Rule::Overlap, "job " + std::to_string(claim.job) + " is recovered, and runs on " + worker->name());
    }
  }
}

void World::begins(const job::ClaimId& claim) {
  if (!ledger_.is_current(claim)) {
    violated(Rule::Overlap, "job " + std::to_string(claim.job) + " begins under a claim that is lost already");
  }
}

}  // namespace galley::simulation
