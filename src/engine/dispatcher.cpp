#include "engine/dispatcher.hpp"

#include <utility>

namespace galley::engine {

namespace {

constexpr std::chrono::seconds kLearnEvery{30};  // what others saw of kinds that this worker hardly has

std::string_view event_of(const store::Finish& finish) noexcept {
  switch (finish.event) {
    case job::JobEvent::Complete: return "job.completed";
    case job::JobEvent::Die: return "job.dead";
    case job::JobEvent::Discard: return "job.discarded";
    case job::JobEvent::Cancel: return "job.cancelled";
    case job::JobEvent::Expire: return "job.expired";
    case job::JobEvent::Release: return "job.released";
    case job::JobEvent::Pause: return "job.paused";
    default: break;
  }
  if (finish.outcome == job::name(job::Ending::Snoozed)) return "job.snoozed";
  if (finish.outcome == job::name(job::Ending::Paused)) return "job.paused";
  return "job.retry";
}

base::LogLevel level_of(const store::Finish& finish) noexcept {
  if (finish.event == job::JobEvent::Die) return base::LogLevel::Error;
  const bool well = finish.report.error.empty() || finish.event == job::JobEvent::Cancel;
  return well ? base::LogLevel::Info : base::LogLevel::Warn;
}

std::int64_t milliseconds(Duration duration) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

Dispatcher::Dispatcher(store::Store& store, SharedCore& shared, Runner& runner, const base::Clock& clock,
                       base::Logger logger, std::function<bool(const job::JobRecord&)> serves)
    : store_(store),
      shared_(shared),
      runner_(runner),
      clock_(clock),
      logger_(std::move(logger)),
      lease_(shared.core.lease()),
      serves_(std::move(serves)),
      meter_(clock.mono()) {}

Turn Dispatcher::turn() {
  Plan plan;
  Trouble trouble;
  std::vector<std::pair<std::string, std::string>> news;
  {
    const std::lock_guard lock(shared_.mutex);
    WorkerCore& core = shared_.core;
    plan = core.plan(clock_.mono());
    shared_.dispatcher_waits = std::holds_alternative<Wait>(plan);
    runner_.changed();
    trouble = {core.take_given_up(), core.failing(), said_stalled_ ? std::string() : core.stalled()};
    news = core.take_room_news();
  }
  log_trouble(trouble);
  for (const auto& [pool, why] : news) logger_.info("worker.room", {{"pool", pool}, {"why", why}});
  return std::visit([this](const auto& what) { return act(what); }, plan);
}

Turn Dispatcher::act(const Exchange& exchange) {
  const base::Mono sent = clock_.mono();
  auto answer = store_.finish_and_claim(exchange.finishes, exchange.requests);
  if (!answer) return failed("finish_and_claim", answer.error());
  for (std::size_t i = 0; i < exchange.finishes.size(); ++i) {
    const FinishNote& note = exchange.notes[i];
    if (has_completed_itself(note, answer->finished[i])) {
      const store::Finish finish = completed_itself(exchange.finishes[i]);
      log_finish(finish, note, answer->finished[i]);
      meter_.finished(note.queue, note.kind, finish);
      continue;
    }
    log_finish(exchange.finishes[i], note, answer->finished[i]);
    if (answer->finished[i] == store::FinishAnswer::Finished) {
      meter_.finished(note.queue, note.kind, exchange.finishes[i]);
    }
  }
  for (const store::Claimed& claimed : answer->claimed) {
    for (const job::Claim& claim : claimed.claims) meter_.started(claim);
  }
  std::vector<Start> starts;
  {
    const std::lock_guard lock(shared_.mutex);
    starts = shared_.core.on_exchanged(sent, clock_.mono(), *std::move(answer));
    for (Start& start : starts) runner_.adopt(start);
    runner_.changed();
  }
  start(starts);
  return {};
}

void Dispatcher::start(const std::vector<Start>& starts) {
  for (const Start& one : starts) static_cast<void>(start(one.slot));
}

bool Dispatcher::start(SlotId slot) {
  if (runner_.launch(slot)) return true;
  logger_.error("job.not_started", {{"slot", std::int64_t{slot}}, {"error", "no thread could be started"}});
  const std::lock_guard lock(shared_.mutex);
  shared_.core.on_not_started(slot, clock_.mono());
  return false;
}

Turn Dispatcher::act(const Renew& renew) {
  std::vector<store::Renewal> renewals;
  renewals.reserve(renew.claims.size());
  for (const SlotClaim& claim : renew.claims) renewals.push_back(runner_.renewal(claim));
  const base::Mono sent = clock_.mono();
  auto answers = store_.renew(renewals, lease_);
  if (!answers) return failed("renew", answers.error());
  for (std::size_t i = 0; i < answers->size(); ++i) {
    const SlotClaim& claim = renew.claims[i];
    store::Renewed& answer = (*answers)[i];
    if (!answer.held) answer.held = is_completed_by_handler(claim);
    if (answer.held) {
      runner_.told(claim, answer.queue_paused);
    } else {
      logger_.warn("job.lease_lost", {{"job", claim.claim.job}, {"epoch", claim.claim.epoch}});
    }
  }
  const std::lock_guard lock(shared_.mutex);
  shared_.core.on_renewed(sent, clock_.mono(), *answers);
  runner_.changed();
  return {};
}

/// Then its claim is gone as it should, and its handler is about to return.
bool Dispatcher::is_completed_by_handler(const SlotClaim& claim) {
  if (!runner_.has_completed_itself(claim)) return false;
  const auto states = store_.states(std::span(&claim.claim.job, 1));
  return states && states->front() == JobState::Completed;
}

/// How long the attempts of kinds take that this worker has hardly seen, as all workers saw it.
void Dispatcher::learn() {
  const base::Mono now = clock_.mono();
  if (now < learn_at_) return;
  learn_at_ = now + kLearnEvery;
  {
    const std::lock_guard lock(shared_.mutex);
    if (!shared_.core.wants_history()) return;
  }
  const auto minutes = store_.minutes(limits::kKeepMinutes);
  if (!minutes) return;  // the next time
  const std::lock_guard lock(shared_.mutex);
  shared_.core.learn(*minutes);
}

Turn Dispatcher::act(const Step&) {
  auto answer = store_.step(limits::kMaxStep);
  if (!answer) return failed("step", answer.error());
  for (const store::WorkerId worker : answer->dead_workers) logger_.warn("worker.dead", {{"worker", worker}});
  if (answer->expired > 0) logger_.warn("jobs.expired", {{"jobs", std::int64_t{answer->expired}}});
  if (answer->recovered + answer->quarantined > 0) {
    logger_.warn("jobs.recovered",
                 {{"ready", std::int64_t{answer->recovered}}, {"quarantined", std::int64_t{answer->quarantined}}});
  }
  if (meter_.due(clock_.mono(), false)) tell_measures();
  learn();
  const std::lock_guard lock(shared_.mutex);
  shared_.core.on_stepped(clock_.mono(), *answer);
  return {};
}

void Dispatcher::tell_measures() {
  const std::vector<store::Measured> measured = meter_.take(clock_.mono());
  const auto told = store_.report(measured);
  if (told) return;
  logger_.debug("report.dropped", {{"kinds_lost", meter_.lost(measured.size())}, {"error", told.error().message}});
}

Turn Dispatcher::act(const Look& look) {
  auto backlog = look_at_backlog(store_, {look.queues, look.dry, look.whole, serves_});
  if (!backlog) return failed("look", backlog.error());
  bool drained = false;
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.core.on_looked(clock_.mono(), *backlog);
    drained = shared_.core.drained();
  }
  if (!drained) return {};
  for (const std::string& lane : backlog->unserved) logger_.warn("drain.unserved", {{"lane", lane}});
  for (const std::string& queue : backlog->paused) logger_.warn("drain.paused", {{"queue", queue}});
  return {};
}

Turn Dispatcher::act(const Abandon& abandon) {
  for (const SlotId slot : abandon.slots) {
    AttemptEnd end = runner_.snapshot(slot);
    const std::lock_guard lock(shared_.mutex);
    shared_.core.on_abandoned(slot, std::move(end));
  }
  return {};
}

Turn Dispatcher::act(const Wait& wait) {
  if (!failing_ && meter_.due(clock_.mono(), true)) tell_measures();
  return {false, false, wait.until};
}

Turn Dispatcher::act(const Done& done) {
  if (!done.abandoned) tell_measures();  // else nothing may stand between the last finish and the end
  return {true, done.abandoned, {}};
}

/// Said once in a row of failures; the core decides when to try again.
Turn Dispatcher::failed(std::string_view verb, const Error& error) {
  bool first = false;
  {
    const std::lock_guard lock(shared_.mutex);
    first = shared_.core.on_store_error(clock_.mono(), error);
  }
  if (first) logger_.error("store.failing", {{"verb", verb}, {"error", error.message}});
  return {};
}

void Dispatcher::log_finish(const store::Finish& finish, const FinishNote& note, store::FinishAnswer answer) const {
  if (answer == store::FinishAnswer::LeaseLost) {
    logger_.warn("job.lease_lost",
                 {{"job", finish.claim.job}, {"epoch", finish.claim.epoch}, {"outcome", finish.outcome}});
    return;
  }
  const base::LogLevel level = level_of(finish);
  if (!logger_.enabled(level)) return;
  const std::string_view event = event_of(finish);
  const std::int64_t attempt = finish.counters.attempts;
  const std::int64_t ran = milliseconds(finish.report.run_time);
  if (finish.report.error.empty()) {
    logger_.log(
        level, event,
        {{"job", finish.claim.job}, {"kind", note.kind}, {"queue", note.queue}, {"attempt", attempt}, {"run_ms", ran}});
  } else {
    logger_.log(level, event,
                {{"job", finish.claim.job},
                 {"kind", note.kind},
                 {"queue", note.queue},
                 {"attempt", attempt},
                 {"run_ms", ran},
                 {"outcome", finish.outcome},
                 {"delay_ms", milliseconds(finish.delay)},
                 {"error", finish.report.error}});
  }
}

void Dispatcher::log_trouble(const Trouble& trouble) {
  for (const job::ClaimId& claim : trouble.given_up) {
    logger_.error(
        "job.end_not_told",
        {{"job", claim.job}, {"epoch", claim.epoch}, {"error", "its lease ended before the store could be reached"}});
  }
  if (std::exchange(failing_, trouble.failing) && !failing_) logger_.info("store.reached");
  if (trouble.stalled.empty()) return;
  said_stalled_ = true;
  logger_.error("worker.stalled", {{"error", trouble.stalled}});
}

}  // namespace galley::engine
