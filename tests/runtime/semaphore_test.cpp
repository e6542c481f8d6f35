// A bound that is fair, and whose permits are never lost, whatever is cancelled when.

#include "galley/runtime/semaphore.hpp"

#include <random>
#include <thread>

#include "runtime/coroutines.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::Started;
using test::turns;

asio::awaitable<void> hold(Semaphore& semaphore, std::size_t permits, int for_turns, std::string& log, char name) {
  const Permit permit = co_await semaphore.acquire(permits);
  EXPECT_EQ(permit.count(), permits);
  log += name;
  co_await turns(for_turns);
}

TEST(Semaphore, ServesFirstComeFirstServed) {
  asio::io_context context(1);
  Semaphore semaphore(1);
  std::string log;
  std::vector<std::unique_ptr<Started>> all;
  for (char name = 'a'; name <= 'j'; ++name) {
    all.push_back(std::make_unique<Started>(context, hold(semaphore, 1, name % 3, log, name)));
  }
  context.run();
  EXPECT_EQ(log, "abcdefghij");
  EXPECT_EQ(semaphore.available(), 1U);
}

TEST(Semaphore, NeverHasMoreInsideThanPermits) {
  asio::io_context context(1);
  Semaphore semaphore(3);
  std::string log;
  std::vector<std::unique_ptr<Started>> all;
  for (int i = 0; i < 20; ++i) all.push_back(std::make_unique<Started>(context, hold(semaphore, 1, 4, log, 'x')));
  context.poll_one();
  while (context.run_one() != 0) ASSERT_LE(semaphore.available(), 3U);
  EXPECT_EQ(log.size(), 20U);
  EXPECT_EQ(semaphore.available(), 3U);
  EXPECT_EQ(semaphore.waiting(), 0U);
}

TEST(Semaphore, NobodyOvertakesWhoWantsMany) {
  asio::io_context context(1);
  Semaphore semaphore(4);
  std::string log;
  const Started first(context, hold(semaphore, 3, 5, log, 'a'));
  const Started wants_many(context, hold(semaphore, 4, 1, log, 'b'));
  const Started wants_one(context, hold(semaphore, 1, 1, log, 'c'));
  context.poll_one();
  context.poll_one();
  context.poll_one();
  EXPECT_FALSE(semaphore.try_acquire()) << "one is free, and two are waiting for it";
  context.run();
  EXPECT_EQ(log, "abc");
}

TEST(Semaphore, WhoLeavesTheLineLetsTheNextIn) {
  asio::io_context context(1);
  Semaphore semaphore(4);
  std::string log;
  auto held = semaphore.try_acquire(3);
  Started wants_many(context, hold(semaphore, 4, 0, log, 'b'));
  const Started wants_one(context, hold(semaphore, 1, 0, log, 'c'));
  context.poll();
  EXPECT_EQ(semaphore.waiting(), 2U);
  wants_many.cancel();
  context.poll();
  EXPECT_EQ(log, "c");
  EXPECT_EQ(wants_many.error(), "cancelled");
  held.reset();
  EXPECT_EQ(semaphore.available(), 4U);
}

asio::awaitable<void> acquire_for(Semaphore& semaphore, Duration limit, std::string& log) {
  const Result<Permit> permit = co_await semaphore.acquire_for(limit);
  log = permit ? "got it" : permit.error().message;
}

TEST(Semaphore, AcquireForGivesUpAfterItsLimit) {
  asio::io_context context(1);
  Semaphore semaphore(1);
  std::string now, later, in_time;
  const Started at_once(context, acquire_for(semaphore, 0ms, in_time));
  context.run();
  EXPECT_EQ(in_time, "got it");
  context.restart();
  const auto held = semaphore.try_acquire();
  const Started no_wait(context, acquire_for(semaphore, 0ms, now));
  const Started waits(context, acquire_for(semaphore, 2ms, later));
  context.run();
  EXPECT_EQ(now, "timed out after 0s");
  EXPECT_EQ(later, "timed out after 2ms");
  EXPECT_EQ(semaphore.waiting(), 0U);
}

TEST(Semaphore, AcquireForGetsWhatComesInTime) {
  asio::io_context context(1);
  Semaphore semaphore(1);
  std::string log;
  auto held = semaphore.try_acquire();
  const Started waits(context, acquire_for(semaphore, 1h, log));
  context.poll();
  EXPECT_EQ(semaphore.waiting(), 1U);
  held->release();
  context.run();
  EXPECT_EQ(log, "got it");
  EXPECT_EQ(semaphore.available(), 1U);
}

TEST(Semaphore, APermitIsGivenBackOnceAndMayBeMoved) {
  Semaphore semaphore(5);
  auto two = semaphore.try_acquire(2);
  Permit moved = std::move(*two);
  two.reset();
  EXPECT_EQ(semaphore.available(), 3U);
  Permit three = std::move(*semaphore.try_acquire(3));
  three = std::move(moved);  // gives back the three
  EXPECT_EQ(semaphore.available(), 3U);
  three.release();
  three.release();
  EXPECT_FALSE(three);
  EXPECT_EQ(semaphore.available(), 5U);
}

TEST(Semaphore, APermitMayOutliveItsSemaphore) {
  std::optional<Permit> permit;
  {
    Semaphore semaphore(1);
    permit = semaphore.try_acquire();
  }
  EXPECT_TRUE(permit.has_value());
}

TEST(Semaphore, ItsEndCancelsWhoWaits) {
  asio::io_context context(1);
  auto semaphore = std::make_unique<Semaphore>(1);
  std::string log;
  const auto held = semaphore->try_acquire();
  const Started waits(context, hold(*semaphore, 1, 0, log, 'a'));
  context.poll();
  semaphore.reset();
  context.run();
  EXPECT_EQ(waits.error(), "cancelled");
}

TEST(Semaphore, AContextThatIsDestroyedGivesBackWhatItsCoroutinesHadAndWereGranted) {
  Semaphore semaphore(2);
  std::string log;
  {
    asio::io_context context(1);
    asio::co_spawn(context, hold(semaphore, 1, 1'000'000, log, 'a'), [](const std::exception_ptr&) {});
    auto held = semaphore.try_acquire();
    asio::co_spawn(context, hold(semaphore, 1, 0, log, 'b'), [](const std::exception_ptr&) {});
    asio::co_spawn(context, hold(semaphore, 2, 0, log, 'c'), [](const std::exception_ptr&) {});
    while (semaphore.waiting() != 2) context.poll_one();
    held.reset();  // b's, who never goes on
    EXPECT_EQ(semaphore.available(), 0U);
    EXPECT_EQ(log, "a");
  }
  EXPECT_EQ(semaphore.available(), 2U);
  EXPECT_EQ(semaphore.waiting(), 0U);
}

TEST(Semaphore, InvalidNumbersAreErrorsThatNameThem) {
  EXPECT_THROW(Semaphore(0), Exception);
  Semaphore semaphore(3);
  try {
    static_cast<void>(semaphore.try_acquire(4));
    FAIL();
  } catch (const Exception& failure) {
    EXPECT_STREQ(failure.what(), "permits is 4; allowed are 1 to the semaphore's 3");
  }
  EXPECT_THROW(static_cast<void>(semaphore.try_acquire(0)), Exception);
}

// --- cancellation at every point

TEST(Semaphore, CancelledAtAnyStepLosesNoPermitAndHoldsNobodyUp) {
  bool through = false;
  for (int step = 0; !through; ++step) {
    ASSERT_LT(step, 200);
    for (const bool cancel_twice : {false, true}) {
      asio::io_context context(1);
      Semaphore semaphore(1);
      std::string log;
      Started a(context, hold(semaphore, 1, 2, log, 'a'));
      Started b(context, hold(semaphore, 1, 2, log, 'b'));
      Started c(context, hold(semaphore, 1, 2, log, 'c'));
      for (int i = 0; i < step; ++i) through = context.poll_one() == 0;
      b.cancel();
      if (cancel_twice) a.cancel();
      context.run();
      SCOPED_TRACE("cancelled after step " + std::to_string(step) + ": " + log);
      ASSERT_TRUE(a.over() && b.over() && c.over());
      ASSERT_EQ(log.back(), 'c');
      ASSERT_EQ(semaphore.available(), 1U);
    }
  }
}

/// Many coroutines that come and go, cancelled at random steps.
class Crowd {
 public:
  explicit Crowd(unsigned seed) : random_(seed) {}

  /// How often a permit was granted.
  void run(int steps, int& granted) {
    for (int i = 0; i < 8; ++i) people_.push_back(start());
    for (int i = 0; i < steps; ++i) {
      auto& person = people_[below(people_.size())];
      if (person->over()) person = start();
      if (below(6) == 0) person->cancel();
      context_.poll_one();
      ASSERT_LE(held_ + semaphore_.available(), kPermits);
    }
    context_.run();
    EXPECT_EQ(semaphore_.available(), kPermits);
    EXPECT_EQ(semaphore_.waiting(), 0U);
    granted += granted_;
  }

 private:
  static constexpr std::size_t kPermits = 3;

  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_); }
  std::unique_ptr<Started> start() { return std::make_unique<Started>(context_, visit(1 + below(kPermits), below(4))); }

  asio::awaitable<void> visit(std::size_t permits, std::size_t how) {
    co_await turns(static_cast<int>(below(3)));
    const int ticket = ++tickets_;
    const bool waits = semaphore_.waiting() > 0 || semaphore_.available() < permits;
    Permit permit;
    if (how == 0) {
      if (auto now = semaphore_.try_acquire(permits)) permit = std::move(*now);
    } else if (how == 1) {
      if (auto in_time = co_await semaphore_.acquire_for(1h, permits)) permit = std::move(*in_time);
    } else {
      permit = co_await semaphore_.acquire(permits);
    }
    if (!permit) co_return;
    ++granted_;
    if (how > 1 && waits) {
      EXPECT_GT(ticket, last_ticket_) << "overtaken";  // those with a limit go on a turn later
      last_ticket_ = ticket;
    }
    held_ += permits;
    try {
      co_await turns(static_cast<int>(below(4)));
    } catch (...) {
      held_ -= permits;
      throw;
    }
    held_ -= permits;
  }

  std::mt19937 random_;
  asio::io_context context_{1};
  Semaphore semaphore_{kPermits};
  std::vector<std::unique_ptr<Started>> people_;
  std::size_t held_ = 0;
  int tickets_ = 0, last_ticket_ = 0, granted_ = 0;
};

TEST(Semaphore, RandomSchedulesWithCancelsLoseNoPermitAndOvertakeNobody) {
  int granted = 0;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Crowd crowd(seed);
    crowd.run(400, granted);
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(granted, 300 * 10);
}

asio::awaitable<void> cross(Semaphore& semaphore, int times, std::atomic<int>& inside, std::atomic<int>& most) {
  for (int i = 0; i < times; ++i) {
    const Permit permit = co_await semaphore.acquire();
    const int now = ++inside;
    if (now > most) most = now;
    if (i % 4 == 0) co_await turns(1);
    --inside;
  }
}

TEST(Semaphore, BoundsCoroutinesOfSeveralThreads) {
  Semaphore semaphore(2);
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      asio::io_context context(1);
      const Started a(context, cross(semaphore, 400, inside, most));
      const Started b(context, cross(semaphore, 400, inside, most));
      context.run();
      EXPECT_TRUE(a.over() && b.over());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, 2);
  EXPECT_EQ(semaphore.available(), 2U);
}

}  // namespace
}  // namespace galley
