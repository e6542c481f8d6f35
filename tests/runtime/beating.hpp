#pragma once
// A loop as its watcher sees it, moved by hand.

#include "base/ticks.hpp"
#include "runtime/heartbeat.hpp"

namespace galley::test {

/// While it lives, the loop is inside a handler.
class Handler {
 public:
  explicit Handler(runtime::Heartbeat& heartbeat) : heartbeat_(heartbeat) {
    heartbeat_.handlers.fetch_add(1);
    heartbeat_.busy_since_ns.store(base::mono_ns());
    heartbeat_.awake();
  }
  ~Handler() { heartbeat_.busy_since_ns.store(0); }
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

 private:
  runtime::Heartbeat& heartbeat_;
};

/// Looks again and again, at most 20 s.
template <class Condition>
[[nodiscard]] bool becomes_true(const Condition& condition) {
  for (const std::int64_t end_ns = base::mono_ns() + 20'000'000'000; base::mono_ns() < end_ns;) {
    if (condition()) return true;
  }
  return false;
}

}  // namespace galley::test
