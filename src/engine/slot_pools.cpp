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

/// Where time alone may make room: until what runs has shown that it is long.
constexpr Duration kLookAgain = std::chrono::milliseconds(50);

void add_once(std::vector<std::string>& all, const std::vector<std::string>& more) {
  for (const std::string& name : more) {
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  }
}

}  // namespace

SlotPools::SlotPools(const std::vector<job::PoolSpec>& specs, const Capability& can, Duration lease,
                     job::Reserve reserve)
    : rooms_(reserve, specs, can) {
  SlotId slots = 0;
  for (const job::PoolSpec& spec : specs) {
    Pool pool{spec.name, job::QueueOrder(spec.queues), {}, {}};
    const int most = rooms_.most(pools_.size());
    for (const job::PoolQueue& queue : spec.queues) pool.queues.push_back(queue.name);
    for (int i = most; i > 0; --i) pool.free.push_back(slots + i - 1);  // so that the first one goes out first
    pool.slots = static_cast<std::size_t>(spec.slots);
    pool.most = static_cast<std::size_t>(most);
    pool_of_.insert(pool_of_.end(), pool.most, pools_.size());
    slots += most;
    pools_.push_back(std::move(pool));
    requests_.push_back(request_of(spec, can, lease));
    requests_.back().queues = pools_.back().queues;
  }
  whole_ = requests_;
  cut_.resize(pools_.size());
}

void SlotPools::set_worker(store::WorkerId worker) {
  for (store::ClaimRequest& request : requests_) request.worker = worker;
}

std::size_t SlotPools::usable(std::size_t at) const {
  const Pool& pool = pools_[at];
  return std::min(pool.free.size(), left(static_cast<std::size_t>(rooms_.usable(at)), pool.taken()));
}

/// A job of any kind could start there.
bool SlotPools::open(std::size_t at) const {
  return static_cast<std::size_t>(std::max(0, rooms_.open(at))) > pools_[at].taken();
}

int SlotPools::free() const {
  std::size_t all = 0;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    all += left(static_cast<std::size_t>(std::max(0, rooms_.open(i))), pools_[i].taken());
  }
  return static_cast<int>(all);
}

bool SlotPools::looks(std::size_t at, base::Mono now) const {
  const Pool& pool = pools_[at];
  return now >= held_until_ && (pool.look || now >= pool.look_at) && room(at) > 0;
}

bool SlotPools::wants_claim(base::Mono now) const {
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (looks(i, now)) return true;
  }
  return false;
}

void SlotPools::consider(base::Mono now) {
  rooms_.consider(now);
  consider_at_ = kNever;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (rooms_.unsettled(i)) consider_at_ = now + kLookAgain;
  }
}

bool SlotPools::any_room() const {
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (room(i) > 0) return true;
  }
  return false;
}

base::Mono SlotPools::next_look() const {
  base::Mono next = consider_at_;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const Pool& pool = pools_[i];
    if (room(i) > 0) next = std::min(next, pool.look ? held_until_ : std::max(pool.look_at, held_until_));
  }
  return next;
}

bool SlotPools::dry() const {
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (pools_[i].look && open(i)) return false;
  }
  return true;
}

std::vector<std::string> SlotPools::dry_queues() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (!pools_[i].look && open(i)) add_once(all, pools_[i].queues);
  }
  return all;
}

std::vector<std::string> SlotPools::queues() const {
  std::vector<std::string> all;
  for (const Pool& pool : pools_) add_once(all, pool.queues);
  return all;
}

std::span<const store::ClaimRequest> SlotPools::requests(base::Mono now, bool everyone, bool nothing,
                                                         std::span<Beyond> beyond,
                                                         const std::vector<std::string>& brief) {
  requests_.resize(pools_.size());
  more_.clear();
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    Pool& pool = pools_[i];
    const bool may = !nothing && now >= held_until_;
    pool.promised = 0;
    requests_[i].limit = 0;
    const bool asks = may && (everyone ? room(i) > 0 : looks(i, now));
    // Only where there is more than the free slots could take, or a claim that comes to nothing would cost twice.
    const bool asks_more = may && pool.full && !beyond.empty() && beyond[i].limit > pool.ahead &&
                           pools_.size() + more_.size() + 2 < limits::kMaxPools;
    if (!asks && !asks_more) continue;
    const std::vector<std::string>& queues = pool.order.next();
    requests_[i].queues = queues;
    const bool asked = asks && ask(i, now);
    if (asked && !beyond.empty()) beyond[i].offered = true;
    if (asks_more) ask_beyond(i, beyond[i].limit - pool.ahead, brief);
    // What rings from here on may come too late for this claim, so the mark goes before the answer comes.
    pool.look = false;
    pool.full = false;
    if (asked || asks_more) continue;
    pool.look_at = now + limits::kSafetyLook;
  }
  return requests_;
}

/// For the pool's free slots. False: there is no room for anything.
bool SlotPools::ask(std::size_t at, base::Mono now) {
  Pool& pool = pools_[at];
  std::vector<Wish> wishes = rooms_.wishes(at, pool.ahead, now);
  std::size_t left = std::min(room(at), limits::kMaxClaimBatch);
  for (Wish& wish : wishes) {
    wish.limit = static_cast<int>(std::min(left, static_cast<std::size_t>(wish.limit)));
    left -= static_cast<std::size_t>(wish.limit);
  }
  std::erase_if(wishes, [](const Wish& wish) { return wish.limit == 0; });
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    Wish& wish = wishes[i];
    pool.promised += static_cast<std::size_t>(wish.limit);
    if (i > 0) {
      store::ClaimRequest more = requests_[at];
      fill(more, wish);
      requests_.push_back(std::move(more));
      more_.push_back({at, false});
      continue;
    }
    if (wish.all && cut_[at]) {
      requests_[at].kinds = whole_[at].kinds;
      requests_[at].commands = whole_[at].commands;
    }
    cut_[at] = !wish.all;
    fill(requests_[at], wish);
  }
  return !wishes.empty();
}

void SlotPools::fill(store::ClaimRequest& request, Wish& wish) {
  request.limit = wish.limit;
  if (wish.all) return;
  request.kinds = std::move(wish.kinds);
  request.commands = std::move(wish.commands);
}

void SlotPools::ask_beyond(std::size_t at, std::size_t limit, const std::vector<std::string>& brief) {
  store::ClaimRequest more;
  more.worker = requests_[at].worker;
  more.lease = requests_[at].lease;
  more.queues = requests_[at].queues;
  more.limit = static_cast<int>(std::min(limit, limits::kMaxClaimBatch));
  for (const std::string& kind : brief) more.kinds.push_back({kind, more.limit});
  requests_.push_back(std::move(more));
  more_.push_back({at, true});
}

void SlotPools::answered(base::Mono now, const std::vector<store::Claimed>& answers) {
  GALLEY_ASSERT(answers.size() == requests_.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (requests_[i].limit > 0) pools_[pool_of_request(i)].look_at = now + limits::kSafetyLook;
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    Pool& pool = pools_[pool_of_request(i)];
    const auto asked = static_cast<std::size_t>(requests_[i].limit);
    const std::size_t came = answers[i].claims.size();
    GALLEY_ASSERT(came <= asked);
    if (asked == 0) continue;
    if (came == asked) pool.look = pool.full = true;  // there may be more
    if (answers[i].next_due) pool.look_at = std::min(pool.look_at, now + *answers[i].next_due);
  }
  failed();
}

void SlotPools::failed() noexcept {
  for (Pool& pool : pools_) pool.promised = 0;
}

std::size_t SlotPools::pool_of_request(std::size_t i) const {
  return i < pools_.size() ? i : more_[i - pools_.size()].pool;
}

SlotId SlotPools::take(std::size_t at) {
  Pool& pool = pools_[at];
  GALLEY_ASSERT(!pool.free.empty());
  const SlotId slot = pool.free.back();
  pool.free.pop_back();
  return slot;
}

void SlotPools::take_this(SlotId slot) {
  std::vector<SlotId>& free = pools_[pool_of(slot)].free;
  const auto at = std::find(free.rbegin(), free.rend(), slot);  // mostly the last one: it has just been given back
  GALLEY_ASSERT(at != free.rend());
  free.erase(std::next(at).base());
}

void SlotPools::give_back(SlotId slot) {
  rooms_.left(pool_of(slot), slot);
  pools_[pool_of(slot)].free.push_back(slot);
}

void SlotPools::ring() noexcept {
  for (Pool& pool : pools_) pool.look = true;
}

}  // namespace galley::engine
