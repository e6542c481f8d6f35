#include "cli/filter.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <vector>

#include "base/duration.hpp"
#include "cli/context.hpp"

namespace galley::cli {

namespace {

Result<void> read_time(std::string_view option, const std::optional<std::string>& text, Time now,
                       std::optional<Time>& target) {
  if (!text) return {};
  if (const auto ago = base::parse_duration(option, *text)) {
    target = now - *ago;
    return {};
  }
  const auto at = base::parse_time(option, *text);
  if (!at) return usage_error(at.error().message + ", or how long ago, as 2h");
  target = *at;
  return {};
}

Result<void> not_empty(std::string_view option, const std::optional<std::string>& text) {
  if (!text || !text->empty()) return {};
  return usage_error(std::string(option) + ": it is empty; leave it out, or give what jobs must have");
}

}  // namespace

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
  app.add_option("--key", flags.key, "Only jobs of this tenant or account")->type_name("TEXT");
  app.add_option("--tag", flags.tag, "Only jobs with this tag")->type_name("TEXT");
  app.add_option("--error-class", flags.error_class, "Only jobs whose last error is of this class, as exit:3")
      ->type_name("NAME");
  app.add_option("--batch", flags.batch, "Only jobs of this batch")->type_name("ID");
  app.add_option("--since", flags.since, "Enqueued at this time or later, as 2h (ago) or 2026-12-31T12:00:00Z")
      ->type_name("WHEN");
  app.add_option("--until", flags.until, "Enqueued before")->type_name("WHEN");
  app.add_option("--ended-since", flags.ended_since, "Ended at this time or later")->type_name("WHEN");
  app.add_option("--ended-until", flags.ended_until, "Ended before")->type_name("WHEN");
}

Result<store::Filter> filter_from(const FilterFlags& flags, Time now) {
  for (const auto& [option, text] :
       {std::pair("--queue", &flags.queue), std::pair("--kind", &flags.kind), std::pair("--key", &flags.key),
        std::pair("--tag", &flags.tag), std::pair("--error-class", &flags.error_class)}) {
    if (auto fine = not_empty(option, *text); !fine) return fine.error();
  }
  store::Filter filter;
  filter.queue = flags.queue;
  if (flags.state) filter.state = job_state_from(*flags.state);
  filter.kind = flags.kind;
  filter.key = flags.key;
  filter.tag = flags.tag;
  filter.error_class = flags.error_class;
  filter.batch = flags.batch;
  if (auto done = read_time("--since", flags.since, now, filter.since); !done) return done.error();
  if (auto done = read_time("--until", flags.until, now, filter.until); !done) return done.error();
  if (auto done = read_time("--ended-since", flags.ended_since, now, filter.ended_since); !done) return done.error();
  if (auto done = read_time("--ended-until", flags.ended_until, now, filter.ended_until); !done) return done.error();
  return filter;
}

}  // namespace galley::cli
