#pragma once
// The rules between jobs: one line runs in the order of its enqueues, and a unique key has one holder.

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "history/event.hpp"
#include "history/story.hpp"

namespace galley::history {

/// A claim takes the job of a lane that became ready first. So of two jobs that were never put back and never touched,
/// the one that was enqueued after the other had been acknowledged cannot be claimed before the other is asked for.
class OrderRule {
 public:
  void enqueued(const Event& event, std::int64_t called);
  void claimed(const Event& event, std::int64_t called);
  /// It may have another place now.
  void touched(std::int64_t job) { waiting_.erase(job); }
  [[nodiscard]] std::optional<std::string> violation() { return std::exchange(violation_, std::nullopt); }

 private:
  struct Waiting {
    std::string lane;
    Span enqueue;
  };
  struct Claimed {
    std::int64_t job = 0;
    std::int64_t enqueue_called = 0;
    std::int64_t claim_answered = 0;
  };
  static constexpr std::size_t kMaxFrontier = 10'000;  // jobs of a lane that may overtake each other and be noticed

  std::unordered_map<std::int64_t, Waiting> waiting_;
  std::map<std::string, std::deque<Claimed>> frontier_;  ///< of each lane; both times grow
  std::optional<std::string> violation_;
};

/// Who holds the unique keys of each kind.
class UniqueRule {
 public:
  struct Holder {
    std::int64_t job = 0;
    std::int64_t acknowledged = 0;
    bool may_be_free = false;
  };
  /// The job that surely held the key when this one was given it; the caller knows whether its claims may have lapsed.
  [[nodiscard]] std::optional<Holder> enqueued(const Event& event, std::int64_t called);
  /// It may have given its key up.
  void may_free(std::int64_t job);

 private:
  std::unordered_map<std::string, Holder> holders_;
  std::unordered_map<std::int64_t, std::string> keys_;
};

}  // namespace galley::history
