#include "engine/running.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace galley::engine {

namespace {
constexpr Duration kAbandonGrace = std::chrono::seconds(5);
constexpr Duration kKillGrace = std::chrono::seconds(5);
}  // namespace

std::optional<base::Mono> RunningSet::add(SlotId slot, const job::Claim& claim, base::Mono sent, base::Mono now) {
  Running attempt;
  attempt.rules = {claim.id, claim.policy, claim.counters};
  attempt.queue = claim.queue;
  attempt.kind = claim.kind;
  attempt.command = claim.content == job::Content::Command;
  attempt.held_until = sent + lease_;
  Duration& timeout = attempt.rules.policy.timeout;
  if (const auto usual = timeouts_.find(claim.kind); timeout == Duration{0} && usual != timeouts_.end()) {
    timeout = usual->second;
  }
  if (timeout > Duration{0}) attempt.stop_at = now + timeout;
  if (claim.deadline && now + *claim.deadline <= attempt.stop_at) {
    attempt.stop_at = now + *claim.deadline;
    attempt.stop_for = StopReason::Deadline;
  }
  const auto [at, added] = running_.emplace(slot, std::move(attempt));
  GALLEY_ASSERT(added);
  bound_ = std::min(bound_, next_of(at->second));
  if (at->second.stop_at == kNever) return std::nullopt;
  return at->second.stop_at;
}

std::optional<Running> RunningSet::remove(SlotId slot) {
  const auto at = running_.find(slot);
  if (at == running_.end()) return std::nullopt;
  Running ended = std::move(at->second);
  running_.erase(at);
  if (ended.stuck) --stuck_;
  std::erase_if(actions_, [slot](const Action& action) { return action.slot == slot; });
  if (running_.empty()) bound_ = kNever;
  return ended;
}

bool RunningSet::holds(SlotId slot, const job::ClaimId& claim) const noexcept {
  const auto at = running_.find(slot);
  return at != running_.end() && at->second.rules.id == claim;
}

void RunningSet::renewed(SlotId slot, const job::ClaimId& claim, const store::Renewed& answer, base::Mono sent,
                         base::Mono now) {
  if (!holds(slot, claim)) return;
  Running& attempt = running_.at(slot);
  if (!answer.held) {
    stop(slot, attempt, StopReason::Lost, now);
    return;
  }
  attempt.held_until = sent + lease_;
  if (answer.cancel_requested) stop(slot, attempt, StopReason::Cancelled, now);
}

void RunningSet::stop_all(base::Mono now) {
  for (auto& [slot, attempt] : running_) {
    stop(slot, attempt, StopReason::Shutdown, now);
    const Duration grace = attempt.rules.policy.grace;
    attempt.abandon_at = now + (attempt.command ? grace + kAbandonGrace : std::min(grace, kAbandonGrace));
  }
}

void RunningSet::hurry(base::Mono now) {
  for (auto& [slot, attempt] : running_) {
    if (attempt.command) kill(slot, attempt);
    attempt.abandon_at = std::min(attempt.abandon_at, now + (attempt.command ? kAbandonGrace : Duration{0}));
  }
}

base::Mono RunningSet::abandon_at() const noexcept {
  base::Mono last{};
  for (const auto& [slot, attempt] : running_) last = std::max(last, attempt.abandon_at);
  return running_.empty() ? kNever : last;
}

std::vector<Action> RunningSet::due(base::Mono now) {
  if (now >= bound_) {
    bound_ = kNever;
    for (auto& [slot, attempt] : running_) {
      check(slot, attempt, now);
      bound_ = std::min(bound_, next_of(attempt));
    }
  }
  return std::exchange(actions_, {});
}

base::Mono RunningSet::next_deadline() const noexcept { return actions_.empty() ? bound_ : base::Mono{}; }

/// The first reason stays, but a cancel and a lost claim outrank the others: what they decide is final.
void RunningSet::stop(SlotId slot, Running& attempt, StopReason reason, base::Mono now) {
  const StopReason before = attempt.reason;
  const bool outranks = (reason == StopReason::Cancelled && before != StopReason::Lost) || reason == StopReason::Lost;
  if (before == reason || (before != StopReason::None && !outranks)) return;
  attempt.reason = reason;
  if (before == StopReason::None) actions_.push_back({slot, attempt.rules.id, Action::Kind::Stop, reason});
  if (before == StopReason::None) {
    attempt.stuck_at = now + attempt.rules.policy.grace + (attempt.command ? kKillGrace : Duration{0});
    bound_ = std::min(bound_, next_of(attempt));
  }
  if (!attempt.command) return;
  if (reason == StopReason::Lost) {
    kill(slot, attempt);
  } else {
    attempt.kill_at = std::min(attempt.kill_at, now + attempt.rules.policy.grace);
    bound_ = std::min(bound_, next_of(attempt));
  }
}

void RunningSet::kill(SlotId slot, Running& attempt) {
  if (attempt.killed) return;
  attempt.killed = true;
  actions_.push_back({slot, attempt.rules.id, Action::Kind::Kill, attempt.reason});
}

void RunningSet::check(SlotId slot, Running& attempt, base::Mono now) {
  if (now >= attempt.stop_at && attempt.reason == StopReason::None) stop(slot, attempt, attempt.stop_for, now);
  if (now >= attempt.held_until - lease_ / 5) stop(slot, attempt, StopReason::LeaseEnding, now);
  if (attempt.command && (now >= attempt.kill_at || now >= attempt.held_until - lease_ / 20)) kill(slot, attempt);
  if (now < attempt.stuck_at) return;
  attempt.stuck_at = kNever;
  attempt.stuck = true;
  ++stuck_;
  actions_.push_back({slot, attempt.rules.id, Action::Kind::Stuck, attempt.reason});
}

base::Mono RunningSet::next_of(const Running& attempt) const noexcept {
  base::Mono next = attempt.stuck_at;
  if (attempt.reason == StopReason::None) next = std::min(attempt.stop_at, attempt.held_until - lease_ / 5);
  if (attempt.command && !attempt.killed) {
    next = std::min({next, attempt.kill_at, attempt.held_until - lease_ / 20});
  }
  return next;
}

}  // namespace galley::engine
