// galley work: runs command jobs until it is told to stop, or until nothing is left.

#include <unistd.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <thread>

#include "base/duration.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/init_process.hpp"
#include "cli/notify.hpp"
#include "cli/signals.hpp"
#include "galley/worker.hpp"
#include "job/order.hpp"

namespace galley::cli {

namespace {

constexpr const char* kAnyCommand = "*";  // what --allow-commands says without a list

struct Flags {
  std::string queues;
  std::vector<std::string> allow;
  bool drain = false;
  std::string reserve;
  std::string grace;
  std::string lease;
  std::string name;
  std::vector<std::string> timeouts;
};

Result<void> read_allowed(const std::vector<std::string>& allow, WorkerOptions& options) {
  for (const std::string& text : allow) {
    if (text == kAnyCommand) {
      options.allow_any_command = true;
      continue;
    }
    std::stringstream list(text);
    for (std::string program; std::getline(list, program, ',');) {
      if (program.empty()) return usage_error("--allow-commands=" + text + " has an empty entry");
      options.allow_commands.push_back(program);
    }
  }
  if (options.allow_any_command && !options.allow_commands.empty()) {
    return usage_error("--allow-commands without a list allows every command; give a list or none, not both");
  }
  if (options.allow_any_command || !options.allow_commands.empty()) return {};
  return usage_error(
      "this worker would have nothing to run: galley work runs commands only, and only where they are allowed, with "
      "--allow-commands (any) or --allow-commands=PROG,... (those listed)");
}

Result<WorkerOptions> options_of(const Flags& flags, const Settings& settings) {
  WorkerOptions options;
  options.name = flags.name;
  options.drain = flags.drain;
  if (!flags.reserve.empty()) options.reserve = flags.reserve;
  options.log_level = *settings.log_level;
  options.log_format = *settings.log_format;
  if (const auto level = base::log_level_from(options.log_level); !level) return level.error();
  if (const auto format = base::log_format_from(options.log_format); !format) return format.error();
  if (auto done = read_allowed(flags.allow, options); !done) return done.error();
  if (!flags.grace.empty()) {
    const auto grace = base::parse_duration("--grace", flags.grace);
    if (!grace) return grace.error();
    options.shutdown_grace = *grace;
  }
  if (!flags.lease.empty()) {
    const auto lease = base::parse_duration("--lease", flags.lease);
    if (!lease) return lease.error();
    options.lease = *lease;
  }
  options.exit_process = [] {
    std::fflush(nullptr);
    std::_Exit(kExitOk);
  };
  return options;
}

/// KIND=TIME each; a kind may have a '=' in it.
Result<std::vector<std::pair<std::string, Duration>>> timeouts_of(const Flags& flags) {
  std::vector<std::pair<std::string, Duration>> timeouts;
  for (const std::string& text : flags.timeouts) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos)
      return usage_error("--timeout: " + base::quoted(text) + " has no '='; allowed is KIND=TIME");
    const auto time = base::parse_duration("--timeout", text.substr(equals + 1));
    if (!time) return time.error();
    timeouts.emplace_back(text.substr(0, equals), *time);
  }
  return timeouts;
}

/// "a*3,b*1", as a pool is told.
std::string queues_text(const job::PoolSpec& pool) {
  std::string text;
  for (const job::PoolQueue& queue : pool.queues) {
    if (!text.empty()) text += ',';
    text += queue.name;
    if (queue.weight > 0) text += "*" + std::to_string(queue.weight);
  }
  return text;
}

Result<std::vector<job::PoolSpec>> pools_of(const Flags& flags, const Context& context, const Settings& settings) {
  std::vector<std::string> texts = settings.pools;
  const bool named = !flags.queues.empty();
  if (named && !context.flags.pools.empty()) {
    return usage_error("--queue and --pool exclude each other: --pool NAME=SLOTS:QUEUE,... names both");
  }
  if (named || texts.empty()) {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    texts = {"default=" + std::to_string(cores) + ":" + (named ? flags.queues : *settings.queue)};
  }
  std::vector<job::PoolSpec> pools;
  for (const std::string& text : texts) {
    auto pool = job::pool_spec_from(text);
    if (!pool) return pool.error();
    pools.push_back(std::move(*pool));
  }
  return pools;
}

Result<int> work(Context& context, const Flags& flags) {
  const auto settings = context.settings();
  if (!settings) return settings.error();
  auto options = options_of(flags, *settings);
  if (!options) return options.error();
  const auto pools = pools_of(flags, context, *settings);
  if (!pools) return pools.error();
  const auto timeouts = timeouts_of(flags);
  if (!timeouts) return timeouts.error();
  auto notifier = Notifier::from([](const char* name) -> const char* { return std::getenv(name); }, getpid());
  if (!notifier) return notifier.error();
  const auto ended = split_from_init();  // as process 1: the rest is done by its child
  if (!ended) return ended.error();
  if (*ended) return **ended;
  Signals signals;  // before the store and the worker, which start threads
  auto store = context.open(*settings, true);
  if (!store) return store.error();
  if (*notifier) {
    options->on_pulse = [&notifier](const WorkerPulse& pulse) { (*notifier)->pulse(pulse); };
    options->pulse_every = (*notifier)->pulse_every();
  }
  Worker worker(*store, std::move(*options));
  for (const job::PoolSpec& pool : *pools) worker.pool(pool.name, pool.slots, queues_text(pool));
  for (const auto& [kind, time] : *timeouts) worker.timeout(kind, time);
  signals.watch([&worker, &notifier](int count) {
    if (count == 1) {
      if (*notifier) (*notifier)->stopping();
      worker.stop();
    } else {
      worker.hurry();
    }
  });
  const auto report = worker.run();
  if (!report) return report.error();
  if (report->stalled) {
    return Error{Errc::Io, "the worker had a free slot and a claimable job and did not start it; see its log"};
  }
  return flags.drain && report->dead > 0 ? kExitFailure : kExitOk;
}

constexpr const char* kExamples =
    "Examples:\n"
    "  galley work --allow-commands --drain\n"
    "  galley work --pool fast=4:drinks,fries --pool slow=2:burgers*3,cakes*1 --allow-commands=convert,/usr/bin/gzip\n"
    "\n"
    "SIGTERM or Ctrl-C: claims nothing more, waits --grace, puts back what still runs. A second one hurries.";

}  // namespace

void add_work(CLI::App& app, Context& context) {
  CLI::App* work_app = app.add_subcommand("work", "Run jobs in this process, with pools of slots");
  auto flags = std::make_shared<Flags>();
  work_app
      ->add_option("--pool", context.flags.pools,
                   "A pool of 1..10000 slots bound to queues (by default the one of its name): a,b in strict order, "
                   "a*3,b*1 by weight; may be repeated (default: 'default' with one slot a core)")
      ->type_name("NAME=SLOTS[:QUEUE,...]")
      ->allow_extra_args(false);
  work_app->add_option("--queue", flags->queues, "One pool with a slot a core, bound to these queues")
      ->type_name("QUEUE[,...]");
  work_app->add_flag(std::string("--allow-commands{") + kAnyCommand + "}", flags->allow,
                     "Run commands: any, or with =PROG,... those listed (names on the PATH, or absolute paths)");
  work_app->add_flag("--drain", flags->drain, "Run until nothing is left; exit with 1 if a job died");
  work_app->add_option("--grace", flags->grace, "How long a stop waits for running attempts (default 25s)")
      ->type_name("TIME");
  work_app->add_option("--lease", flags->lease, "After this time a stuck worker's jobs run elsewhere (default 30s)")
      ->type_name("TIME");
  work_app
      ->add_option(
          "--reserve", flags->reserve,
          "Room for kinds that are short: auto (express in pools of two slots or more), express (one slot above "
          "the pool's), slots (out of the pool's), off (default auto)")
      ->type_name("HOW")
      ->check(CLI::IsMember({"auto", "express", "slots", "off"}));
  work_app
      ->add_option("--timeout", flags->timeouts,
                   "The most that one attempt of this kind may run, where its job says nothing; may be repeated")
      ->type_name("KIND=TIME")
      ->allow_extra_args(false);
  work_app->add_option("--name", flags->name, "Its name in logs and statistics (default HOST:PID)")->type_name("TEXT");
  work_app->add_option("--log-level", context.flags.log_level, "debug, info, warn, error or off (default info)")
      ->type_name("LEVEL");
  work_app->add_option("--log-format", context.flags.log_format, "text or json (default text)")->type_name("FORM");
  add_store_option(*work_app, context);
  work_app->footer(kExamples);
  work_app->callback([&context, flags] { context.action = [&context, flags] { return work(context, *flags); }; });
}

}  // namespace galley::cli
