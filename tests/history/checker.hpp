#pragma once
// Reads a history, event by event in the order of their times, and says what in it is not allowed. It holds the stories
// of the jobs that have neither completed nor been deleted, and one bit of each that has.
//
// Thread-safety: none.

#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "history/across.hpp"
#include "history/event.hpp"
#include "history/story.hpp"

namespace galley::history {

class Checker {
 public:
  void add(const Event& event);
  /// After the last event: what is left is checked.
  void finish();

  /// At most kMaxViolations; the first ones.
  [[nodiscard]] const std::vector<Violation>& violations() const noexcept { return violations_; }
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::int64_t acknowledged() const noexcept { return acknowledged_; }
  [[nodiscard]] std::int64_t claims() const noexcept { return claims_; }
  [[nodiscard]] std::int64_t completed() const noexcept { return completed_; }
  /// The most stories that were held at a time.
  [[nodiscard]] std::size_t most_held() const noexcept { return most_held_; }
  static constexpr std::size_t kMaxViolations = 20;

 private:
  struct Open {
    std::string verb;
    std::int64_t at = 0;
    std::vector<std::int64_t> jobs;                      ///< that it asks for something
    std::vector<std::pair<std::int64_t, Event>> renews;  ///< job, and what was asked
  };
  using CallKey = std::pair<std::string, std::int64_t>;

  void asked(const Event& event);
  void enqueued(const Event& event);
  void claimed(const Event& event);
  void finished(const Event& event);
  void renewed(const Event& event);
  void operated(const Event& event);
  void failed(const Event& event);
  void died(const Event& event);
  void kept(const Event& event);
  void close(const CallKey& key);
  void lose(const Open& call, std::int64_t until);
  void retire();

  JobStory& story(const Event& event);
  [[nodiscard]] bool has_completed(std::int64_t job) const;
  [[nodiscard]] std::int64_t called(const Event& event) const;
  void violate(Violation violation);
  void check_token(const Event& event, std::int64_t called);

  std::unordered_map<std::int64_t, JobStory> stories_;
  std::vector<bool> retired_;  ///< by job: it has ended for good, and its story is told
  std::deque<std::pair<std::int64_t, std::int64_t>> retiring_;  ///< when it ended for good, and the job
  std::map<CallKey, Open> open_;
  std::set<std::pair<std::int64_t, CallKey>> by_time_;                             ///< of the open calls
  std::unordered_map<std::string, std::pair<std::int64_t, std::int64_t>> tokens_;  ///< job, acknowledged
  OrderRule order_;
  UniqueRule unique_;
  Surroundings around_;
  std::vector<Violation> violations_;
  std::int64_t acknowledged_ = 0;
  std::int64_t claims_ = 0;
  std::int64_t completed_ = 0;
  std::size_t most_held_ = 0;
};

}  // namespace galley::history
