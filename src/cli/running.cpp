#include "cli/running.hpp"

#include <algorithm>

#include "engine/explain.hpp"

namespace galley::cli {

Result<std::vector<RunningJob>> running_jobs(store::Store& store, Time now, std::size_t most) {
  store::Filter filter;
  filter.state = JobState::Running;
  const auto page = store.list(filter, "", most);
  if (!page) return page.error();
  std::vector<RunningJob> running;
  for (const job::JobRecord& job : page->jobs) {
    const auto over = engine::overrun(job, now);
    running.push_back({job.id, job.queue, job.kind, job.worker,
                       std::max(now - job.started_at.value_or(now), Duration{0}), engine::first_line(job.progress),
                       over && *over >= Duration{0}});
  }
  return running;
}

}  // namespace galley::cli
