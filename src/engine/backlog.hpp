#pragma once
// What a worker's queues still hold that this worker could run: for draining, and for the watch over stalls.
// Looks at statistics first, and at jobs only where statistics cannot tell (any kind may be a command's).

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace galley::engine {

struct Backlog {
  /// A job that is ready, scheduled or running (here or elsewhere) in a queue that is not paused, and that this
  /// worker could run.
  bool left = false;
  /// The job that is first in line among those that are ready in `dry`: queues of which a claim with room to spare
  /// has just brought nothing. Not one that a full limit or another job of its key holds back.
  std::optional<JobId> overlooked;
  /// "queue/kind" of jobs that wait and that this worker cannot run; and the paused queues among its own with some.
  std::vector<std::string> unserved;
  std::vector<std::string> paused;
};

/// What to look at.
struct BacklogQuery {
  std::vector<std::string> queues;  ///< all of the worker's
  std::vector<std::string> dry;     ///< see Backlog::overlooked
  bool whole = false;               ///< else only `overlooked` is looked for
  std::function<bool(const job::JobRecord&)> serves;
};

/// Of each lane and state at most 1,024 jobs are looked at; where none of them is served, the rest is taken as
/// unserved too.
[[nodiscard]] Result<Backlog> look_at_backlog(store::Store& store, const BacklogQuery& query);

}  // namespace galley::engine
