#pragma once
// The store's side of the conversation with a WorkerCore, and the time, for tests without threads.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/worker_core.hpp"

namespace galley::engine {

using namespace std::chrono_literals;
using base::Mono;

inline job::Claim claim_of(JobId id, Duration timeout = 0s, job::Content content = job::Content::Bytes) {
  job::Claim claim;
  claim.id = {id, 1};
  claim.queue = "a";
  claim.kind = "k";
  claim.content = content;
  claim.policy.timeout = timeout;
  claim.policy.grace = 5s;
  return claim;
}

inline AttemptEnd done() {
  AttemptEnd end;
  end.outcome = Outcome::done();
  return end;
}

inline AttemptEnd stopped_early() {
  AttemptEnd end;
  end.saw_stop = true;
  return end;
}

inline CoreOptions options(int slots = 2) {
  CoreOptions options;
  options.pools = {{"a", slots, {{"a", 0}}}};
  options.can.kinds = {"k"};
  options.can.any_command = true;
  options.lease = 30s;
  options.shutdown_grace = 25s;
  return options;
}

class Bench {
 public:
  explicit Bench(CoreOptions wanted = options()) : core(std::move(wanted), now) {
    EXPECT_TRUE(std::holds_alternative<Step>(core.plan(now)));
    step();
  }

  void step() {
    store::StepAnswer answer;
    answer.next = 1h;
    core.on_stepped(now, answer);
  }

  /// The next plan that is not housekeeping.
  Plan plan() {
    Plan next = core.plan(now);
    while (std::holds_alternative<Step>(next)) {
      step();
      next = core.plan(now);
    }
    return next;
  }

  template <class T>
  T expect() {
    Plan next = plan();
    if (!std::holds_alternative<T>(next)) throw std::logic_error("not plan " + std::to_string(next.index()));
    return std::get<T>(std::move(next));
  }

  /// Answers an exchange: every finish with `finished`, the first pool's request with `claims`.
  std::vector<Start> answer(const Exchange& exchange, std::vector<job::Claim> claims = {},
                            store::FinishAnswer finished = store::FinishAnswer::Finished,
                            std::optional<Duration> next_due = {}) {
    store::FinishAndClaimAnswer answer;
    answer.finished.assign(exchange.finishes.size(), finished);
    answer.claimed.resize(exchange.requests.size());
    answer.signals = signals;
    if (!answer.claimed.empty()) {
      answer.claimed.front().claims = std::move(claims);
      answer.claimed.front().next_due = next_due;
    }
    return core.on_exchanged(now, now, std::move(answer));
  }

  std::vector<Start> claim(std::vector<job::Claim> claims) { return answer(expect<Exchange>(), std::move(claims)); }

  void renew(const Renew& renew, store::Renewed with = {true, false, false}) {
    const std::vector<store::Renewed> answers(renew.claims.size(), with);
    core.on_renewed(now, now, answers);
  }

  /// Answers everything that comes until the worker waits or ends. No job is there.
  Plan run_dry() {
    while (true) {
      Plan next = plan();
      if (auto* exchange = std::get_if<Exchange>(&next)) {
        static_cast<void>(answer(*exchange));
      } else if (auto* renewal = std::get_if<Renew>(&next)) {
        renew(*renewal);
      } else if (std::holds_alternative<Look>(next)) {
        core.on_looked(now, {});
      } else {
        return next;
      }
    }
  }

  Mono now{1h};
  std::uint64_t signals = 0;
  WorkerCore core;
};

inline const Error kUnavailable{Errc::Unavailable, "busy", Written::Nothing};

}  // namespace galley::engine
