#include "simulation/sim_worker.hpp"

#include <algorithm>
#include <utility>

namespace galley::simulation {

using engine::SlotId;

namespace {

constexpr Duration kShortest = std::chrono::milliseconds(1);
constexpr Duration kLongest = std::chrono::seconds(100);

// The ways in which an attempt ends. Most end well.
enum Plan { Fail = 0, Throw, Snooze, Pause, Discard, NoRoom, Complete };

}  // namespace

engine::CoreOptions SimWorker::options(Draw& draw, const WorkerSettings& settings) {
  engine::CoreOptions options;
  const std::vector<std::vector<job::PoolQueue>> queues{
      {{"a", 0}, {"b", 0}}, {{"b", 0}, {"a", 0}}, {{"a", 3}, {"b", 1}}, {{"a", 0}}};
  options.pools.push_back({"one", draw.between(1, 3), queues[static_cast<std::size_t>(draw.between(0, 2))]});
  if (draw.chance(0.3)) options.pools.push_back({"two", 1, draw.one_of(queues)});
  options.can.kinds = {"k", "l"};
  options.can.any_command = true;
  options.lease = settings.lease;
  options.shutdown_grace = draw.duration(std::chrono::seconds(1), std::chrono::seconds(60));
  options.may_abandon = draw.chance(0.7);
  options.random = base::Random(draw.bits());
  options.brief_after = 2;
  return options;
}

SimWorker::SimWorker(std::string name, store::Store& store, const base::Clock& clock, Draw& draw, Trace& trace,
                     Starts& starts, const WorkerSettings& settings)
    : name_(std::move(name)),
      store_(store),
      clock_(clock),
      draw_(draw),
      trace_(trace),
      starts_(starts),
      settings_(settings),
      options_(options(draw, settings)),
      shared_(options_, clock.mono()),
      bell_(store.bell()),
      dispatcher_(store, shared_, *this, clock, base::Logger::silent(), [](const job::JobRecord&) { return true; }) {}

bool SimWorker::join() {
  store::WorkerCard card;
  card.name = name_;
  card.kinds = options_.can.kinds;
  card.any_command = true;
  const auto worker = store_.join(card);
  if (!worker) return false;
  id_ = *worker;
  shared_.core.joined(id_);
  return true;
}

// ---- the dispatcher ---------------------------------------------------------------------------------------------

bool SimWorker::dispatcher_due(std::int64_t calls) {
  if (!waits_until_ || woken_ || clock_.mono() >= *waits_until_) return true;
  if (std::exchange(heard_, calls) == calls) return false;
  if (bell_->wait(Duration{0}) != store::Ring::Changed || draw_.chance(settings_.deaf)) return false;
  shared_.dispatcher_waits = false;
  shared_.core.on_ring();
  return woken_ = true;
}

SimWorker::Turned SimWorker::turn() {
  woken_ = false;
  waits_until_.reset();
  shared_.dispatcher_waits = false;
  const engine::Turn turn = dispatcher_.turn();
  if (turn.done) trace_.say(name_, turn.abandoned ? "ends, handlers abandoned" : "ends");
  waits_until_ = turn.wait_until;
  return {turn.done, turn.abandoned};
}

// ---- the watchdog -----------------------------------------------------------------------------------------------

base::Mono SimWorker::watch_at() const {
  const engine::WorkerCore& core = shared_.core;
  return settings_.hoards && !core.stopping() ? core.running().next_deadline() : core.next_deadline();
}

bool SimWorker::watchdog_due() { return clock_.mono() >= watch_at(); }

void SimWorker::watch() {
  for (const engine::Action& action : shared_.core.due(clock_.mono())) {
    const auto at = handlers_.find(action.slot);
    if (at == handlers_.end() || at->second.attempt->claim().id != action.claim) continue;
    Handler& handler = at->second;
    if (action.kind == engine::Action::Kind::Stuck) {
      trace_.say(name_, "reports job " + std::to_string(action.claim.job) + " as stuck");
      continue;
    }
    trace_.say(name_, (action.kind == engine::Action::Kind::Stop ? "stops job " : "kills job ") +
                          std::to_string(action.claim.job) + " " + std::string(engine::name(action.reason)));
    if (settings_.outlives && action.reason == engine::StopReason::LeaseEnding) continue;
    handler.stopped = true;
    if (action.kind == engine::Action::Kind::Kill) {
      handler.killed = true;
      handler.ends_at = clock_.mono();
      handler.attempt->kill();
      continue;
    }
    handler.attempt->request_stop();
    if (!handler.stubborn) handler.ends_at = std::min(handler.ends_at, clock_.mono() + handler.reaction);
  }
  std::vector<engine::Start> starts;
  if (!settings_.hoards) starts = shared_.core.overtake(clock_.mono());
  for (engine::Start& start : starts) adopt(start);
  dispatcher_.start(starts);
  wake();
}

// ---- handlers ---------------------------------------------------------------------------------------------------

void SimWorker::adopt(engine::Start& start) {
  const SlotId slot = start.slot;
  Handler handler;
  handler.plan = draw_.chance(0.5) ? Complete : draw_.between(Fail, Complete);
  handler.stubborn = draw_.chance(settings_.stubborn);
  handler.endless = draw_.chance(settings_.endless);
  handler.reaction = draw_.duration(kShortest, settings_.lease / 10);
  const base::Mono now = clock_.mono();
  handler.began_at = now;
  const bool brief = draw_.chance(settings_.brief);
  const bool over_leases = draw_.chance(0.3);
  const Duration time = brief         ? draw_.duration(Duration(1), kShortest)
                        : over_leases ? draw_.duration(settings_.lease / 2, 4 * settings_.lease)
                                      : draw_.duration(kShortest, kLongest);
  handler.ends_at = handler.endless ? engine::kNever : now + time;
  handler.speaks_at = draw_.chance(0.3) ? now + draw_.duration(kShortest, kLongest) : engine::kNever;
  handler.attempt =
      std::make_shared<engine::RunningAttempt>(std::move(start.claim), start.deadline, clock_, [this, slot] {
        shared_.core.on_news(slot);
        wake();
      });
  handlers_[slot] = std::move(handler);
}

bool SimWorker::launch(SlotId slot) {
  const job::ClaimId& claim = handlers_.at(slot).attempt->claim().id;
  if (draw_.chance(settings_.not_started)) {
    trace_.say(name_, "cannot start job " + std::to_string(claim.job));
    handlers_.erase(slot);
    return false;
  }
  begin(slot);
  return true;
}

void SimWorker::begin(SlotId slot) {
  const job::ClaimId& claim = handlers_.at(slot).attempt->claim().id;
  trace_.say(name_, "runs job " + std::to_string(claim.job) + " epoch " + std::to_string(claim.epoch));
  starts_.begins(claim);
}

std::optional<SlotId> SimWorker::handler_due() const {
  const base::Mono now = clock_.mono();
  for (const auto& [slot, handler] : handlers_) {
    if (now >= handler.ends_at || now >= handler.speaks_at) return slot;
  }
  return std::nullopt;
}

void SimWorker::speak(SlotId slot) {
  Handler& handler = handlers_.at(slot);
  const base::Mono now = clock_.mono();
  if (now >= handler.ends_at) return end(slot);
  handler.speaks_at = now + draw_.duration(kShortest, kLongest);
  handler.attempt->progress("half");
  (void)handler.attempt->save_checkpoint(std::to_string(handler.attempt->epoch() / 4));  // not every one moves on
}

void SimWorker::end(SlotId slot) {
  const Handler handler = std::move(handlers_.at(slot));
  handlers_.erase(slot);
  engine::AttemptEnd end;
  end.command = handler.attempt->claim().content == job::Content::Command;
  const bool gives_way = handler.stopped && !handler.stubborn && handler.attempt->stop_requested();
  const int plan = gives_way && draw_.chance(0.8) ? -1 : handler.plan;
  switch (plan) {
    case -1: break;
    case Fail: end.outcome = Outcome::fail("no"); break;
    case Throw:
      end.outcome = Outcome::fail("thrown");
      end.implied = true;
      break;
    case Snooze: end.outcome = Outcome::snooze(draw_.duration(kShortest, std::chrono::seconds(60))); break;
    case Pause: end.outcome = Outcome::pause(); break;
    case Discard: end.outcome = Outcome::discard("pointless"); break;
    case NoRoom: end.not_started = end.command; break;
    default: end.outcome = Outcome::done(); break;
  }
  if (end.command && handler.killed) {
    end.outcome = Outcome::fail("killed");
    end.implied = true;
    end.not_started = false;
  }
  handler.attempt->collect(end);
  end.saw_stop = end.saw_stop || (end.command && handler.stopped);
  trace_.say(name_, "ended job " + std::to_string(handler.attempt->id()) + " plan " + std::to_string(plan));
  if (end.not_started) {
    shared_.core.on_not_started(slot, clock_.mono());
    return wake();
  }
  end.report.run_time = clock_.mono() - handler.began_at;
  shared_.core.on_ended(slot, std::move(end));
  auto next = shared_.core.next(slot, clock_.mono());
  wake();
  if (!next) return;
  adopt(*next);
  begin(slot);
}

SimWorker::Handler* SimWorker::running(const engine::SlotClaim& claim) {
  const auto at = handlers_.find(claim.slot);
  return at != handlers_.end() && at->second.attempt->claim().id == claim.claim ? &at->second : nullptr;
}

void SimWorker::loses(const job::ClaimId& claim) {
  for (const auto& [slot, handler] : handlers_) {
    if (handler.attempt->claim().id == claim) lost_.insert(claim.epoch);
  }
}

store::Renewal SimWorker::renewal(const engine::SlotClaim& claim) {
  Handler* const handler = running(claim);
  return handler ? handler->attempt->renewal() : store::Renewal{claim.claim, {}, {}};
}

void SimWorker::told(const engine::SlotClaim& claim, bool) {
  if (Handler* const handler = running(claim)) handler->attempt->told();
}

engine::AttemptEnd SimWorker::snapshot(SlotId slot) {
  engine::AttemptEnd end;
  const auto at = handlers_.find(slot);
  if (at != handlers_.end()) at->second.attempt->collect(end);
  return end;
}

// ---- the world --------------------------------------------------------------------------------------------------

base::Mono SimWorker::next_wake(bool with_dispatcher) {
  base::Mono next = watch_at();
  if (with_dispatcher && waits_until_) next = std::min(next, *waits_until_);
  for (const auto& [slot, handler] : handlers_) next = std::min({next, handler.ends_at, handler.speaks_at});
  return next;
}

void SimWorker::stop() {
  shared_.core.stop(clock_.mono());
  wake();
}

void SimWorker::hurry() {
  shared_.core.hurry(clock_.mono());
  wake();
}

void SimWorker::slept() {
  for (auto& [slot, handler] : handlers_) handler.slept = true;
}

bool SimWorker::has_endless() const {
  return std::any_of(handlers_.begin(), handlers_.end(), [](const auto& item) { return item.second.endless; });
}

}  // namespace galley::simulation
