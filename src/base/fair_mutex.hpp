#pragma once
// A mutex that serves in the order of arrival. std::mutex lets a thread that has just let go take it again at once, so
// a producer in a tight loop can keep a worker out for a hundred milliseconds.
//
// Thread-safety: as std::mutex; works with std::lock_guard.

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace galley::base {

class FairMutex {
 public:
  void lock() {
    std::unique_lock guard(mutex_);
    const std::uint64_t mine = next_++;
    turn_.wait(guard, [&] { return serving_ == mine; });
  }
  void unlock() {
    bool waited_for = false;
    {
      const std::lock_guard guard(mutex_);
      ++serving_;
      waited_for = serving_ != next_;
    }
    if (waited_for) turn_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  std::uint64_t next_ = 0;     // the number that the next arrival draws
  std::uint64_t serving_ = 0;  // whose turn it is
};

}  // namespace galley::base
