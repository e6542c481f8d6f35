#pragma once
// Whether to look for a while before going to sleep. A thread that slept is back some 50 us after it was woken, where
// its core had nothing else to do, and a core that wakes another one spends several: so who expects something soon does
// better to look for it. Where that was in vain, the next sleeps begin at once: one, then twice as many each time, 64
// at most; what was found while looking makes all of it good.
//
// Thread-safety: any thread; who shares it with others shares their luck.

#include <algorithm>
#include <atomic>

namespace galley::base {

class Patience {
 public:
  /// Asked once before each sleep.
  [[nodiscard]] bool looks() noexcept {
    const int sleeps = sleeps_.load(std::memory_order_relaxed);
    if (sleeps == 0) return true;
    sleeps_.store(sleeps - 1, std::memory_order_relaxed);  // a lost count does no harm
    return false;
  }
  void paid() noexcept { next_.store(1, std::memory_order_relaxed); }
  void was_in_vain() noexcept {
    const int next = next_.load(std::memory_order_relaxed);
    sleeps_.store(next, std::memory_order_relaxed);
    next_.store(std::min(2 * next, kMostSleeps), std::memory_order_relaxed);
  }

 private:
  static constexpr int kMostSleeps = 64;
  std::atomic<int> sleeps_{0};
  std::atomic<int> next_{1};
};

}  // namespace galley::base
