#include "simulation/counter.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <queue>
#include <sstream>

#include "simulation/draw.hpp"

namespace galley::simulation {

namespace {

constexpr double kMostOrders = 6'000;  // of a kind in one shape
constexpr double kTailShape = 1.3;     // of the Pareto distribution: finite mean, wild otherwise

double us(Duration duration) { return static_cast<double>(duration.count()); }
Duration of_us(double us) { return Duration(std::max<std::int64_t>(1, static_cast<std::int64_t>(us))); }

/// Bounded Pareto with the mean 1 (about): from its least value to 1,000 times that.
double heavy(Draw& draw) {
  constexpr double kMost = 1'000;
  const double u = draw.between(0, 999'999) / 1e6;
  const double x = std::pow(1 - u * (1 - std::pow(kMost, -kTailShape)), -1 / kTailShape);
  // Its mean where the least value is 1: a/(a-1) * (1 - m^(1-a)) / (1 - m^-a).
  const double mean =
      kTailShape / (kTailShape - 1) * (1 - std::pow(kMost, 1 - kTailShape)) / (1 - std::pow(kMost, -kTailShape));
  return x / mean;
}

double unit(Draw& draw) { return (draw.between(0, 999'999) + 0.5) / 1e6; }

Duration run_of(Draw& draw, Duration mean, Spread spread) {
  switch (spread) {
    case Spread::Constant: return mean;
    case Spread::Exponential: return of_us(-us(mean) * std::log(unit(draw)));
    case Spread::Heavy: return of_us(us(mean) * heavy(draw));
  }
  return mean;
}

std::string text_of(Duration duration) {
  std::ostringstream out;
  out.precision(3);
  const double ms = us(duration) / 1e3;
  if (ms < 1'000) {
    out << ms << " ms";
  } else {
    out << ms / 1e3 << " s";
  }
  return out.str();
}

}  // namespace

std::string Shape::text() const {
  std::string all = std::to_string(slots) + " slots:";
  for (const MenuItem& item : menu) {
    all += " " + text_of(item.mean);
    if (item.spread == Spread::Exponential) all += " exp";
    if (item.spread == Spread::Heavy) all += " heavy";
    if (item.at_once > 1) all += " x" + std::to_string(item.at_once);
    if (item.backlog > 0) all += " (" + std::to_string(item.backlog) + " wait)";
    if (item.turns) all += " turns";
    std::ostringstream load;
    load.precision(2);
    load << item.load;
    all += " load " + load.str() + ",";
  }
  all.pop_back();
  return all;
}

Shape shape_of(std::uint64_t seed) {
  Draw draw(seed);
  Shape shape;
  shape.seed = seed;
  shape.slots = draw.one_of(std::vector{1, 2, 4, 16});
  const int kinds = draw.one_of(std::vector{2, 3, 5});
  for (int i = 0; i < kinds; ++i) {
    MenuItem item;
    item.mean = draw.duration(Duration(100), std::chrono::seconds(10));
    item.spread = draw.one_of(std::vector{Spread::Constant, Spread::Exponential, Spread::Heavy});
    item.load = 0.02 + unit(draw) * 0.4;
    if (draw.chance(0.2)) item.at_once = draw.between(2, 30);
    shape.menu.push_back(item);
  }
  std::sort(shape.menu.begin(), shape.menu.end(), [](const auto& a, const auto& b) { return a.mean < b.mean; });
  if (draw.chance(0.15)) shape.menu.front().turns = true;
  MenuItem& longest = shape.menu.back();
  longest.at_once = 1;
  longest.load = shape.slots * (0.3 + unit(draw) * 0.6);
  if (draw.chance(0.6)) {  // 100 burgers are ordered before the first drink
    longest.backlog = 60 * shape.slots;
    longest.load = 0;
  }
  shape.open = longest.mean * 60;
  for (MenuItem& item : shape.menu) {
    item.load = std::min(item.load, kMostOrders * us(item.mean) / us(shape.open));
  }
  return shape;
}

std::vector<Order> orders_of(const Shape& shape) {
  std::vector<Order> all;
  for (std::size_t kind = 0; kind < shape.menu.size(); ++kind) {
    const MenuItem& item = shape.menu[kind];
    Draw draw(shape.seed * 16 + kind);
    const int number = static_cast<int>(kind);
    for (int i = 0; i < item.backlog; ++i) all.push_back({{}, run_of(draw, item.mean, item.spread), number});
    Duration at{0};
    while (item.load > 0) {
      const bool turned = item.turns && at >= shape.open / 2;
      const Duration mean = turned ? shape.menu.back().mean : item.mean;
      at += of_us(-us(mean) * item.at_once / item.load * std::log(unit(draw)));
      if (at >= shape.open) break;
      for (int i = 0; i < item.at_once; ++i) all.push_back({at, run_of(draw, mean, item.spread), number});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Order& a, const Order& b) { return a.at < b.at; });
  return all;
}

// ---- policies ---------------------------------------------------------------------------------------------------

Policy one_line(const Shape& shape, job::Reserve reserve, job::ReservationRule rule) {
  return {{{shape.slots, std::vector<bool>(shape.menu.size(), true)}}, {}, reserve, rule, false};
}

Policy priorities(const Shape& shape) {
  Policy policy = one_line(shape);
  for (std::size_t kind = 0; kind < shape.menu.size(); ++kind) policy.rank.push_back(static_cast<int>(kind));
  return policy;
}

Policy dedicated(const Shape& shape, int below, int slots) {
  Policy policy;
  policy.pools = {{slots, {}}, {shape.slots - slots, {}}};
  for (int kind = 0; kind < static_cast<int>(shape.menu.size()); ++kind) {
    policy.pools[0].kinds.push_back(kind < below);
    policy.pools[1].kinds.push_back(kind >= below);
  }
  return policy;
}

// ---- the counter ------------------------------------------------------------------------------------------------

namespace {

base::Mono mono(Duration at) { return base::Mono(at + std::chrono::hours(1)); }

class Counter {
 public:
  Counter(const Shape& shape, const std::vector<Order>& orders, const Policy& policy)
      : shape_(shape), orders_(orders), policy_(policy), waiting_(shape.menu.size()), times_(shape.menu.size()) {
    tally_.kinds.resize(shape.menu.size());
    last_.resize(shape.menu.size());
    std::vector<std::string> names;
    for (std::size_t kind = 0; kind < shape.menu.size(); ++kind) names.push_back("k" + std::to_string(kind));
    for (const Policy::Pool& pool : policy.pools) {
      pools_.push_back({pool, job::Reservation(policy.reserve, pool.slots, names, policy.rule), {}});
    }
    if (policy.warm) learn();
  }

  Tally run() {
    std::size_t next = 0;
    while (true) {
      const Duration arrival = next < orders_.size() ? orders_[next].at : Duration::max();
      const Duration end = ends_.empty() ? Duration::max() : ends_.top().at;
      const Duration now = std::min(arrival, end);
      if (now >= shape_.open) break;
      for (; !ends_.empty() && ends_.top().at == now; ends_.pop()) leave(ends_.top());
      for (; next < orders_.size() && orders_[next].at == now; ++next) {
        auto& line = waiting_[static_cast<std::size_t>(orders_[next].kind)];
        if (line.empty()) last(orders_[next].kind) = std::max(last(orders_[next].kind), now);
        line.push_back(next);
      }
      for (PoolState& pool : pools_) fill(pool, now);
    }
    close();
    return std::move(tally_);
  }

 private:
  struct PoolState {
    Policy::Pool pool;
    job::Reservation reservation;
    std::vector<job::Held> held;
  };
  struct End {
    Duration at{0};
    Duration began{0};
    int kind = 0;
    std::size_t pool = 0;
    bool operator<(const End& other) const { return at > other.at; }  // the earliest on top
  };

  void learn() {
    Draw draw(shape_.seed + 1);
    for (std::size_t kind = 0; kind < times_.size(); ++kind) {
      for (int i = 0; i < 64; ++i) times_[kind].add(run_of(draw, shape_.menu[kind].mean, shape_.menu[kind].spread));
    }
  }

  Duration& last(int kind) { return last_[static_cast<std::size_t>(kind)]; }
  Served& served(int kind) { return tally_.kinds[static_cast<std::size_t>(kind)]; }

  void leave(const End& end) {
    PoolState& pool = pools_[end.pool];
    const auto same = [&](const job::Held& one) { return one.kind == end.kind && one.since == mono(end.began); };
    pool.held.erase(std::find_if(pool.held.begin(), pool.held.end(), same));
    times_[static_cast<std::size_t>(end.kind)].add(end.at - end.began);
    pool.reservation.ended(end.kind, end.at - end.began, mono(end.at));
    if (pool.held.end() ==
        std::find_if(pool.held.begin(), pool.held.end(), [&](const job::Held& one) { return one.kind == end.kind; })) {
      last(end.kind) = end.at;
    }
  }

  void fill(PoolState& pool, Duration now) {
    for (const job::Ask& ask : pool.reservation.asks(times_, pool.held, mono(now))) {
      for (int i = 0; i < ask.limit; ++i) {
        const int kind = first(pool.pool, ask);
        if (kind < 0) break;
        start(pool, kind, now);
      }
    }
    tally_.most_at_once = std::max(tally_.most_at_once, static_cast<int>(pool.held.size()));
  }

  int first(const Policy::Pool& pool, const job::Ask& ask) const {
    int best = -1;
    const auto rank = [&](int kind) {
      const auto at = static_cast<std::size_t>(kind);
      return std::pair(policy_.rank.empty() ? 0 : policy_.rank[at], waiting_[at].front());
    };
    for (int kind = 0; kind < static_cast<int>(waiting_.size()); ++kind) {
      const auto at = static_cast<std::size_t>(kind);
      if (waiting_[at].empty() || !pool.kinds[at]) continue;
      if (!ask.all && std::find(ask.kinds.begin(), ask.kinds.end(), kind) == ask.kinds.end()) continue;
      if (best < 0 || rank(kind) < rank(best)) best = kind;
    }
    return best;
  }

  void start(PoolState& pool, int kind, Duration now) {
    auto& line = waiting_[static_cast<std::size_t>(kind)];
    const Order& order = orders_[line.front()];
    line.pop_front();
    Served& of = served(kind);
    of.waits.push_back(now - order.at);
    ++of.started;
    of.worked += std::min(order.run, shape_.open - now);
    const bool none_runs =
        std::none_of(pool.held.begin(), pool.held.end(), [&](const job::Held& one) { return one.kind == kind; });
    if (none_runs) of.longest_gap = std::max(of.longest_gap, now - last(kind));
    pool.held.push_back({kind, mono(now)});
    ends_.push({now + order.run, now, kind, static_cast<std::size_t>(&pool - pools_.data())});
  }

  void close() {
    for (int kind = 0; kind < static_cast<int>(waiting_.size()); ++kind) {
      for (const std::size_t order : waiting_[static_cast<std::size_t>(kind)]) {
        served(kind).waits.push_back(shape_.open - orders_[order].at);
      }
      const bool runs = std::any_of(pools_.begin(), pools_.end(), [&](const PoolState& pool) {
        return std::any_of(pool.held.begin(), pool.held.end(), [&](const job::Held& one) { return one.kind == kind; });
      });
      if (runs || waiting_[static_cast<std::size_t>(kind)].empty()) continue;
      served(kind).longest_gap = std::max(served(kind).longest_gap, shape_.open - last(kind));
    }
    for (const PoolState& pool : pools_) tally_.changes += pool.reservation.version();
    tally_.why = pools_.front().reservation.decision().why;
  }

  const Shape& shape_;
  const std::vector<Order>& orders_;
  const Policy& policy_;
  std::vector<std::deque<std::size_t>> waiting_;
  std::vector<job::RunTimes> times_;
  std::vector<PoolState> pools_;
  std::priority_queue<End> ends_;
  std::vector<Duration> last_;  ///< by kind: since when one waits and none runs
  Tally tally_;
};

}  // namespace

Duration Served::wait(double quantile) const {
  if (waits.empty()) return {};
  std::vector<Duration> sorted = waits;
  const auto rank = static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(sorted.size())));
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

Tally serve(const Shape& shape, const std::vector<Order>& orders, const Policy& policy) {
  return Counter(shape, orders, policy).run();
}

ByHand best_by_hand(const Shape& shape, const std::vector<Order>& orders, std::size_t judged) {
  std::vector<ByHand> all;
  all.push_back({serve(shape, orders, one_line(shape)), "one line"});
  all.push_back({serve(shape, orders, priorities(shape)), "priorities"});
  for (int below = 1; below < static_cast<int>(shape.menu.size()); ++below) {
    for (int slots = 1; slots < shape.slots; slots += slots < 4 ? 1 : 4) {
      all.push_back({serve(shape, orders, dedicated(shape, below, slots)),
                     std::to_string(slots) + " slots for the shortest " + std::to_string(below)});
    }
  }
  Duration least = Duration::max();
  for (const ByHand& one : all) least = std::min(least, one.tally.kinds[judged].wait(0.99));
  const Duration most = std::max(least + least / 10, least + std::chrono::milliseconds(1));
  std::erase_if(all, [&](const ByHand& one) { return one.tally.kinds[judged].wait(0.99) > most; });
  return *std::max_element(all.begin(), all.end(), [](const ByHand& a, const ByHand& b) {
    return a.tally.kinds.back().worked < b.tally.kinds.back().worked;
  });
}

}  // namespace galley::simulation
