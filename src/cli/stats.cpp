// galley stats: jobs by queue, kind and state, and the workers that are there.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/counts.hpp"
#include "cli/text.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

constexpr std::size_t kNameColumns = 40;

void print_json(Output& out, const std::vector<store::LaneStats>& lanes,
                const std::vector<store::WorkerStats>& workers) {
  for (const store::LaneStats& lane : lanes) {
    boost::json::object object{
        {"type", "jobs"}, {"queue", base::to_utf8(lane.queue)}, {"kind", base::to_utf8(lane.kind)}};
    add_counts(object, lane.count);
    out.line(object);
  }
  for (const store::WorkerStats& worker : workers) {
    out.line({{"type", "worker"},
              {"id", worker.id},
              {"name", base::to_utf8(worker.name)},
              {"pools", base::to_utf8(worker.pools)},
              {"started_at", base::format_time(worker.started_at)}});
  }
}

void print_text(Output& out, const std::vector<store::LaneStats>& lanes,
                const std::vector<store::WorkerStats>& workers) {
  Table jobs(with_states({"QUEUE", "KIND"}));
  for (const store::LaneStats& lane : lanes) {
    std::vector<std::string> row{to_cell(lane.queue, kNameColumns), to_cell(lane.kind, kNameColumns)};
    add_counts(row, lane.count);
    jobs.row(std::move(row));
  }
  jobs.print(out, count_columns(2));
  out.line("");
  Table table({"WORKER", "NAME", "STARTED", "POOLS"});
  for (const store::WorkerStats& worker : workers) {
    table.row({std::to_string(worker.id), to_cell(worker.name, kNameColumns), base::format_time(worker.started_at),
               to_terminal(worker.pools)});
  }
  table.print(out, {0});
}

Result<int> stats(Context& context, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto lanes = (*store)->lanes();
  if (!lanes) return lanes.error();
  const auto workers = (*store)->workers();
  if (!workers) return workers.error();
  (json ? print_json : print_text)(context.out, *lanes, *workers);
  return kExitOk;
}

}  // namespace

void add_stats(CLI::App& app, Context& context) {
  CLI::App* stats_app = app.add_subcommand("stats", "Count jobs by queue, kind and state; list the workers");
  auto json = std::make_shared<bool>(false);
  stats_app->add_flag("--json", *json, "One object a line; \"type\" is \"jobs\" or \"worker\"");
  add_store_option(*stats_app, context);
  stats_app->footer("Example: galley stats --json");
  stats_app->callback([&context, json] { context.action = [&context, json] { return stats(context, *json); }; });
}

}  // namespace galley::cli
