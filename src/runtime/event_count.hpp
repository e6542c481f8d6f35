#pragma once
// Sleeping until something may have changed, without a lock and without a lost wake-up. A sleeper announces itself,
// looks once more, and only then sleeps; a waker changes something and then wakes those who had announced themselves
// before it.
//
//   Key key = events.prepare();
//   if (there is something) { events.cancel(); ... } else { events.wait(key); }
//
// A waker without sleepers pays one atomic operation. Sleepers wake in no particular order.
//
// Thread-safety: any thread.

#include <atomic>
#include <cstdint>

namespace galley::runtime {

class EventCount {
 public:
  using Key = std::uint32_t;

  [[nodiscard]] Key prepare() noexcept {
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    return epoch_.load(std::memory_order_seq_cst);
  }
  void cancel() noexcept { sleepers_.fetch_sub(1, std::memory_order_seq_cst); }
  /// Until a wake-up after prepare(); may return without one.
  void wait(Key key) noexcept;

  void wake_one() noexcept { wake(1); }
  /// Whether somebody is between prepare() and the end of cancel() or wait().
  [[nodiscard]] bool sleeps() const noexcept { return sleepers_.load(std::memory_order_seq_cst) > 0; }
  void wake_all() noexcept;

 private:
  void wake(int count) noexcept {
    // An RMW, not a fence: what was changed before must be seen by a sleeper that this load does not see.
    if (sleepers_.fetch_add(0, std::memory_order_seq_cst) > 0) wake_sleepers(count);
  }
  void wake_sleepers(int count) noexcept;

  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::int32_t> sleepers_{0};
};

}  // namespace galley::runtime
