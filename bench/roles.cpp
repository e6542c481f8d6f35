#include "bench/roles.hpp"

#include <galley/galley.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <stdexcept>

#include "bench/stopwatch.hpp"

namespace bench {

namespace {

constexpr int kMostTold = 100'000;  // waits, so that a long drain shows the worker's memory and not this program's
constexpr int kAtOnce = 100'000;

std::string payload_now() {
  return R"({"at":)" + std::to_string(monotonic_us()) + R"(,"text":")" + std::string(60, 'x') + "\"}";
}

/// The number behind `"at":`.
double sent_at(std::string_view payload) { return std::stod(std::string(payload.substr(6))); }

void tell(double seconds, int jobs) { std::printf("{\"seconds\":%.6f,\"jobs\":%d}\n", seconds, jobs); }

int work(const galley::StorePtr& store, int slots, int jobs) {
  std::mutex mutex;  // of what follows
  std::vector<double> waits;
  double begin = 0;
  double end = 0;
  int done = 0;
  galley::WorkerOptions options;
  std::atomic<bool> said = false;
  options.pulse_every = std::chrono::milliseconds(50);
  options.on_pulse = [&said](const galley::WorkerPulse&) {
    if (!said.exchange(true)) std::cerr << "ready" << std::endl;
  };
  galley::Worker worker{store, options};
  worker.handle("noop", [&](galley::Attempt&, std::string_view payload) {
    const double now = monotonic_us();
    const std::lock_guard lock(mutex);
    if (done == 0) begin = now;
    if (jobs <= kMostTold) waits.push_back(now - sent_at(payload));
    if (++done != jobs) return;
    end = now;
    worker.stop();
  });
  worker.pool("bench", slots);
  (void)worker.run().value();
  std::string list;
  for (const double wait : waits) list += (list.empty() ? "" : ",") + std::to_string(wait);
  std::printf("{\"seconds\":%.6f,\"waits_us\":[%s]}\n", (end - begin) / 1e6, list.c_str());
  return 0;
}

int produce(const galley::StorePtr& store, const std::string& role, int first, int second) {
  galley::Queue queue{store, "bench"};
  (void)queue.enqueue_json("noop", payload_now()).value();
  const double begin = monotonic_us();
  int jobs = 0;
  if (role == "bulk") {
    while (jobs < first) {
      std::vector<galley::Item> items;
      for (int i = std::min(first - jobs, kAtOnce); i > 0; --i, ++jobs) items.push_back({payload_now(), {}});
      (void)queue.enqueue_json_all("noop", std::move(items)).value();
    }
  } else if (role == "single") {
    for (; monotonic_us() - begin < first * 1e6; ++jobs) (void)queue.enqueue_json("noop", payload_now()).value();
  } else {
    Ticks ticks(Nanos(std::chrono::seconds(1)) / first);
    for (; jobs < second; ++jobs) {
      (void)ticks.wait();
      (void)queue.enqueue_json("noop", payload_now()).value();
    }
  }
  tell((monotonic_us() - begin) / 1e6, jobs);
  return 0;
}

}  // namespace

int play(const std::vector<std::string>& words) {
  if (words.size() < 3) throw std::runtime_error("a role needs a URL, its name and its numbers");
  const auto store = galley::open_store(words[0]).value();
  const int first = std::stoi(words[2]);
  const int second = words.size() > 3 ? std::stoi(words[3]) : 0;
  return words[1] == "work" ? work(store, first, second) : produce(store, words[1], first, second);
}

}  // namespace bench
