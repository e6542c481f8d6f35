#include "galley/testkit.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "base/random.hpp"
#include "engine/attempt.hpp"
#include "engine/ending.hpp"
#include "engine/executor.hpp"
#include "engine/worker.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::testkit {

struct Clock::Impl {
  base::ManualClock clock;
};

Clock::Clock() : impl_(std::make_unique<Impl>()) {}
Clock::~Clock() = default;

Time Clock::wall() const noexcept { return impl_->clock.wall(); }

void Clock::advance(Duration by) noexcept {
  GALLEY_ASSERT(by >= Duration{0});
  impl_->clock.advance(by);
}

struct ClockSeam {
  static const base::Clock& of(const Clock& clock) { return clock.impl_->clock; }
};

StorePtr memory_store(const Clock& clock) { return store::open_memory(ClockSeam::of(clock)); }

struct Drain::Impl {
  Impl(StorePtr from, const base::Clock& time) : store(std::move(from)), clock(time), worker(store) {}

  /// The next claim of any queue; nothing: there is none.
  Result<std::optional<job::Claim>> next(store::WorkerId self) const {
    auto queues = store->queues();
    if (!queues) return queues.error();
    store::ClaimRequest request;
    request.worker = self;
    request.limit = 1;
    for (const auto& [kind, handler] : WorkerSeam::handlers(worker)) request.kinds.push_back({kind, 1});
    for (const auto& [kind, handler] : WorkerSeam::coroutines(worker)) request.kinds.push_back({kind, 1});
    for (std::size_t at = 0; at < queues->size(); at += limits::kMaxClaimQueues) {
      request.queues.clear();
      for (std::size_t i = at; i < std::min(at + limits::kMaxClaimQueues, queues->size()); ++i) {
        request.queues.push_back((*queues)[i].queue);
      }
      auto claimed = store->claim(request);
      if (!claimed) return claimed.error();
      if (!claimed->claims.empty()) return std::optional(std::move(claimed->claims.front()));
    }
    return std::optional<job::Claim>();
  }

  Result<void> run_one(const engine::Executor& executor, job::Claim claim, WorkerReport& report) {
    const engine::ClaimRules rules{claim.id, claim.policy, claim.counters};
    const auto chain = executor.coroutine(claim);
    const auto attempt = std::make_shared<engine::RunningAttempt>(std::move(claim), std::nullopt, clock, [] {});
    engine::AttemptEnd end = chain ? engine::run_here(*chain, attempt, clock) : executor.execute(*attempt);
    const store::Finish finish = engine::finish_of(rules, std::move(end), engine::StopReason::None, random.unit());
    auto finished = store->finish(std::span(&finish, 1));
    if (!finished) return finished.error();
    using enum job::JobEvent;
    report.completed += finish.event == Complete ? 1 : 0;
    report.dead += finish.event == Die ? 1 : 0;
    report.failed += finish.outcome == job::name(job::Ending::Failed) ? 1 : 0;
    return {};
  }

  Result<WorkerReport> run(store::WorkerId self, int most) {
    const auto middleware = store->middleware();
    for (const auto& [kind, handler] : WorkerSeam::coroutines(worker)) {
      if (auto checked = engine::check_middleware(kind, middleware); !checked) return checked.error();
    }
    const engine::Executor executor(WorkerSeam::handlers(worker), {}, clock, middleware, nullptr,
                                    WorkerSeam::coroutines(worker));
    WorkerReport report;
    for (int attempts = 0;; ++attempts) {
      if (auto stepped = store->step(limits::kMaxStep); !stepped) return stepped.error();
      auto claim = next(self);
      if (!claim) return claim.error();
      if (!*claim) return report;
      if (attempts == most) {
        const auto back = engine::release_of((*claim)->id);
        if (auto released = store->finish(std::span(&back, 1)); !released) return released.error();
        return Error{Errc::QueueFull, "after " + std::to_string(most) + " attempts there are still jobs to run"};
      }
      if (auto ran = run_one(executor, **std::move(claim), report); !ran) return ran.error();
    }
  }

  StorePtr store;
  const base::Clock& clock;
  Worker worker;
  base::Random random{1};
};

Drain::Drain(StorePtr store, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(store), ClockSeam::of(clock))) {}
Drain::~Drain() = default;

Worker& Drain::worker() noexcept { return impl_->worker; }

Result<WorkerReport> Drain::run(int most) {
  store::WorkerCard card;
  card.name = "drain";
  card.slots = 1;
  auto self = impl_->store->join(card);
  if (!self) return self.error();
  auto report = impl_->run(*self, most);
  auto left = impl_->store->leave(*self);
  if (report && !left) return left.error();
  return report;
}

}  // namespace galley::testkit
