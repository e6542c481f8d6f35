// What a loop costs: a yield, a handler with all that is measured of it, a post from another thread.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/yield.hpp>
#include <thread>

#include "bench/runtime/rows.hpp"

namespace bench::runtime {

namespace {

namespace asio = boost::asio;

constexpr auto kRethrow = [](const std::exception_ptr& failure) {
  if (failure) std::rethrow_exception(failure);
};

/// Nanoseconds of each of so many.
template <class F>
double each(int times, F f) {
  const Stopwatch watch;
  f();
  return watch.seconds() * 1e9 / times;
}

asio::awaitable<void> yield_often(int times) {
  for (int i = 0; i < times; ++i) co_await galley::yield();
}

asio::awaitable<void> post_often(int times) {
  const auto executor = co_await asio::this_coro::executor;
  for (int i = 0; i < times; ++i) co_await asio::post(executor, asio::use_awaitable);
}

double yields(int coroutines, int times) {
  galley::Loop loop;
  for (int i = 0; i < coroutines; ++i) asio::co_spawn(loop.context(), yield_often(times / coroutines), kRethrow);
  return each(times, [&] { loop.run(); });
}

double asio_posts(int coroutines, int times) {
  asio::io_context context{1};
  for (int i = 0; i < coroutines; ++i) asio::co_spawn(context, post_often(times / coroutines), kRethrow);
  return each(times, [&] { context.run(); });
}

/// Posts itself again until it has run so often.
struct Chain {
  asio::io_context& context;
  int left;
  void operator()() const {
    if (left > 0) asio::post(context, Chain{context, left - 1});
  }
};

void start_chains(asio::io_context& context, int chains, int times) {
  for (int i = 0; i < chains; ++i) asio::post(context, Chain{context, times / chains});
}

double handlers_of_loop(int chains, int times) {
  galley::Loop loop;
  start_chains(loop.context(), chains, times);
  return each(times, [&] { loop.run(); });
}

double handlers_of_asio(int chains, int times) {
  asio::io_context context{1};
  start_chains(context, chains, times);
  return each(times, [&] { context.run(); });
}

/// The loop's thread is awake as long as the other one posts.
double posts_to_loop(int times) {
  galley::Loop loop;
  auto guard = std::make_unique<asio::executor_work_guard<galley::Loop::executor_type>>(loop.get_executor());
  std::thread thread([&] { loop.run(); });
  const double cost = each(times, [&] {
    for (int i = 0; i < times; ++i) {
      while (!loop.post([] {})) std::this_thread::yield();
    }
    while (!loop.post([&guard] { guard.reset(); })) std::this_thread::yield();
    thread.join();
  });
  return cost;
}

double posts_to_asio(int times) {
  asio::io_context context{1};
  auto guard = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(context.get_executor());
  std::thread thread([&] { context.run(); });
  const double cost = each(times, [&] {
    for (int i = 0; i < times; ++i) asio::post(context, [] {});
    asio::post(context, [&guard] { guard.reset(); });
    thread.join();
  });
  return cost;
}

Row yield_row(const Options& options, int coroutines) {
  const int times = options.times(2'000'000);
  Row row{"yield, " + std::to_string(coroutines) + (coroutines == 1 ? " coroutine" : " coroutines"), "ns", {}, {}, ""};
  row.lines = {{"each", Aim{Aim::Kind::AtMost, 60}}};
  row.entrants = {{"galley::yield", [=] { return std::vector{yields(coroutines, times)}; }},
                  {"co_await asio::post", [=] { return std::vector{asio_posts(coroutines, times)}; }}};
  row.against = "co_await asio::post";
  if (coroutines > 1) return row;
  add_node(row.entrants, options, "setImmediate of Node", "immediate " + std::to_string(options.times(200'000)));
  return row;
}

Row handler_row(const Options& options) {
  const int times = options.times(2'000'000);
  const auto more = [times](int chains) { return handlers_of_loop(chains, times) - handlers_of_asio(chains, times); };
  Row row{"what a loop adds to a handler: phases, two histograms, heartbeat", "ns", {}, {}, ""};
  row.lines = {{"one chain of posts", Aim{Aim::Kind::AtMost, 20}}, {"200 chains", Aim{Aim::Kind::AtMost, 20}}};
  row.entrants = {{"galley::Loop above io_context", [more] { return std::vector{more(1), more(200)}; }},
                  {"galley::Loop", [times] {
                     return std::vector{handlers_of_loop(1, times), handlers_of_loop(200, times)};
                   }},
                  {"io_context", [times] {
                     return std::vector{handlers_of_asio(1, times), handlers_of_asio(200, times)};
                   }}};
  return row;
}

Row post_row(const Options& options) {
  const int times = options.times(1'000'000);
  Row row{"post from another thread, and run", "ns", {{"each"}}, {}, "asio::post"};
  row.entrants = {{"galley::Loop::post", [times] { return std::vector{posts_to_loop(times)}; }},
                  {"asio::post", [times] { return std::vector{posts_to_asio(times)}; }}};
  return row;
}

}  // namespace

std::vector<Row> loop_rows(const Options& options) {
  return {yield_row(options, 1), yield_row(options, 100), handler_row(options), post_row(options)};
}

}  // namespace bench::runtime
