#pragma once
// When a watched loop is looked at, and what is reported of it: rules without a clock, a thread or a signal.
//
// Thread-safety: none of its own; the detector's thread uses them.

#include <cstdint>
#include <deque>
#include <vector>

#include "runtime/stack_taker.hpp"

namespace galley::runtime {

/// What to do after one look at a loop, and when to look again.
struct StallStep {
  enum class What : std::uint8_t {
    Nothing,
    Begun,    ///< another handler runs than at the last look: note what its thread has used so far
    Stalled,  ///< it has run for the threshold, or twice or four times that
    Ended,    ///< one that was called stalled has ended; look again at once
  };
  What what = What::Nothing;
  std::int64_t lasted_ns = 0;
  std::int64_t look_at_ns = 0;
  bool quiet = false;  ///< nothing has run for a second: the loop may wake its watcher instead
};

/// A handler is looked at when it is found, at latest half a threshold after it began, and again when the threshold is
/// over, so that it is found out in time with a look each half threshold: 80 a second by default, whatever the loop
/// does. Then at twice and four times the threshold, and in between each sixteenth of what it has lasted, 1 to 100 ms,
/// for its end.
class StallRules {
 public:
  explicit StallRules(std::int64_t threshold_ns) noexcept : threshold_ns_(threshold_ns) {}
  [[nodiscard]] StallStep look(const Beat& beat, std::int64_t now_ns) noexcept;

 private:
  [[nodiscard]] StallStep rest(const Beat& beat, std::int64_t now_ns) noexcept;

  std::int64_t threshold_ns_;
  Beat beat_;                        ///< of the last look
  std::int64_t handlers_at_ns_ = 0;  ///< when `handlers` was last seen to change
  std::int64_t mark_ns_ = 0;         ///< when this handler is reported next: at a power of two of the threshold
  int reports_ = 0;                  ///< of this handler
};

/// So many reports in any minute; the others are counted.
class ReportLimit {
 public:
  explicit ReportLimit(int per_minute) : per_minute_(per_minute) {}
  [[nodiscard]] bool take(std::int64_t now_ns);
  /// Those refused since the last call.
  [[nodiscard]] std::int64_t suppressed() noexcept;

 private:
  int per_minute_;
  std::deque<std::int64_t> taken_ns_;  ///< at most per_minute_
  std::int64_t suppressed_ = 0;
};

/// How often each stack was reported: of the last 64 different ones.
class SeenStacks {
 public:
  /// 1 for the first time.
  [[nodiscard]] int count(std::uint64_t hash);

 private:
  struct Seen {
    std::uint64_t hash;
    int times;
  };
  std::vector<Seen> seen_;  ///< the latest last
};

}  // namespace galley::runtime
