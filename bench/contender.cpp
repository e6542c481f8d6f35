#include "bench/contender.hpp"

#include <atomic>
#include <cstdint>
#include <future>
#include <latch>
#include <stdexcept>

namespace bench {

std::string payload_of(int number) {
  std::string payload = R"({"number":)" + std::to_string(1'000'000'000 + number) + R"(,"path":")";
  payload.append(100 - payload.size() - 2, 'x');
  return payload + R"("})";
}

void Tally::one() {
  if (++ended_ != all_) return;
  const std::lock_guard lock(mutex_);
  last_.notify_all();
}

void Tally::wait_for(int all) {
  std::unique_lock lock(mutex_);
  all_ = all;
  if (!last_.wait_for(lock, std::chrono::minutes(1), [&] { return ended_ == all; })) {
    throw std::runtime_error("not all jobs have ended, for a minute");
  }
}

void run_together(const std::vector<std::function<void()>>& calls) {
  std::latch ready(static_cast<std::ptrdiff_t>(calls.size()));
  std::vector<std::future<void>> running;
  running.reserve(calls.size());
  for (const auto& call : calls) {
    running.push_back(std::async(std::launch::async, [&ready, &call] {
      ready.arrive_and_wait();
      call();
    }));
  }
  for (auto& one : running) one.wait();
  for (auto& one : running) one.get();
}

double calls_a_second(const std::vector<std::function<void()>>& calls, Nanos time) {
  std::atomic<std::int64_t> count = 0;
  std::vector<std::function<void()>> loops;
  for (const auto& call : calls) {
    loops.emplace_back([&call, &count, time] {
      const Stopwatch watch;
      std::int64_t mine = 0;
      for (; watch.elapsed() < time; ++mine) call();
      count += mine;
    });
  }
  const Stopwatch whole;
  run_together(loops);
  return static_cast<double>(count) / whole.seconds();
}

}  // namespace bench
