// galley jobs: lists jobs, and shows all that is known of one. What changes jobs is in operations.cpp.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <cstdint>
#include <limits>
#include <memory>

#include "base/limits.hpp"
#include "cli/commands.hpp"
#include "cli/filter.hpp"
#include "cli/render_job.hpp"
#include "cli/text.hpp"

namespace galley::cli {

namespace {

constexpr std::size_t kNameColumns = 24;
constexpr std::size_t kSummaryColumns = 80;

struct ListFlags {
  FilterFlags filter;
  std::int64_t limit = 100;
  bool json = false;
};

void print_page(Context& context, const std::vector<job::JobRecord>& jobs, bool json) {
  if (json) {
    for (const job::JobRecord& job : jobs) context.out.line(to_json(job));
    return;
  }
  const Time now = context.clock.wall();
  Table table({"ID", "STATE", "QUEUE", "KIND", "ATTEMPTS", "WHEN", "WHAT"});
  for (const job::JobRecord& job : jobs) {
    table.row({std::to_string(job.id), std::string(name(job.state)), to_cell(job.queue, kNameColumns),
               to_cell(job.kind, kNameColumns), std::to_string(job.counters.attempts), age(job, now),
               to_cell(summary(job), kSummaryColumns)});
  }
  table.print(context.out, {0, 4});
}

Result<int> list(Context& context, const ListFlags& flags) {
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto filter = filter_from(flags.filter, context.clock.wall());
  if (!filter) return filter.error();
  auto left = flags.limit == 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(flags.limit);
  std::string cursor;
  bool any = false;
  while (left > 0 && !context.out.closed()) {
    const auto page = (*store)->list(*filter, cursor, std::min(left, limits::kMaxPage));
    if (!page) return page.error();
    if (!page->jobs.empty()) print_page(context, page->jobs, flags.json);
    any = any || !page->jobs.empty();
    left -= std::min(left, page->jobs.size());
    cursor = page->next;
    if (cursor.empty()) break;
  }
  if (auto done = context.out.flush(); !done) return done.error();
  if (!any && !flags.json) context.complain("there are no such jobs");
  if (!cursor.empty() && left == 0) context.complain("there are more jobs; --limit N shows more, --limit 0 all");
  return kExitOk;
}

Result<int> show(Context& context, const std::vector<JobId>& ids, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  int code = kExitOk;
  bool first = true;
  for (const JobId id : ids) {
    const auto job = (*store)->find(id);
    if (!job && job.error().code != Errc::NotFound) return job.error();
    if (!job) {
      context.complain(Error{Errc::NotFound, "there is no job " + std::to_string(id)});
      code = kExitFailure;
      continue;
    }
    const auto attempts = (*store)->attempts(id);
    if (!attempts) return attempts.error();
    if (json) {
      boost::json::object object = to_json(*job);
      boost::json::array history;
      for (const job::AttemptRecord& attempt : *attempts) history.push_back(to_json(attempt, job->redacted));
      object["history"] = std::move(history);
      context.out.line(object);
    } else {
      if (!first) context.out.line("");
      print_job(context.out, *job, *attempts);
    }
    first = false;
  }
  return code;
}

void add_show(CLI::App& jobs, Context& context, const ListFlags& list_flags) {
  CLI::App* app = jobs.add_subcommand("show", "Everything about jobs, with their attempts and outputs");
  auto ids = std::make_shared<std::vector<JobId>>();
  auto json = std::make_shared<bool>(false);
  app->add_option("ID", *ids, "Jobs")->required();
  app->add_flag("--json", *json, "One object a line");
  add_store_option(*app, context);
  app->footer("Example: galley jobs show 17");
  app->callback([&context, &list_flags, ids, json] {
    context.action = [&context, &list_flags, ids, json]() -> Result<int> {
      if (list_flags.filter.any()) return usage_error("jobs show takes ids, no --queue, --state and the like");
      return show(context, *ids, *json || list_flags.json);
    };
  });
}

}  // namespace

void add_jobs(CLI::App& app, Context& context) {
  CLI::App* jobs = app.add_subcommand("jobs", "List jobs, look at them, retry, cancel and delete them");
  auto flags = std::make_shared<ListFlags>();
  add_filter_options(*jobs, flags->filter);
  jobs->add_option("--limit", flags->limit, "At most this many (default 100); 0: all")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()).description(""))
      ->type_name("N");
  jobs->add_flag("--json", flags->json, "One object a line");
  add_store_option(*jobs, context);
  jobs->require_subcommand(0, 1);
  jobs->footer("Example: galley jobs --state dead --limit 20");
  add_show(*jobs, context, *flags);
  add_operations(*jobs, context, flags->filter);
  jobs->callback([&context, flags] {
    if (context.action) return;  // of a subcommand, whose callback comes first
    context.action = [&context, flags] { return list(context, *flags); };
  });
}

}  // namespace galley::cli
