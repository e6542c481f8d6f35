// The rule of reservation, judged over seeded workloads.
// GALLEY_COUNTER_SEED=S runs only S, as a failure says; GALLEY_COUNTER_RUNS=N runs N seeds.
// GALLEY_COUNTER_TABLE=1 prints what is in docs/counter.md (with Counter.PrintsItsTables).

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "simulation/counter.hpp"
#include "simulation/counter_tables.hpp"

namespace galley::simulation {

namespace {

using job::ReservationRule;
using job::Reserve;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kRuns = 300;  // about 2 s of one core

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

enum class Broken : std::uint8_t { LongStarves, LongLoses, ShortWaits, TooMany, Flaps };

constexpr std::array<const char*, 5> kNames{"the longest kind starves", "the longest kind loses too much",
                                            "a short kind waits too long", "too many run at once",
                                            "the decision flaps"};

/// The shortest kind that does not turn; nothing where none is far below the longest.
std::optional<std::size_t> judged(const Shape& shape) {
  const std::size_t kind = shape.menu.front().turns ? 1 : 0;
  if (kind + 1 >= shape.menu.size() || shape.menu[kind].mean * 20 > shape.menu.back().mean) return std::nullopt;
  return kind;
}

/// What must hold for every shape: loose bounds, because a shape may be drawn that nothing can serve well.
/// `kept`: what the pool does in fact, where that is not what was promised.
std::optional<Broken> judge(const Shape& shape, Reserve reserve, const ReservationRule& rule, bool warm,
                            std::optional<Reserve> kept = {}) {
  const auto orders = orders_of(shape);
  const Tally line = serve(shape, orders, one_line(shape));
  Policy policy = one_line(shape, kept.value_or(reserve), rule);
  policy.warm = warm;
  const Tally tally = serve(shape, orders, policy);
  const bool adds = reserve == Reserve::Express || (reserve == Reserve::Auto && shape.slots > 1);
  const Served& longest = tally.kinds.back();
  if (tally.most_at_once > shape.slots + (adds ? 1 : 0)) return Broken::TooMany;
  if (longest.longest_gap > line.kinds.back().longest_gap + shape.menu.back().mean * 30) return Broken::LongStarves;
  if (adds && longest.worked * 10 < line.kinds.back().worked * 6) return Broken::LongLoses;
  if (tally.changes > 300) return Broken::Flaps;
  const auto kind = judged(shape);
  const bool left_alone = shape.slots == 1 && reserve != Reserve::Express;  // one slot runs one job at a time
  if (!kind || left_alone || shape.menu.back().backlog == 0) return std::nullopt;
  if (tally.kinds[*kind].wait(0.99) > line.kinds[*kind].wait(0.99) / 4 + shape.menu[*kind].mean * 400) {
    return Broken::ShortWaits;
  }
  return std::nullopt;
}

void expect_fine(std::uint64_t seed, Reserve reserve, bool warm) {
  const Shape shape = shape_of(seed);
  const auto broken = judge(shape, reserve, {}, warm);
  if (!broken) return;
  ADD_FAILURE() << kNames[static_cast<std::size_t>(*broken)] << ": " << shape.text()
                << "\nrepeat it with GALLEY_COUNTER_SEED=" << seed;
}

void expect_all_fine(Reserve reserve, bool warm) {
  if (const std::uint64_t only = from_environment("GALLEY_COUNTER_SEED", 0); only != 0) {
    return expect_fine(only, reserve, warm);
  }
  const std::uint64_t runs = from_environment("GALLEY_COUNTER_RUNS", kRuns);
  for (std::uint64_t seed = 1; seed <= runs; ++seed) expect_fine(seed, reserve, warm);
}

bool is_found(Broken wanted, Reserve reserve, const ReservationRule& rule, bool warm) {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    if (judge(shape_of(seed), reserve, rule, warm) == wanted) return true;
  }
  return false;
}

/// One that slots of one's own can serve; nothing where this seed's is none.
std::optional<Shape> shape_for_slots(std::uint64_t seed) {
  Shape shape = shape_of(seed);
  for (MenuItem& item : shape.menu) item.turns = false;
  return shape.slots >= 4 ? std::optional(shape) : std::nullopt;
}

/// 100 burgers, and a drink now and then.
Shape counter_shape(Spread burgers, int slots) {
  Shape shape;
  shape.slots = slots;
  shape.seed = 7;
  shape.open = seconds(25);
  shape.menu = {{milliseconds(1), Spread::Constant, 0.04, 1, 0, false}, {seconds(1), burgers, 0, 1, 25 * slots, false}};
  return shape;
}

}  // namespace

TEST(Counter, KeepsItsPromisesFromAColdStart) { expect_all_fine(Reserve::Auto, false); }
TEST(Counter, KeepsItsPromisesWhenKindsAreKnown) { expect_all_fine(Reserve::Auto, true); }
/// `express` is promised to pools of one slot too; `auto` leaves them alone, as Counter.LeavesAPoolOfOneSlotAlone says.
TEST(Counter, KeepsItsPromisesWithAnExpressSlotAlsoForOneSlot) { expect_all_fine(Reserve::Express, false); }
/// Of kinds that turn nothing is promised here, nor of pools with fewer slots than kinds: some cannot have room.
TEST(Counter, KeepsItsPromisesWithSlotsOfItsOwnWhereNoKindTurns) {
  int shapes = 0;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    const std::optional<Shape> shape = shape_for_slots(seed);
    if (!shape) continue;
    ++shapes;
    const auto broken = judge(*shape, Reserve::Slots, {}, true);
    if (!broken) continue;
    ADD_FAILURE() << kNames[static_cast<std::size_t>(*broken)] << ": " << shape->text() << " seed " << seed;
  }
  EXPECT_GT(shapes, 100);
}

TEST(Counter, ServesDrinksBehindAHundredBurgersAtOnceFromAColdStart) {
  for (const Spread burgers : {Spread::Constant, Spread::Heavy}) {
    for (const int slots : {2, 4, 16}) {
      const Shape shape = counter_shape(burgers, slots);
      const auto orders = orders_of(shape);
      const Tally line = serve(shape, orders, one_line(shape));
      const Tally tally = serve(shape, orders, one_line(shape, Reserve::Auto));
      EXPECT_GT(line.kinds[0].wait(0.99), seconds(10)) << slots;
      EXPECT_LT(tally.kinds[0].wait(0.99), milliseconds(2)) << slots;
      EXPECT_LT(tally.kinds[0].wait(1), milliseconds(60)) << slots;  // the first ones, while nothing is known
      EXPECT_GE(tally.kinds[1].worked, line.kinds[1].worked) << slots;
    }
  }
}

TEST(Counter, LeavesAPoolOfOneSlotAlone) {
  const Shape shape = counter_shape(Spread::Constant, 1);
  const Tally tally = serve(shape, orders_of(shape), one_line(shape, Reserve::Auto));
  EXPECT_EQ(tally.most_at_once, 1);
}

TEST(Counter, DoesNothingWhereAllKindsAreAlike) {
  for (const Reserve reserve : {Reserve::Auto, Reserve::Slots, Reserve::Express}) {
    Shape shape;
    shape.seed = 3;
    shape.open = seconds(60);
    shape.menu = {{milliseconds(40), Spread::Exponential, 1.5, 1, 0, false},
                  {milliseconds(60), Spread::Exponential, 1.5, 1, 0, false}};
    Policy policy = one_line(shape, reserve);
    policy.warm = true;
    const auto orders = orders_of(shape);
    const Tally tally = serve(shape, orders, policy);
    EXPECT_EQ(tally.most_at_once, 4);
    EXPECT_EQ(tally.changes, 0u);
    EXPECT_EQ(tally.kinds[1].worked, serve(shape, orders, one_line(shape)).kinds[1].worked);
  }
}

TEST(Counter, DependsOnNoName) {
  const Shape shape = shape_of(11);
  Shape turned = shape;
  std::reverse(turned.menu.begin(), turned.menu.end());
  auto orders = orders_of(shape);
  const Tally tally = serve(shape, orders, one_line(shape, Reserve::Express));
  for (Order& order : orders) order.kind = static_cast<int>(shape.menu.size()) - 1 - order.kind;
  const Tally other = serve(turned, orders, one_line(turned, Reserve::Express));
  for (std::size_t kind = 0; kind < shape.menu.size(); ++kind) {
    EXPECT_EQ(tally.kinds[kind].wait(0.99), other.kinds[shape.menu.size() - 1 - kind].wait(0.99));
  }
}

TEST(Counter, GoesTheSameWayAgainFromTheSameSeed) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Shape shape = shape_of(seed);
    const Tally first = serve(shape, orders_of(shape), one_line(shape, Reserve::Auto));
    const Tally second = serve(shape, orders_of(shape), one_line(shape, Reserve::Auto));
    EXPECT_EQ(first.kinds[0].waits, second.kinds[0].waits);
    EXPECT_EQ(first.changes, second.changes);
  }
}

TEST(Counter, IsFarBetterThanOneLineOverAll) {
  double waits = 0;
  double line_waits = 0;
  double burgers = 0;
  int shapes = 0;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    const Shape shape = shape_of(seed);
    const auto kind = judged(shape);
    if (!kind || shape.slots == 1) continue;
    const auto orders = orders_of(shape);
    const Tally line = serve(shape, orders, one_line(shape));
    const Tally tally = serve(shape, orders, one_line(shape, Reserve::Auto));
    const auto slowdown = [&](const Tally& of) {
      const double wait = static_cast<double>(of.kinds[*kind].wait(0.99).count());
      return std::log10(1 + wait / static_cast<double>(shape.menu[*kind].mean.count()));
    };
    waits += slowdown(tally);
    line_waits += slowdown(line);
    burgers +=
        static_cast<double>(tally.kinds.back().worked.count()) / static_cast<double>(line.kinds.back().worked.count());
    ++shapes;
  }
  ASSERT_GT(shapes, 100);
  EXPECT_LT(waits / shapes, 1.8);       // p99 of 60 times its own length, in the geometric mean
  EXPECT_GT(line_waits / shapes, 3.0);  // 1,000 times
  EXPECT_GT(burgers / shapes, 0.98);
}

// ---- rules that are wrong ---------------------------------------------------------------------------------------

TEST(WrongRule, WithoutASlotForTheLongIsFound) {
  ReservationRule rule;
  rule.long_keep_a_slot = false;
  EXPECT_TRUE(is_found(Broken::LongStarves, Reserve::Slots, rule, true));
}

TEST(WrongRule, WithoutTrialsIsFoundAtTheColdStart) {
  ReservationRule rule;
  rule.tries = false;
  EXPECT_TRUE(is_found(Broken::ShortWaits, Reserve::Auto, rule, false));
}

TEST(WrongRule, WithoutAdaptationIsFoundByKindsThatTurn) {
  ReservationRule rule;
  rule.adapts = false;
  EXPECT_TRUE(is_found(Broken::ShortWaits, Reserve::Auto, rule, true));
}

TEST(WrongRule, WithTooMuchRoomIsFound) {
  ReservationRule rule;
  rule.full = 0.2;
  EXPECT_TRUE(is_found(Broken::LongLoses, Reserve::Auto, rule, true));
}

TEST(WrongRule, ThatDoesNothingIsFound) { EXPECT_TRUE(is_found(Broken::ShortWaits, Reserve::Off, {}, true)); }

TEST(WrongRule, ThatDoesNothingIsFoundWithOneSlotAndWithSlotsOfItsOwn) {
  bool with_one = false;
  bool with_own = false;
  for (std::uint64_t seed = 1; seed <= kRuns && !(with_one && with_own); ++seed) {
    const auto own = shape_for_slots(seed);
    const Shape one = shape_of(seed);
    with_own = with_own || (own && judge(*own, Reserve::Slots, {}, true, Reserve::Off) == Broken::ShortWaits);
    with_one =
        with_one || (one.slots == 1 && judge(one, Reserve::Express, {}, false, Reserve::Off) == Broken::ShortWaits);
  }
  EXPECT_TRUE(with_one);
  EXPECT_TRUE(with_own);
}

TEST(Counter, PrintsItsTables) {
  const bool wanted = std::getenv("GALLEY_COUNTER_TABLE") != nullptr;
  const std::string tables = counter_tables(wanted ? 400 : 3);
  EXPECT_NE(tables.find("| slots |"), std::string::npos);
  if (wanted) std::fputs(tables.c_str(), stdout);
}

}  // namespace galley::simulation
