#include "bench/counter/shape.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <sstream>
#include <stdexcept>

namespace bench::counter {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kShortest = microseconds(100);
constexpr Nanos kLongest = seconds(10);
constexpr Nanos kLeastBacklog = milliseconds(250);  // 16 slots end 64 of these a second
constexpr Nanos kMostWhereOneTurns = seconds(1);
constexpr double kApart = 20;             // the longest and the judged
constexpr double kMostASecond = 40;       // jobs of a kind
constexpr double kTurnedLoad = 0.4;       // slots, from then on: six of 1 s in a quarter of a minute
constexpr double kBacklog = 1.3;          // of what the slots could do
constexpr std::size_t kMostWait = 5'000;  // in one call of enqueue_json_all with room to spare
constexpr int kTries = 10'000;            // about one in ten is taken
constexpr double kTailShape = 1.3;        // of the Pareto distribution: finite mean, wild otherwise

double in_seconds(Nanos time) { return std::chrono::duration<double>(time).count(); }
Nanos of_seconds(double time) { return Nanos(std::max<Nanos::rep>(1, static_cast<Nanos::rep>(time * 1e9))); }

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}
  /// Never 0 or 1.
  double unit() { return (static_cast<double>(engine_() >> 12U) + 0.5) * 0x1p-52; }
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(unit() * static_cast<double>(count)); }
  /// Evenly over the orders of magnitude.
  Nanos time(Nanos low, Nanos high) {
    return of_seconds(in_seconds(low) * std::pow(in_seconds(high) / in_seconds(low), unit()));
  }
  std::string name() {
    std::string all;
    for (int i = 0; i < 8; ++i) all += static_cast<char>('a' + below(26));
    return all;
  }

 private:
  std::mt19937_64 engine_;
};

/// Bounded Pareto with the mean 1: from its least value to 1,000 times that.
double heavy(Draw& draw) {
  constexpr double kMost = 1'000;
  const double x = std::pow(1 - draw.unit() * (1 - std::pow(kMost, -kTailShape)), -1 / kTailShape);
  // Its mean where the least value is 1: a/(a-1) * (1 - m^(1-a)) / (1 - m^-a).
  return x /
         (kTailShape / (kTailShape - 1) * (1 - std::pow(kMost, 1 - kTailShape)) / (1 - std::pow(kMost, -kTailShape)));
}

Nanos run_of(Draw& draw, Nanos mean, Spread spread) {
  switch (spread) {
    case Spread::Constant: return mean;
    case Spread::Exponential: return of_seconds(-in_seconds(mean) * std::log(draw.unit()));
    case Spread::Heavy: return of_seconds(in_seconds(mean) * heavy(draw));
  }
  return mean;
}

Kind kind_of(Draw& draw) {
  Kind kind;
  kind.name = draw.name();
  kind.mean = draw.time(kShortest, kLongest);
  kind.spread = std::array{Spread::Constant, Spread::Exponential, Spread::Heavy}[draw.below(3)];
  kind.load = 0.02 + draw.unit() * 0.4;
  if (draw.unit() < 0.2) kind.at_once = 2 + static_cast<int>(draw.below(29));
  return kind;
}

bool fits(const std::vector<Kind>& kinds, std::size_t judged) {
  const Nanos longest = kinds.back().mean;
  if (longest < kLeastBacklog || (judged > 0 && longest > kMostWhereOneTurns)) return false;
  return in_seconds(kinds[judged].mean) * kApart <= in_seconds(longest);
}

/// So many that a run is worth looking at, and so few that the machine has time for them.
void bound(Kind& kind, bool judged) {
  const double rate = std::clamp(kind.load / in_seconds(kind.mean), judged ? 1.0 : 0.0, kMostASecond);
  kind.load = rate * in_seconds(kind.mean);
  kind.at_once = std::clamp(kind.at_once, 1, std::max(1, static_cast<int>(rate)));  // about once a second at least
}

void add_backlog(const Shape& shape, std::vector<Order>& orders) {
  const Kind& kind = shape.kinds.back();
  Draw draw(shape.seed * 16 + 15);
  double work = 0;
  for (std::size_t i = 0; i < kMostWait && work < kBacklog * shape.slots * in_seconds(shape.open); ++i) {
    const Nanos run = run_of(draw, kind.mean, kind.spread);
    work += in_seconds(std::min(run, shape.open));
    orders.push_back({Nanos(0), run, shape.kinds.size() - 1});
  }
}

void add_arrivals(const Shape& shape, std::size_t number, std::vector<Order>& orders) {
  const Kind& kind = shape.kinds[number];
  Draw draw(shape.seed * 16 + number);
  for (Nanos at{0};;) {
    const bool turned = kind.turns && at >= shape.open / 2;
    const Nanos mean = turned ? shape.kinds.back().mean : kind.mean;
    const int at_once = turned ? 1 : kind.at_once;
    at += of_seconds(-in_seconds(mean) * at_once / (turned ? kTurnedLoad : kind.load) * std::log(draw.unit()));
    if (at >= shape.open) return;
    for (int i = 0; i < at_once; ++i) orders.push_back({at, run_of(draw, mean, kind.spread), number});
  }
}

std::string text_of(Nanos time) {
  std::ostringstream out;
  out.precision(3);
  if (time < seconds(1)) {
    out << in_seconds(time) * 1e3 << " ms";
  } else {
    out << in_seconds(time) << " s";
  }
  return out.str();
}

}  // namespace

std::string Shape::text() const {
  std::ostringstream all;
  all.precision(2);
  for (const Kind& kind : kinds) {
    all << (&kind == kinds.data() ? "" : ", ") << text_of(kind.mean);
    if (kind.spread == Spread::Exponential) all << " exp";
    if (kind.spread == Spread::Heavy) all << " heavy";
    if (&kind == &kinds.back()) {
      all << " (wait)";
      break;
    }
    if (kind.at_once > 1) all << " x" << kind.at_once;
    if (kind.turns) all << " turns";
    all << " load " << kind.load;
  }
  return all.str();
}

Shape shape_of(std::uint64_t seed, Nanos open) {
  Draw draw(seed);
  const std::size_t place = (seed + 15) % 16;
  const std::size_t kinds_at = (place / 4 + place) % 4;
  Shape shape{seed, std::array{1, 2, 4, 16}[place % 4], open, {}, kinds_at == 3 ? 1U : 0U};
  const std::size_t count = kinds_at == 3 ? std::array{3U, 5U}[draw.below(2)] : std::array{2U, 3U, 5U}[kinds_at];
  for (int tries = 0; shape.kinds.empty() || !fits(shape.kinds, shape.judged); ++tries) {
    if (tries == kTries) throw std::runtime_error("no workload comes of seed " + std::to_string(seed));
    shape.kinds.clear();
    for (std::size_t i = 0; i < count; ++i) shape.kinds.push_back(kind_of(draw));
    std::sort(shape.kinds.begin(), shape.kinds.end(), [](const Kind& a, const Kind& b) { return a.mean < b.mean; });
  }
  for (std::size_t i = 0; i < count; ++i) bound(shape.kinds[i], i == shape.judged);
  shape.kinds.front().turns = shape.judged > 0;
  return shape;
}

std::vector<Order> orders_of(const Shape& shape) {
  std::vector<Order> all;
  add_backlog(shape, all);
  for (std::size_t kind = 0; kind + 1 < shape.kinds.size(); ++kind) add_arrivals(shape, kind, all);
  std::stable_sort(all.begin(), all.end(), [](const Order& a, const Order& b) { return a.at < b.at; });
  return all;
}

}  // namespace bench::counter
