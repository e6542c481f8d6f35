#include "bench/alone.hpp"

#include <sys/resource.h>
#include <galley/galley.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <stdexcept>

#include "bench/contender.hpp"

namespace bench {

namespace {

constexpr std::chrono::seconds kPatience{60};  // then something is broken: say so instead of hanging

/// Counts down to zero; whoever waits for that gives up in the end.
class Countdown {
 public:
  explicit Countdown(int count) : left_(count) {}
  void down() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) zero_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    if (!zero_.wait_for(lock, kPatience, [this] { return left_ <= 0; })) {
      throw std::runtime_error("a job that should have started has not, for a minute");
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable zero_;
  int left_;
};

/// A worker that runs in a thread of its own as long as this lives.
class Running {
 public:
  explicit Running(galley::Worker& worker)
      : worker_(worker), run_(std::async(std::launch::async, [&worker] { (void)worker.run().value(); })) {}
  ~Running() { worker_.stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void stop() {
    worker_.stop();
    run_.get();
  }

 private:
  galley::Worker& worker_;
  std::future<void> run_;
};

Latency latency_of(std::vector<Nanos> all) {
  std::sort(all.begin(), all.end());
  const auto at = [&](std::size_t percent) { return all[std::min(all.size() - 1, all.size() * percent / 100)]; };
  return {at(50), at(99), all.back()};
}

void fill(galley::Queue& queue, int jobs, int keys) {
  constexpr int kAtOnce = 100'000;  // keeps this program's memory small
  for (int left = jobs; left > 0; left -= kAtOnce) {
    std::vector<galley::Item> items;
    for (int i = std::min(left, kAtOnce); i > 0; --i) {
      galley::JobOptions options;
      if (keys > 0) options.key = "key" + std::to_string(i % keys);
      items.push_back({payload_of(i), options});
    }
    (void)queue.enqueue_json_all("noop", std::move(items)).value();
  }
}

/// Seconds in which one slot ran so many jobs: from the first one's start to the last one's.
double run_some(const galley::StorePtr& store, int jobs) {
  galley::Worker worker{store};
  Stopwatch watch;
  double seconds = 0;
  int started = 0;  // the one slot alone touches these
  worker.handle("noop", [&](galley::Attempt&, std::string_view) {
    if (started++ == 0) watch = Stopwatch();
    if (started != jobs + 1) return;
    seconds = watch.seconds();
    worker.stop();
  });
  worker.pool("bench", 1);
  (void)worker.run().value();
  return seconds;
}

}  // namespace

Latencies measure_latency(const std::string& url, int jobs_a_second, int jobs) {
  const auto store = galley::open_store(url).value();
  const auto size = static_cast<std::size_t>(jobs);
  const Stopwatch watch;
  std::vector<Nanos> called(size), took(size);
  std::vector<std::atomic<Nanos>> started(size);
  Countdown all(jobs), warm(1);
  galley::Worker worker{store};
  worker.handle("noop", [&](galley::Attempt&, std::string_view payload) {
    const Nanos now = watch.elapsed();
    Nanos never{0};
    if (started[std::stoul(std::string(payload))].compare_exchange_strong(never, now)) all.down();
  });
  worker.handle("warm", [&](galley::Attempt&, std::string_view) { warm.down(); });
  worker.pool("bench", 10);
  galley::Queue queue{store, "bench"};
  Running running(worker);
  (void)queue.enqueue_json("warm", "0").value();
  warm.wait();

  Latencies answer{};
  Ticks ticks(Nanos(std::chrono::seconds(1)) / jobs_a_second);
  for (std::size_t next = 0; next < size;) {
    const std::uint64_t due = ticks.wait();
    answer.late += due - 1;
    for (std::uint64_t i = 0; i < due && next < size; ++i, ++next) {
      called[next] = watch.elapsed();
      (void)queue.enqueue_json("noop", std::to_string(next)).value();
      took[next] = watch.elapsed() - called[next];
    }
  }
  all.wait();
  running.stop();
  std::vector<Nanos> waited(size);
  for (std::size_t i = 0; i < size; ++i) waited[i] = started[i].load() - called[i];
  answer.enqueue = latency_of(took);
  answer.start = latency_of(waited);
  return answer;
}

std::vector<double> measure_claims(const std::string& url, int waiting, int jobs, int rounds, int keys) {
  const auto store = galley::open_store(url).value();
  galley::Queue queue{store, "bench"};
  fill(queue, waiting, keys);
  std::vector<double> answer;
  for (int round = 0; round < rounds; ++round) {
    fill(queue, jobs + 1, keys);
    answer.push_back(run_some(store, jobs) * 1e6 / jobs);
  }
  return answer;
}

Idle measure_idle(const std::string& url, std::chrono::seconds time) {
  const auto store = galley::open_store(url).value();
  Countdown warm(1);
  galley::Worker worker{store};
  worker.handle("noop", [&](galley::Attempt&, std::string_view) { warm.down(); });
  worker.pool("bench", 10);
  galley::Queue queue{store, "bench"};
  Running running(worker);
  (void)queue.enqueue_json("noop", "0").value();
  warm.wait();

  Ticks ticks(std::chrono::seconds(1));
  (void)ticks.wait();  // what follows the job belongs to the job
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  Ticks whole(time);
  (void)whole.wait();
  getrusage(RUSAGE_SELF, &after);
  running.stop();
  const auto ms = [](const timeval& at) {
    return static_cast<double>(at.tv_sec) * 1e3 + static_cast<double>(at.tv_usec) / 1e3;
  };
  Idle idle;
  idle.cpu_ms = ms(after.ru_utime) + ms(after.ru_stime) - ms(before.ru_utime) - ms(before.ru_stime);
  idle.voluntary_switches = after.ru_nvcsw - before.ru_nvcsw - 1;  // one is the main thread's own, of this wait
  idle.involuntary_switches = after.ru_nivcsw - before.ru_nivcsw;
  return idle;
}

}  // namespace bench
