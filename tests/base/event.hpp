#pragma once
// Something that a test waits for, with a limit only so that a broken test ends.

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace galley::test {

class Event {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  /// Waits until set() was called `times` times in all. False after 20 s.
  [[nodiscard]] bool wait(int times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ >= times; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace galley::test
