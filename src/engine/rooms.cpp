#include "engine/rooms.hpp"

#include <algorithm>
#include <map>

#include "engine/history.hpp"
#include "engine/slot_pools.hpp"

namespace galley::engine {

namespace {

/// Of any programs, those that are told apart. The others are claimed and measured as one.
constexpr std::size_t kMostPrograms = 256;

}  // namespace

Rooms::Rooms(job::Reserve reserve, const std::vector<job::PoolSpec>& pools, const Capability& can)
    : off_(reserve == job::Reserve::Off), any_command_(can.any_command) {
  for (const job::PoolSpec& spec : pools) {
    pools_.push_back({spec.slots, spec.queues, job::Reservation(reserve, spec.slots, {}), {}, {}, 0});
  }
  if (off_) return;
  for (const std::string& kind : can.kinds) kinds_.emplace(kind, add(kind));
  if (any_command_) return;
  for (const std::string& program : can.programs) programs_.emplace(program, add(program));
}

int Rooms::add(const std::string& name) {
  names_.push_back(name);
  times_.emplace_back();
  for (Pool& pool : pools_) pool.reservation.add_kind(name);
  return static_cast<int>(names_.size()) - 1;
}

int Rooms::number_of(const job::Claim& claim) {
  if (claim.content != job::Content::Command) return kinds_.at(claim.kind);
  const auto at = programs_.find(claim.program);
  if (at != programs_.end()) return at->second;
  const std::string name = programs_.size() < kMostPrograms ? claim.program : std::string();
  const auto same = programs_.find(name);
  if (same != programs_.end()) return same->second;
  return programs_.emplace(name, add(name.empty() ? "other commands" : name)).first->second;
}

// ---- what to ask for --------------------------------------------------------------------------------------------

std::vector<Wish> Rooms::wishes(std::size_t at, std::size_t ahead, base::Mono now) {
  Pool& pool = pools_[at];
  std::vector<Wish> wishes;
  for (job::Ask& ask : pool.reservation.asks(times_, pool.held, now, static_cast<int>(ahead))) {
    Wish wish{ask.limit, ask.all, {}, {}};
    for (const int kind : ask.kinds) {
      const std::string& name = names_[static_cast<std::size_t>(kind)];
      const auto program = programs_.find(name);
      if (program == programs_.end() || program->second != kind) {
        if (kinds_.contains(name)) wish.kinds.push_back({name, ask.limit});
      } else {
        wish.commands.max = ask.limit;
        wish.commands.programs.push_back(name);
      }
    }
    if (wish.all || !wish.kinds.empty() || wish.commands.max > 0) wishes.push_back(std::move(wish));
  }
  return wishes;
}

void Rooms::consider(base::Mono now) {
  if (off_) return;
  for (Pool& pool : pools_) {
    if (static_cast<int>(pool.held.size()) >= pool.slots) pool.reservation.consider(times_, pool.held, now);
  }
}

// ---- what runs --------------------------------------------------------------------------------------------------

void Rooms::started(std::size_t at, int slot, const job::Claim& claim, base::Mono now) {
  if (off_) return;
  const int kind = number_of(claim);
  const auto index = static_cast<std::size_t>(slot);
  if (last_.size() <= index) last_.resize(index + 1);
  last_[index] = {kind, now};
  pools_[at].held.push_back({kind, now});
  pools_[at].slot_of.push_back(slot);
}

void Rooms::left(std::size_t at, int slot) {
  Pool& pool = pools_[at];
  const auto found = std::find(pool.slot_of.begin(), pool.slot_of.end(), slot);
  if (found == pool.slot_of.end()) return;
  const auto index = found - pool.slot_of.begin();
  pool.held[static_cast<std::size_t>(index)] = pool.held.back();
  pool.held.pop_back();
  *found = pool.slot_of.back();
  pool.slot_of.pop_back();
}

void Rooms::ran(std::size_t at, int slot, Duration time) {
  const auto index = static_cast<std::size_t>(slot);
  if (off_ || index >= last_.size() || last_[index].kind < 0) return;
  const Last last = last_[index];
  times_[static_cast<std::size_t>(last.kind)].add(time);
  pools_[at].reservation.ended(last.kind, time, last.since + time);
}

// ---- what others saw --------------------------------------------------------------------------------------------

bool Rooms::wants_history() const {
  if (off_) return false;
  return (any_command_ && !told_programs_) ||
         std::any_of(times_.begin(), times_.end(), [](const job::RunTimes& of) { return !of.known(); });
}

bool Rooms::serves(const std::string& queue) const {
  const auto takes = [&](const job::PoolQueue& one) { return one.name == queue; };
  return std::any_of(pools_.begin(), pools_.end(),
                     [&](const Pool& pool) { return std::any_of(pool.queues.begin(), pool.queues.end(), takes); });
}

void Rooms::learn(std::span<const store::Minute> minutes) {
  if (!wants_history()) return;
  told_programs_ = true;
  std::map<std::string, telemetry::Histogram> seen;
  for (const store::Minute& minute : minutes) {
    const store::Measured& measured = minute.measured;
    seen[measured.kind].merge(measured.run);
    // It may be a handler's kind elsewhere: then no command of that name is ever there.
    const bool news = any_command_ && !measured.run.empty() && !kinds_.contains(measured.kind) &&
                      !programs_.contains(measured.kind) && programs_.size() + 1 < kMostPrograms;
    if (news && serves(measured.queue)) programs_.emplace(measured.kind, add(measured.kind));
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (times_[i].known()) continue;
    const auto program = programs_.find(names_[i]);
    const bool command = program != programs_.end() && program->second == static_cast<int>(i);
    const auto at = seen.find(command ? measured_name(names_[i]) : names_[i]);
    if (at != seen.end()) take_over(at->second, times_[i]);
  }
}

std::vector<Rooms::News> Rooms::take_news() {
  std::vector<News> news;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const job::Reservation& of = pools_[i].reservation;
    if (of.version() == pools_[i].told) continue;
    pools_[i].told = of.version();
    news.push_back({i, of.decision().why});
  }
  return news;
}

}  // namespace galley::engine
