#pragma once
// A memory store, a queue on it, and shorthands for worker tests.

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/event.hpp"
#include "engine/forwarding_store.hpp"
#include "engine/worker.hpp"
#include "galley/queue.hpp"
#include "galley/worker.hpp"
#include "store/memory/memory_store.hpp"

namespace galley::engine {

using test::Event;

using namespace std::chrono_literals;

inline WorkerOptions drain() {
  WorkerOptions options;
  options.drain = true;
  return options;
}

/// Errors are followed by the next try at once.
inline JobOptions at_once() {
  JobOptions options;
  options.backoff.kind = Backoff::Kind::Fixed;
  options.backoff.base = 0s;
  return options;
}

class WorkerTest : public testing::Test {
 protected:
  JobId enqueue(const std::string& kind, const JobOptions& options = {}, const std::string& queue = "q",
                std::string payload = "") {
    const auto id = Queue(store, queue).enqueue_bytes(kind, std::move(payload), options);
    return id.value();
  }
  job::JobRecord find(JobId id) { return store->find(id).value(); }
  std::vector<job::AttemptRecord> attempts(JobId id) { return store->attempts(id).value(); }

  base::SystemClock clock;
  StorePtr store = store::open_memory(clock);
};

/// With a worker that runs on a thread of its own.
class RunningWorkerTest : public WorkerTest {
 protected:
  void start(Worker& worker) {
    thread = std::thread([this, &worker] { report = worker.run(); });
  }
  WorkerReport join() {
    thread.join();
    return report->value();
  }

  std::thread thread;
  std::optional<Result<WorkerReport>> report;
};

/// Blocks a handler until the text is on stderr, which is captured meanwhile; at most a minute.
inline void wait_for_log(const std::string& text) {
  const base::SystemClock clock;
  const base::Mono end = clock.mono() + 1min;
  for (std::string all; all.find(text) == std::string::npos && clock.mono() < end;) {
    std::this_thread::yield();
    std::ifstream file("/proc/self/fd/2");
    all.assign(std::istreambuf_iterator<char>(file), {});
  }
}

/// Blocks a handler until it is asked to stop.
inline void wait_for_stop(const Attempt& attempt) {
  Event stopped;
  const std::stop_callback callback(attempt.stop_token(), [&stopped] { stopped.set(); });
  EXPECT_TRUE(stopped.wait());
}

}  // namespace galley::engine
