#include "job/reservation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/assert.hpp"

namespace galley::job {

namespace {

/// Decisions are cheap, but not free: so often while something is new, and otherwise.
constexpr Duration kSoon = std::chrono::milliseconds(1);
constexpr Duration kLater = std::chrono::milliseconds(50);
constexpr Duration kYouth = std::chrono::seconds(10);  // an attempt that runs for so long has shown what it is
constexpr double kTail = 8;  // a kind whose p99 is beyond this many means holds others up by its tail
constexpr Duration kNever{std::numeric_limits<std::int64_t>::max()};

constexpr std::array<std::string_view, 4> kReserves{"off", "slots", "express", "auto"};
constexpr std::array<std::string_view, 4> kClasses{"unknown", "short", "long", "alike"};

double us(Duration duration) { return static_cast<double>(duration.count()); }

}  // namespace

std::string_view name(Reserve reserve) noexcept { return kReserves[static_cast<std::size_t>(reserve)]; }

std::optional<Reserve> reserve_named(std::string_view name) noexcept {
  const auto at = std::find(kReserves.begin(), kReserves.end(), name);
  if (at == kReserves.end()) return std::nullopt;
  return static_cast<Reserve>(at - kReserves.begin());
}

std::string_view name(KindClass kind_class) noexcept { return kClasses[static_cast<std::size_t>(kind_class)]; }

struct Reservation::Fact {
  int kind = 0;
  bool known = false;
  Duration p99{0};
  Duration hold{0};  ///< of an unknown one: what it has shown so far
};

/// Between the first `below` kinds by hold and the others.
struct Reservation::Cut {
  std::size_t below = 0;
  Duration p99{0};    ///< the longest below
  double factor = 0;  ///< between the holds on its two sides
  double worst = 0;   ///< how many times its own length a job may have to wait, if this is the only cut
};

Reservation::Reservation(Reserve reserve, int slots, std::vector<std::string> kinds, ReservationRule rule)
    : reserve_(reserve), slots_(slots), names_(std::move(kinds)), rule_(rule) {
  loads_.resize(names_.size());
  overdue_.resize(names_.size(), kNever);
  decision_.kinds.resize(names_.size());
  decision_.slots = slots;
  decision_.why = "nothing has been run yet";
  if (reserve == Reserve::Off) decision_.why = "switched off";
  if (reserve == Reserve::Auto && slots < 2) decision_.why = "a pool of one slot runs one job at a time";
  if (reserve == Reserve::Slots && slots < 2) decision_.why = "a pool of one slot has none to keep";
}

bool Reservation::may_add() const noexcept {
  return reserve_ == Reserve::Express || (reserve_ == Reserve::Auto && slots_ > 1);
}

void Reservation::add_kind(std::string name) {
  names_.push_back(std::move(name));
  loads_.emplace_back();
  overdue_.push_back(kNever);
  decision_.kinds.push_back({.group = static_cast<int>(decision_.reserved.size())});
}

int Reservation::open() const noexcept {
  return slots_ + decision_.extra - std::accumulate(decision_.reserved.begin(), decision_.reserved.end(), 0);
}

int Reservation::usable(std::span<const RunTimes> times, std::span<const Held> held) const {
  if (!may_add() || names_.size() < 2) return slots_;
  const bool tries = static_cast<int>(held.size()) >= slots_ && !to_try(times, held).empty();
  return slots_ + (decision_.extra > 0 || tries ? 1 : 0);
}

void Reservation::fade(std::size_t kind, base::Mono now) {
  Load& load = loads_[kind];
  if (now > load.at) load.slots *= std::exp(-us(now - load.at) / us(rule_.load_over));
  load.at = std::max(load.at, now);
}

void Reservation::ended(int kind, Duration run, base::Mono now) {
  const auto at = static_cast<std::size_t>(kind);
  fade(at, now);
  loads_[at].slots += us(run) / us(rule_.load_over);
  if (run > overdue_[at]) surprised_ = true;
}

bool Reservation::overdue(const Held& held, base::Mono now) const {
  return now - held.since > overdue_[static_cast<std::size_t>(held.kind)];
}

bool Reservation::must_decide(std::span<const Held> held, base::Mono now) const {
  if (!decided_once_) return true;
  if (now - decided_ < kSoon) return false;
  if (!rule_.adapts) return young_;
  if (now - decided_ >= kLater) return true;
  return young_ || surprised_ ||
         std::any_of(held.begin(), held.end(), [&](const Held& one) { return overdue(one, now); });
}

bool Reservation::can_keep() const noexcept {
  return reserve_ != Reserve::Off && names_.size() > 1 && (may_add() || slots_ > 1);
}

void Reservation::consider(std::span<const RunTimes> times, std::span<const Held> held, base::Mono now) {
  if (can_keep() && must_decide(held, now)) decide(times, held, now);
}

// ---- what to ask for --------------------------------------------------------------------------------------------

std::vector<Ask> Reservation::asks(std::span<const RunTimes> times, std::span<const Held> held, base::Mono now,
                                   int ahead) {
  GALLEY_ASSERT(times.size() == names_.size());
  const int taken = static_cast<int>(held.size()) + ahead;
  const bool can = can_keep();
  consider(times, held, now);
  std::vector<Ask> asks;
  if (!can || decision_.reserved.empty()) {
    if (taken < slots_) asks.push_back({slots_ - taken, true, {}});
    if (can && taken == slots_ && may_add()) {
      if (auto kinds = to_try(times, held); !kinds.empty()) asks.push_back({1, false, std::move(kinds)});
    }
    return asks;
  }
  const std::size_t groups = decision_.reserved.size() + 1;
  std::vector<int> running(groups, 0);
  for (const Held& one : held) {
    const bool late = rule_.adapts && overdue(one, now);
    const auto group = static_cast<std::size_t>(decision_.kinds[static_cast<std::size_t>(one.kind)].group);
    ++running[late ? groups - 1 : group];
  }
  // Room of group g: the least, over all j <= g, of what groups j and longer may still take.
  std::vector<int> room(groups);
  int cap = slots_ + decision_.extra;
  int longer = taken;
  int least = std::numeric_limits<int>::max();
  for (std::size_t g = 0; g < groups; ++g) {
    least = std::min(least, cap - longer);
    room[g] = std::max(0, least);
    longer -= running[g] + (g == 0 ? ahead : 0);
    if (g + 1 < groups) cap -= decision_.reserved[g];
  }
  // The longest first, with all others beside it; what is left of the room then goes to the shorter ones alone.
  int asked = 0;
  for (std::size_t g = groups; g-- > 0;) {
    if (room[g] <= asked) continue;
    Ask ask{room[g] - asked, g + 1 == groups, {}};
    for (std::size_t kind = 0; !ask.all && kind < names_.size(); ++kind) {
      if (static_cast<std::size_t>(decision_.kinds[kind].group) <= g) ask.kinds.push_back(static_cast<int>(kind));
    }
    asked = room[g];
    asks.push_back(std::move(ask));
  }
  // While there is room for the longest, an unknown kind can come in by that.
  if (may_add() && !asks.empty() && !asks.front().all) add_trial(asks, to_try(times, held));
  return asks;
}

/// One job of the last request may also be of these kinds.
void Reservation::add_trial(std::vector<Ask>& asks, const std::vector<int>& kinds) {
  if (kinds.empty()) return;
  Ask trial{1, false, asks.back().kinds};
  trial.kinds.insert(trial.kinds.end(), kinds.begin(), kinds.end());
  std::sort(trial.kinds.begin(), trial.kinds.end());
  if (--asks.back().limit == 0) asks.pop_back();
  asks.push_back(std::move(trial));
}

std::vector<int> Reservation::to_try(std::span<const RunTimes> times, std::span<const Held> held) const {
  std::vector<int> kinds;
  if (!rule_.tries) return kinds;
  Duration most = rule_.express;
  for (std::size_t kind = 0; kind < names_.size() && !decision_.reserved.empty(); ++kind) {
    if (decision_.kinds[kind].kind_class == KindClass::Long) most = std::min(most, decision_.kinds[kind].mean / 2);
  }
  for (std::size_t kind = 0; kind < names_.size(); ++kind) {
    if (times[kind].known() || times[kind].longest() > most) continue;
    const auto same = [&](const Held& one) { return static_cast<std::size_t>(one.kind) == kind; };
    if (std::none_of(held.begin(), held.end(), same)) kinds.push_back(static_cast<int>(kind));
  }
  return kinds;
}

// ---- the decision -----------------------------------------------------------------------------------------------

std::vector<Reservation::Fact> Reservation::facts(std::span<const RunTimes> times, std::span<const Held> held,
                                                  base::Mono now) {
  std::vector<Fact> facts;
  std::vector<Duration> oldest(names_.size(), Duration{-1});  // less than 0: none runs
  for (const Held& one : held) {
    Duration& age = oldest[static_cast<std::size_t>(one.kind)];
    age = std::max(age, now - one.since);
  }
  young_ = false;
  unsettled_ = false;
  for (std::size_t kind = 0; kind < names_.size(); ++kind) {
    const RunTimes& of = times[kind];
    const bool runs = oldest[kind] >= Duration{0};
    if (of.runs() == 0 && !runs) continue;  // nothing speaks for it or against it
    Fact fact{static_cast<int>(kind), of.known(), of.p99(), of.mean()};
    const Duration tail(static_cast<std::int64_t>(us(fact.p99) / kTail));
    if (of.known()) fact.hold = std::max({fact.hold, tail, of.lately()});
    overdue_[kind] = of.known() ? fact.p99 * 2 + kSoon : Duration{0};
    if (oldest[kind] > overdue_[kind] && (rule_.adapts || !of.known())) fact.hold = std::max(fact.hold, oldest[kind]);
    young_ = young_ || of.runs() < 2 * RunTimes::kKnown;
    unsettled_ = unsettled_ || (runs && !of.known() && oldest[kind] < kYouth);
    facts.push_back(fact);
  }
  std::stable_sort(facts.begin(), facts.end(), [](const Fact& a, const Fact& b) {
    return a.known != b.known ? a.known : a.known && a.hold < b.hold;
  });
  return facts;
}

std::vector<Reservation::Cut> Reservation::cuts(const std::vector<Fact>& facts) const {
  const auto known =
      static_cast<std::size_t>(std::count_if(facts.begin(), facts.end(), [](const Fact& fact) { return fact.known; }));
  const auto group_of = [&](const Fact& fact) { return decision_.kinds[static_cast<std::size_t>(fact.kind)].group; };
  const Duration tiny(1);
  std::vector<Cut> cuts;
  Duration p99{0};
  for (std::size_t below = 1; below <= known; ++below) {
    const auto middle = facts.begin() + static_cast<std::ptrdiff_t>(below);
    const Duration lower = std::max(std::prev(middle)->hold, tiny);
    p99 = std::max(p99, std::prev(middle)->p99);
    bool old = true;
    Duration upper = kNever;
    Duration longest{0};
    for (auto at = middle; at != facts.end(); ++at) {
      // What is unknown counts where it has shown that it is long, and is no reason against a cut where it has not.
      if (!at->known && us(at->hold) < rule_.factor * us(lower)) continue;
      upper = std::min(upper, at->hold);
      longest = std::max(longest, at->hold);
      old = old && std::all_of(facts.begin(), middle, [&](const Fact& fact) { return group_of(fact) < group_of(*at); });
    }
    if (upper == kNever) continue;
    const double factor = us(upper) / us(lower);
    if (factor < (old ? rule_.factor / 2 : rule_.factor)) continue;
    const double worst =
        std::max(us(lower) / us(std::max(facts.front().hold, tiny)), rule_.line * us(longest) / us(upper));
    cuts.push_back({below, p99, factor, old ? worst * 0.8 : worst});
  }
  return cuts;
}

/// As many as there can be room for.
std::vector<Reservation::Cut> Reservation::kept(std::vector<Cut> cuts) const {
  if (may_add()) {
    std::erase_if(cuts, [&](const Cut& cut) { return cut.p99 > rule_.express; });
    const auto best =
        std::min_element(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.worst < b.worst; });
    return best == cuts.end() ? cuts : std::vector{*best};
  }
  const auto most = static_cast<std::size_t>(slots_ - (rule_.long_keep_a_slot ? 1 : 0));
  // The worst waits are behind the longest: those cuts stay, and the shortest groups share.
  if (cuts.size() > most) cuts.erase(cuts.begin(), cuts.end() - static_cast<std::ptrdiff_t>(most));
  return cuts;
}

std::vector<int> Reservation::room(const std::vector<int>& group, int groups, int slots) const {
  std::vector<int> reserved;
  int left = slots - (rule_.long_keep_a_slot ? 1 : 0) - (groups - 1);  // what may be added to one each
  for (int g = 0; g + 1 < groups; ++g) {
    double load = 0;
    int before = 1;
    for (std::size_t kind = 0; kind < names_.size(); ++kind) {
      if (group[kind] != g) continue;
      load += loads_[kind].slots;
      const auto old = static_cast<std::size_t>(decision_.kinds[kind].group);
      if (old < decision_.reserved.size()) before = std::max(before, decision_.reserved[old]);
    }
    int wanted = std::max(1, static_cast<int>(std::ceil(load / rule_.full)));
    // Room is given at once, and taken back one by one, when there is clearly too much of it.
    if (wanted < before) wanted = load < 0.8 * rule_.full * (before - 1) ? before - 1 : before;
    const int more = std::clamp(wanted - 1, 0, std::max(0, left));
    left -= more;
    reserved.push_back(1 + more);
  }
  return reserved;
}

void Reservation::decide(std::span<const RunTimes> times, std::span<const Held> held, base::Mono now) {
  decided_ = now;
  decided_once_ = true;
  surprised_ = false;
  for (std::size_t kind = 0; kind < names_.size(); ++kind) fade(kind, now);
  const std::vector<Fact> facts = this->facts(times, held, now);
  const std::vector<Cut> cuts = kept(this->cuts(facts));
  const int groups = static_cast<int>(cuts.size()) + 1;
  std::vector<int> group(names_.size(), groups - 1);
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const auto cut = std::find_if(cuts.begin(), cuts.end(), [&](const Cut& one) { return i < one.below; });
    group[static_cast<std::size_t>(facts[i].kind)] = static_cast<int>(cut - cuts.begin());
  }
  const int extra = groups > 1 && may_add() ? 1 : 0;
  std::vector<int> reserved = room(group, groups, slots_ + extra);
  bool changed = reserved != decision_.reserved;
  for (std::size_t kind = 0; kind < names_.size(); ++kind) {
    Decision::Kind& of = decision_.kinds[kind];
    changed = changed || of.group != group[kind];
    of = {KindClass::Unknown, group[kind],       times[kind].runs(),
          times[kind].mean(), times[kind].p99(), loads_[kind].slots};
    if (groups > 1 && (times[kind].known() || group[kind] + 1 < groups)) {
      of.kind_class = group[kind] + 1 < groups ? KindClass::Short : KindClass::Long;
    } else if (times[kind].known()) {
      of.kind_class = KindClass::Alike;
    }
  }
  decision_.extra = extra;
  decision_.reserved = std::move(reserved);
  if (!changed && !decision_.reserved.empty()) return;
  if (changed) ++version_;
  decision_.why = why(facts, group, decision_.reserved);
}

// ---- for people -------------------------------------------------------------------------------------------------

std::string Reservation::names(const std::vector<int>& group, int only) const {
  std::string all;
  for (std::size_t kind = 0; kind < names_.size(); ++kind) {
    if (group[kind] != only || decision_.kinds[kind].kind_class == KindClass::Unknown) continue;
    all += (all.empty() ? "" : ", ") + names_[kind];
  }
  return all;
}

std::string Reservation::why(const std::vector<Fact>& facts, const std::vector<int>& group,
                             const std::vector<int>& reserved) const {
  if (reserved.empty()) {
    const auto known = std::count_if(facts.begin(), facts.end(), [](const Fact& fact) { return fact.known; });
    if (known == 0) return "no kind has " + std::to_string(RunTimes::kKnown) + " runs yet";
    if (known == 1) return "only one kind has been run " + std::to_string(RunTimes::kKnown) + " times";
    return "no kind is so much shorter than the others that they could hold it up";
  }
  std::string text;
  for (std::size_t g = 0; g < reserved.size(); ++g) {
    const int own = reserved[g] - (g == 0 ? decision_.extra : 0);
    if (!text.empty()) text += "; ";
    if (g == 0 && decision_.extra > 0) text += "an express slot";
    if (g == 0 && decision_.extra > 0 && own > 0) text += " and ";
    if (own > 0) text += std::to_string(own) + " of " + std::to_string(slots_) + (slots_ == 1 ? " slot" : " slots");
    text += " for " + names(group, static_cast<int>(g));
  }
  const std::string longs = names(group, static_cast<int>(reserved.size()));
  return text + ": " + (longs.empty() ? "others" : longs) + " could hold all slots for much longer";
}

}  // namespace galley::job
