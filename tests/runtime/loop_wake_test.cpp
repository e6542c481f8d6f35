// What wakes a loop that sleeps, or is about to.

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <thread>

#include "base/event.hpp"
#include "base/ticks.hpp"
#include "galley/runtime/loop.hpp"
#include "runtime/heartbeat.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::Event;
using Guard = asio::executor_work_guard<Loop::executor_type>;

/// A loop in a thread of its own that has something to do as long as `guard` stands.
class Running {
 public:
  explicit Running(LoopOptions options = {}) : loop(std::move(options)), guard(asio::make_work_guard(loop.context())) {
    ended_ = std::async(std::launch::async, [this] { loop.run(); });
  }
  ~Running() {
    loop.stop();
    ended_.wait();
  }
  [[nodiscard]] bool ends() { return ended_.wait_for(20s) == std::future_status::ready; }
  /// Until whatever it has been given is done, and it is asleep or about to be.
  void settle() {
    Event told;
    asio::post(loop.context(), [&] { told.set(); });
    ASSERT_TRUE(told.wait());
    while (loop.heartbeat().busy_since_ns != 0) std::this_thread::yield();
  }
  Loop loop;
  std::optional<Guard> guard;

 private:
  std::future<void> ended_;
};

void work_for(std::chrono::nanoseconds time) {
  const auto end = base::mono_ns() + time.count();
  while (base::mono_ns() < end) {
  }
}

/// The hook runs in the turn, before a look at the kernel that takes notice of the interrupt and does not sleep.
TEST(LoopWake, APostOfAnotherThreadWhileTheLoopLooksIsRun) {
  Event ran;
  std::atomic<bool> called{false};
  asio::io_context* context = nullptr;
  LoopOptions options;
  options.lag_limit = 1ms;
  options.on_lag = [&](const LoopLag&) {
    if (called.exchange(true)) return;
    std::thread([&] { asio::post(*context, [&] { ran.set(); }); }).join();
  };
  Running running(options);
  context = &running.loop.context();
  asio::post(*context, [] { work_for(5ms); });
  EXPECT_TRUE(ran.wait());
  EXPECT_TRUE(called);
}

TEST(LoopWake, AStopOfAnotherThreadWhileTheLoopLooksEndsIt) {
  std::atomic<bool> called{false};
  std::atomic<Loop*> loop{nullptr};
  LoopOptions options;
  options.lag_limit = 1ms;
  options.on_lag = [&](const LoopLag&) {
    if (!called.exchange(true)) std::thread([&] { loop.load()->stop(); }).join();
  };
  Running running(options);
  loop = &running.loop;
  asio::post(running.loop.context(), [] { work_for(5ms); });
  EXPECT_TRUE(running.ends());
}

/// The post waits too long before the run, and nothing is looked at between it and the sleep.
TEST(LoopWake, WhatOnLagQueuesJustBeforeTheSleepIsRun) {
  for (const bool immediate : {false, true}) {
    Loop* made = nullptr;
    bool ran = false;
    std::optional<Guard> guard;
    const auto end = [&] {
      ran = true;
      guard.reset();
    };
    LoopOptions options;
    options.lag_limit = 1ms;
    options.on_lag = [&](const LoopLag&) {
      if (immediate) return made->immediate(end);
      asio::post(made->context(), end);
    };
    Loop loop(options);
    made = &loop;
    guard.emplace(asio::make_work_guard(loop.context()));
    ASSERT_TRUE(loop.post([] {}));
    work_for(5ms);
    auto ended = std::async(std::launch::async, [&] { loop.run(); });
    EXPECT_EQ(ended.wait_for(20s), std::future_status::ready) << immediate;
    loop.stop();
    ended.wait();
    guard.reset();
    EXPECT_TRUE(ran);
  }
}

TEST(LoopWake, PostsOfAnotherThreadBetweenTwoLooksAreRunEachTime) {
  Running running;
  std::atomic<int> ran{0};
  unsigned random = 12'345;
  for (int i = 1; i <= 20'000; ++i) {
    asio::post(running.loop.context(), [&] {
      work_for(25us);  // so that the next turn begins with a look
      ++ran;
    });
    const auto limit = base::mono_ns() + std::chrono::nanoseconds(20s).count();
    while (ran != i) ASSERT_LT(base::mono_ns(), limit) << "lost in round " << i;
    random = random * 1'664'525 + 1'013'904'223;
    work_for(std::chrono::nanoseconds((random >> 8) % 2'000));
  }
}

/// Before it sleeps a loop looks for 100 us; the posts come around the end of that, from two threads.
TEST(LoopWake, PostsThatComeWhenALoopGivesUpLookingAreRunEachTime) {
  constexpr int kRounds = 3'000;
  Running running;
  const auto post_and_wait = [&](int seed) {
    for (int round = 0; round < kRounds; ++round) {
      Event told;
      asio::post(running.loop.context(), [&] { told.set(); });
      ASSERT_TRUE(told.wait()) << round;
      const std::int64_t until = base::mono_ns() + 80'000 + (round * seed) % 40'000;
      while (base::mono_ns() < until) std::this_thread::yield();
    }
  };
  std::thread other([&] { post_and_wait(7'919); });
  post_and_wait(6'361);
  other.join();
}

TEST(LoopWake, TheEndOfTheLastWorkGuardEndsALoopThatSleeps) {
  Running running;
  running.settle();
  running.guard.reset();
  EXPECT_TRUE(running.ends());
}

TEST(LoopWake, WhatWasPostedBeforeTheEndOfTheLastWorkGuardIsRun) {
  for (int i = 0; i < 200; ++i) {
    Running running;
    bool ran = false;
    running.settle();
    ASSERT_TRUE(running.loop.post([&] { running.loop.immediate([&] { ran = true; }); }));
    running.guard.reset();
    ASSERT_TRUE(running.ends());
    ASSERT_TRUE(ran);
  }
}

TEST(LoopWake, AStopOfItsContextEndsALoopThatSleeps) {
  Running running;
  running.settle();
  running.loop.context().stop();
  EXPECT_TRUE(running.ends());
}

}  // namespace
}  // namespace galley
