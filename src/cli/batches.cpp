// galley batches: jobs that are watched together, and what waits for them.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/render_job.hpp"
#include "cli/text.hpp"
#include "galley/batch.hpp"
#include "store/batch_rules.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

constexpr std::size_t kNameColumns = 32;
constexpr std::size_t kSummaryColumns = 60;

struct ShowFlags {
  BatchId id = 0;
  std::int64_t limit = 20;
  bool json = false;
};

std::string state_of(const store::BatchStats& batch) {
  if (!batch.sealed) return "open";
  if (store::pending(batch) > 0) return "pending";
  return has_come_true(batch, job::Trigger::Success) ? "succeeded" : "finished";
}

boost::json::object batch_to_json(const store::BatchStats& batch) {
  return {{"id", batch.id},
          {"name", base::to_utf8(batch.name)},
          {"state", state_of(batch)},
          {"total", batch.total},
          {"pending", store::pending(batch)},
          {"succeeded", batch.succeeded},
          {"failed", batch.failed},
          {"lost", batch.lost},
          {"opened_at", base::format_time(batch.opened_at)},
          {"failed_at", time_value(batch.failed_at)},
          {"finished_at", time_value(batch.finished_at)}};
}

Result<int> list(Context& context, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  Table table({"ID", "STATE", "TOTAL", "PENDING", "SUCCEEDED", "FAILED", "LOST", "OPENED", "NAME"});
  bool any = false;
  for (BatchId after = 0; !context.out.closed();) {
    const auto page = (*store)->batches(after, limits::kMaxPage);
    if (!page) return page.error();
    if (page->empty()) break;
    any = true;
    after = page->back().id;
    for (const store::BatchStats& batch : *page) {
      if (json) {
        context.out.line(batch_to_json(batch));
        continue;
      }
      const Duration age = std::max(Duration{0}, context.clock.wall() - batch.opened_at);
      table.row({std::to_string(batch.id), state_of(batch), std::to_string(batch.total),
                 std::to_string(store::pending(batch)), std::to_string(batch.succeeded), std::to_string(batch.failed),
                 std::to_string(batch.lost), base::format_duration(age) + " ago", to_cell(batch.name, kNameColumns)});
    }
  }
  if (!any && !json) {
    context.complain("there are no batches");
  } else if (!json) {
    table.print(context.out, {0, 2, 3, 4, 5, 6});
  }
  return kExitOk;
}

/// Failed ones first, then those that have not ended, then the rest; at most `limit`.
Result<std::vector<job::JobRecord>> members(store::Store& store, const store::BatchStats& batch, std::size_t limit) {
  using enum JobState;
  std::vector<job::JobRecord> jobs;
  const auto add = [&](JobState state) -> Result<void> {
    store::Filter filter;
    filter.batch = batch.id;
    filter.state = state;
    std::string cursor;
    while (jobs.size() < limit) {
      auto page = store.list(filter, cursor, std::min(limit - jobs.size(), limits::kMaxPage));
      if (!page) return page.error();
      std::move(page->jobs.begin(), page->jobs.end(), std::back_inserter(jobs));
      cursor = std::move(page->next);
      if (cursor.empty()) break;
    }
    return {};
  };
  std::vector<JobState> states;
  if (batch.failed > 0) states = {Dead, Discarded, Expired, Cancelled};
  if (pending(batch) > 0) states.insert(states.end(), {Running, Ready, Scheduled, Blocked});
  states.push_back(Completed);
  for (const JobState state : states) {
    if (auto done = add(state); !done) return done.error();
  }
  return jobs;
}

Result<std::vector<job::JobRecord>> callbacks(store::Store& store, const store::BatchStats& batch) {
  std::vector<job::JobRecord> jobs;
  for (const JobId id : batch.callbacks) {
    auto job = store.find(id);
    if (!job && job.error().code == Errc::NotFound) continue;  // it went meanwhile
    if (!job) return job.error();
    jobs.push_back(*std::move(job));
  }
  return jobs;
}

void print_jobs(Context& context, const std::vector<job::JobRecord>& jobs, bool with_triggers) {
  const Time now = context.clock.wall();
  Table table(with_triggers ? std::vector<std::string>{"ON", "ID", "STATE", "QUEUE", "KIND", "WHEN", "WHAT"}
                            : std::vector<std::string>{"ID", "STATE", "QUEUE", "KIND", "WHEN", "WHAT"});
  for (const job::JobRecord& job : jobs) {
    std::vector<std::string> row;
    if (with_triggers) row.emplace_back(name(job.trigger));
    const std::string what = job.error.empty() ? summary(job) : job.error;
    for (std::string cell : {std::to_string(job.id), std::string(name(job.state)), to_cell(job.queue, kNameColumns),
                             to_cell(job.kind, kNameColumns), age(job, now), to_cell(what, kSummaryColumns)}) {
      row.push_back(std::move(cell));
    }
    table.row(std::move(row));
  }
  table.print(context.out, {with_triggers ? std::size_t{1} : std::size_t{0}});
}

std::string since(const std::optional<Time>& time) { return time ? base::format_time(*time) : "not yet"; }

Result<int> show(Context& context, const ShowFlags& flags) {
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto batch = (*store)->find_batch(flags.id);
  if (!batch) return batch.error();
  const auto waiting = callbacks(**store, *batch);
  if (!waiting) return waiting.error();
  const std::size_t limit =
      flags.limit == 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(flags.limit);
  const auto jobs = members(**store, *batch, limit);
  if (!jobs) return jobs.error();
  if (flags.json) {
    boost::json::object object = batch_to_json(*batch);
    boost::json::array& on = object["callbacks"].emplace_array();
    for (const job::JobRecord& job : *waiting) {
      boost::json::object callback = to_json(job);
      callback["trigger"] = name(job.trigger);
      on.push_back(std::move(callback));
    }
    boost::json::array& members = object["jobs"].emplace_array();
    for (const job::JobRecord& job : *jobs) members.push_back(to_json(job));
    context.out.line(object);
    return kExitOk;
  }
  context.out.line("batch     " + std::to_string(batch->id) + "  " + to_terminal(batch->name));
  context.out.line("state     " + state_of(*batch));
  context.out.line("jobs      " + std::to_string(batch->total) + ": " + std::to_string(batch->succeeded) +
                   " succeeded, " + std::to_string(batch->failed) + " failed, " +
                   std::to_string(store::pending(*batch)) + " pending" +
                   (batch->lost > 0 ? "; " + std::to_string(batch->lost) + " more were deleted" : ""));
  context.out.line("opened    " + base::format_time(batch->opened_at));
  context.out.line("failed    " + since(batch->failed_at));
  context.out.line("finished  " + since(batch->finished_at));
  if (!waiting->empty()) {
    context.out.line("\ncallbacks");
    print_jobs(context, *waiting, true);
  }
  if (!jobs->empty()) {
    context.out.line("\njobs, failed ones first");
    print_jobs(context, *jobs, false);
  }
  return kExitOk;
}

Result<int> open(Context& context, const std::string& name, const std::optional<std::string>& token, bool json) {
  // A script whose variable is unset must not open another batch each time.
  if (token && token->empty()) return usage_error("--token: it is empty; allowed is 1 to 64 bytes");
  const auto settings = context.settings();
  if (!settings) return settings.error();
  auto store = context.open(*settings, true);
  if (!store) return store.error();
  const auto id = (*store)->open_batch(name, token.value_or(""));
  if (!id) return id.error();
  if (json) {
    context.out.line(boost::json::object{{"id", *id}});
  } else {
    context.out.line(std::to_string(*id));
  }
  return kExitOk;
}

Result<int> seal(Context& context, BatchId id, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  if (const auto done = (*store)->seal_batch(id); !done) return done.error();
  const auto batch = (*store)->find_batch(id);
  if (!batch) return batch.error();
  if (json) {
    context.out.line(batch_to_json(*batch));
  } else {
    context.out.line("sealed batch " + std::to_string(id) + ": " + std::to_string(store::pending(*batch)) + " of " +
                     std::to_string(batch->total) + " jobs have not ended");
  }
  return kExitOk;
}

Result<int> cancel(Context& context, BatchId id, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  if (const auto done = cancel_batch(*store, id); !done) return done.error();
  const auto batch = (*store)->find_batch(id);
  if (!batch) return batch.error();
  if (json) {
    context.out.line(batch_to_json(*batch));
    return kExitOk;
  }
  const std::int64_t left = store::pending(*batch);
  context.out.line("cancelled batch " + std::to_string(id) +
                   (left > 0 ? "; asked the workers to stop what runs: " + std::to_string(left) : ""));
  return kExitOk;
}

CLI::Option* add_id(CLI::App& app, BatchId& id) {
  return app.add_option("ID", id, "The batch")
      ->required()
      ->check(CLI::Range(BatchId{1}, std::numeric_limits<BatchId>::max()).description(""));
}

void add_show(CLI::App& batches, Context& context) {
  CLI::App* app =
      batches.add_subcommand("show", "One batch: its counts, its callbacks and its jobs, failed ones first");
  auto flags = std::make_shared<ShowFlags>();
  add_id(*app, flags->id);
  app->add_option("--limit", flags->limit, "At most this many jobs (default 20); 0: all")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()).description(""))
      ->type_name("N");
  app->add_flag("--json", flags->json, "One object");
  add_store_option(*app, context);
  app->footer("Example: galley batches show 3");
  app->callback([&context, flags] { context.action = [&context, flags] { return show(context, *flags); }; });
}

void add_open(CLI::App& batches, Context& context) {
  CLI::App* app = batches.add_subcommand("open", "Open a batch to put jobs into; prints its id");
  auto name = std::make_shared<std::string>();
  auto token = std::make_shared<std::optional<std::string>>();
  auto json = std::make_shared<bool>(false);
  app->add_option("NAME", *name, "For people; need not be unique")->required();
  app->add_option("--token", *token, "Opening the same token twice gives the same batch")->type_name("TEXT");
  app->add_flag("--json", *json, "As an object");
  add_store_option(*app, context);
  app->footer("Example: galley batches open nightly --token 2026-01-01");
  app->callback([&context, name, token, json] {
    context.action = [&context, name, token, json] { return open(context, *name, *token, *json); };
  });
}

void add_seal(CLI::App& batches, Context& context) {
  CLI::App* app = batches.add_subcommand("seal", "Its jobs are all there: what waits for their ends may come true");
  auto id = std::make_shared<BatchId>(0);
  auto json = std::make_shared<bool>(false);
  add_id(*app, *id);
  app->add_flag("--json", *json, "The batch as an object");
  add_store_option(*app, context);
  app->footer("Example: galley batches seal 3");
  app->callback([&context, id, json] { context.action = [&context, id, json] { return seal(context, *id, *json); }; });
}

void add_cancel(CLI::App& batches, Context& context) {
  CLI::App* app = batches.add_subcommand("cancel", "Cancel what waits of a batch, stop what runs of it, and seal it");
  auto id = std::make_shared<BatchId>(0);
  auto json = std::make_shared<bool>(false);
  add_id(*app, *id);
  app->add_flag("--json", *json, "The batch as an object");
  add_store_option(*app, context);
  app->footer("Example: galley batches cancel 3");
  app->callback(
      [&context, id, json] { context.action = [&context, id, json] { return cancel(context, *id, *json); }; });
}

}  // namespace

void add_batches(CLI::App& app, Context& context) {
  CLI::App* batches = app.add_subcommand("batches", "Run something when many jobs are done: list, open, seal, cancel");
  auto json = std::make_shared<bool>(false);
  batches->add_flag("--json", *json, "One object a line");
  add_store_option(*batches, context);
  batches->require_subcommand(0, 1);
  batches->footer("Example: galley batches --json");
  add_show(*batches, context);
  add_open(*batches, context);
  add_seal(*batches, context);
  add_cancel(*batches, context);
  batches->callback([&context, json] {
    if (context.action) return;  // of a subcommand, whose callback comes first
    context.action = [&context, json] { return list(context, *json); };
  });
}

}  // namespace galley::cli
