#pragma once
// Time-outs of many connections in constant time: all those of one kind have the same length, so they end in the order
// in which they began, and a line each is enough. Pure: who owns it asks for the next moment and keeps one timer.
//
// Thread-safety: none.

#include <list>
#include <optional>
#include <vector>

#include "base/clock.hpp"

namespace galley::http {

class Deadlines {
 public:
  /// Something with at most one deadline. Cleared when it is destroyed; must not outlive the deadlines.
  class Member {
   public:
    Member() = default;
    virtual ~Member() {
      if (deadlines_ != nullptr) deadlines_->clear(*this);
    }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    /// It has come; the member has none any more.
    virtual void expired() = 0;
    [[nodiscard]] bool waits_in(std::size_t line) const noexcept { return deadlines_ != nullptr && line_ == line; }
    /// Meaningless without a deadline.
    [[nodiscard]] base::Mono since() const noexcept { return since_; }

   private:
    friend class Deadlines;
    Deadlines* deadlines_ = nullptr;  ///< null: it has none
    std::size_t line_ = 0;
    base::Mono since_{};
    std::list<Member*>::iterator at_;
  };

  /// The length of each kind.
  explicit Deadlines(std::vector<Duration> lengths) : lengths_(std::move(lengths)), lines_(lengths_.size()) {}

  /// From `since`, which does not go back within a line. Instead of the one that it had.
  void set(Member& member, std::size_t line, base::Mono since);
  void clear(Member& member) noexcept;
  /// Nothing: there is none.
  [[nodiscard]] std::optional<base::Mono> next() const;
  /// One whose deadline has come, cleared; null: none. Its expired() is the caller's to call.
  [[nodiscard]] Member* take_due(base::Mono now);
  /// The member that has waited longest in a line; null: none.
  [[nodiscard]] Member* oldest(std::size_t line) const noexcept;

 private:
  std::vector<Duration> lengths_;
  std::vector<std::list<Member*>> lines_;
};

}  // namespace galley::http
