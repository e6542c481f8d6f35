// Which slot runs what was claimed, and when: the part of WorkerCore that knows of claims ahead.

#include <algorithm>
#include <utility>

#include "engine/worker_core.hpp"

namespace galley::engine {

std::span<const store::ClaimRequest> WorkerCore::ask(base::Mono now, bool everyone, bool nothing) {
  const std::vector<std::string> brief = ahead_.brief_kinds();
  std::vector<SlotPools::Beyond> beyond(pools_.count());
  for (std::size_t pool = 0; !brief.empty() && pool < beyond.size(); ++pool) {
    beyond[pool].limit = ahead_.bound(pool, now, pools_.slots_of(pool));
  }
  const auto requests = pools_.requests(now, everyone, nothing, beyond, brief);
  for (std::size_t pool = 0; pool < beyond.size(); ++pool) {
    if (beyond[pool].offered) ahead_.offered(pool, now);
  }
  return requests;
}

/// A claim that has come: for a slot of its own, or, where its kind is brief, for whatever slot is next.
void WorkerCore::meet(std::size_t request, AheadClaim claim, std::vector<Start>& starts) {
  const std::size_t pool = pools_.pool_of_request(request);
  if (phase_ != Phase::Working) {  // it was told to stop while the claim was on its way
    give_back(claim);
  } else if (pools_.is_beyond(request) || ahead_.brief(claim.claim)) {
    ahead_.add(pool, std::move(claim));
    pools_.set_ahead(pool, ahead_.size(pool));
  } else {
    const base::Mono now = claim.came;
    if (auto start = begin(pools_.take(pool), std::move(claim), now)) starts.push_back(*std::move(start));
  }
}

/// The slot has been taken for it.
std::optional<Start> WorkerCore::begin(SlotId slot, AheadClaim claim, base::Mono now) {
  if (is_late(claim.sent, now)) {
    give_back(claim);
    pools_.give_back(slot);
    return std::nullopt;
  }
  if (ahead_.brief(claim.claim)) ahead_.eats(pools_.pool_of(slot), slot);
  Start start{slot, std::move(claim.claim), {}};
  if (start.claim.deadline) *start.claim.deadline -= now - claim.came;
  start.deadline = running_.add(slot, start.claim, claim.sent, now);
  pools_.started(slot, start.claim, now);
  return start;
}

/// So long on its way that its attempt would have to stop at once, if the job does not run elsewhere already.
bool WorkerCore::is_late(base::Mono sent, base::Mono now) const noexcept {
  return now >= sent + options_.lease - options_.lease / 5;
}

std::optional<Start> WorkerCore::next(SlotId slot, base::Mono now) {
  const std::size_t pool = pools_.pool_of(slot);
  while (ahead_.size(pool) > 0) {
    pools_.take_this(slot);
    auto start = begin(slot, ahead_.take(pool, now), now);
    pools_.set_ahead(pool, ahead_.size(pool));
    if (start) return start;
  }
  return std::nullopt;
}

/// Puts idle slots to what waits: as many as have work for a while. Where no slot can come soon, it is given back.
void WorkerCore::feed(std::size_t pool, base::Mono now, std::vector<Start>& starts) {
  while (ahead_.wanted(pool) > 0 && pools_.idle(pool) > 0) {
    if (auto start = begin(pools_.take(pool), ahead_.take(pool, now), now)) starts.push_back(*std::move(start));
  }
  if (ahead_.size(pool) > 0 && !ahead_.anybody_eats(pool) && pools_.idle(pool) == 0) {
    for (const AheadClaim& claim : ahead_.take_all(pool)) give_back(claim);
    ahead_.hold(pool, now);
  }
  pools_.set_ahead(pool, ahead_.size(pool));
}

std::vector<Start> WorkerCore::overtake(base::Mono now) {
  std::vector<Start> starts;
  if (ahead_.empty()) return starts;
  for (std::size_t pool = 0; pool < pools_.count(); ++pool) {
    const bool idle = pools_.idle(pool) > 0;
    if (now < ahead_.next_look(pool, idle)) continue;
    if (idle && ahead_.stuck(pool, now)) ahead_.all_busy(pool);
    for (const AheadClaim& claim : ahead_.take_late(pool, now)) {
      give_back(claim);
      ahead_.hold(pool, now);
    }
    feed(pool, now, starts);
  }
  return starts;
}

void WorkerCore::give_back(const AheadClaim& claim) {
  put_finish(release_of(claim.claim.id), {claim.claim.queue, claim.claim.kind, {}, claim.sent + options_.lease});
}

void WorkerCore::give_all_back() {
  for (std::size_t pool = 0; !ahead_.empty(); ++pool) {
    for (const AheadClaim& claim : ahead_.take_all(pool)) give_back(claim);
    pools_.set_ahead(pool, 0);
  }
}

std::size_t WorkerCore::ahead() const {
  std::size_t claims = 0;
  for (std::size_t pool = 0; pool < pools_.count(); ++pool) claims += ahead_.size(pool);
  return claims;
}

std::optional<base::Mono> WorkerCore::ahead_since() const {
  std::optional<base::Mono> first;
  for (std::size_t pool = 0; pool < pools_.count(); ++pool) {
    const auto since = ahead_.since(pool);
    if (since && (!first || *since < *first)) first = since;
  }
  return first;
}

/// The attempt is out of its slot, which is free. Nothing: it was abandoned.
std::optional<Running> WorkerCore::leave(SlotId slot) {
  auto attempt = running_.remove(slot);
  if (!attempt) return attempt;
  ahead_.ended(pools_.pool_of(slot), slot);
  pools_.give_back(slot);
  return attempt;
}

}  // namespace galley::engine
