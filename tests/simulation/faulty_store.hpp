#pragma once
// The way between a worker and its store: requests and replies get lost, come late, or are made twice.

#include <string_view>

#include "engine/forwarding_store.hpp"

namespace galley::simulation {

/// What becomes of one call.
struct Journey {
  Duration before{0};    ///< until it is executed, or given up
  bool arrives = true;   ///< it is executed
  bool twice = false;    ///< the second answer counts
  Duration after{0};     ///< until the answer is there
  bool answered = true;  ///< else the caller hears that the store is unavailable
  bool dies = false;     ///< the caller, before it hears anything
};

class Road {
 public:
  virtual ~Road() = default;
  /// Of the call that is about to be made.
  [[nodiscard]] virtual Journey journey(std::string_view verb) = 0;
  /// The others move on while this caller waits. Does not return where the caller dies meanwhile.
  virtual void pass(Duration time) = 0;
  /// The caller is told that it has lost this claim. False: it does not hear it.
  [[nodiscard]] virtual bool loses(const job::ClaimId& claim) = 0;
  /// The caller ends this claim.
  virtual void ends(const job::ClaimId& claim) = 0;
  /// The caller dies: does not return.
  [[noreturn]] virtual void die() = 0;
};

class FaultyStore final : public engine::ForwardingStore {
 public:
  FaultyStore(std::unique_ptr<store::Store> inner, Road& road) : ForwardingStore(std::move(inner)), road_(road) {}

  Result<std::vector<store::Enqueued>> enqueue(std::span<const job::NewJob> jobs) override {
    return travel("enqueue", [&] { return ForwardingStore::enqueue(jobs); });
  }
  Result<store::WorkerId> join(const store::WorkerCard& card) override {
    return travel("join", [&] { return ForwardingStore::join(card); });
  }
  Result<void> leave(store::WorkerId worker) override {
    return travel("leave", [&] { return ForwardingStore::leave(worker); });
  }
  Result<store::FinishAndClaimAnswer> finish_and_claim(std::span<const store::Finish> finishes,
                                                       std::span<const store::ClaimRequest> requests) override {
    for (const store::Finish& finish : finishes) road_.ends(finish.claim);
    return travel("exchange", [&] { return ForwardingStore::finish_and_claim(finishes, requests); });
  }
  Result<std::vector<store::Renewed>> renew(std::span<const store::Renewal> renewals, Duration lease) override {
    auto answer = travel("renew", [&] { return ForwardingStore::renew(renewals, lease); });
    for (std::size_t i = 0; answer && i < answer->size(); ++i) {
      if (!(*answer)[i].held) (*answer)[i].held = !road_.loses(renewals[i].claim);
    }
    return answer;
  }
  Result<store::StepAnswer> step(std::size_t limit) override {
    return travel("step", [&] { return ForwardingStore::step(limit); });
  }
  Result<std::vector<store::LaneStats>> lanes() override {
    return travel("look", [&] { return ForwardingStore::lanes(); });
  }
  Result<std::vector<store::QueueStats>> queues() override {
    return travel("look", [&] { return ForwardingStore::queues(); });
  }
  Result<store::Page> list(const store::Filter& filter, const std::string& cursor, std::size_t limit) override {
    return travel("look", [&] { return ForwardingStore::list(filter, cursor, limit); });
  }
  Result<void> report(std::span<const store::Measured> measured) override {
    return travel("report", [&] { return ForwardingStore::report(measured); });
  }
  Result<BatchId> open_batch(const std::string& name, const std::string& token) override {
    return travel("open batch", [&] { return ForwardingStore::open_batch(name, token); });
  }
  Result<void> seal_batch(BatchId batch) override {
    return travel("seal batch", [&] { return ForwardingStore::seal_batch(batch); });
  }

 private:
  template <class Call>
  auto travel(std::string_view verb, const Call& call) -> decltype(call()) {
    const Journey journey = road_.journey(verb);
    road_.pass(journey.before);
    if (journey.dies && !journey.arrives) road_.die();
    if (!journey.arrives) return Error{Errc::Unavailable, "lost on its way", Written::Unknown};
    auto answer = call();
    if (journey.twice) answer = call();
    road_.pass(journey.after);
    if (journey.dies) road_.die();
    if (!journey.answered) return Error{Errc::Unavailable, "its answer was lost", Written::Unknown};
    return answer;
  }

  Road& road_;
};

}  // namespace galley::simulation
