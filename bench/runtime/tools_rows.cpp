// Channel, semaphore, time limit and task group, beside what Asio has for it.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bench/runtime/rows.hpp"
#include "galley/runtime/channel.hpp"
#include "galley/runtime/loop.hpp"
#include "galley/runtime/semaphore.hpp"
#include "galley/runtime/task_group.hpp"
#include "galley/runtime/with_timeout.hpp"

namespace bench::runtime {

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using Plain = asio::experimental::channel<void(boost::system::error_code, int)>;
using Concurrent = asio::experimental::concurrent_channel<void(boost::system::error_code, int)>;
using Work = awaitable<void> (*)(int times);

void fail_on(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

std::vector<double> on_context(Work work, int times) {
  asio::io_context context(1);
  const Stopwatch watch;
  asio::co_spawn(context, work(times), fail_on);
  context.run();
  return {static_cast<double>(watch.elapsed().count()) / times};
}

std::vector<double> on_loop(Work work, int times) {
  galley::Loop loop;
  const Stopwatch watch;
  asio::co_spawn(loop.context(), work(times), fail_on);
  loop.run();
  return {static_cast<double>(watch.elapsed().count()) / times};
}

/// Galley's work on an io_context as the peer's, and on a Loop.
Row row(std::string heading, int times, Work ours, const std::string& peer = "", Work theirs = nullptr) {
  Row made{std::move(heading), "ns", {{""}}, {}, peer};
  made.entrants.push_back({"galley", [=] { return on_context(ours, times); }});
  made.entrants.push_back({"galley on a Loop", [=] { return on_loop(ours, times); }});
  if (theirs != nullptr) made.entrants.push_back({peer, [=] { return on_context(theirs, times); }});
  return made;
}

// --- channel

awaitable<void> send_and_receive(int times) {
  galley::Channel<int> channel(64);
  for (int i = 0; i < times; ++i) {
    static_cast<void>(co_await channel.send(i));
    static_cast<void>(co_await channel.receive());
  }
}

template <class Channel>
awaitable<void> asio_send_and_receive(int times) {
  Channel channel(co_await asio::this_coro::executor, 64);
  for (int i = 0; i < times; ++i) {
    co_await channel.async_send(boost::system::error_code(), i, use_awaitable);
    static_cast<void>(co_await channel.async_receive(use_awaitable));
  }
}

awaitable<void> send_all(std::shared_ptr<galley::Channel<int>> channel, int times) {
  for (int i = 0; i < times; ++i) static_cast<void>(co_await channel->send(i));
}

template <int Capacity>
awaitable<void> between_two(int times) {
  const auto channel = std::make_shared<galley::Channel<int>>(Capacity);
  asio::co_spawn(co_await asio::this_coro::executor, send_all(channel, times), fail_on);
  for (int i = 0; i < times; ++i) static_cast<void>(co_await channel->receive());
}

awaitable<void> asio_send_all(std::shared_ptr<Plain> channel, int times) {
  for (int i = 0; i < times; ++i) co_await channel->async_send(boost::system::error_code(), i, use_awaitable);
}

template <int Capacity>
awaitable<void> asio_between_two(int times) {
  const auto channel = std::make_shared<Plain>(co_await asio::this_coro::executor, Capacity);
  asio::co_spawn(co_await asio::this_coro::executor, asio_send_all(channel, times), fail_on);
  for (int i = 0; i < times; ++i) static_cast<void>(co_await channel->async_receive(use_awaitable));
}

// --- semaphore

awaitable<void> acquire_free(int times) {
  galley::Semaphore semaphore(8);
  for (int i = 0; i < times; ++i) const galley::Permit permit = co_await semaphore.acquire();
}

awaitable<void> take_turns(std::shared_ptr<galley::Semaphore> semaphore, int times) {
  for (int i = 0; i < times; ++i) {
    const galley::Permit permit = co_await semaphore->acquire();
    co_await asio::post(use_awaitable);
  }
}

awaitable<void> acquire_in_turn(int times) {
  const auto semaphore = std::make_shared<galley::Semaphore>(1);
  asio::co_spawn(co_await asio::this_coro::executor, take_turns(semaphore, times / 2), fail_on);
  co_await take_turns(semaphore, times / 2);
}

// --- time limit

awaitable<void> one_turn() { co_await asio::post(use_awaitable); }

awaitable<void> limited(int times) {
  for (int i = 0; i < times; ++i) {
    auto turn = galley::with_timeout(one_turn(), std::chrono::seconds(10));
    static_cast<void>(co_await std::move(turn));
  }
}

awaitable<void> asio_limited(int times) {
  using asio::experimental::awaitable_operators::operator||;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (int i = 0; i < times; ++i) {
    timer.expires_after(std::chrono::seconds(10));
    static_cast<void>(co_await (one_turn() || timer.async_wait(use_awaitable)));
  }
}

// --- task group

awaitable<void> spawn_named(int times) {
  galley::TaskGroup group(co_await asio::this_coro::executor,
                          [](const galley::TaskInfo&, const std::exception_ptr& error) { fail_on(error); });
  for (int i = 0; i < times; ++i) static_cast<void>(co_await group.spawn_when_room("task", one_turn()));
  co_await group.join();
}

awaitable<void> asio_spawn(int times) {
  for (int i = 0; i < times; ++i) {
    asio::co_spawn(co_await asio::this_coro::executor, one_turn(), fail_on);
    if (i % 1'000 == 0) co_await one_turn();
  }
}

}  // namespace

std::vector<Row> tools_rows(const Options& options) {
  std::vector<Row> rows;
  const std::string channel = "asio channel", concurrent = "asio concurrent_channel", spawn = "asio co_spawn";
  const int many = options.times(1'000'000), some = options.times(300'000);
  rows.push_back(row("channel: a value sent and received, room and value there", many, send_and_receive, channel,
                     asio_send_and_receive<Plain>));
  rows.back().entrants.push_back({concurrent, [many] { return on_context(asio_send_and_receive<Concurrent>, many); }});
  rows.push_back(
      row("channel of 64 between two coroutines, a value", many, between_two<64>, channel, asio_between_two<64>));
  rows.push_back(
      row("channel of 1 between two coroutines, a value", some, between_two<1>, channel, asio_between_two<1>));
  rows.push_back(row("semaphore: acquire and give back, free", many, acquire_free));
  rows.push_back(row("semaphore: acquire after a wait, a turn, give back", some, acquire_in_turn));
  rows.push_back(row("a turn with a time limit", some, limited, "asio ||", asio_limited));
  rows.push_back(row("spawn, run for a turn, end", some, spawn_named, spawn, asio_spawn));
  return rows;
}

}  // namespace bench::runtime
