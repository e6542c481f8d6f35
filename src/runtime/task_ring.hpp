#pragma once
// A bounded queue of tasks, first in, first out, for any number of producers and consumers, without a lock: a ring of
// cells, each with a number that says whose turn it is (D. Vyukov, "Bounded MPMC queue", 1024cores.net, 2010).
// The bound is exact, though the cells are a power of two: a producer moves the tail only while tail - head < capacity.
//
// Some tasks are stamped with the time at which they were pushed, so that waiting can be measured: all where they come
// slowly, every 32nd where they come fast, so that stamps lie about 64 us apart. A reading of the clock waits for what
// the processor has under way; with one reading by who pushes and two by who runs it, a stamp costs 200 ns.
//
// Thread-safety: any thread.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "galley/runtime/task.hpp"

namespace galley::runtime {

class TaskRing {
 public:
  explicit TaskRing(std::size_t capacity)
      : capacity_(capacity), mask_(std::bit_ceil(capacity + kSlack) - 1), cells_(std::make_unique<Cell[]>(mask_ + 1)) {
    for (std::size_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }
  ~TaskRing() {
    Popped dropped;
    while (pop(dropped)) dropped.task.reset();
  }
  TaskRing(const TaskRing&) = delete;
  TaskRing& operator=(const TaskRing&) = delete;

  struct Popped {
    Task task;
    std::optional<base::Mono> pushed_at;  ///< of a stamped one
  };

  enum class Push : std::uint8_t { Done, Full, Closed };
  /// Unless Done, the task is untouched.
  [[nodiscard]] Push push(Task& task, const base::Clock& clock) noexcept {
    std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    while (true) {
      if ((tail & kClosed) != 0) return Push::Closed;
      if (tail - head_seen_.load(std::memory_order_relaxed) >= capacity_ && !left(tail - capacity_) &&
          tail - look_at_head() >= capacity_) {
        const std::uint64_t now = tail_.load(std::memory_order_relaxed);
        if (now == tail) return Push::Full;
        tail = now;  // it was an old one
        continue;
      }
      if (tail_.compare_exchange_weak(tail, tail + 1, std::memory_order_seq_cst, std::memory_order_relaxed)) break;
    }
    Cell& cell = cells_[tail & mask_];
    while (cell.turn.load(std::memory_order_acquire) != tail) {
    }  // a consumer is just moving its task out: a few nanoseconds
    std::construct_at(&cell.task, std::move(task));
    const bool stamped = (tail & (stride_.load(std::memory_order_relaxed) - 1)) == 0;
    cell.pushed_us.store(stamped ? stamp(clock) : kUnstamped, std::memory_order_relaxed);
    // An RMW, so that who pushes sees whoever looked before this and goes to sleep: see WorkerPool::Impl::wake.
    cell.turn.exchange(tail + 1, std::memory_order_seq_cst);
    return Push::Done;
  }

  /// False: there is none, or the next one is not there completely yet (then its producer wakes somebody).
  [[nodiscard]] bool pop(Popped& out) noexcept {
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    while (true) {
      const Cell& cell = cells_[head & mask_];
      if (cell.turn.load(std::memory_order_seq_cst) != head + 1) {
        const std::uint64_t now = head_.load(std::memory_order_seq_cst);
        if (now == head) return false;
        head = now;
        continue;
      }
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_seq_cst, std::memory_order_relaxed)) break;
    }
    Cell& cell = cells_[head & mask_];
    out.task = std::move(cell.task);
    std::destroy_at(&cell.task);
    const std::int64_t pushed_us = cell.pushed_us.load(std::memory_order_relaxed);
    out.pushed_at.reset();
    if (pushed_us != kUnstamped) out.pushed_at = base::Mono(Duration(pushed_us));
    cell.turn.store(head + mask_ + 1, std::memory_order_release);
    return true;
  }

  /// From now on nothing is pushed; what has been pushed before stays. A push either was before this, or says Closed.
  void close() noexcept { tail_.fetch_or(kClosed, std::memory_order_seq_cst); }

  /// Ever.
  [[nodiscard]] std::int64_t pushed() const noexcept {
    return static_cast<std::int64_t>(tail_.load(std::memory_order_relaxed) & ~kClosed);
  }
  /// Also those that are just being pushed.
  [[nodiscard]] std::size_t size() const noexcept {
    const std::uint64_t head = head_.load(std::memory_order_seq_cst);
    const std::uint64_t tail = tail_.load(std::memory_order_seq_cst) & ~kClosed;
    return tail > head ? static_cast<std::size_t>(tail - head) : 0;
  }

  /// How long the task that waits longest has been waiting, from the first stamped one: at most 31 tasks behind it.
  [[nodiscard]] std::optional<base::Mono> oldest() const noexcept {
    const std::uint64_t head = head_.load(std::memory_order_seq_cst);
    for (std::uint64_t at = head; at < head + kMaxStride; ++at) {
      const Cell& cell = cells_[at & mask_];
      const std::int64_t pushed_us = cell.pushed_us.load(std::memory_order_relaxed);
      if (cell.turn.load(std::memory_order_acquire) != at + 1) return std::nullopt;
      if (pushed_us != kUnstamped) return base::Mono(Duration(pushed_us));
    }
    return std::nullopt;
  }

 private:
  /// The n-th task has been popped. Asked of its cell, which no consumer touches any more once it has; where it is
  /// still being moved out the answer is false.
  [[nodiscard]] bool left(std::uint64_t n) const noexcept {
    return cells_[n & mask_].turn.load(std::memory_order_acquire) > n + 1;
  }
  std::uint64_t look_at_head() noexcept {
    const std::uint64_t head = head_.load(std::memory_order_seq_cst);
    head_seen_.store(head, std::memory_order_relaxed);
    return head;
  }

  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63U;
  /// Now, and which ones are stamped next. Two producers at once may both set that: it is a hint.
  std::int64_t stamp(const base::Clock& clock) noexcept {
    const std::int64_t now = clock.mono().time_since_epoch().count();
    const std::int64_t gap = std::max<std::int64_t>(1, now - stamped_us_.load(std::memory_order_relaxed));
    stamped_us_.store(now, std::memory_order_relaxed);
    const std::uint64_t wanted =
        stride_.load(std::memory_order_relaxed) * kStampGapUs / static_cast<std::uint64_t>(gap);
    stride_.store(std::bit_floor(std::clamp<std::uint64_t>(wanted, 1, kMaxStride)), std::memory_order_relaxed);
    return now;
  }

  static constexpr std::uint64_t kMaxStride = 32;
  static constexpr std::uint64_t kStampGapUs = 64;
  static constexpr std::size_t kSlack =
      16;  // cells, so that a producer hardly ever waits for a consumer that was put aside
  static constexpr std::int64_t kUnstamped = -1;
  struct alignas(64) Cell {
    Cell() noexcept {}
    ~Cell() {}                           // its task is there only between a push and its pop
    std::atomic<std::uint64_t> turn{0};  ///< n: free for the n-th task; n + 1: holds it
    std::atomic<std::int64_t> pushed_us{kUnstamped};
    union {
      Task task;
    };
  };
  static_assert(sizeof(Cell) == 64);

  const std::size_t capacity_;
  const std::size_t mask_;
  std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  /// The head as a producer has seen it: it only grows, so an old one is on the safe side. Read in place of the head,
  /// whose cache line the consumers keep.
  std::atomic<std::uint64_t> head_seen_{0};
  std::atomic<std::uint64_t> stride_{1};  ///< a power of two: each task is stamped whose number it divides
  std::atomic<std::int64_t> stamped_us_{0};
};

}  // namespace galley::runtime
