#pragma once
// What a loop shows to whoever watches it from another thread: whether it is inside a handler, and since when.
//
// Thread-safety: written by the loop's thread alone, read by any.

#include <atomic>
#include <cstdint>

namespace galley::runtime {

struct Heartbeat {
  /// Nanoseconds of the monotonic clock when the handler that runs now began; 0: none runs, the loop sleeps or polls.
  std::atomic<std::int64_t> busy_since_ns{0};
  /// Handlers that were begun: tells two apart that began in the same nanosecond.
  std::atomic<std::uint64_t> handlers{0};
};

}  // namespace galley::runtime
