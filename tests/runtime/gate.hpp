#pragma once
// Something that tests let others wait for, so that nothing sleeps.

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace galley::test {

/// Counts up; waits end when it has come far enough. A minute is the end of patience.
class Gate {
 public:
  void open(int by = 1) {
    const std::lock_guard lock(mutex_);
    count_ += by;
    changed_.notify_all();
  }
  [[nodiscard]] bool wait(int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace galley::test
