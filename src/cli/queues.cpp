// galley queues: what stands in each queue; pausing, resuming and bounding them, their order and shares.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
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
  Table table(with_states({"QUEUE", "PAUSED"}, {"OLDEST READY", "AT MOST", "ORDER"}));
  for (const store::QueueStats& queue : *queues) {
    if (json) {
      boost::json::object object{{"queue", base::to_utf8(queue.queue)}, {"paused", queue.paused}};
      add_counts(object, queue.count);
      object["oldest_ready_ms"] = nullptr;
      if (queue.oldest_ready) object["oldest_ready_ms"] = queue.oldest_ready->count() / 1'000;
      object["max_waiting"] = nullptr;
      if (queue.max_waiting) object["max_waiting"] = *queue.max_waiting;
      object["order"] = name(queue.order);
      context.out.line(object);
      continue;
    }
    std::vector<std::string> row{to_cell(queue.queue, 40), queue.paused ? "paused" : "-"};
    add_counts(row, queue.count);
    row.push_back(queue.oldest_ready ? base::format_duration(*queue.oldest_ready) : "-");
    row.push_back(queue.max_waiting ? std::to_string(*queue.max_waiting) : "-");
    row.emplace_back(name(queue.order));
    table.row(std::move(row));
  }
  if (!json) table.print(context.out, count_columns(2));
  return kExitOk;
}

/// Says that nothing was ever enqueued there: mostly a name that is not meant. It may all the same be set before its
/// first job.
Result<void> tell_if_new(Context& context, store::Store& store, const std::string& queue) {
  const auto known = store.queues();
  if (!known) return known.error();
  if (std::none_of(known->begin(), known->end(), [&](const auto& one) { return one.queue == queue; })) {
    context.complain("the queue " + base::quoted(queue) + " is new; galley queues names those that are there");
  }
  return {};
}

Result<int> set_paused(Context& context, const std::string& queue, bool paused) {
  if (auto valid = job::check_queue("queue", queue); !valid) return valid.error();
  auto store = context.open_existing();
  if (!store) return store.error();
  if (auto told = tell_if_new(context, **store, queue); !told) return told.error();
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

Result<int> limit(Context& context, const std::string& queue, const std::string& text) {
  if (auto valid = job::check_queue("queue", queue); !valid) return valid.error();
  const auto most = bound_from("--max-waiting", text);
  if (!most) return most.error();
  auto store = context.open_existing();
  if (!store) return store.error();
  if (auto told = tell_if_new(context, **store, queue); !told) return told.error();
  if (auto done = (*store)->set_max_waiting(queue, *most); !done) return done.error();
  context.out.line(*most ? queue + " holds at most " + std::to_string(**most) +
                               (**most == 1 ? " waiting job" : " waiting jobs")
                         : queue + " has no bound");
  return kExitOk;
}

void add_limit(CLI::App& queues, Context& context) {
  CLI::App* app = queues.add_subcommand("limit", "Bound how many jobs may wait in a queue; more are refused");
  auto queue = std::make_shared<std::string>();
  auto most = std::make_shared<std::string>();
  app->add_option("NAME", *queue, "The queue")->required();
  app->add_option("--max-waiting", *most, "Scheduled, ready and blocked jobs that it may hold; none: no bound")
      ->type_name("N|none")
      ->required();
  add_store_option(*app, context);
  app->footer("Example: galley queues limit mail --max-waiting 100000");
  app->callback(
      [&context, queue, most] { context.action = [&context, queue, most] { return limit(context, *queue, *most); }; });
}

struct ShareFlags {
  std::string order;
  std::vector<std::string> weights;
};

/// KEY=N, where a key may have '=' in it.
Result<std::pair<std::string, int>> weight_from(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  int weight = 0;
  const char* const end = text.data() + text.size();
  const char* const number = equals == std::string::npos ? end : text.data() + equals + 1;
  const auto [at, error] = std::from_chars(number, end, weight);
  if (equals == 0 || number == end || error != std::errc() || at != end) {
    return usage_error("--weight: " + base::quoted(text) + " is not allowed; allowed is KEY=N");
  }
  return std::pair(text.substr(0, equals), weight);
}

Result<int> share(Context& context, const std::string& queue, const ShareFlags& flags) {
  if (flags.order.empty() && flags.weights.empty()) return usage_error("say what to set: --order, --weight or both");
  std::vector<std::pair<std::string, int>> weights;
  for (const std::string& text : flags.weights) {
    auto weight = weight_from(text);
    if (!weight) return weight.error();
    weights.push_back(*std::move(weight));
  }
  auto store = context.open_existing();
  if (!store) return store.error();
  if (auto told = tell_if_new(context, **store, queue); !told) return told.error();
  if (!flags.order.empty()) {
    if (auto done = (*store)->set_order(queue, *job::order_from(flags.order)); !done) return done.error();
    context.out.line(queue + " runs what becomes ready in the order " + flags.order);
  }
  for (const auto& [key, weight] : weights) {
    if (auto done = (*store)->set_weight(queue, key, weight); !done) return done.error();
    context.out.line("key " + base::quoted(key) + " of " + queue + " has the weight " + std::to_string(weight));
  }
  return kExitOk;
}

void add_share(CLI::App& queues, Context& context) {
  CLI::App* app = queues.add_subcommand("set", "Set the order of a queue, and the shares of its keys");
  auto queue = std::make_shared<std::string>();
  auto flags = std::make_shared<ShareFlags>();
  app->add_option("NAME", *queue, "The queue")->required();
  app->add_option("--order", flags->order, "fifo (the usual one), shortest or deadline")
      ->check(CLI::IsMember({"fifo", "shortest", "deadline"}).description(""))
      ->type_name("ORDER");
  app->add_option("--weight", flags->weights, "A key's share, 1..1000 (usually 1); may be repeated")
      ->type_name("KEY=N")
      ->allow_extra_args(false);
  add_store_option(*app, context);
  app->footer("Example: galley queues set mail --order shortest --weight ann=3");
  app->callback([&context, queue, flags] {
    context.action = [&context, queue, flags] { return share(context, *queue, *flags); };
  });
}

}  // namespace

Result<std::optional<std::int64_t>> bound_from(std::string_view option, std::string_view text) {
  if (text == "none") return std::optional<std::int64_t>();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= 1) return std::optional(value);
  return usage_error(std::string(option) + ": " + base::quoted(text) +
                     " is not allowed; allowed is a whole number of 1 or more, or none");
}

void add_queues(CLI::App& app, Context& context) {
  CLI::App* queues = app.add_subcommand("queues", "List queues; pause, resume and bound them");
  auto json = std::make_shared<bool>(false);
  queues->add_flag("--json", *json, "One object a line");
  add_store_option(*queues, context);
  queues->require_subcommand(0, 1);
  queues->footer("Example: galley queues --json");
  add_switch(*queues, context, "pause", "Start nothing new from a queue; what runs goes on", true);
  add_switch(*queues, context, "resume", "Start jobs of a queue again", false);
  add_limit(*queues, context);
  add_share(*queues, context);
  queues->callback([&context, json] {
    if (context.action) return;  // of a subcommand, whose callback comes first
    context.action = [&context, json] { return list(context, *json); };
  });
}

}  // namespace galley::cli
