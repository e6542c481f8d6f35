// From a coroutine on a loop to the pool and back.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/offload.hpp>

#include "bench/runtime/rows.hpp"

namespace bench::runtime {

namespace {

namespace asio = boost::asio;

int nothing(int number) { return number; }

/// Takes one number after the other, as long as there are any.
asio::awaitable<void> through_galley(galley::WorkerPool& pool, int& left) {
  while (left-- > 0) static_cast<void>((co_await galley::run_on(pool, nothing, left)).value());
}

/// A coroutine of its own that runs on the pool, as Asio has it.
asio::awaitable<int> on_the_pool(int number) { co_return nothing(number); }

asio::awaitable<void> spawned_by_asio(asio::thread_pool& pool, int& left) {
  while (left-- > 0) {
    const int number = left;
    auto work = asio::co_spawn(pool, on_the_pool(number), asio::use_awaitable);
    co_await std::move(work);
  }
}

template <class Loop, class Pool>
double us_each(int count, int in_flight, Pool& pool, asio::awaitable<void> (*chain)(Pool&, int&)) {
  Loop loop;
  int left = count;
  for (int i = 0; i < in_flight; ++i) {
    asio::co_spawn(loop.get_executor(), chain(pool, left), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
  }
  const Stopwatch watch;
  loop.run();
  return watch.seconds() * 1e6 / count;
}

template <class Loop>
std::vector<double> galley_us(int count, int in_flight) {
  galley::PoolOptions options;
  options.workers = 1;
  galley::WorkerPool pool{options};
  return {us_each<Loop>(count, in_flight, pool, through_galley)};
}

std::vector<double> asio_us(int count, int in_flight) {
  asio::thread_pool pool(1);
  const double each = us_each<asio::io_context>(count, in_flight, pool, spawned_by_asio);
  pool.join();
  return {each};
}

Row round_trips(const Options& options, const std::string& heading, int count, int in_flight, double aim) {
  Row row{heading, "us", {{"each", Aim{Aim::Kind::AtMost, aim}}}, {}, "asio::thread_pool"};
  row.entrants = {{"galley", [=] { return galley_us<galley::Loop>(count, in_flight); }},
                  {"galley's pool, io_context", [=] { return galley_us<asio::io_context>(count, in_flight); }},
                  {"asio::thread_pool", [=] { return asio_us(count, in_flight); }}};
  const std::string words =
      (in_flight == 1 ? "single " : "many ") + std::to_string(count) + " " + std::to_string(in_flight);
  add_node(row.entrants, options, "node threads", "threads " + words);
  add_node(row.entrants, options, "piscina", "piscina " + words, "piscina");
  return row;
}

}  // namespace

std::vector<Row> offload_rows(const Options& options) {
  return {round_trips(options, "offload and back, one at a time", options.times(30'000), 1, 8),
          round_trips(options, "offload and back, 64 in flight", options.times(300'000), 64, 0.6)};
}

}  // namespace bench::runtime
