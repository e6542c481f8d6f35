#pragma once
// Following jobs until the last of them has ended.

#include <vector>

#include "cli/context.hpp"
#include "galley/job.hpp"

namespace galley::cli {

/// Shows the progress on standard error: a bar on a terminal, else a line a tenth. Names those that did not complete.
/// Gives 0 when all completed, else 1.
[[nodiscard]] Result<int> follow(Context& context, store::Store& store, std::vector<JobId> ids);

}  // namespace galley::cli
