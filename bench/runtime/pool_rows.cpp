// The worker pool: how long a task takes from its submit to its execution, with and without a line before it.

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <galley/runtime/worker_pool.hpp>
#include <memory>
#include <thread>

#ifdef GALLEY_BENCH_TBB
#include <oneapi/tbb/task_arena.h>
#endif

#include "bench/runtime/rows.hpp"

namespace bench::runtime {

namespace {

namespace asio = boost::asio;

galley::PoolOptions one_worker() {
  galley::PoolOptions options;
  options.workers = 1;
  options.capacity = 4'096;
  return options;
}

/// Calls submit(task) so often from this thread; nanoseconds each, until the last one has run.
template <class Submit>
double ns_each(int count, const Submit& submit) {
  // On lines of its own: what the worker writes for each task must not be what this thread has its tasks on.
  struct alignas(128) Counter {
    std::atomic<int> count{0};
  };
  const auto counter = std::make_unique<Counter>();
  std::atomic<int>& ran = counter->count;
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    submit([&ran] { ran.store(ran.load(std::memory_order_relaxed) + 1, std::memory_order_release); });
  }
  while (ran.load(std::memory_order_acquire) < count) std::this_thread::yield();
  return static_cast<double>(watch.elapsed().count()) / count;
}

double galley_throughput(int count) {
  galley::WorkerPool pool{one_worker()};
  return ns_each(count, [&pool](auto&& f) {
    galley::Task task{f};
    while (pool.try_submit(std::move(task)) != galley::Submitted::Accepted) std::this_thread::yield();
  });
}

double asio_throughput(int count) {
  asio::thread_pool pool(1);
  const double each = ns_each(count, [&pool](auto&& f) { asio::post(pool, f); });
  pool.join();
  return each;
}

#ifdef GALLEY_BENCH_TBB
double tbb_throughput(int count) {
  oneapi::tbb::task_arena arena(1, 0);
  return ns_each(count, [&arena](auto&& f) { arena.enqueue(f); });
}
#endif

Row throughput(const Options& options) {
  const int count = options.times(2'000'000);
  const auto of = [count](double (*measure)(int)) { return [count, measure] { return std::vector{measure(count)}; }; };
  Row row{"submit to execute, 1 producer, 1 worker", "ns", {{"each", Aim{Aim::Kind::AtMost, 45}}}, {}, ""};
  row.against = "asio::thread_pool";
  row.entrants = {{"galley", of(galley_throughput)}, {"asio::thread_pool", of(asio_throughput)}};
#ifdef GALLEY_BENCH_TBB
  row.entrants.push_back({"oneTBB", of(tbb_throughput)});
#endif
  return row;
}

/// One task at a time, with a pause before each in which the worker goes to sleep: microseconds until it begins.
template <class Submit>
std::vector<double> us_to_start(int count, const Submit& submit) {
  std::vector<double> waits;
  Ticks pause(std::chrono::microseconds(400));
  for (int i = 0; i < count; ++i) {
    std::atomic<bool> began{false};
    double at = 0;
    pause.wait();
    const double from = monotonic_us();
    submit([&] {
      at = monotonic_us();
      began.store(true, std::memory_order_release);
    });
    while (!began.load(std::memory_order_acquire)) std::this_thread::yield();
    waits.push_back(at - from);
  }
  return {quantile(waits, 0.5), quantile(waits, 0.99)};
}

Row starts(const Options& options) {
  const int count = options.times(2'000);
  Row row{"submit to start, the worker asleep", "us", {{"p50"}, {"p99"}}, {}, ""};
  row.entrants.push_back({"galley", [count] {
                            galley::WorkerPool pool{one_worker()};
                            return us_to_start(count, [&pool](auto&& f) { static_cast<void>(pool.try_submit(f)); });
                          }});
  row.entrants.push_back({"asio::thread_pool", [count] {
                            asio::thread_pool pool(1);
                            auto waits = us_to_start(count, [&pool](auto&& f) { asio::post(pool, f); });
                            pool.join();
                            return waits;
                          }});
#ifdef GALLEY_BENCH_TBB
  row.entrants.push_back({"oneTBB", [count] {
                            oneapi::tbb::task_arena arena(1, 0);
                            return us_to_start(count, [&arena](auto&& f) { arena.enqueue(f); });
                          }});
#endif
  return row;
}

}  // namespace

std::vector<Row> pool_rows(const Options& options) { return {throughput(options), starts(options)}; }

}  // namespace bench::runtime
