#pragma once
// SIGTERM and SIGINT as calls on an ordinary thread, without a signal handler.

#include <atomic>
#include <functional>
#include <thread>

namespace galley::cli {

/// Make it before the first other thread: the signals are blocked in the calling thread, and the threads that it starts
/// inherit that. They stay blocked until the process ends.
/// Thread-safety: from one thread.
class Signals {
 public:
  Signals();
  /// Ends its thread, waiting for a call that is under way.
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Calls `on_signal(n)` for the n-th signal, from 1, also one that came before this. Once.
  void watch(std::function<void(int)> on_signal);

 private:
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace galley::cli
