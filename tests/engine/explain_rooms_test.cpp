// What others than a worker can tell of the room that its pools keep for short kinds.

#include "engine/explain_rooms.hpp"

#include <gtest/gtest.h>

#include "engine/explain.hpp"
#include "engine/history.hpp"

namespace galley::engine {
namespace {

using namespace std::chrono_literals;

const Time kNow = base::ManualClock().wall() + 1h;

store::Minute ran(const std::string& kind, Duration time, int runs, Duration ago = 1min,
                  const std::string& queue = "q") {
  store::Minute minute;
  minute.minute = kNow - ago;
  minute.measured.queue = queue;
  minute.measured.kind = kind;
  minute.measured.completed = runs;
  minute.measured.run.add(time, runs);
  return minute;
}

store::WorkerStats worker(const std::string& pools, std::vector<std::string> kinds, int slots = 4) {
  store::WorkerStats stats;
  stats.card.name = "host:1";
  stats.card.pools = pools;
  stats.card.queues = {"q"};
  stats.card.kinds = std::move(kinds);
  stats.card.slots = slots;
  return stats;
}

const std::vector<store::Minute> kCounter{ran("drink", 1ms, 500), ran("burger", 1s, 100)};

PoolRoom room_of(const store::WorkerStats& of, const std::vector<store::Minute>& minutes = kCounter) {
  const auto rooms = rooms_of(std::span(&of, 1), minutes, kNow);
  return rooms.at(0).at(0);
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(History, TheLastRunsThatAreTakenOverAreLikeAllOfThem) {
  telemetry::Histogram seen;
  seen.add(1ms, 900);
  seen.add(1s, 100);
  job::RunTimes times;
  take_over(seen, times);
  EXPECT_TRUE(times.known());
  EXPECT_LT(times.lately(), 10ms) << "most are short";
  EXPECT_GT(times.p99(), 900ms);
  EXPECT_NEAR(static_cast<double>(times.mean().count()), 100'000, 20'000);
}

TEST(CardPools, AreReadAsTheyAreWritten) {
  const std::vector<job::PoolSpec> pools{{"fast", 4, {{"a", 0}, {"b", 0}}}, {"slow", 2, {{"c", 3}}}};
  for (const job::Reserve reserve : {job::Reserve::Auto, job::Reserve::Off, job::Reserve::Slots}) {
    store::WorkerCard card;
    card.pools = text_of(pools, reserve);
    const CardPools read = pools_of(card);
    EXPECT_EQ(read.pools, pools);
    EXPECT_EQ(read.reserve, reserve);
    EXPECT_TRUE(read.whole);
  }
  EXPECT_EQ(text_of(pools, job::Reserve::Auto), "fast=4:a,b slow=2:c*3") << "what older programs read";
}

TEST(CardPools, APoolMayBeCalledReserveAndWhatIsNewerIsLeftOut) {
  store::WorkerCard card;
  card.pools = "reserve=2:q other=thing";
  EXPECT_EQ(pools_of(card).pools.size(), 1U);
  EXPECT_EQ(pools_of(card).reserve, job::Reserve::Auto);
  EXPECT_FALSE(pools_of(card).whole);
}

TEST(PoolRooms, AreDecidedFromWhatAllWorkersMeasured) {
  const PoolRoom room = room_of(worker("p=4:q", {"burger", "drink"}));
  EXPECT_EQ(room.pool, "p");
  EXPECT_EQ(room.decision.extra, 1);
  EXPECT_EQ(room.slots(), 5);
  EXPECT_EQ(room.kept_from("drink"), 0);
  EXPECT_EQ(room.kept_from("burger"), 1);
  EXPECT_EQ(room.kept_from("unheard of"), 1);
  EXPECT_TRUE(says(room.decision.why, "an express slot for drink")) << room.decision.why;
  EXPECT_EQ(figures_of(room), "drink: mean 1ms, p99 1ms; burger: mean 1s, p99 1s");
}

TEST(PoolRooms, FollowTheModeOfTheirWorker) {
  const PoolRoom slots = room_of(worker("p=4:q reserve=slots", {"burger", "drink"}));
  EXPECT_EQ(slots.decision.extra, 0);
  EXPECT_EQ(slots.kept_from("burger"), 1);
  EXPECT_EQ(slots.slots(), 4);
  const PoolRoom off = room_of(worker("p=4:q reserve=off", {"burger", "drink"}));
  EXPECT_EQ(off.kept_from("burger"), 0);
  EXPECT_EQ(off.decision.why, "switched off");
}

TEST(PoolRooms, KeepMoreForAShortKindThatKeepsMoreSlotsBusy) {
  // 100 ms for 9,000 runs within five minutes are three slots.
  const std::vector<store::Minute> busy{ran("drink", 100ms, 9'000, 5min), ran("burger", 2s, 100)};
  EXPECT_EQ(room_of(worker("p=8:q reserve=slots", {"burger", "drink"}, 8), busy).kept_from("burger"), 4);
  const std::vector<store::Minute> before{ran("drink", 100ms, 54'000, 30min), ran("burger", 2s, 100)};
  EXPECT_EQ(room_of(worker("p=8:q reserve=slots", {"burger", "drink"}, 8), before).kept_from("burger"), 1);
}

TEST(PoolRooms, OfAWorkerOfAnyCommandKnowTheProgramsThatRanFromItsQueues) {
  store::WorkerStats any = worker("p=4:q", {});
  any.card.any_command = true;
  std::vector<store::Minute> minutes = kCounter;
  minutes.push_back(ran("cake", 1s, 50, 1min, "other"));
  EXPECT_EQ(room_of(any, minutes).kinds, (std::vector<std::string>{"burger", "drink"}));
  any.card.any_command = false;
  any.card.programs = {"/usr/bin/burger", "drink"};
  EXPECT_EQ(room_of(any, minutes).kept_from("burger"), 1);
}

TEST(PoolRooms, SayWhatTheyMeanForAKind) {
  const PoolRoom room = room_of(worker("p=4:q", {"burger", "drink", "new"}));
  EXPECT_TRUE(says(meaning_of(room, "drink"), "counts as short: it may take all 5 slots")) << meaning_of(room, "drink");
  EXPECT_TRUE(says(meaning_of(room, "burger"), "counts as long: it may take 4 of the 5 slots of pool \"p\""))
      << meaning_of(room, "burger");
  EXPECT_TRUE(says(meaning_of(room, "new"), "is not known yet, after 0 of 8 runs")) << meaning_of(room, "new");
  EXPECT_TRUE(says(meaning_of(room, "new"), "may be tried in the express slot")) << meaning_of(room, "new");
  EXPECT_FALSE(says(meaning_of(room, "unheard of"), "may be tried")) << "a claim cannot name it";
  const PoolRoom off = room_of(worker("p=4:q reserve=off", {"burger", "drink"}));
  EXPECT_EQ(meaning_of(off, "drink"), "pool \"p\" keeps no room for short kinds: switched off");
}

/// A ready job of that kind; four burgers run on four slots.
Facts waiting(const std::string& kind, const std::string& pools) {
  Facts seen;
  seen.now = kNow;
  seen.job.id = 7;
  seen.job.state = JobState::Ready;
  seen.job.queue = "q";
  seen.job.kind = kind;
  seen.in_line = InLine{};
  seen.workers = {worker(pools, {"burger", "drink"})};
  seen.minutes = kCounter;
  return seen;
}

void run(Facts& seen, const std::string& kind, int jobs) {
  for (int i = 0; i < jobs; ++i) seen.running.push_back({100 + i, "q", kind, "host:1", kNow - 1s});
  seen.workers[0].running += jobs;
}

TEST(ExplainRoom, AShortJobGetsTheExpressSlotWhileLongOnesHoldAllOthers) {
  Facts seen = waiting("drink", "p=4:q");
  run(seen, "burger", 4);
  EXPECT_EQ(explain(seen).reasons.at(0).code, "about_to_start");
  EXPECT_EQ(explain(seen).notes.at(0).code, "room");
  run(seen, "drink", 1);
  EXPECT_EQ(explain(seen).reasons.at(0).code, "slots_busy");
}

TEST(ExplainRoom, ALongJobWaitsForALongOneThoughASlotIsFree) {
  Facts seen = waiting("burger", "p=4:q reserve=slots");
  run(seen, "burger", 2);
  run(seen, "drink", 1);
  EXPECT_EQ(explain(seen).reasons.at(0).code, "about_to_start") << "the drink has the slot that is kept";
  run(seen, "burger", 1);
  const Reason busy = explain(seen).reasons.at(0);
  EXPECT_EQ(busy.code, "slots_busy");
  EXPECT_TRUE(says(busy.text, "(3 of 3), beside 1 kept for shorter kinds")) << busy.text;
}

}  // namespace
}  // namespace galley::engine
