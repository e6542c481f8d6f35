#pragma once
// How long a job waits: a producer at a steady pace, and the moment at which each job's handler began.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "bench/stopwatch.hpp"

namespace bench {

struct Latency {
  Nanos p50{0}, p99{0}, max{0};
};
[[nodiscard]] Latency latency_of(std::vector<Nanos> all);

struct Latencies {
  Latency enqueue;         ///< how long the call of enqueue took
  Latency start;           ///< from that call to the handler's first line
  std::uint64_t late = 0;  ///< ticks at which the producer came late, so that two jobs came at once
};

/// Counts down to zero; whoever waits for that gives up in the end.
class Countdown {
 public:
  explicit Countdown(int count) : left_(count) {}
  void down();
  void wait();

 private:
  std::mutex mutex_;
  std::condition_variable zero_;
  int left_;
};

/// Numbered jobs, one by one. Thread-safety: started() from any thread.
class Paced {
 public:
  Paced(int jobs_a_second, int jobs);

  /// The handler of job `number` begins; only its first start counts.
  void started(std::size_t number);
  /// Sends all of them, and waits until all have started.
  [[nodiscard]] Latencies run(const std::function<void(std::size_t)>& send);

 private:
  const Nanos every_;
  const Stopwatch watch_;
  std::vector<Nanos> called_;
  std::vector<Nanos> took_;
  std::vector<std::atomic<Nanos>> started_;
  Countdown all_;
};

}  // namespace bench
