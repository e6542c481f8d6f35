// The rule step by step. tests/simulation/counter_test.cpp judges it over whole workloads.

#include "job/reservation.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace galley::job {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

enum Kind { kDrink, kBurger, kSalad };

base::Mono at(Duration since) { return base::Mono(std::chrono::hours(1) + since); }

class Pool {
 public:
  Pool(Reserve reserve, int slots, std::size_t kinds = 2, ReservationRule rule = {})
      : times_(kinds), reservation_(reserve, slots, names(kinds), rule) {}

  Pool& knows(Kind kind, Duration run, int runs = 20) {
    for (int i = 0; i < runs; ++i) times_[kind].add(run);
    return *this;
  }
  Pool& runs(Kind kind, int jobs, Duration since = {}) {
    for (int i = 0; i < jobs; ++i) held_.push_back({kind, at(since)});
    return *this;
  }
  void ends(Kind kind, Duration run, Duration now) {
    times_[kind].add(run);
    reservation_.ended(kind, run, at(now));
  }
  void none_runs() { held_.clear(); }

  std::vector<Ask> asks(Duration now = {}) { return reservation_.asks(times_, held_, at(now)); }
  /// How many of the kind it would take if nothing else waited.
  int room(Kind kind, Duration now = {}) {
    int all = 0;
    for (const Ask& ask : asks(now)) {
      if (ask.all || std::find(ask.kinds.begin(), ask.kinds.end(), kind) != ask.kinds.end()) all += ask.limit;
    }
    return all;
  }
  [[nodiscard]] const Decision& decision() const { return reservation_.decision(); }
  [[nodiscard]] const Reservation& reservation() const { return reservation_; }

 private:
  static std::vector<std::string> names(std::size_t kinds) {
    std::vector<std::string> all{"drink", "burger", "salad", "tea", "soup"};
    all.resize(kinds);
    return all;
  }
  std::vector<RunTimes> times_;
  std::vector<Held> held_;
  Reservation reservation_;
};

Pool mixed(Reserve reserve, int slots) {
  Pool pool(reserve, slots);
  pool.knows(kDrink, milliseconds(1)).knows(kBurger, seconds(1));
  return pool;
}

}  // namespace

TEST(Reservation, OffAsksForEverything) {
  Pool pool = mixed(Reserve::Off, 4);
  EXPECT_EQ(pool.room(kBurger), 4);
  EXPECT_EQ(pool.reservation().most(), 4);
  EXPECT_EQ(pool.runs(kBurger, 4).asks().size(), 0u);
  EXPECT_EQ(pool.decision().why, "switched off");
}

TEST(Reservation, ExpressAddsASlotForTheShortOnesAlone) {
  Pool pool = mixed(Reserve::Auto, 4);
  EXPECT_EQ(pool.reservation().most(), 5);
  EXPECT_EQ(pool.room(kBurger), 4);
  EXPECT_EQ(pool.room(kDrink), 5);
  pool.runs(kBurger, 4);
  EXPECT_EQ(pool.room(kBurger), 0);
  EXPECT_EQ(pool.room(kDrink), 1);
  pool.runs(kDrink, 1);
  EXPECT_TRUE(pool.asks().empty());
  EXPECT_EQ(pool.decision().why, "an express slot for drink: burger could hold all slots for much longer");
  EXPECT_EQ(pool.decision().kinds[kDrink].kind_class, KindClass::Short);
  EXPECT_EQ(pool.decision().kinds[kBurger].kind_class, KindClass::Long);
}

TEST(Reservation, SlotsTakesTheRoomOutOfThePool) {
  Pool pool = mixed(Reserve::Slots, 4);
  EXPECT_EQ(pool.reservation().most(), 4);
  EXPECT_EQ(pool.room(kBurger), 3);
  EXPECT_EQ(pool.room(kDrink), 4);
  pool.runs(kBurger, 3);
  EXPECT_EQ(pool.room(kBurger), 0);
  EXPECT_EQ(pool.room(kDrink), 1);
  EXPECT_EQ(pool.decision().why, "1 of 4 slots for drink: burger could hold all slots for much longer");
}

TEST(Reservation, ShortOnesMayUseTheRoomOfTheLong) {
  Pool pool = mixed(Reserve::Slots, 4);
  pool.runs(kDrink, 3);
  EXPECT_EQ(pool.room(kDrink), 1);
  EXPECT_EQ(pool.room(kBurger), 1);
}

TEST(Reservation, AsksForTheLongestWithAllOthersFirst) {
  Pool pool = mixed(Reserve::Auto, 4);
  const auto asks = pool.asks();
  ASSERT_EQ(asks.size(), 2u);
  EXPECT_TRUE(asks[0].all);
  EXPECT_EQ(asks[0].limit, 4);
  EXPECT_EQ(asks[1].kinds, std::vector<int>{kDrink});
  EXPECT_EQ(asks[1].limit, 1);
}

TEST(Reservation, OneSlotIsLeftAloneUnlessExpressIsAskedFor) {
  Pool pool = mixed(Reserve::Auto, 1);
  EXPECT_EQ(pool.reservation().most(), 1);
  EXPECT_TRUE(pool.runs(kBurger, 1).asks().empty());
  EXPECT_EQ(pool.decision().why, "a pool of one slot runs one job at a time");
  Pool express = mixed(Reserve::Express, 1);
  EXPECT_EQ(express.runs(kBurger, 1).room(kDrink), 1);
  Pool slots = mixed(Reserve::Slots, 1);
  EXPECT_EQ(slots.room(kBurger), 1);
}

TEST(Reservation, OneKindAloneNeedsNothing) {
  Pool pool(Reserve::Auto, 4, 1);
  EXPECT_TRUE(pool.knows(kDrink, milliseconds(1)).runs(kDrink, 4).asks().empty());
}

TEST(Reservation, KindsThatAreAlikeHaveNoRoomOfTheirOwn) {
  Pool pool(Reserve::Slots, 4);
  pool.knows(kDrink, milliseconds(100)).knows(kBurger, milliseconds(250));
  EXPECT_EQ(pool.room(kBurger), 4);
  EXPECT_EQ(pool.decision().kinds[kDrink].kind_class, KindClass::Alike);
  EXPECT_EQ(pool.decision().why, "no kind is so much shorter than the others that they could hold it up");
}

TEST(Reservation, ACutStaysWhileItsFactorIsMoreThanHalf) {
  ReservationRule rule;
  Pool pool(Reserve::Slots, 4, 2, rule);
  pool.knows(kDrink, milliseconds(100), 256).knows(kBurger, milliseconds(400), 256);
  EXPECT_EQ(pool.room(kBurger), 3);
  pool.knows(kBurger, milliseconds(200), 256);  // a factor of 2: not enough for a new cut
  EXPECT_EQ(pool.room(kBurger, seconds(1)), 3);
  pool.knows(kBurger, milliseconds(140), 256);
  EXPECT_EQ(pool.room(kBurger, seconds(2)), 4);
  pool.knows(kBurger, milliseconds(200), 256);
  EXPECT_EQ(pool.room(kBurger, seconds(3)), 4);
}

TEST(Reservation, UnknownKindsHaveNoRoomButAreTriedOneAtATimeWhileTheSlotsAreFull) {
  Pool pool(Reserve::Auto, 4, 3);
  EXPECT_EQ(pool.room(kDrink), 4);
  pool.runs(kBurger, 4);
  EXPECT_EQ(pool.room(kBurger), 0);
  const auto asks = pool.asks();
  ASSERT_EQ(asks.size(), 1u);
  EXPECT_EQ(asks[0].limit, 1);
  EXPECT_EQ(asks[0].kinds, (std::vector<int>{kDrink, kSalad}));
  pool.runs(kDrink, 1);
  EXPECT_TRUE(pool.asks().empty());
}

TEST(Reservation, AKindThatTookLongOnceIsNotTriedAgain) {
  Pool pool(Reserve::Auto, 4, 3);
  pool.knows(kSalad, seconds(6), 1).runs(kBurger, 4);
  EXPECT_EQ(pool.asks()[0].kinds, std::vector<int>{kDrink});
}

TEST(Reservation, SlotsTriesNothingAboveThePool) {
  Pool pool(Reserve::Slots, 4);
  EXPECT_TRUE(pool.runs(kBurger, 4).asks().empty());
}

TEST(Reservation, AnUnknownKindIsKnownToBeLongByTheAgeOfItsAttempts) {
  Pool pool(Reserve::Auto, 4);
  pool.knows(kDrink, milliseconds(1)).runs(kBurger, 4);
  EXPECT_EQ(pool.asks(milliseconds(1)).size(), 0u);  // so far it may be just as short
  EXPECT_EQ(pool.room(kDrink, milliseconds(60)), 1);
  EXPECT_EQ(pool.decision().why, "an express slot for drink: others could hold all slots for much longer");
}

TEST(Reservation, AKindThatTurnsLongLosesItsRoomWhileItsFirstLongAttemptRuns) {
  Pool pool(Reserve::Auto, 4, 3);
  pool.knows(kDrink, milliseconds(1)).knows(kSalad, milliseconds(1)).knows(kBurger, seconds(1));
  pool.runs(kBurger, 4).runs(kDrink, 1);
  EXPECT_TRUE(pool.asks(milliseconds(1)).empty());
  EXPECT_TRUE(pool.asks(milliseconds(500)).empty());  // the express slot is taken until that one ends
  EXPECT_NE(pool.decision().kinds[kDrink].kind_class, KindClass::Short);
  EXPECT_EQ(pool.decision().kinds[kSalad].kind_class, KindClass::Short);
  pool.none_runs();
  pool.runs(kBurger, 3, milliseconds(500)).runs(kDrink, 1);
  EXPECT_EQ(pool.room(kBurger, milliseconds(600)), 0);  // a burger has ended: the late drink takes its place
  EXPECT_EQ(pool.room(kSalad, milliseconds(600)), 1);
}

TEST(Reservation, AnOverdueAttemptInTheExpressSlotTakesOverTheNextSlotThatComesFree) {
  const auto a_burger_has_ended = [](Duration drink_has_run) {
    Pool pool = mixed(Reserve::Auto, 4);
    pool.runs(kBurger, 4).runs(kDrink, 1);
    EXPECT_TRUE(pool.asks(drink_has_run).empty());
    pool.none_runs();
    pool.runs(kBurger, 3).runs(kDrink, 1);
    return pool.asks(drink_has_run);
  };
  const auto in_time = a_burger_has_ended(milliseconds(2));  // its p99 is 1 ms, so it may take 3
  ASSERT_EQ(in_time.size(), 1u);
  EXPECT_TRUE(in_time[0].all) << "the next burger";
  const auto overdue = a_burger_has_ended(milliseconds(100));
  ASSERT_EQ(overdue.size(), 1u);
  EXPECT_EQ(overdue[0].limit, 1);
  EXPECT_EQ(overdue[0].kinds, std::vector<int>{kDrink}) << "no burger: what came free is the express slot now";
}

TEST(Reservation, AnUnknownKindThatIsTriedTakesOverTheNextSlotThatComesFree) {
  Pool pool(Reserve::Auto, 4, 3);
  pool.knows(kDrink, milliseconds(1)).knows(kBurger, seconds(1)).runs(kBurger, 4);
  EXPECT_EQ(pool.asks()[0].kinds, (std::vector<int>{kDrink, kSalad}));
  pool.runs(kSalad, 1);
  EXPECT_TRUE(pool.asks(milliseconds(100)).empty());
  pool.none_runs();
  pool.runs(kBurger, 3).runs(kSalad, 1);
  const auto asks = pool.asks(milliseconds(100));
  ASSERT_EQ(asks.size(), 1u);
  EXPECT_EQ(asks[0].limit, 1);
  EXPECT_EQ(asks[0].kinds, std::vector<int>{kDrink});
}

TEST(Reservation, WhereNoKindIsKnownWhatIsTriedTakesOverTheNextSlotThatComesFree) {
  Pool pool(Reserve::Auto, 4, 3);
  pool.runs(kBurger, 3).runs(kSalad, 1);  // a burger has ended
  const auto asks = pool.asks(milliseconds(1));
  ASSERT_EQ(asks.size(), 1u);
  EXPECT_EQ(asks[0].limit, 1);
  EXPECT_EQ(asks[0].kinds, std::vector<int>{kDrink}) << "neither a burger nor a second salad";
}

TEST(Reservation, AKindTurnsLongAfterFiveLongRuns) {
  Pool pool = mixed(Reserve::Auto, 4);
  EXPECT_EQ(pool.room(kDrink), 5);
  for (int i = 1; i <= 5; ++i) pool.ends(kDrink, seconds(1), seconds(i));
  EXPECT_EQ(pool.room(kDrink, seconds(6)), 4);
}

TEST(Reservation, GroupsGetMoreRoomWhenTheyKeepItBusyAndLongOnesKeepASlot) {
  Pool pool = mixed(Reserve::Slots, 4);
  EXPECT_EQ(pool.room(kBurger), 3);
  for (int i = 0; i < 150'000; ++i) pool.ends(kDrink, milliseconds(1), Duration(i * 1'000 / 2));  // 2 slots' worth
  EXPECT_EQ(pool.room(kBurger, seconds(75)), 1);
  EXPECT_EQ(pool.room(kBurger, seconds(90)), 2) << "given back one by one";
  EXPECT_EQ(pool.room(kBurger, seconds(900)), 3);
  EXPECT_GT(pool.room(kBurger, seconds(901)), 0);
}

TEST(Reservation, AHeavyTailedKindIsJudgedByItsTail) {
  Pool pool(Reserve::Auto, 4);
  pool.knows(kDrink, milliseconds(1), 256);
  for (int i = 0; i < 250; ++i) pool.knows(kBurger, milliseconds(1), 1);
  EXPECT_EQ(pool.room(kDrink), 4);
  for (int i = 0; i < 6; ++i) pool.knows(kBurger, milliseconds(500), 1);  // mean 12 ms, p99 500 ms
  EXPECT_EQ(pool.room(kDrink, seconds(1)), 5);
  EXPECT_EQ(pool.room(kBurger, seconds(1)), 4);
}

TEST(Reservation, WhatTakesSecondsIsNotShortEnoughForTheExpressSlot) {
  Pool pool(Reserve::Auto, 4);
  pool.knows(kDrink, seconds(6)).knows(kBurger, std::chrono::hours(1));
  EXPECT_EQ(pool.room(kDrink), 4);
  Pool slots(Reserve::Slots, 4);
  slots.knows(kDrink, seconds(6)).knows(kBurger, std::chrono::hours(1));
  EXPECT_EQ(slots.room(kBurger), 3);
}

TEST(Reservation, OneExpressSlotGoesWhereItSavesMost) {
  Pool pool(Reserve::Auto, 4, 3);
  pool.knows(kDrink, milliseconds(1)).knows(kSalad, milliseconds(30)).knows(kBurger, seconds(10));
  (void)pool.asks();
  EXPECT_EQ(pool.decision().kinds[kSalad].kind_class, KindClass::Short);
  Pool other(Reserve::Auto, 4, 3);
  other.knows(kDrink, milliseconds(1)).knows(kSalad, seconds(4)).knows(kBurger, seconds(20));
  (void)other.asks();
  EXPECT_EQ(other.decision().kinds[kDrink].kind_class, KindClass::Short);
  EXPECT_EQ(other.decision().kinds[kSalad].kind_class, KindClass::Long);
}

TEST(Reservation, MoreGroupsThanSlotsShareFromTheShortestUp) {
  Pool pool(Reserve::Slots, 2, 3);
  pool.knows(kDrink, milliseconds(1)).knows(kSalad, milliseconds(100)).knows(kBurger, seconds(10));
  EXPECT_EQ(pool.room(kBurger), 1);
  EXPECT_EQ(pool.room(kSalad), 2);
  EXPECT_EQ(pool.decision().kinds[kDrink].group, pool.decision().kinds[kSalad].group);
  Pool wide(Reserve::Slots, 4, 3);
  wide.knows(kDrink, milliseconds(1)).knows(kSalad, milliseconds(100)).knows(kBurger, seconds(10));
  EXPECT_EQ(wide.room(kBurger), 2);
  EXPECT_EQ(wide.room(kSalad), 3);
  EXPECT_EQ(wide.room(kDrink), 4);
}

TEST(Reservation, HasANameForEachWayAndBack) {
  for (const Reserve reserve : {Reserve::Off, Reserve::Slots, Reserve::Express, Reserve::Auto}) {
    EXPECT_EQ(reserve_named(name(reserve)), reserve);
  }
  EXPECT_FALSE(reserve_named("none"));
}

}  // namespace galley::job
