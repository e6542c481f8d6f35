// What costs CPU time though there is nothing to do.

#include <boost/asio/executor_work_guard.hpp>
#include <future>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/worker_pool.hpp>
#include <thread>

#include "bench/runtime/rows.hpp"

namespace bench::runtime {

namespace {

/// Milliseconds of CPU time of this process in so many seconds.
double ms_while_idle(int seconds) {
  Ticks tick{std::chrono::milliseconds(100)};
  tick.wait();  // what was begun has come to rest
  const double before = cpu_seconds();
  for (std::uint64_t ticks = 0; ticks < static_cast<std::uint64_t>(seconds) * 10;) ticks += tick.wait();
  return (cpu_seconds() - before) * 1e3;
}

double idle_pool_and_loop(int seconds, bool scaled) {
  galley::PoolOptions options;
  if (scaled) options.scaling.max_dispatchers = 2;
  galley::WorkerPool pool{options};
  galley::Loop loop;
  const auto work = boost::asio::make_work_guard(loop.context());
  std::thread thread([&loop] { loop.run(); });
  std::promise<void> pool_ran, loop_ran;
  static_cast<void>(pool.try_submit([&pool_ran] { pool_ran.set_value(); }));
  static_cast<void>(loop.post([&loop_ran] { loop_ran.set_value(); }));
  pool_ran.get_future().wait();
  loop_ran.get_future().wait();
  const double used = ms_while_idle(seconds);
  loop.stop();
  thread.join();
  return used;
}

}  // namespace

std::vector<Row> idle_rows(const Options& options) {
  const int seconds = options.quick ? 1 : 3;
  Row row{"idle for " + std::to_string(seconds) + " s", "ms of CPU time", {}, {}, ""};
  row.lines = {{"pool and loop", Aim{Aim::Kind::AtMost, 3}}};
  row.entrants = {{"galley", [seconds] { return std::vector{idle_pool_and_loop(seconds, false)}; }},
                  {"galley, scaling on", [seconds] { return std::vector{idle_pool_and_loop(seconds, true)}; }}};
  row.entrants.push_back({"nothing at all", [seconds] { return std::vector{ms_while_idle(seconds)}; }});
  add_node(row.entrants, options, "a worker thread of Node", "idle " + std::to_string(seconds));
  return {row};
}

}  // namespace bench::runtime
