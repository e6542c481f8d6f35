#include "engine/worker_run.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/assert.hpp"

namespace galley::engine {

namespace {

/// No wait is longer, so that a duration from now to "never" is never handed to the system.
constexpr Duration kLongestWait = std::chrono::hours(1);

/// Of the threads of one pool's slots. No more attempts than slots are given to it, so its queue never fills.
PoolOptions threads_for(const std::string& name, std::size_t slots) {
  constexpr std::size_t kWorkers = 1'000;  // of one dispatcher
  PoolOptions options;
  options.name = name;
  options.dispatchers = static_cast<int>((slots + kWorkers - 1) / kWorkers);
  options.workers = static_cast<int>(std::min(slots, kWorkers));
  options.capacity = slots;
  options.on_demand = true;
  return options;
}

Duration from_now(base::Mono until, base::Mono now) noexcept {
  return until >= now + kLongestWait ? kLongestWait : std::max(Duration{0}, until - now);
}

}  // namespace

WorkerRun::WorkerRun(store::Store& store, RunSettings settings, Executor executor, const base::Clock& clock,
                     base::Logger logger)
    : store_(store),
      settings_(std::move(settings)),
      executor_(std::move(executor)),
      clock_(clock),
      logger_(std::move(logger)),
      shared_(settings_.core, clock.mono()),
      stacks_(settings_.stack_signal == 0 ? nullptr : std::make_unique<runtime::StackTaker>(settings_.stack_signal)),
      bell_(store.bell()),
      dispatcher_(store, shared_, *this, clock, logger_,
                  [this](const job::JobRecord& job) { return executor_.serves(job); }) {
  const SlotPools& pools = shared_.core.pools();
  for (std::size_t at = 0; at < pools.count(); ++at) pools_.emplace_back(threads_for(pools.name(at), pools.most(at)));
  if (executor_.has_coroutines()) loop_ = std::make_unique<CoroutineLoop>(clock, logger_);
}

WorkerRun::~WorkerRun() { end_watch(); }

Result<WorkerReport> WorkerRun::run() {
  auto worker = store_.join(settings_.card);
  if (!worker) return worker.error();
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.core.joined(*worker);
  }
  if (loop_) {
    if (auto opened = loop_->open(); !opened) {
      leave(*worker);
      return opened.error();
    }
  }
  try {
    watchdog_ = std::thread(&WorkerRun::watch, this);
  } catch (const std::system_error& failure) {
    leave(*worker);
    return Error{Errc::Unavailable, std::string("no thread can be started: ") + failure.what()};
  }
  logger_.info("worker.start", {{"worker", *worker}, {"name", settings_.card.name}, {"pools", settings_.card.pools}});
  const Turn last = take_turns();
  // The jobs of handlers that do not end have just been put back: nothing may stand between that and the end.
  if (last.abandoned) settings_.exit_process();
  leave(*worker);
  WorkerReport report;
  {
    const std::lock_guard lock(shared_.mutex);
    report = shared_.core.report();
  }
  logger_.info(
      "worker.stopped",
      {{"worker", *worker}, {"completed", report.completed}, {"failed", report.failed}, {"dead", report.dead}});
  return report;
}

Turn WorkerRun::take_turns() {
  base::Mono pulse_at = settings_.on_pulse ? base::Mono::min() : base::Mono::max();
  while (true) {
    if (const base::Mono now = clock_.mono(); now >= pulse_at) pulse_at = pulse(now);
    const Turn turn = dispatcher_.turn();
    if (turn.done) return turn;
    if (!turn.wait_until) continue;
    const store::Ring ring = bell_->wait(from_now(std::min(*turn.wait_until, pulse_at), clock_.mono()));
    const std::lock_guard lock(shared_.mutex);
    shared_.dispatcher_waits = false;
    if (ring == store::Ring::Changed) shared_.core.on_ring();
  }
}

base::Mono WorkerRun::pulse(base::Mono now) {
  WorkerPulse pulse;
  for (const job::PoolSpec& pool : settings_.core.pools) pulse.slots += pool.slots;
  {
    const std::lock_guard lock(shared_.mutex);
    const WorkerReport& report = shared_.core.report();
    pulse.completed = report.completed;
    pulse.failed = report.failed;
    pulse.dead = report.dead;
    pulse.busy = static_cast<int>(attempts_.size());
    pulse.stuck = shared_.core.running().stuck();
    pulse.stopping = shared_.core.stopping();
    pulse.store_failing = shared_.core.failing();
  }
  settings_.on_pulse(pulse);
  return now + settings_.pulse_every;
}

/// A worker that cannot say good-bye is found dead by the others; nothing is lost.
void WorkerRun::leave(store::WorkerId worker) {
  const auto left = store_.leave(worker);
  if (!left) logger_.warn("worker.leave_failed", {{"worker", worker}, {"error", left.error().message}});
}

void WorkerRun::stop() noexcept {
  const std::lock_guard lock(shared_.mutex);
  if (!shared_.core.stopping()) logger_.info("worker.stopping");
  shared_.core.stop(clock_.mono());
  changed();
  wake_dispatcher();
}

void WorkerRun::hurry() noexcept {
  const std::lock_guard lock(shared_.mutex);
  logger_.info("worker.hurrying");
  shared_.core.hurry(clock_.mono());
  changed();
  wake_dispatcher();
}

void WorkerRun::wake_dispatcher() {
  if (std::exchange(shared_.dispatcher_waits, false)) bell_->interrupt();
}

// ---- attempts ---------------------------------------------------------------------------------------------------

void WorkerRun::adopt(Start& start) {
  const SlotId slot = start.slot;
  logger_.debug("job.start", {{"job", start.claim.id.job},
                              {"kind", start.claim.kind},
                              {"queue", start.claim.queue},
                              {"attempt", std::int64_t{start.claim.counters.attempts} + 1}});
  attempts_[slot] = std::make_shared<RunningAttempt>(std::move(start.claim), start.deadline, clock_, [this, slot] {
    const std::lock_guard lock(shared_.mutex);
    shared_.core.on_news(slot);
    wake_dispatcher();
  });
}

bool WorkerRun::launch(SlotId slot) {
  auto attempt = attempt_in(slot);
  GALLEY_ASSERT(attempt != nullptr);
  if (const auto chain = executor_.coroutine(attempt->claim())) {
    run_coroutine(slot, *chain, std::move(attempt));
    return true;
  }
  WorkerPool& pool = pools_[shared_.core.pools().pool_of(slot)];
  if (pool.try_submit([this, slot, attempt] { run_attempts(slot, attempt); }) == Submitted::Accepted) return true;
  const std::lock_guard lock(shared_.mutex);
  attempts_.erase(slot);
  return false;
}

void WorkerRun::run_attempts(SlotId slot, std::shared_ptr<RunningAttempt> attempt) {
  while (attempt) {
    attempt = ended(slot, *attempt, executor_.execute(*attempt));
    if (!attempt) return;
    if (const auto chain = executor_.coroutine(attempt->claim())) {
      return run_coroutine(slot, *chain, std::move(attempt));
    }
  }
}

void WorkerRun::run_coroutine(SlotId slot, const CoroutineChain& chain, std::shared_ptr<RunningAttempt> attempt) {
  loop_->start(chain, attempt, [this, slot, attempt](AttemptEnd end) {
    if (ended(slot, *attempt, std::move(end)) == nullptr || dispatcher_.start(slot)) return;
    const std::lock_guard lock(shared_.mutex);
    wake_dispatcher();  // it may have seen that end, and wait again
  });
}

std::shared_ptr<RunningAttempt> WorkerRun::ended(SlotId slot, const RunningAttempt& attempt, AttemptEnd end) {
  StopReason reason = StopReason::None;
  std::shared_ptr<RunningAttempt> next;
  const std::string shortage = end.not_started && end.outcome ? end.outcome->text() : std::string();
  {
    const std::lock_guard lock(shared_.mutex);
    attempts_.erase(slot);
    if (end.not_started) {
      shared_.core.on_not_started(slot, clock_.mono());
    } else {
      reason = shared_.core.on_ended(slot, std::move(end));
      if (auto start = shared_.core.next(slot, clock_.mono())) {
        adopt(*start);
        next = attempts_.at(slot);
      }
    }
    wake_dispatcher();
  }
  if (!shortage.empty()) logger_.warn("job.not_started", {{"job", attempt.id()}, {"error", shortage}});
  if (reason == StopReason::Lost) logger_.warn("job.end_dropped", {{"job", attempt.id()}, {"epoch", attempt.epoch()}});
  return next;
}

std::shared_ptr<RunningAttempt> WorkerRun::attempt_in(SlotId slot) {
  const std::lock_guard lock(shared_.mutex);
  const auto at = attempts_.find(slot);
  return at == attempts_.end() ? nullptr : at->second;
}

store::Renewal WorkerRun::renewal(const SlotClaim& claim) {
  const auto attempt = attempt_in(claim.slot);
  if (attempt == nullptr || attempt->claim().id != claim.claim) return {claim.claim, {}, {}};
  return attempt->renewal();
}

void WorkerRun::told(const SlotClaim& claim, bool queue_paused) {
  const auto attempt = attempt_in(claim.slot);
  if (attempt == nullptr || attempt->claim().id != claim.claim) return;
  attempt->told();
  attempt->queue_paused(queue_paused);
}

bool WorkerRun::has_completed_itself(const SlotClaim& claim) {
  const auto attempt = attempt_in(claim.slot);
  return attempt != nullptr && attempt->claim().id == claim.claim && attempt->has_completed_itself();
}

AttemptEnd WorkerRun::snapshot(SlotId slot) {
  AttemptEnd end;
  if (const auto attempt = attempt_in(slot); attempt != nullptr) attempt->collect(end);
  return end;
}

// ---- the watchdog -----------------------------------------------------------------------------------------------

void WorkerRun::changed() {
  if (shared_.core.next_deadline() < watch_until_) watch_.notify_one();
}

void WorkerRun::watch() {
  std::unique_lock lock(shared_.mutex);
  while (!watch_over_) {
    const std::vector<Action> actions = shared_.core.due(clock_.mono());
    std::vector<Start> starts = shared_.core.overtake(clock_.mono());
    for (Start& start : starts) adopt(start);
    if (!actions.empty() || shared_.core.has_ends()) wake_dispatcher();  // its next turn may be due sooner now
    if (!actions.empty() || !starts.empty()) {
      lock.unlock();
      for (const Action& action : actions) carry_out(action);
      dispatcher_.start(starts);
      lock.lock();
      continue;
    }
    watch_until_ = shared_.core.next_deadline();
    watch_.wait_for(lock, from_now(watch_until_, clock_.mono()));
    watch_until_ = {};
  }
}

void WorkerRun::carry_out(const Action& action) {
  const auto attempt = attempt_in(action.slot);
  if (attempt == nullptr || attempt->claim().id != action.claim) return;  // ended meanwhile
  if (action.kind == Action::Kind::Stuck) return report_stuck(*attempt, action.reason);
  logger_.info(action.kind == Action::Kind::Stop ? "job.stop" : "job.kill",
               {{"job", attempt->id()}, {"why", name(action.reason)}});
  if (action.kind == Action::Kind::Stop) {
    attempt->request_stop();
  } else {
    attempt->kill();
  }
}

void WorkerRun::report_stuck(RunningAttempt& attempt, StopReason reason) {
  int stuck = 0;
  {
    const std::lock_guard lock(shared_.mutex);
    stuck = shared_.core.running().stuck();
  }
  logger_.error("job.stuck", {{"job", attempt.id()},
                              {"kind", attempt.kind()},
                              {"why", name(reason)},
                              {"stuck_slots", std::int64_t{stuck}},
                              {"stack", stack_of(attempt)}});
}

/// A coroutine has none of its own: then it is what the loop does, which says whether something holds it up.
std::string WorkerRun::stack_of(RunningAttempt& attempt) {
  if (!stacks_) return {};
  return executor_.coroutine(attempt.claim()) ? "of its loop: " + loop_->stack(*stacks_) : attempt.stack(*stacks_);
}

void WorkerRun::end_watch() noexcept {
  if (!watchdog_.joinable()) return;
  {
    const std::lock_guard lock(shared_.mutex);
    watch_over_ = true;
    watch_.notify_one();
  }
  watchdog_.join();
}

}  // namespace galley::engine
