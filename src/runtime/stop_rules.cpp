#include "runtime/stop_rules.hpp"

#include <algorithm>

namespace galley::runtime {

using Kind = StopAction::Kind;

std::vector<StopAction> StopRules::stop(int parts, base::Mono now) {
  Actions actions;
  if (stage_ == Stage::Running) {
    parts_.resize(static_cast<std::size_t>(parts));
    stage_ = Stage::NotReady;
    since_ = now;
    if (not_ready_ <= Duration{0}) begin_draining(actions, now);
    return actions;
  }
  if (stage_ == Stage::Ended) return actions;
  ++hurried_;
  if (stage_ == Stage::Cancelling) {
    end(actions);
    return actions;
  }
  if (stage_ == Stage::NotReady) begin_draining(actions, now);
  if (stage_ == Stage::Draining) begin_cancelling(actions, now);
  return actions;
}

std::vector<StopAction> StopRules::drained(int part) {
  Actions actions;
  auto& of = parts_[static_cast<std::size_t>(part)];
  if (of.drained || stage_ == Stage::Ended) return actions;
  of.drained = true;
  if (stage_ == Stage::Draining) drain_next(actions);
  if (stage_ == Stage::Cancelling && all_drained()) end(actions);
  return actions;
}

std::vector<StopAction> StopRules::tick(base::Mono now) {
  Actions actions;
  const auto due = deadline();
  if (!due || now < *due) return actions;
  switch (stage_) {
    case Stage::NotReady: begin_draining(actions, now); break;
    case Stage::Draining: begin_cancelling(actions, now); break;
    case Stage::Cancelling: end(actions); break;
    case Stage::Running:
    case Stage::Ended: break;
  }
  return actions;
}

std::optional<base::Mono> StopRules::deadline() const noexcept {
  switch (stage_) {
    case Stage::NotReady: return since_ + not_ready_;
    case Stage::Draining: return since_ + drain_limit_;
    case Stage::Cancelling: return since_ + cancel_limit_;
    case Stage::Running:
    case Stage::Ended: return std::nullopt;
  }
  return std::nullopt;
}

void StopRules::begin_draining(Actions& actions, base::Mono now) {
  stage_ = Stage::Draining;
  since_ = now;
  for (int part = static_cast<int>(parts_.size()) - 1; part >= 0; --part) {
    actions.push_back({Kind::StopAccepting, part});
  }
  drain_next(actions);
}

/// The last part that is not drained, unless it is on its way.
void StopRules::drain_next(Actions& actions) {
  for (int part = static_cast<int>(parts_.size()) - 1; part >= 0; --part) {
    auto& of = parts_[static_cast<std::size_t>(part)];
    if (of.drained) continue;
    if (!of.draining) actions.push_back({Kind::Drain, part});
    of.draining = true;
    return;
  }
  end(actions);
}

void StopRules::begin_cancelling(Actions& actions, base::Mono now) {
  stage_ = Stage::Cancelling;
  since_ = now;
  for (int part = static_cast<int>(parts_.size()) - 1; part >= 0; --part) {
    auto& of = parts_[static_cast<std::size_t>(part)];
    if (of.drained) continue;
    if (!of.draining) actions.push_back({Kind::Drain, part});
    of.draining = true;
    of.cancelled = true;
    actions.push_back({Kind::Cancel, part});
  }
  if (all_drained()) end(actions);
}

void StopRules::end(Actions& actions) {
  stage_ = Stage::Ended;
  for (int part = static_cast<int>(parts_.size()) - 1; part >= 0; --part) actions.push_back({Kind::Close, part});
  actions.push_back({Kind::End, -1});
}

bool StopRules::all_drained() const noexcept {
  return std::all_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.drained; });
}

}  // namespace galley::runtime
