// galley queues: what stands in each queue, and pausing and resuming them.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/counts.hpp"
#include "cli/text.hpp"
#include "job/validate.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

Result<int> list(Context& context, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto queues = (*store)->queues();
  if (!queues) return queues.error();
  Table table(with_states({"QUEUE", "PAUSED"}, {"OLDEST READY"}));
  for (const store::QueueStats& queue : *queues) {
    if (json) {
      boost::json::object object{{"queue", base::to_utf8(queue.queue)}, {"paused", queue.paused}};
      add_counts(object, queue.count);
      object["oldest_ready_ms"] = nullptr;
      if (queue.oldest_ready) object["oldest_ready_ms"] = queue.oldest_ready->count() / 1'000;
      context.out.line(object);
      continue;
    }
    std::vector<std::string> row{to_cell(queue.queue, 40), queue.paused ? "paused" : "-"};
    add_counts(row, queue.count);
    row.push_back(queue.oldest_ready ? base::format_duration(*queue.oldest_ready) : "-");
    table.row(std::move(row));
  }
  if (!json) table.print(context.out, count_columns(2));
  return kExitOk;
}

Result<int> set_paused(Context& context, const std::string& queue, bool paused) {
  if (auto valid = job::check_queue("queue", queue); !valid) return valid.error();
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto done = paused ? (*store)->pause(queue) : (*store)->resume(queue);
  if (!done) return done.error();
  context.out.line(paused ? "paused " + queue + ": nothing new is started, what runs goes on" : "resumed " + queue);
  return kExitOk;
}

void add_switch(CLI::App& queues, Context& context, const char* command, const char* help, bool paused) {
  CLI::App* app = queues.add_subcommand(command, help);
  auto queue = std::make_shared<std::string>();
  app->add_option("NAME", *queue, "The queue")->required();
  add_store_option(*app, context);
  app->footer(std::string("Example: galley queues ") + command + " thumbs");
  app->callback([&context, queue, paused] {
    context.action = [&context, queue, paused] { return set_paused(context, *queue, paused); };
  });
}

}  // namespace

void add_queues(CLI::App& app, Context& context) {
  CLI::App* queues = app.add_subcommand("queues", "List queues; pause and resume them");
  auto json = std::make_shared<bool>(false);
  queues->add_flag("--json", *json, "One object a line");
  add_store_option(*queues, context);
  queues->require_subcommand(0, 1);
  queues->footer("Example: galley queues --json");
  add_switch(*queues, context, "pause", "Start nothing new from a queue; what runs goes on", true);
  add_switch(*queues, context, "resume", "Start jobs of a queue again", false);
  queues->callback([&context, json] {
    if (context.action) return;  // of a subcommand, whose callback comes first
    context.action = [&context, json] { return list(context, *json); };
  });
}

}  // namespace galley::cli
