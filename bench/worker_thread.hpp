#pragma once
// A worker of this process in a thread of its own, for as long as this lives.

#include <future>
#include <galley/galley.hpp>

namespace bench {

class WorkerThread {
 public:
  explicit WorkerThread(galley::Worker& worker)
      : worker_(worker), run_(std::async(std::launch::async, [&worker] { return worker.run().value(); })) {}
  ~WorkerThread() { worker_.stop(); }
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  /// Returns when it has ended; throws what ended it.
  galley::WorkerReport stop() {
    worker_.stop();
    return run_.get();
  }

 private:
  galley::Worker& worker_;
  std::future<galley::WorkerReport> run_;
};

}  // namespace bench
