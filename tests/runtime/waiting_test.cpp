// Those who wait in a line, on several threads: a cancellation and the destruction of a context that meet whoever
// completes them from elsewhere.

#include "galley/runtime/detail/waiting.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/strand.hpp>
#include <memory>
#include <optional>
#include <thread>

#include "base/clock.hpp"
#include "galley/runtime/channel.hpp"
#include "galley/runtime/semaphore.hpp"
#include "galley/runtime/with_timeout.hpp"
#include "runtime/coroutines.hpp"

namespace galley {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::turns;

constexpr std::size_t kPermits = 200;

/// A sleep would be longer than what is to be hit.
void spin(Duration how_long) {
  const base::SystemClock clock;
  const base::Mono until = clock.mono() + how_long;
  while (clock.mono() < until) {
  }
}

asio::awaitable<void> take_in_time(Semaphore& semaphore, Duration limit, std::atomic<bool>& over) {
  while (!over) {
    auto taken = semaphore.acquire_for(limit);
    static_cast<void>(co_await std::move(taken));
    co_await turns(1);
  }
}

asio::awaitable<void> hold_all(Semaphore& semaphore, int times) {
  for (int i = 0; i < times; ++i) {
    {
      const Permit all = co_await semaphore.acquire(kPermits);
      spin(100us);  // the others' limits end meanwhile
    }
    co_await turns(1);
  }
}

void ignore(const std::exception_ptr&) {}

TEST(Waiting, ALimitThatEndsWhileAnotherThreadGrantsManyAtOnceLeavesTheLineWhole) {
  Semaphore semaphore(kPermits);
  std::atomic<bool> over{false};
  std::thread takers([&] {
    asio::io_context context(1);
    for (std::size_t i = 0; i < kPermits; ++i) {
      asio::co_spawn(context, take_in_time(semaphore, std::chrono::microseconds(60 + i), over), ignore);
    }
    context.run();
  });
  asio::io_context context(1);
  asio::co_spawn(context, hold_all(semaphore, 1'000), ignore);
  context.run();
  over = true;
  takers.join();
  EXPECT_EQ(semaphore.available(), kPermits);
  EXPECT_EQ(semaphore.waiting(), 0U);
}

asio::awaitable<void> receive_in_time(Channel<int>& channel, Duration limit, std::atomic<int>& ended) {
  auto received = with_timeout(channel.receive(), limit);
  const Result<std::optional<int>> value = co_await std::move(received);
  if (!value || !*value) ++ended;
}

TEST(Waiting, ALimitThatEndsWhileAnotherThreadClosesTheChannelLeavesTheLineWhole) {
  constexpr int kReceivers = 20;
  for (int round = 0; round < 500; ++round) {
    Channel<int> channel(1);
    std::atomic<int> ended{0};
    std::atomic<bool> begun{false};
    std::thread receivers([&] {
      asio::io_context context(1);
      for (int i = 0; i < kReceivers; ++i) {
        asio::co_spawn(context, receive_in_time(channel, std::chrono::microseconds(100 + 5 * i), ended), ignore);
      }
      begun = true;
      context.run();
    });
    while (!begun) std::this_thread::yield();
    spin(std::chrono::microseconds(100 + round % 100));
    channel.close();
    receivers.join();
    ASSERT_EQ(ended, kReceivers);
  }
}

asio::awaitable<void> receive_all(Channel<int>& channel) {
  bool open = true;
  while (open) {
    const std::optional<int> value = co_await channel.receive();
    open = value.has_value();
  }
}

/// The first waiter comes before the first strand: Asio would end the strands first.
void destroy_while_another_thread_sends(bool on_strand) {
  for (int round = 0; round < 500; ++round) {
    Channel<int> channel(4);
    auto context = std::make_unique<asio::io_context>(1);
    asio::co_spawn(*context, receive_all(channel), ignore);
    context->poll();
    context->restart();
    {
      asio::any_io_executor executor = context->get_executor();
      if (on_strand) executor = asio::make_strand(*context);
      for (int i = 0; i < 20; ++i) asio::co_spawn(executor, receive_all(channel), ignore);
    }
    context->poll();
    std::atomic<bool> begun{false}, over{false};
    std::thread sender([&] {
      begun = true;
      for (int n = 0; !over && n < 2'000; ++n) static_cast<void>(channel.try_send(int(n)));
    });
    while (!begun) std::this_thread::yield();
    spin(std::chrono::microseconds(round % 10));
    context.reset();
    over = true;
    sender.join();
  }
}

TEST(Waiting, AContextMayBeDestroyedWhileAnotherThreadCompletesThoseWhoWaitOnIt) {
  destroy_while_another_thread_sends(false);
}

TEST(Waiting, AndSoMayOneWhoseCoroutinesRunOnAStrand) { destroy_while_another_thread_sends(true); }

}  // namespace
}  // namespace galley
