#include "cli/filter.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <vector>

namespace galley::cli {

void add_filter_options(CLI::App& app, FilterFlags& flags) {
  std::vector<std::string> states;
  for (int i = 0; i < kJobStates; ++i) states.emplace_back(name(static_cast<JobState>(i)));
  app.add_option("--queue", flags.queue, "Only jobs of this queue")->type_name("NAME");
  app.add_option("--state", flags.state,
                 "Only jobs in this state: scheduled, ready, blocked, running, completed, dead, cancelled, discarded "
                 "or expired")
      ->check(CLI::IsMember(states).description(""))
      ->type_name("STATE");
  app.add_option("--kind", flags.kind, "Only jobs of this kind")->type_name("NAME");
}

store::Filter filter_from(const FilterFlags& flags) {
  store::Filter filter;
  if (!flags.queue.empty()) filter.queue = flags.queue;
  if (!flags.state.empty()) filter.state = job_state_from(flags.state);
  if (!flags.kind.empty()) filter.kind = flags.kind;
  return filter;
}

}  // namespace galley::cli
