#pragma once
// How long the last runs of one kind took: what a decision about its next ones may lean on.
//
// The last kKept runs are kept as they are and nothing decays by the clock, so a kind that is run rarely is remembered
// as well as a busy one. One that has turned from short to long is seen to have done so after five runs.
//
// The p99 is by nearest rank, but where there are kKnown runs the longest is never taken: one pause of the machine in a
// few runs says nothing of the kind.
//
// Thread-safety: none.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "galley/job.hpp"

namespace galley::job {

class RunTimes {
 public:
  static constexpr std::size_t kKept = 256;
  /// Runs from which on a kind counts as known.
  static constexpr std::size_t kKnown = 8;

  void add(Duration run);

  [[nodiscard]] std::size_t runs() const noexcept { return us_.size(); }
  [[nodiscard]] bool known() const noexcept { return us_.size() >= kKnown; }
  // Of those that are kept; zero where there are none.
  [[nodiscard]] Duration mean() const noexcept;
  [[nodiscard]] Duration p99() const;
  [[nodiscard]] Duration longest() const;
  /// What more than half of the last kKnown runs took at least; zero while the kind is not known.
  [[nodiscard]] Duration lately() const;

 private:
  void look() const;

  std::vector<std::int64_t> us_;  ///< grows to kKept
  std::size_t next_ = 0;          ///< the oldest one, once there are kKept
  std::int64_t sum_us_ = 0;
  mutable bool looked_ = true;  ///< the two below are of what is kept now
  mutable std::int64_t p99_us_ = 0;
  mutable std::int64_t longest_us_ = 0;
};

}  // namespace galley::job
