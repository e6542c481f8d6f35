#include "engine/meter.hpp"

#include "job/settle.hpp"

namespace galley::engine {

namespace {
// A transaction of ~10 us a kind: nothing beside a worker's jobs, and soon enough for a person who looks.
constexpr std::chrono::seconds kMeterPeriod{5};
constexpr std::chrono::seconds kSpareMeterPeriod{1};

bool is_failure(const store::Finish& finish) {
  return finish.outcome == job::name(job::Ending::Failed) || finish.outcome == job::name(job::Ending::TimedOut);
}
}  // namespace

store::Measured* Meter::of(const std::string& queue, const std::string& kind) {
  if (last_ != nullptr && last_->queue == queue && last_->kind == kind) return last_;
  const auto at = measured_.find({queue, kind});
  if (at != measured_.end()) return last_ = &at->second;
  if (measured_.size() >= limits::kMaxClaimKinds) return nullptr;
  store::Measured& added = measured_[{queue, kind}];
  added.queue = queue;
  added.kind = kind;
  return &added;
}

void Meter::started(const job::Claim& claim) {
  if (store::Measured* const measured = of(claim.queue, claim.kind)) measured->wait.add(claim.waited);
}

void Meter::finished(const std::string& queue, const std::string& kind, const store::Finish& finish) {
  if (finish.event == job::JobEvent::Release) return;  // it never ran
  store::Measured* const measured = of(queue, kind);
  if (measured == nullptr) return;
  measured->run.add(finish.report.run_time);
  if (finish.event == job::JobEvent::Complete) ++measured->completed;
  if (is_failure(finish)) ++measured->failed;
}

bool Meter::due(base::Mono now, bool spare) const noexcept {
  return !measured_.empty() && now - told_at_ >= (spare ? kSpareMeterPeriod : kMeterPeriod);
}

std::vector<store::Measured> Meter::take(base::Mono now) {
  std::vector<store::Measured> all;
  all.reserve(measured_.size());
  for (auto& [name, measured] : measured_) all.push_back(std::move(measured));
  measured_.clear();
  last_ = nullptr;
  told_at_ = now;
  return all;
}

}  // namespace galley::engine
