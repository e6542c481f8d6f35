#pragma once
// A worker of this process in a thread of its own, for as long as this lives.

#include <future>
#include <galley/galley.hpp>

namespace bench {

class WorkerThread {
 public:
  explicit WorkerThread(galley::Worker& worker)
      : worker_(worker), run_(std::async(std::launch::async, [&worker] { (void)worker.run().value(); })) {}
  ~WorkerThread() { worker_.stop(); }
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  /// Returns when it has ended; throws what ended it.
  void stop() {
    worker_.stop();
    run_.get();
  }

 private:
  galley::Worker& worker_;
  std::future<void> run_;
};

}  // namespace bench
