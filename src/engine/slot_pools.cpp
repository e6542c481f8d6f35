#include "engine/slot_pools.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace galley::engine {

namespace {

store::ClaimRequest request_of(const job::PoolSpec& spec, const Capability& can, Duration lease) {
  store::ClaimRequest request;
  for (const std::string& kind : can.kinds) request.kinds.push_back({kind, spec.slots});
  if (can.any_command || !can.programs.empty()) request.commands = {spec.slots, can.any_command, can.programs};
  request.lease = lease;
  return request;
}

void add_once(std::vector<std::string>& all, const std::vector<std::string>& more) {
  for (const std::string& name : more) {
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  }
}

}  // namespace

SlotPools::SlotPools(const std::vector<job::PoolSpec>& specs, const Capability& can, Duration lease) {
  for (const job::PoolSpec& spec : specs) {
    Pool pool{job::QueueOrder(spec.queues), {}, {}};
    for (const job::PoolQueue& queue : spec.queues) pool.queues.push_back(queue.name);
    for (int i = spec.slots; i > 0; --i) pool.free.push_back(slots_ + i - 1);  // so that the first one goes out first
    pool_of_.insert(pool_of_.end(), static_cast<std::size_t>(spec.slots), pools_.size());
    slots_ += spec.slots;
    pools_.push_back(std::move(pool));
    requests_.push_back(request_of(spec, can, lease));
    requests_.back().queues = pools_.back().queues;
  }
  free_ = slots_;
}

void SlotPools::set_worker(store::WorkerId worker) {
  for (store::ClaimRequest& request : requests_) request.worker = worker;
}

bool SlotPools::looks(const Pool& pool, base::Mono now) const noexcept {
  return !pool.free.empty() && now >= held_until_ && (pool.look || now >= pool.look_at);
}

bool SlotPools::wants_claim(base::Mono now) const noexcept {
  return std::any_of(pools_.begin(), pools_.end(), [&](const Pool& pool) { return looks(pool, now); });
}

base::Mono SlotPools::next_look() const noexcept {
  base::Mono next = kNever;
  for (const Pool& pool : pools_) {
    if (!pool.free.empty()) next = std::min(next, pool.look ? held_until_ : std::max(pool.look_at, held_until_));
  }
  return next;
}

bool SlotPools::dry() const noexcept {
  return std::none_of(pools_.begin(), pools_.end(), [](const Pool& pool) { return !pool.free.empty() && pool.look; });
}

std::vector<std::string> SlotPools::dry_queues() const {
  std::vector<std::string> all;
  for (const Pool& pool : pools_) {
    if (!pool.free.empty() && !pool.look) add_once(all, pool.queues);
  }
  return all;
}

std::vector<std::string> SlotPools::queues() const {
  std::vector<std::string> all;
  for (const Pool& pool : pools_) add_once(all, pool.queues);
  return all;
}

std::span<const store::ClaimRequest> SlotPools::requests(base::Mono now, bool everyone, bool nothing) {
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    Pool& pool = pools_[i];
    store::ClaimRequest& request = requests_[i];
    const bool asks = !nothing && (everyone ? !pool.free.empty() && now >= held_until_ : looks(pool, now));
    request.limit = asks ? static_cast<int>(std::min(pool.free.size(), limits::kMaxClaimBatch)) : 0;
    if (!asks) continue;
    request.queues = pool.order.next();
    // What rings from here on may come too late for this claim, so the mark goes before the answer comes.
    pool.look = false;
  }
  return requests_;
}

std::vector<std::vector<SlotId>> SlotPools::take(base::Mono now, const std::vector<store::Claimed>& answers) {
  GALLEY_ASSERT(answers.size() == requests_.size());
  std::vector<std::vector<SlotId>> taken(pools_.size());
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    Pool& pool = pools_[i];
    const std::size_t asked = static_cast<std::size_t>(requests_[i].limit);
    const std::size_t came = answers[i].claims.size();
    GALLEY_ASSERT(came <= asked && came <= pool.free.size());
    for (std::size_t k = 0; k < came; ++k) {
      taken[i].push_back(pool.free.back());
      pool.free.pop_back();
    }
    free_ -= static_cast<int>(came);
    if (asked == 0) continue;
    if (came == asked) pool.look = true;  // there may be more
    pool.look_at = now + limits::kSafetyLook;
    if (answers[i].next_due) pool.look_at = std::min(pool.look_at, now + *answers[i].next_due);
  }
  return taken;
}

void SlotPools::give_back(SlotId slot) {
  pools_[pool_of_[static_cast<std::size_t>(slot)]].free.push_back(slot);
  ++free_;
}

void SlotPools::ring() noexcept {
  for (Pool& pool : pools_) pool.look = true;
}

}  // namespace galley::engine
