#pragma once
// --fail-if: a backlog alarm without a server. Pure.
//
//   expression = [QUEUE ":"] metric (">" | ">=") value
//   metric     = "oldest"   how long the job that runs next has been waiting (a duration)
//              | "lag"      the p99 of waiting of any kind of the queue, over the last five minutes (a duration)
//              | "failed"   attempts that failed in the last five minutes (a count)
//              | a state    "ready", "scheduled", "dead", ...: jobs in it (a count)
// Without a queue it holds for each. Blanks round the sign are allowed.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/rates.hpp"

namespace galley::cli {

enum class Metric : std::uint8_t { Oldest, Lag, Failed, Count };

struct Alarm {
  std::string text;  ///< as given
  std::optional<std::string> queue;
  Metric metric = Metric::Count;
  JobState state = JobState::Ready;  ///< of Count
  bool or_equal = false;
  std::int64_t bound = 0;  ///< a count, or microseconds
};

/// Errors: InvalidInput naming the expression and what is allowed.
[[nodiscard]] Result<Alarm> alarm_from(std::string_view text);

struct Alarmed {
  std::string queue;
  std::string what;  ///< "oldest is 2m05s, which is > 1m"
};
/// The queues for which it is true.
[[nodiscard]] std::vector<Alarmed> check(const Alarm& alarm, const std::vector<store::QueueStats>& queues,
                                         const std::vector<Rates>& rates);

}  // namespace galley::cli
