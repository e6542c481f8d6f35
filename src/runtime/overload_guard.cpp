// The lock round the rules.

#include "galley/runtime/overload_guard.hpp"

#include <atomic>
#include <mutex>

#include "runtime/overload_rules.hpp"

namespace galley {

std::string_view name(RequestClass request_class) noexcept {
  switch (request_class) {
    case RequestClass::Low: return "low";
    case RequestClass::Normal: return "normal";
    case RequestClass::High: return "high";
    case RequestClass::System: return "system";
  }
  return "unknown";
}

std::string_view name(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::Overload: return "overload";
    case Refusal::Waited: return "waited";
    case Refusal::Deadline: return "deadline";
  }
  return "unknown";
}

std::string_view name(OverloadState state) noexcept {
  switch (state) {
    case OverloadState::Normal: return "normal";
    case OverloadState::Busy: return "busy";
  }
  return "unknown";
}

std::int64_t OverloadStatus::refused_by(Refusal reason) const noexcept {
  std::int64_t sum = 0;
  for (const auto& of_class : refused) sum += of_class[static_cast<std::size_t>(reason)];
  return sum;
}

class OverloadGuard::Impl {
 public:
  explicit Impl(const OverloadOptions& options) : rules_(options) {}

  template <class F>
  auto with(F f) {
    const std::lock_guard hold(mutex_);
    auto answer = f(rules_);
    busy_.store(rules_.busy(), std::memory_order_relaxed);
    return answer;
  }
  [[nodiscard]] bool busy() const noexcept { return busy_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  runtime::OverloadRules rules_;
  std::atomic<bool> busy_{false};
};

OverloadGuard::OverloadGuard(const OverloadOptions& options) {
  if (const auto valid = runtime::validate(options); !valid) throw Exception(valid.error());
  impl_ = std::make_unique<Impl>(options);
}

OverloadGuard::~OverloadGuard() = default;

AcceptAnswer OverloadGuard::accept(std::chrono::nanoseconds now) {
  return impl_->with([&](runtime::OverloadRules& rules) { return rules.accept(now); });
}

Verdict OverloadGuard::admit(const Arrival& arrival, std::chrono::nanoseconds now) {
  return impl_->with([&](runtime::OverloadRules& rules) { return rules.admit(arrival, now); });
}

Verdict OverloadGuard::start(const Arrival& arrival, std::chrono::nanoseconds now) {
  return impl_->with([&](runtime::OverloadRules& rules) { return rules.start(arrival, now); });
}

Verdict OverloadGuard::take(const Arrival& arrival, std::chrono::nanoseconds now) {
  return impl_->with([&](runtime::OverloadRules& rules) { return rules.take(arrival, now); });
}

void OverloadGuard::abandon() {
  impl_->with([](runtime::OverloadRules& rules) { return rules.abandon(), 0; });
}

void OverloadGuard::finished(std::chrono::nanoseconds service) {
  impl_->with([&](runtime::OverloadRules& rules) { return rules.finished(service), 0; });
}

void OverloadGuard::spent_refusing(std::chrono::nanoseconds cost, std::chrono::nanoseconds now) {
  impl_->with([&](runtime::OverloadRules& rules) { return rules.spent_refusing(cost, now), 0; });
}

OverloadStatus OverloadGuard::status(std::chrono::nanoseconds now) const {
  return impl_->with([&](runtime::OverloadRules& rules) { return rules.status(now); });
}

bool OverloadGuard::busy() const noexcept { return impl_->busy(); }

}  // namespace galley
