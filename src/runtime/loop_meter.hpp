#pragma once
// What a loop counts of itself while it runs, and others read meanwhile: no lock, no atomic read-modify-write.
//
// Thread-safety: written by the loop's thread alone; read by any.

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "galley/runtime/loop_stats.hpp"
#include "telemetry/log_linear.hpp"

namespace galley::runtime {

using DelayBuckets = telemetry::LogLinear<5, 42>;

/// A number with one writer.
class Tally {
 public:
  void add(std::int64_t by) noexcept { value_.store(get() + by, std::memory_order_relaxed); }
  void raise(std::int64_t to) noexcept {
    if (to > get()) value_.store(to, std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

class DelayRecorder {
 public:
  void add(std::int64_t ns) noexcept {
    counts_[static_cast<std::size_t>(DelayBuckets::bucket_of(ns))].add(1);
    sum_.add(ns);
    max_.raise(ns);
  }
  [[nodiscard]] DelayHistogram read() const {
    std::vector<std::int64_t> counts(counts_.size());
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = counts_[i].get();
    return DelayHistogram(std::move(counts), std::chrono::nanoseconds(sum_.get()),
                          std::chrono::nanoseconds(max_.get()));
  }

 private:
  std::array<Tally, DelayBuckets::kBuckets> counts_;  // 10 KiB, of which a loop touches what it meets
  Tally sum_, max_;
};

struct LoopMeter {
  Tally turns, handlers, idle, busy;
  std::array<Tally, kLoopPhases> in_phase;
  DelayRecorder turn_time, handler_time, ready_delay;
};

}  // namespace galley::runtime
