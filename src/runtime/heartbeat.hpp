#pragma once
// What a loop shows to whoever watches it from another thread: whether it is inside a handler, and since when.
//
// Thread-safety: written by the loop's thread alone, read by any; rouse_by() from any thread.

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace galley::runtime {

struct Heartbeat {
  /// Nanoseconds of the monotonic clock when the handler that runs now began; 0: none runs, the loop sleeps or polls.
  std::atomic<std::int64_t> busy_since_ns{0};
  /// Handlers that were begun: tells two apart that began in the same nanosecond.
  std::atomic<std::uint64_t> handlers{0};

  /// Of whoever watches: it sleeps as long as the loop does, and wants to be woken with it.
  mutable std::atomic<bool> watcher_sleeps{false};

  /// For the loop: each time that it has slept, as soon as busy_since_ns is set again. Costs an atomic operation, and a
  /// system call only where the watcher sleeps, that is, after a second of rest. (An exchange on both sides: the one
  /// who comes second sees what the other had written before.)
  void awake() noexcept {
    if (watcher_sleeps.exchange(false, std::memory_order_seq_cst)) rouse();
  }

  /// For the watcher: what awake() calls; empty takes it away again, and waits for a call that runs.
  void rouse_by(std::function<void()> wake) const {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }

 private:
  void rouse() noexcept {
    const std::lock_guard lock(mutex_);
    if (wake_) wake_();
  }

  mutable std::mutex mutex_;
  mutable std::function<void()> wake_;
};

}  // namespace galley::runtime
