// How soon a stall is found, and for how long its thread is held up for the stack.

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <csignal>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/stall_detector.hpp>
#include <mutex>
#include <thread>

#include "bench/runtime/rows.hpp"

namespace bench::runtime {

namespace {

constexpr int kThresholdMs = 25;

struct Stall {
  double lasted_ms = 0;  ///< when it was reported
  double capture_us = 0;
};

/// A function that keeps its loop until it is reported; for each, what its first report says.
std::vector<Stall> stalls(int count) {
  std::mutex mutex;
  std::vector<Stall> seen;
  std::atomic<int> reported{0};
  std::atomic<int> ended{0};
  galley::StallOptions options;
  options.signal = SIGRTMIN + 1;
  options.threshold = std::chrono::milliseconds(kThresholdMs);
  options.reports_per_minute = 1'000;
  options.on_report = [&](const galley::StallReport& report) {
    if (report.ended) return static_cast<void>(++ended);
    const std::lock_guard lock(mutex);
    if (static_cast<int>(seen.size()) == ended) {
      seen.push_back(
          {static_cast<double>(report.lasted.count()) / 1e3, static_cast<double>(report.capture.count()) / 1e3});
    }
    ++reported;
  };
  galley::StallDetector detector{options};
  galley::Loop loop;
  const galley::StallWatch watch = detector.watch(loop);
  std::thread thread([&loop] {
    const auto work = boost::asio::make_work_guard(loop.context());
    loop.run();
  });
  Ticks pause{std::chrono::milliseconds(7)};  // so that they begin anywhere between two looks
  for (int n = 0; n < count; ++n) {
    pause.wait();
    static_cast<void>(loop.post([&reported] {
      for (const int before = reported; reported == before;) {
      }
    }));
    while (ended <= n) std::this_thread::yield();
  }
  loop.stop();
  thread.join();
  return seen;
}

}  // namespace

std::vector<Row> stall_rows(const Options& options) {
  const int count = options.quick ? 3 : 60;
  const auto measure = [count](double Stall::*what) {
    std::vector<double> values;
    for (const Stall& stall : stalls(count)) values.push_back(stall.*what);
    return std::vector{quantile(values, 0.5), quantile(values, 0.99)};
  };
  Row found{"a loop stalls, threshold 25 ms: found after", "ms", {}, {}, ""};
  found.lines = {{"p50", Aim{Aim::Kind::AtMost, kThresholdMs + 3}}, {"p99", Aim{Aim::Kind::AtMost, kThresholdMs + 3}}};
  found.entrants = {{"galley", [measure] { return measure(&Stall::lasted_ms); }}};
  Row captured{"a loop stalls: held up for its stack", "us", {}, {}, ""};
  captured.lines = {{"p50", Aim{Aim::Kind::AtMost, 50}}, {"p99"}};
  captured.entrants = {{"galley", [measure] { return measure(&Stall::capture_us); }}};
  return {found, captured};
}

}  // namespace bench::runtime
