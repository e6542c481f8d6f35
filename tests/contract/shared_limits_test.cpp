// One limit over two connections to one file, as two processes have them: each keeps the rules in memory, and both hold
// to what either of them has set, at every moment.

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/random.hpp"
#include "contract/support.hpp"
#include "store/memory/memory_store.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::contract {

namespace {

constexpr int kJobs = 12;
constexpr int kChanges = 80;
constexpr std::int64_t kCallsBetween = 12;

/// What is known to run, and whether it may. A claim counts from its answer to the call of its finish, so never longer
/// than in the store: what is too much here is too much there. It is judged where the limit stood still from its call
/// to its answer.
class Judge {
 public:
  /// Sets the limit to `most` (0: none) by the verb.
  void change(int most, const std::function<void()>& verb) {
    enter(most, false);
    verb();
    enter(most, true);
  }
  /// Waits until so many claims have been answered since the last time.
  void let_pass(std::int64_t calls) {
    std::unique_lock lock(mutex_);
    const std::int64_t until = calls_ + calls;
    changed_.wait(lock, [&] { return calls_ >= until; });
  }
  [[nodiscard]] std::int64_t turn() {
    const std::scoped_lock lock(mutex_);
    return turn_;
  }
  /// The answer to a claim that was called in `turn`.
  void claimed(std::int64_t turn, const std::vector<job::Claim>& claims, bool each_key) {
    const std::scoped_lock lock(mutex_);
    ++calls_;
    changed_.notify_all();
    for (const job::Claim& one : claims) running_[one.id.job] = {turn, each_key ? one.key : ""};
    if (most_ == 0 || turn % 2 != 0 || turn != turn_) return;
    for (const job::Claim& one : claims) {
      const auto same = [&](const auto& other) {
        return other.second.turn >= since_ && other.second.under == running_[one.id.job].under;
      };
      const auto counted = std::count_if(running_.begin(), running_.end(), same);
      if (counted == most_) ++full_;
      EXPECT_LE(counted, most_) << "in turn " << turn;
    }
  }
  void finishing(JobId id) {
    const std::scoped_lock lock(mutex_);
    running_.erase(id);
  }
  /// How many of the judged claims were the last that the limit had room for.
  [[nodiscard]] int full() const { return full_; }

 private:
  struct Runs {
    std::int64_t turn = 0;  ///< of its claim's call
    std::string under;
  };
  void enter(int most, bool done) {
    const std::scoped_lock lock(mutex_);
    ++turn_;  // odd while it is being changed
    if (!done) return;
    if (most_ == 0) since_ = turn_;  // claims that were made before it was put are not counted
    most_ = most;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<JobId, Runs> running_;
  std::int64_t turn_ = 0;
  std::int64_t since_ = 0;
  std::int64_t calls_ = 0;
  int most_ = 0;
  int full_ = 0;
};

struct Bound {
  std::string name;
  LimitTarget target;
};

void PrintTo(const Bound& bound, std::ostream* out) { *out << bound.name; }

class SharedLimits : public testing::TestWithParam<Bound> {
 protected:
  struct Connection {
    std::unique_ptr<Store> store;
    WorkerId worker;
  };
  Connection open() {
    SqliteOptions options;
    options.path = home_.file("jobs.db");
    options.durability = Durability::Normal;
    options.clock = &clock;
    auto store = open_sqlite(options).value();
    const WorkerId worker = store->join({"host:1", "default=1"}).value();
    return {std::move(store), worker};
  }
  static void fill(Store& store, int jobs = kJobs) {
    std::vector<job::NewJob> all;
    for (int i = 0; i < jobs; ++i) all.push_back(a_job().key(i % 2 == 0 ? "ann" : "bob").limits({"smtp"}));
    for (job::NewJob& job : all) {
      if (GetParam().target.name == "ann") job.key = "ann";
    }
    EXPECT_TRUE(store.enqueue(all));
  }
  static std::vector<job::Claim> claim(Connection& on, int limit) {
    return on.store->claim(ClaimBuilder(on.worker).kind("k").limit(limit)).value().claims;
  }
  /// One at a time, until none is let go.
  static int claim_all(Connection& on) {
    int all = 0;
    while (!claim(on, 1).empty()) ++all;
    return all;
  }
  static bool each_key() { return GetParam().target.scope == LimitScope::Key && GetParam().target.name.empty(); }

  /// Claims and puts back, with up to four in its hands, until it is told to end.
  void work(Connection& on, Judge& judge, std::uint64_t seed, const std::atomic<bool>& over) {
    base::Random random(seed);
    std::vector<job::Claim> held;
    while (!over) {
      const std::int64_t turn = judge.turn();
      const auto got = claim(on, 1 + static_cast<int>(random.bits() % 3));
      judge.claimed(turn, got, each_key());
      held.insert(held.end(), got.begin(), got.end());
      while (!held.empty() && (got.empty() || held.size() > 4)) {
        put_back(on, judge, held, random.bits() % held.size());
        if (random.bits() % 2 == 0) break;
      }
    }
    while (!held.empty()) put_back(on, judge, held, 0);
  }
  static void put_back(Connection& on, Judge& judge, std::vector<job::Claim>& held, std::size_t which) {
    const Finish finish = a_finish(held[which], JobEvent::Pause);
    judge.finishing(held[which].id.job);
    EXPECT_EQ(on.store->finish(std::span(&finish, 1)).value().at(0), FinishAnswer::Finished);
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
  }
  /// Puts, lowers, raises and removes the limit, most of the time through the first connection.
  void change(Judge& judge) {
    base::Random random(1);
    int now = 0;
    for (int i = 0; i < kChanges; ++i) {
      Store& by = *(i % 5 == 4 ? second : first).store;
      const int most = now > 0 && i % 4 == 3 ? 0 : 1 + static_cast<int>(random.bits() % 4);
      judge.change(most, [&] {
        EXPECT_TRUE(most == 0 ? by.remove_limit(GetParam().target) : by.put_limit(GetParam().target, at_once(most)));
      });
      now = most;
      judge.let_pass(kCallsBetween);
    }
  }
  static LimitRule at_once(int jobs) {
    LimitRule rule;
    rule.max_running = jobs;
    return rule;
  }

  base::ManualClock clock;

 private:
  test::TempDir home_;

 protected:
  Connection first = open();
  Connection second = open();
};
INSTANTIATE_TEST_SUITE_P(Every, SharedLimits,
                         testing::Values(Bound{"queue", {LimitScope::Queue, "", "default"}},
                                         Bound{"kind", {LimitScope::Kind, "", "k"}},
                                         Bound{"key", {LimitScope::Key, "default", "ann"}},
                                         Bound{"each_key", {LimitScope::Key, "default", ""}},
                                         Bound{"name", {LimitScope::Name, "", "smtp"}}),
                         [](const auto& bound) { return bound.param.name; });

TEST_P(SharedLimits, NeverMoreRunThanTheOneConnectionHasSetWhileBothClaim) {
  fill(*first.store);
  Judge judge;
  {
    std::atomic<bool> over = false;
    std::vector<std::jthread> threads;
    threads.emplace_back([&] { work(first, judge, 1, over); });
    threads.emplace_back([&] { work(second, judge, 2, over); });
    threads.emplace_back([&] { work(second, judge, 3, over); });
    change(judge);
    over = true;
  }
  EXPECT_GT(judge.full(), kChanges) << "it was hardly ever reached";
  ASSERT_TRUE(first.store->put_limit(GetParam().target, at_once(2)));
  EXPECT_EQ(second.store->limits().value().at(0).running, 0) << "all have ended";
  EXPECT_EQ(claim_all(second) + claim_all(first), each_key() ? 4 : 2);
  ASSERT_TRUE(first.store->remove_limit(GetParam().target));
  EXPECT_EQ(claim_all(second), kJobs - (each_key() ? 4 : 2)) << "nothing holds the others any more";
}

TEST_P(SharedLimits, AChangeHoldsForTheNextClaimOfTheOther) {
  fill(*first.store);
  EXPECT_EQ(claim_all(second), kJobs) << "and now it knows of no limit";
  fill(*first.store);
  const int keys = each_key() ? 2 : 1;
  const auto set = [&](int most) { ASSERT_TRUE(first.store->put_limit(GetParam().target, at_once(most))); };
  set(3);
  const auto three = claim(second, kJobs);
  EXPECT_EQ(three.size(), 3U * static_cast<std::size_t>(keys));
  set(1);
  for (std::size_t i = 0; i < three.size(); ++i) {
    const Finish finish = a_finish(three[i], JobEvent::Complete);
    if (i + static_cast<std::size_t>(keys) <= three.size()) {
      EXPECT_EQ(claim_all(second), 0) << "one of each key runs, or more";
    }
    ASSERT_TRUE(second.store->finish(std::span(&finish, 1)));
  }
  EXPECT_EQ(claim_all(second), keys);
  EXPECT_EQ(claim_all(first), 0);
  set(2);
  EXPECT_EQ(claim_all(second), keys);
  ASSERT_TRUE(first.store->remove_limit(GetParam().target));
  EXPECT_EQ(claim_all(second), kJobs - 5 * keys);
}

TEST_P(SharedLimits, OfARateBothTogetherStartAsManyAsOneStoreWould) {
  auto memory = open_memory(clock);
  const WorkerId worker = memory->join({"host:1", "default=1"}).value();
  Connection alone{std::move(memory), worker};
  base::Random random(1);
  int started = 0;
  for (int round = 0; round < 30; ++round) {
    fill(*first.store);
    fill(*alone.store);
    if (round % 10 == 9) {
      for (Store* one : {first.store.get(), alone.store.get()}) ASSERT_TRUE(one->remove_limit(GetParam().target));
    } else if (round % 3 == 0) {
      const LimitRule rule{0, 1 + static_cast<int>(random.bits() % 3), 1s, 1 + static_cast<int>(random.bits() % 4)};
      for (Store* one : {first.store.get(), alone.store.get()}) ASSERT_TRUE(one->put_limit(GetParam().target, rule));
    }
    const int expected = claim_all(alone);
    std::array<int, 2> got{};
    {
      const std::jthread one([&] { got[0] = claim_all(first); });
      const std::jthread other([&] { got[1] = claim_all(second); });
    }
    ASSERT_EQ(got[0] + got[1], expected) << "in round " << round;
    started += expected;
    clock.advance(std::chrono::milliseconds(random.bits() % 2'000));
  }
  EXPECT_GT(started, 30);
}

}  // namespace
}  // namespace galley::store::contract
