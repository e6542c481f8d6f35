#include "engine/worker_core.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace galley::engine {

namespace {

constexpr Duration kFirstRetry = std::chrono::milliseconds(50);
constexpr Duration kLastRetry = std::chrono::seconds(2);
constexpr Duration kTellEvery = std::chrono::milliseconds(100);  // progress and checkpoints are written at each
constexpr Duration kHearEvery = std::chrono::milliseconds(250);  // a busy worker's looks at signals alone
constexpr Duration kStepSoon = std::chrono::milliseconds(10);    // so that others get the store in between
constexpr Duration kDrainLook = std::chrono::milliseconds(500);  // the end of other workers' jobs rings no bell
constexpr Duration kLookSoon = std::chrono::milliseconds(50);
constexpr Duration kNotStarting = std::chrono::seconds(1);  // no thread to be had: claims wait that long
constexpr Duration kStalled = std::chrono::seconds(30);

}  // namespace

WorkerCore::WorkerCore(CoreOptions options, base::Mono now)
    : options_(std::move(options)),
      pools_(options_.pools, options_.can, options_.lease, options_.reserve),
      ahead_(options_.pools.size(), options_.can.kinds, options_.can.any_command || !options_.can.programs.empty(),
             options_.brief_after),
      running_(options_.lease, options_.timeouts),
      renew_at_(now + options_.lease / 3),
      step_at_(now),
      look_at_(options_.drain ? now : now + limits::kSafetyLook) {}

// ---- what to do next --------------------------------------------------------------------------------------------

Plan WorkerCore::plan(base::Mono now) {
  drop_lapsed(now);
  check_stalled(now);
  if (over()) return Done{abandoned_};
  // Before anything that needs the store: a store that fails must not keep a process from ending.
  if (auto abandon = plan_abandon(now)) return *std::move(abandon);
  if (now < retry_at_) return Wait{retry_at_};
  forget_failures();
  pools_.consider(now);
  if (auto renew = plan_renew(now)) return calling_ = Call::Renew, *renew;
  if (phase_ == Phase::Working && now >= step_at_) return calling_ = Call::Step, Step{};
  if (auto exchange = plan_exchange(now)) return calling_ = Call::Exchange, *exchange;
  if (auto look = plan_look(now)) return calling_ = Call::Look, *std::move(look);
  return Wait{next_turn()};
}

std::optional<Renew> WorkerCore::plan_renew(base::Mono now) {
  if (now >= renew_at_) {
    renew_at_ = now + options_.lease / 3;
    renew_all();
  }
  if (!news_.empty() && now >= tell_at_) {
    tell_at_ = now + kTellEvery;
    to_renew_.merge(news_);
    news_.clear();
  }
  renewing_.clear();
  while (!to_renew_.empty() && renewing_.size() < limits::kMaxFinishBatch) {
    const SlotId slot = *to_renew_.begin();
    to_renew_.erase(to_renew_.begin());
    const auto at = running_.all().find(slot);
    if (at == running_.all().end() || at->second.reason == StopReason::Lost) continue;
    renewing_.push_back({slot, at->second.rules.id});
  }
  if (renewing_.empty()) return std::nullopt;
  return Renew{renewing_};
}

std::optional<Exchange> WorkerCore::plan_exchange(base::Mono now) {
  if (sending_.empty()) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(pending_.size(), limits::kMaxFinishBatch));
    std::move(pending_.begin(), pending_.begin() + count, std::back_inserter(sending_));
    std::move(pending_notes_.begin(), pending_notes_.begin() + count, std::back_inserter(sending_notes_));
    pending_.erase(pending_.begin(), pending_.begin() + count);
    pending_notes_.erase(pending_notes_.begin(), pending_notes_.begin() + count);
  }
  // An end that is told anyway takes the claim with it: the slot it leaves is filled in the same round trip.
  const bool telling = !sending_.empty();
  const bool working = phase_ == Phase::Working;
  const bool more = telling && (pools_.any_room() || ahead_.anybody_eats());
  const bool claiming = working && (pools_.wants_claim(now) || more);
  const bool hearing = hear_signals_ && !running_.empty() && now >= exchanged_at_ + kHearEvery;
  if (!telling && !claiming && !hearing) return std::nullopt;
  hear_signals_ = false;
  asked_ = claiming || hearing;
  Exchange exchange{sending_, sending_notes_, {}};
  if (asked_) exchange.requests = ask(now, telling, !claiming);
  const bool any = std::any_of(exchange.requests.begin(), exchange.requests.end(),
                               [](const store::ClaimRequest& request) { return request.limit > 0; });
  if (asked_ && !any && telling) {
    asked_ = false;
    exchange.requests = {};
  }
  return exchange;
}

/// Nothing of ours is under way.
bool WorkerCore::idle() const noexcept {
  return running_.empty() && ahead_.empty() && sending_.empty() && pending_.empty();
}

bool WorkerCore::may_look() const noexcept { return phase_ == Phase::Working && pools_.free() > 0 && pools_.dry(); }

std::optional<Look> WorkerCore::plan_look(base::Mono now) const {
  if (!may_look() || now < look_at_) return std::nullopt;
  return Look{pools_.queues(), pools_.dry_queues(), options_.drain && idle()};
}

std::optional<Abandon> WorkerCore::plan_abandon(base::Mono now) {
  if (!options_.may_abandon || abandoned_ || phase_ != Phase::Ending) return std::nullopt;
  if (now < running_.abandon_at()) return std::nullopt;
  abandoned_ = true;
  Abandon abandon;
  for (const auto& [slot, attempt] : running_.all()) abandon.slots.push_back(slot);
  return abandon;
}

bool WorkerCore::over() const noexcept { return phase_ == Phase::Drained || (phase_ != Phase::Working && idle()); }

base::Mono WorkerCore::next_turn() const noexcept {
  base::Mono next = kNever;
  if (!running_.empty()) {
    next = renew_at_;
    if (!news_.empty()) next = std::min(next, tell_at_);
    if (hear_signals_) next = std::min(next, exchanged_at_ + kHearEvery);
  }
  if (phase_ == Phase::Working) next = std::min({next, step_at_, pools_.next_look()});
  if (may_look()) next = std::min(next, look_at_);
  if (phase_ == Phase::Ending && options_.may_abandon && !abandoned_) next = std::min(next, running_.abandon_at());
  return next;
}

// ---- the store answered -----------------------------------------------------------------------------------------

std::vector<Start> WorkerCore::on_exchanged(base::Mono sent, base::Mono now, store::FinishAndClaimAnswer answer) {
  GALLEY_ASSERT(answer.finished.size() == sending_.size());
  failures(Call::Exchange) = 0;
  failing_since_.reset();
  exchanged_at_ = now;
  for (std::size_t i = 0; i < sending_.size(); ++i) {
    if (answer.finished[i] == store::FinishAnswer::LeaseLost) continue;
    count(sending_[i], has_completed_itself(sending_notes_[i], answer.finished[i]));
  }
  if (!sending_.empty()) look_soon();
  sending_.clear();
  sending_notes_.clear();
  if (std::exchange(signals_, answer.signals) != answer.signals) {
    renew_all();
    give_all_back();  // it may be one of them that is cancelled, or their queue that is paused
  }

  std::vector<Start> starts;
  if (!std::exchange(asked_, false)) return starts;
  pools_.answered(now, answer.claimed);
  for (std::size_t i = 0; i < answer.claimed.size(); ++i) {
    for (job::Claim& claim : answer.claimed[i].claims) {
      overlooked_.reset();
      meet(i, {std::move(claim), sent, now, {}}, starts);
    }
  }
  for (std::size_t pool = 0; pool < pools_.count(); ++pool) feed(pool, now, starts);
  return starts;
}

void WorkerCore::on_renewed(base::Mono sent, base::Mono now, std::span<const store::Renewed> answers) {
  GALLEY_ASSERT(answers.size() == renewing_.size());
  failures(Call::Renew) = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    running_.renewed(renewing_[i].slot, renewing_[i].claim, answers[i], sent, now);
  }
  renewing_.clear();
}

void WorkerCore::on_stepped(base::Mono now, const store::StepAnswer& answer) {
  failures(Call::Step) = 0;
  const Duration longest = limits::kSafetyLook;
  step_at_ = now + (answer.more ? kStepSoon : std::clamp(answer.next, kStepSoon, longest));
  // What expired may have kept a claim from what stands behind it.
  if (answer.promoted > 0 || answer.recovered > 0 || answer.expired > 0) pools_.ring();
}

void WorkerCore::on_looked(base::Mono now, const Backlog& backlog) {
  failures(Call::Look) = 0;
  looked_at_ = now;
  look_at_ = now + (options_.drain ? kDrainLook : Duration(limits::kSafetyLook));
  if (phase_ != Phase::Working) return;
  if (options_.drain && idle() && !backlog.left) {
    phase_ = Phase::Drained;
    return;
  }
  if (!backlog.overlooked || backlog.overlooked != overlooked_) {
    overlooked_ = backlog.overlooked;
    overlooked_since_ = now;
  } else if (now - overlooked_since_ >= kStalled) {
    stall(now, "job " + std::to_string(*overlooked_) + " has been first in line for 30 s, and no claim brings it");
  }
}

bool WorkerCore::on_store_error(base::Mono now, const Error& error) {
  const bool first = !failing();
  if (!failing_since_) failing_since_ = now;
  int& in_a_row = failures(calling_);
  const Duration pause = std::min(kFirstRetry * (1 << std::min(in_a_row, 6)), kLastRetry);
  ++in_a_row;
  last_error_ = error.message;
  for (const SlotClaim& claim : renewing_) to_renew_.insert(claim.slot);
  renewing_.clear();
  pools_.failed();
  pools_.ring();
  hear_signals_ = hear_signals_ || calling_ == Call::Exchange;
  // Housekeeping and looks go behind the claims, so as not to block them; where they fail themselves, they alone wait.
  const bool aside = calling_ == Call::Step || calling_ == Call::Look;
  retry_at_ = now + (aside ? kFirstRetry : pause);
  base::Mono& aside_at = calling_ == Call::Look ? look_at_ : step_at_;
  if (aside) aside_at = std::max(aside_at, now + pause);
  step_at_ = std::max(step_at_, retry_at_ + kFirstRetry);
  look_at_ = std::max(look_at_, retry_at_ + kFirstRetry);
  return first;
}

bool WorkerCore::failing() const noexcept {
  return std::any_of(failures_.begin(), failures_.end(), [](int in_a_row) { return in_a_row > 0; });
}

/// Of calls that are not to be made any more: no answer would end their row.
void WorkerCore::forget_failures() noexcept {
  if (to_renew_.empty()) failures(Call::Renew) = 0;
  if (phase_ != Phase::Working) failures(Call::Step) = 0;
  if (!may_look()) failures(Call::Look) = 0;
}

// ---- attempts ---------------------------------------------------------------------------------------------------

StopReason WorkerCore::on_ended(SlotId slot, AttemptEnd end) {
  auto attempt = leave(slot);
  if (!attempt) return StopReason::Shutdown;  // abandoned: its job is put back already
  if (!attempt->command) ahead_.ran(attempt->kind, end.report.run_time);
  // What was cut short says little of its kind.
  if (attempt->reason == StopReason::None || attempt->reason == StopReason::TimedOut) {
    pools_.ran(slot, end.report.run_time);
  }
  not_starting_since_.reset();
  if (attempt->reason == StopReason::Lost) return StopReason::Lost;
  const bool itself = end.completed_itself;
  put_finish(finish_of(attempt->rules, std::move(end), attempt->reason, options_.random.unit()),
             {std::move(attempt->queue), std::move(attempt->kind), attempt->reason, attempt->held_until, itself});
  return attempt->reason;
}

void WorkerCore::on_abandoned(SlotId slot, AttemptEnd end) {
  auto attempt = running_.remove(slot);
  if (!attempt || attempt->reason == StopReason::Lost) return;
  const bool is_final = attempt->reason == StopReason::Cancelled || attempt->reason == StopReason::Deadline;
  end.outcome.reset();
  end.saw_stop = true;
  end.command = true;  // put back like a command that was stopped: not before this process is gone
  const StopReason reason = is_final ? attempt->reason : StopReason::Shutdown;
  const bool itself = end.completed_itself;
  put_finish(finish_of(attempt->rules, std::move(end), reason, options_.random.unit()),
             {std::move(attempt->queue), std::move(attempt->kind), reason, attempt->held_until, itself});
}

void WorkerCore::on_not_started(SlotId slot, base::Mono now) {
  auto attempt = leave(slot);
  if (!attempt) return;  // abandoned: its job is put back already
  // The next claim comes kNotStarting later: a longer gap says that it could be started, or that nothing was there.
  if (!not_starting_since_ || now - not_started_at_ > limits::kSafetyLook) not_starting_since_ = now;
  not_started_at_ = now;
  pools_.hold(now + kNotStarting);
  put_finish(release_of(attempt->rules.id),
             {std::move(attempt->queue), std::move(attempt->kind), StopReason::None, attempt->held_until});
}

void WorkerCore::on_news(SlotId slot) {
  if (running_.all().contains(slot)) news_.insert(slot);
}

void WorkerCore::on_ring() {
  pools_.ring();
  hear_signals_ = true;
  look_soon();
}

std::vector<Action> WorkerCore::due(base::Mono now) {
  if (phase_ == Phase::Stopping && now >= stop_all_at_) hurry(now);
  return running_.due(now);
}

base::Mono WorkerCore::next_deadline() const noexcept {
  base::Mono next = std::min(running_.next_deadline(), phase_ == Phase::Stopping ? stop_all_at_ : kNever);
  if (ahead_.empty()) return next;
  for (std::size_t pool = 0; pool < pools_.count(); ++pool) {
    next = std::min(next, ahead_.next_look(pool, pools_.idle(pool) > 0));
  }
  return next;
}

void WorkerCore::stop(base::Mono now) {
  if (phase_ != Phase::Working) return;
  phase_ = Phase::Stopping;
  stop_all_at_ = now + options_.shutdown_grace;
  give_all_back();
}

void WorkerCore::hurry(base::Mono now) {
  if (phase_ == Phase::Drained) return;
  if (phase_ == Phase::Ending) {
    running_.hurry(now);
  } else {
    phase_ = Phase::Ending;
    give_all_back();
    running_.stop_all(now);
  }
}

// ---- small parts ------------------------------------------------------------------------------------------------

void WorkerCore::renew_all() {
  for (const auto& [slot, attempt] : running_.all()) to_renew_.insert(slot);
}

/// A drain wants to know soon that it is over.
void WorkerCore::look_soon() noexcept {
  if (options_.drain) look_at_ = std::min(look_at_, looked_at_ + kLookSoon);
}

void WorkerCore::count(const store::Finish& finish, bool completed) {
  if (completed) {
    ++report_.completed;
    return;
  }
  if (finish.event == job::JobEvent::Complete) ++report_.completed;
  if (finish.event == job::JobEvent::Die) ++report_.dead;
  const bool failed =
      finish.outcome == job::name(job::Ending::Failed) || finish.outcome == job::name(job::Ending::TimedOut);
  if (failed) ++report_.failed;
}

void WorkerCore::put_finish(store::Finish finish, FinishNote note) {
  pending_.push_back(std::move(finish));
  pending_notes_.push_back(std::move(note));
}

/// While the store cannot be reached: an end whose lease is over is nobody's any more.
void WorkerCore::drop_lapsed(base::Mono now) {
  if (!failing_since_) return;
  const auto drop = [&](std::vector<store::Finish>& finishes, std::vector<FinishNote>& notes) {
    for (std::size_t i = finishes.size(); i-- > 0;) {
      if (notes[i].held_until > now) continue;
      given_up_.push_back(finishes[i].claim);
      finishes.erase(finishes.begin() + static_cast<std::ptrdiff_t>(i));
      notes.erase(notes.begin() + static_cast<std::ptrdiff_t>(i));
    }
  };
  drop(sending_, sending_notes_);
  drop(pending_, pending_notes_);
}

std::vector<std::pair<std::string, std::string>> WorkerCore::take_room_news() {
  std::vector<std::pair<std::string, std::string>> news;
  for (auto& [pool, why] : pools_.rooms().take_news()) news.emplace_back(pools_.name(pool), std::move(why));
  return news;
}

void WorkerCore::check_stalled(base::Mono now) {
  if (phase_ != Phase::Working) return;
  if (pools_.free() == 0) {  // it makes no claims now, so it can neither fail to nor succeed
    if (failing_since_) failing_since_ = now;
    not_starting_since_.reset();
    return;
  }
  if (failing_since_ && now - *failing_since_ >= kStalled) {
    stall(now, "the store has been failing for 30 s: " + last_error_);
  } else if (not_starting_since_ && not_started_at_ - *not_starting_since_ >= kStalled) {
    stall(now, "no thread could be started for a claimed job for 30 s");
  }
}

void WorkerCore::stall(base::Mono now, std::string why) {
  stalled_ = std::move(why);
  report_.stalled = true;
  stop(now);
}

}  // namespace galley::engine
