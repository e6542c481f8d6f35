// What a pool asks for while long and short kinds share it: the core without threads, and real workers.

#include "engine/rooms.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/slot_pools.hpp"
#include "engine/worker_fixture.hpp"

namespace galley::engine {

namespace {

job::Claim claim_of_kind(const std::string& kind, const std::string& program = {}) {
  job::Claim claim;
  claim.queue = "q";
  claim.kind = kind;
  claim.program = program;
  claim.content = program.empty() ? job::Content::Bytes : job::Content::Command;
  return claim;
}

base::Mono at(Duration since) { return base::Mono(1h + since); }

/// One pool of four slots.
class RoomsTest : public testing::Test {
 protected:
  void make(Capability can, job::Reserve reserve = job::Reserve::Auto) {
    rooms = std::make_unique<Rooms>(reserve, std::vector<job::PoolSpec>{{"p", 4, {{"q", 0}}}}, can);
  }
  void run(int slot, const job::Claim& claim, Duration time, int times = 20) {
    for (int i = 0; i < times; ++i) {
      rooms->started(0, slot, claim, at({}));
      rooms->left(0, slot);
      rooms->ran(0, slot, time);
    }
  }
  void hold(const job::Claim& claim, int slots) {
    for (int i = 0; i < slots; ++i) rooms->started(0, i, claim, at({}));
  }
  std::unique_ptr<Rooms> rooms;
};

}  // namespace

TEST_F(RoomsTest, AsksForTheShortKindWhenTheLongOneHoldsAllSlots) {
  make({{"drink", "burger"}, false, {}});
  EXPECT_EQ(rooms->most(0), 5);
  run(0, claim_of_kind("drink"), 1ms);
  run(0, claim_of_kind("burger"), 1s);
  hold(claim_of_kind("burger"), 4);
  const auto wishes = rooms->wishes(0, 0, at(1ms));
  ASSERT_EQ(wishes.size(), 1u);
  EXPECT_EQ(wishes[0].limit, 1);
  ASSERT_EQ(wishes[0].kinds.size(), 1u);
  EXPECT_EQ(wishes[0].kinds[0].kind, "drink");
  EXPECT_EQ(wishes[0].commands.max, 0);
  EXPECT_EQ(rooms->open(0), 4);
  EXPECT_EQ(rooms->usable(0), 5);
  const auto news = rooms->take_news();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].why, "an express slot for drink: burger could hold all slots for much longer");
  EXPECT_TRUE(rooms->take_news().empty());
}

TEST_F(RoomsTest, OffAsksForAllKindsAndForNothingAboveThePool) {
  make({{"drink", "burger"}, false, {}}, job::Reserve::Off);
  EXPECT_EQ(rooms->most(0), 4);
  run(0, claim_of_kind("drink"), 1ms);
  run(0, claim_of_kind("burger"), 1s);
  const auto wishes = rooms->wishes(0, 0, at(1ms));
  ASSERT_EQ(wishes.size(), 1u);
  EXPECT_TRUE(wishes[0].all);
  EXPECT_EQ(wishes[0].limit, 4);
  EXPECT_EQ(rooms->usable(0), 4);
  EXPECT_FALSE(rooms->wants_history());
}

TEST_F(RoomsTest, TellsListedProgramsApart) {
  make({{}, false, {"/bin/tea", "/bin/roast"}});
  run(0, claim_of_kind("tea", "/bin/tea"), 1ms);
  run(0, claim_of_kind("roast", "/bin/roast"), 1s);
  hold(claim_of_kind("roast", "/bin/roast"), 4);
  const auto wishes = rooms->wishes(0, 0, at(1ms));
  ASSERT_EQ(wishes.size(), 1u);
  EXPECT_EQ(wishes[0].commands.max, 1);
  EXPECT_FALSE(wishes[0].commands.any);
  EXPECT_EQ(wishes[0].commands.programs, std::vector<std::string>{"/bin/tea"});
  EXPECT_TRUE(wishes[0].kinds.empty());
}

TEST_F(RoomsTest, LearnsProgramsAsTheyComeWhereAnyIsAllowed) {
  make({{}, true, {}});
  run(0, claim_of_kind("tea", "/bin/tea"), 1ms);
  run(0, claim_of_kind("roast", "/bin/roast"), 1s);
  hold(claim_of_kind("roast", "/bin/roast"), 4);
  const auto wishes = rooms->wishes(0, 0, at(1ms));
  ASSERT_EQ(wishes.size(), 1u);
  EXPECT_EQ(wishes[0].commands.programs, std::vector<std::string>{"/bin/tea"});
}

TEST_F(RoomsTest, TakesOverTheProgramsThatRanFromItsQueuesWhereAnyIsAllowed) {
  make({{"mail"}, true, {}});
  std::vector<store::Minute> minutes(4);
  const auto ran = [&](std::size_t i, const std::string& queue, const std::string& kind, Duration time) {
    minutes[i].measured.queue = queue;
    minutes[i].measured.kind = kind;
    minutes[i].measured.run.add(time, 500);
  };
  ran(0, "q", "tea", 1ms);
  ran(1, "q", "roast", 1s);
  ran(2, "other", "soup", 1ms);
  ran(3, "q", "mail", 1ms);
  EXPECT_TRUE(rooms->wants_history());
  rooms->learn(minutes);
  EXPECT_FALSE(rooms->wants_history());
  hold(claim_of_kind("roast", "roast"), 4);
  const auto wishes = rooms->wishes(0, 0, at(1ms));
  ASSERT_EQ(wishes.size(), 1u);
  EXPECT_EQ(wishes[0].commands.programs, std::vector<std::string>{"tea"});
  ASSERT_EQ(wishes[0].kinds.size(), 1u);
  EXPECT_EQ(wishes[0].kinds[0].kind, "mail");
}

TEST_F(RoomsTest, AsksOnceWhichProgramsRanWhereAnyIsAllowed) {
  make({{}, true, {}});
  EXPECT_TRUE(rooms->wants_history());
  rooms->learn({});
  EXPECT_FALSE(rooms->wants_history());
}

TEST_F(RoomsTest, BoundsTheProgramsThatItTellsApart) {
  make({{}, true, {}});
  for (int i = 0; i < 1'000; ++i) run(0, claim_of_kind("c", "/bin/" + std::to_string(i)), 1ms, 1);
  EXPECT_LE(rooms->decision(0).kinds.size(), 257u);
}

TEST_F(RoomsTest, TakesOverWhatOthersSawOfUnknownKinds) {
  make({{"drink", "burger"}, false, {}});
  std::vector<store::Minute> minutes(2);
  minutes[0].measured.kind = "drink";
  minutes[0].measured.run.add(1ms, 500);
  minutes[1].measured.kind = "burger";
  minutes[1].measured.run.add(1s, 500);
  EXPECT_TRUE(rooms->wants_history());
  rooms->learn(minutes);
  EXPECT_FALSE(rooms->wants_history());
  hold(claim_of_kind("burger"), 4);
  ASSERT_EQ(rooms->wishes(0, 0, at(1ms)).size(), 1u);
  run(0, claim_of_kind("drink"), 1s, 300);  // its own measurements outweigh it
  EXPECT_TRUE(rooms->wishes(0, 0, at(1s)).empty());
}

TEST_F(RoomsTest, ForgetsWhatHasLeftItsSlot) {
  make({{"drink", "burger"}, false, {}});
  hold(claim_of_kind("burger"), 4);
  rooms->left(0, 2);
  rooms->left(0, 2);
  EXPECT_EQ(rooms->wishes(0, 0, at(1ms))[0].limit, 1);
}

// ---- real workers -----------------------------------------------------------------------------------------------

namespace {

/// Burgers that cook until they are let go, drinks that are done at once.
class Kitchen {
 public:
  explicit Kitchen(StorePtr store, std::string reserve, std::string burger = "burger", std::string drink = "drink",
                   int slots = 4)
      : worker_(std::move(store), with(std::move(reserve))) {
    worker_.handle_bytes(burger, [this](Attempt&, std::string_view) -> std::optional<Outcome> {
      std::unique_lock lock(mutex_);
      ++cooking_;
      most_cooking_ = std::max(most_cooking_, cooking_);
      changed_.notify_all();
      changed_.wait(lock, [this] { return let_go_; });
      --cooking_;
      return std::nullopt;
    });
    worker_.handle_bytes(drink, [this](Attempt&, std::string_view) -> std::optional<Outcome> {
      const std::lock_guard lock(mutex_);
      ++drinks_;
      changed_.notify_all();
      return std::nullopt;
    });
    worker_.pool("q", slots);
    thread_ = std::thread([this] { EXPECT_TRUE(worker_.run()); });
  }
  ~Kitchen() {
    let_go();
    worker_.stop();
    thread_.join();
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    let_go_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool wait_cooking(int burgers) {
    return wait([this, burgers] { return cooking_ >= burgers; });
  }
  [[nodiscard]] bool wait_drinks(int drinks) {
    return wait([this, drinks] { return drinks_ >= drinks; });
  }
  [[nodiscard]] int drinks() {
    const std::lock_guard lock(mutex_);
    return drinks_;
  }
  [[nodiscard]] int most_cooking() {
    const std::lock_guard lock(mutex_);
    return most_cooking_;
  }

 private:
  static WorkerOptions with(std::string reserve) {
    WorkerOptions options;
    options.reserve = std::move(reserve);
    return options;
  }
  template <class Ready>
  bool wait(const Ready& ready) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, ready);
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  int cooking_ = 0;
  int most_cooking_ = 0;
  int drinks_ = 0;
  bool let_go_ = false;
  Worker worker_;
  std::thread thread_;
};

class ReserveTest : public WorkerTest {
 protected:
  void order(const std::string& kind, int jobs) {
    for (int i = 0; i < jobs; ++i) enqueue(kind);
  }
};

}  // namespace

TEST_F(ReserveTest, ADrinkBehindAHundredBurgersStartsWhileTheyCook) {
  order("burger", 100);
  Kitchen kitchen(store, "auto");
  ASSERT_TRUE(kitchen.wait_cooking(4));
  for (int i = 1; i <= 30; ++i) {
    order("drink", 1);
    ASSERT_TRUE(kitchen.wait_drinks(i));
  }
  EXPECT_EQ(kitchen.most_cooking(), 4);
}

TEST_F(ReserveTest, NamesHaveNoInfluence) {
  order("a-9f3", 100);
  Kitchen kitchen(store, "auto", "a-9f3", "zz.71");
  ASSERT_TRUE(kitchen.wait_cooking(4));
  order("zz.71", 20);
  EXPECT_TRUE(kitchen.wait_drinks(20));
  EXPECT_EQ(kitchen.most_cooking(), 4);
}

TEST_F(ReserveTest, OffLeavesOneLine) {
  order("burger", 8);
  Kitchen kitchen(store, "off");
  ASSERT_TRUE(kitchen.wait_cooking(4));
  order("drink", 10);
  EXPECT_EQ(kitchen.drinks(), 0);  // no slot can be had for them before a burger is done
  kitchen.let_go();
  EXPECT_TRUE(kitchen.wait_drinks(10));
  EXPECT_EQ(kitchen.most_cooking(), 4);
}

TEST_F(ReserveTest, SlotsKeepsRoomInThePoolOnceKindsAreKnown) {
  std::vector<store::Measured> seen(2);
  seen[0].queue = seen[1].queue = "q";
  seen[0].kind = "drink";
  seen[0].run.add(1ms, 100);
  seen[1].kind = "burger";
  seen[1].run.add(1s, 100);
  ASSERT_TRUE(store->report(seen));
  order("burger", 100);
  Kitchen kitchen(store, "slots");
  ASSERT_TRUE(kitchen.wait_cooking(3));
  order("drink", 20);
  EXPECT_TRUE(kitchen.wait_drinks(20));
  EXPECT_EQ(kitchen.most_cooking(), 3);
}

TEST_F(ReserveTest, OneSlotRunsOneJobAtATimeUnlessExpressIsAskedFor) {
  order("burger", 3);
  {
    Kitchen kitchen(store, "auto", "burger", "drink", 1);
    ASSERT_TRUE(kitchen.wait_cooking(1));
    order("drink", 1);
    EXPECT_EQ(kitchen.drinks(), 0);
    kitchen.let_go();
    EXPECT_TRUE(kitchen.wait_drinks(1));
    EXPECT_EQ(kitchen.most_cooking(), 1);
  }
  order("burger", 3);
  Kitchen kitchen(store, "express", "burger", "drink", 1);
  ASSERT_TRUE(kitchen.wait_cooking(1));
  order("drink", 5);
  EXPECT_TRUE(kitchen.wait_drinks(5));
}

TEST_F(ReserveTest, AnUnknownWordIsRefused) {
  WorkerOptions options;
  options.reserve = "some";
  Worker worker(store, options);
  const auto ran = worker.run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, Errc::InvalidInput);
  EXPECT_NE(ran.error().message.find("auto, express, slots and off"), std::string::npos);
}

TEST_F(ReserveTest, ADrainWithBothKindsEnds) {
  order("burger", 5);
  order("drink", 50);
  WorkerOptions options = drain();
  Worker worker(store, options);
  std::atomic<int> done = 0;
  for (const char* kind : {"burger", "drink"}) {
    worker.handle_bytes(kind, [&done](Attempt&, std::string_view) -> std::optional<Outcome> {
      ++done;
      return std::nullopt;
    });
  }
  worker.pool("q", 2);
  const auto report = worker.run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->completed, 55);
  EXPECT_EQ(done, 55);
}

}  // namespace galley::engine
