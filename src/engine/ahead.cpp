#include "engine/ahead.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/assert.hpp"

namespace galley::engine {

namespace {

constexpr Duration kBrief = std::chrono::milliseconds(1);
constexpr Duration kLong = std::chrono::milliseconds(10);  // one such run, and its kind is not brief
constexpr double kWeight = 1.0 / 128;                      // of one run: a second long one within a hundred is too much
constexpr double kTooMany = 0.01;
constexpr std::size_t kMostAhead = 256;  // a transaction of ~2 ms, in which its fixed cost no longer counts
constexpr Duration kAheadTime = std::chrono::milliseconds(10);   // what waits should take no longer than that
constexpr Duration kMeal = std::chrono::microseconds(400);       // for one slot; waking another costs ~20 us
constexpr Duration kNobodyCame = std::chrono::milliseconds(2);   // then the slots are not as brief as was thought
constexpr Duration kOfferEvery = std::chrono::milliseconds(10);  // the wait of a kind that is not claimed ahead

}  // namespace

void Paces::ran(const std::string& kind, Duration time) {
  Pace& pace = paces_[kind];
  if (time >= kLong) {
    pace = {};
    return;
  }
  const double weight = std::max(kWeight, 1.0 / (pace.runs + 1));
  ++pace.runs;
  pace.mean_us += (static_cast<double>(time.count()) - pace.mean_us) * weight;
  pace.long_share += ((time >= kBrief ? 1.0 : 0.0) - pace.long_share) * kWeight;
}

bool Paces::brief(const std::string& kind) const {
  const auto at = paces_.find(kind);
  return at != paces_.end() && at->second.runs >= enough_ && at->second.long_share < kTooMany;
}

Duration Paces::mean(const std::string& kind) const {
  const auto at = paces_.find(kind);
  return Duration(at == paces_.end() ? 0 : std::max<std::int64_t>(1, std::llround(at->second.mean_us)));
}

Ahead::Ahead(std::size_t pools, std::vector<std::string> kinds, bool commands, int enough)
    : paces_(enough), kinds_(std::move(kinds)), commands_(commands), pools_(pools) {}

std::vector<std::string> Ahead::brief_kinds() const {
  std::vector<std::string> brief;
  for (const std::string& kind : kinds_) {
    if (paces_.brief(kind)) brief.push_back(kind);
  }
  return brief;
}

std::size_t Ahead::bound(std::size_t at, base::Mono now, std::size_t slots) const {
  const Pool& pool = pools_[at];
  if (now < pool.held_until) return 0;
  Duration longest{0};
  bool others = commands_;
  for (const std::string& kind : kinds_) {
    if (paces_.brief(kind)) {
      longest = std::max(longest, paces_.mean(kind));
    } else {
      others = true;
    }
  }
  if (longest == Duration{0}) return 0;
  // What is claimed ahead passes by the kinds that are not: so they are let in each time that it has been run.
  if (others && now >= pool.offered_at + kOfferEvery) return 0;
  const auto in_time = static_cast<std::size_t>(kAheadTime / longest) * slots;
  return std::min(in_time, kMostAhead);
}

void Ahead::add(std::size_t at, AheadClaim claim) {
  Pool& pool = pools_[at];
  if (pool.size() == 0) pool.moved_at = claim.came;
  claim.time = paces_.mean(claim.claim.kind);
  pool.time += claim.time;
  if (pool.gone == pool.line.size()) {
    pool.line.clear();
    pool.gone = 0;
  } else if (pool.gone > kMostAhead) {  // a line that never ends
    pool.line.erase(pool.line.begin(), pool.line.begin() + static_cast<std::ptrdiff_t>(pool.gone));
    pool.gone = 0;
  }
  pool.line.push_back(std::move(claim));
  ++size_;
}

AheadClaim Ahead::pop(Pool& pool) {
  AheadClaim next = std::move(pool.line[pool.gone++]);
  pool.time -= next.time;
  --size_;
  return next;
}

AheadClaim Ahead::take(std::size_t at, base::Mono now) {
  Pool& pool = pools_[at];
  GALLEY_ASSERT(pool.size() > 0);
  pool.moved_at = now;
  return pop(pool);
}

std::vector<AheadClaim> Ahead::take_all(std::size_t at) {
  Pool& pool = pools_[at];
  std::vector<AheadClaim> all;
  while (pool.size() > 0) all.push_back(pop(pool));
  return all;
}

std::vector<AheadClaim> Ahead::take_late(std::size_t at, base::Mono now) {
  Pool& pool = pools_[at];
  std::vector<AheadClaim> late;
  while (pool.size() > 0 && now >= pool.line[pool.gone].came + kPatience) late.push_back(pop(pool));
  return late;
}

std::optional<base::Mono> Ahead::since(std::size_t at) const {
  const Pool& pool = pools_[at];
  return pool.size() == 0 ? std::nullopt : std::optional(pool.line[pool.gone].came);
}

void Ahead::eats(std::size_t pool, SlotId slot) { pools_[pool].eaters.push_back(slot); }

void Ahead::ended(std::size_t pool, SlotId slot) { std::erase(pools_[pool].eaters, slot); }

void Ahead::all_busy(std::size_t pool) { pools_[pool].eaters.clear(); }

bool Ahead::anybody_eats() const {
  return std::any_of(pools_.begin(), pools_.end(), [](const Pool& pool) { return !pool.eaters.empty(); });
}

std::size_t Ahead::wanted(std::size_t at) const {
  const Pool& pool = pools_[at];
  const std::size_t eaters = pool.eaters.size();
  const auto meals = static_cast<std::size_t>((pool.time + kMeal - Duration{1}) / kMeal);
  const std::size_t slots = std::min(pool.size(), std::max<std::size_t>(meals, 1));
  return slots > eaters ? slots - eaters : 0;
}

bool Ahead::stuck(std::size_t at, base::Mono now) const {
  return pools_[at].size() > 0 && now >= pools_[at].moved_at + kNobodyCame;
}

base::Mono Ahead::next_look(std::size_t at, bool idle) const {
  const Pool& pool = pools_[at];
  if (pool.size() == 0) return kNever;
  const base::Mono late = pool.line[pool.gone].came + kPatience;
  return idle ? std::min(late, pool.moved_at + kNobodyCame) : late;
}

}  // namespace galley::engine
