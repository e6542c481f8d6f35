#pragma once
// The decisions of a load test, without I/O and without a clock: which request goes out over which connection, and when
// it wants to be asked again. A request whose moment comes goes to the connection that became free last; where none is
// free it waits, first come first served, and its response time goes on. Nothing is sent again.
//
// Thread-safety: none.

#include <deque>
#include <optional>
#include <vector>

#include "load/plan.hpp"
#include "load/report.hpp"

namespace galley::load {

inline constexpr int kMaxConnections = 10'000;
inline constexpr std::size_t kMaxWaiting = 1'000'000;  // requests for a free connection: 8 MiB of moments

class OpenLoop {
 public:
  /// 1..kMaxConnections of them.
  /// `deadline`: Report::deadline.
  OpenLoop(Plan plan, int connections, Moment deadline = Moment{0});

  /// Connections that send a request now, of those whose moment has come; at most `most`, then ask again at once.
  [[nodiscard]] std::vector<int> due(Moment now, std::size_t most);
  /// The next moment of the plan; nothing: all have come.
  [[nodiscard]] std::optional<Moment> next() const noexcept { return next_; }
  /// The request of `connection` has ended. True where the connection sends the next one at once.
  [[nodiscard]] bool ended(int connection, Moment now, const Outcome& outcome);
  /// No further requests; those that wait are given up.
  void stop(Moment now);
  /// Nothing is on its way, and nothing will be.
  [[nodiscard]] bool over() const noexcept { return !next_ && waiting_.empty() && busy_ == 0; }

  [[nodiscard]] const Report& report() const noexcept { return report_; }

 private:
  struct Request {
    Moment planned{0};
    Moment sent{0};
  };

  Plan plan_;
  std::optional<Moment> next_;
  std::vector<Request> requests_;  ///< by connection; meaningless for the free ones
  std::vector<int> free_;          ///< the one that became free last stands last
  std::deque<Moment> waiting_;
  std::size_t busy_ = 0;
  Report report_;
};

}  // namespace galley::load
