#pragma once
// The jobs that run now, as far as they tell how they get on.

#include <string>
#include <vector>

#include "store/store.hpp"

namespace galley::cli {

struct RunningJob {
  JobId id = 0;
  std::string queue;
  std::string kind;
  std::string worker;  ///< its name; workers of a new boot may have the names of old ones
  Duration since{0};
  std::string progress;
  bool stuck = false;  ///< its own time-out or deadline and its grace are over, and it has not ended
};

/// The first `most` by id, which are the longest in the store.
[[nodiscard]] Result<std::vector<RunningJob>> running_jobs(store::Store& store, Time now, std::size_t most);

}  // namespace galley::cli
