#pragma once
// What is measured side by side: Galley, SQLite by hand, beanstalkd. Each does the same work in its own best way, and
// each checks that it did: a contender throws rather than answer a rate of work that was not done.

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bench/latency.hpp"
#include "bench/stopwatch.hpp"

namespace bench {

/// "full": power loss loses nothing acknowledged; "normal": no crash of a process does.
enum class Durability { Full, Normal };

/// Producers that enqueue for so long, so many jobs a call, each call awaited, while a worker runs them.
struct Both {
  int producers = 1;
  int at_once = 1;
  int slots = 10;
  Nanos time{0};
};

class Contender {
 public:
  virtual ~Contender() = default;

  /// Starts anew with an empty store in a directory that is empty too.
  virtual void fresh(const std::filesystem::path& dir) = 0;
  /// Stops whatever fresh() started.
  virtual void stop() = 0;

  // All answer jobs a second.
  /// Many jobs, handed over together.
  [[nodiscard]] virtual double bulk(int jobs) = 0;
  /// One job a call, each awaited, by so many threads, for so long.
  [[nodiscard]] virtual double singles(int threads, Nanos time) = 0;
  /// Runs jobs that do nothing, in so many slots. Filling the queue is not part of the time.
  [[nodiscard]] virtual double drain(int slots, int jobs) = 0;
  /// All that was enqueued, by the time from the first call until the last job has ended.
  [[nodiscard]] virtual double both(const Both& load) = 0;
};

/// Counts jobs that have ended, for one who learns only later how many there are. Thread-safety: one() from any thread.
class Tally {
 public:
  void one();
  /// Returns when so many have ended; throws when that takes a minute.
  void wait_for(int all);

 private:
  std::atomic<int> ended_ = 0;
  std::atomic<int> all_ = 0;
  std::mutex mutex_;
  std::condition_variable last_;
};

[[nodiscard]] std::unique_ptr<Contender> make_galley(Durability durability);
[[nodiscard]] std::unique_ptr<Contender> make_by_hand(Durability durability);
/// Full: an fsync a write (-f0). Normal: its default, an fsync every 50 ms.
[[nodiscard]] std::unique_ptr<Contender> make_beanstalkd(Durability durability);

/// Jobs that wait for no other, reserved by ten connections; its durability as Normal.
[[nodiscard]] Latencies measure_beanstalkd_latency(const std::filesystem::path& dir, int jobs_a_second, int jobs);

/// "beanstalkd 1.12"; nothing where it is not installed.
[[nodiscard]] std::optional<std::string> beanstalkd_version();
[[nodiscard]] std::string sqlite_version();

/// A JSON object of exactly 100 bytes.
[[nodiscard]] std::string payload_of(int number);

/// Calls each function once, in threads of their own that begin together. Returns when all have; throws what one threw.
void run_together(const std::vector<std::function<void()>>& calls);

/// Calls each function over and over in a thread of its own for so long; answers calls a second, of all together.
[[nodiscard]] double calls_a_second(const std::vector<std::function<void()>>& calls, Nanos time);

}  // namespace bench
