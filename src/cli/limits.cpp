// galley limits: what may run at a time, and start in a period.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <memory>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/text.hpp"
#include "store/check.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

/// Which limit is meant, as the options say.
struct TargetFlags {
  std::string name;
  std::string queue;
  std::string kind;
  std::string key;
  bool each_key = false;
};

struct RuleFlags {
  int running = 0;
  std::string rate;
  int burst = 1;
};

Result<store::LimitTarget> target_of(const TargetFlags& flags) {
  const bool of_key = flags.each_key || !flags.key.empty();
  const int said = (flags.name.empty() ? 0 : 1) + (flags.kind.empty() ? 0 : 1) + (flags.queue.empty() ? 0 : 1);
  if (said != 1 || (flags.each_key && !flags.key.empty())) {
    return usage_error(
        "say which limit: NAME, --queue QUEUE, --kind KIND, --queue QUEUE --key KEY, or --queue QUEUE "
        "--each-key");
  }
  if (of_key && flags.queue.empty())
    return usage_error("--key and --each-key need the queue of the key: --queue QUEUE");
  using enum store::LimitScope;
  store::LimitTarget target{Name, "", flags.name};
  if (!flags.kind.empty()) target = {Kind, "", flags.kind};
  if (!flags.queue.empty()) target = {Queue, "", flags.queue};
  if (of_key) target = {Key, flags.queue, flags.key};
  if (auto valid = store::check(target); !valid) return valid.error();
  return target;
}

Result<store::LimitRule> rule_of(const RuleFlags& flags) {
  store::LimitRule rule;
  if (flags.running == 0 && flags.rate.empty()) {
    return usage_error("say what is allowed: --running N, --rate N/TIME or both");
  }
  rule.max_running = flags.running;
  rule.burst = flags.burst;
  if (!flags.rate.empty()) {
    const std::size_t slash = std::min(flags.rate.find('/'), flags.rate.size());
    const char* const end = flags.rate.data() + slash;
    const auto [at, error] = std::from_chars(flags.rate.data(), end, rule.rate);
    if (slash == flags.rate.size() || error != std::errc() || at != end || rule.rate < 1) {
      return usage_error("--rate: " + base::quoted(flags.rate) + " is not allowed; allowed is N/TIME, as 100/1m");
    }
    const auto period = base::parse_duration("--rate", flags.rate.substr(slash + 1));
    if (!period) return period.error();
    rule.period = *period;
  }
  if (auto valid = store::check(rule); !valid) return valid.error();
  return rule;
}

std::string text_of(const store::LimitTarget& target) {
  if (target.scope == store::LimitScope::Name) return target.name;
  const std::string scope(name(target.scope));
  if (target.scope != store::LimitScope::Key) return scope + " " + target.name;
  return (target.name.empty() ? "each key" : scope + " " + target.name) + " of queue " + target.queue;
}

std::string rate_text(const store::LimitRule& rule) {
  if (rule.rate == 0) return "-";
  const std::string text = std::to_string(rule.rate) + "/" + base::format_duration_exactly(rule.period);
  return rule.burst == 1 ? text : text + ", burst " + std::to_string(rule.burst);
}

Result<int> list(Context& context, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto limits = (*store)->limits();
  if (!limits) return limits.error();
  Table table({"LIMIT", "RUNNING", "AT MOST", "RATE", "MAY START"});
  for (const store::LimitStats& limit : *limits) {
    const store::LimitRule& rule = limit.rule;
    if (json) {
      boost::json::object object{
          {"scope", name(limit.target.scope)},        {"queue", base::to_utf8(limit.target.queue)},
          {"name", base::to_utf8(limit.target.name)}, {"running", limit.running},
          {"max_running", rule.max_running},          {"rate", rule.rate},
          {"period_ms", rule.period.count() / 1'000}, {"burst", rule.burst}};
      object["tokens"] = nullptr;
      if (limit.tokens) object["tokens"] = *limit.tokens;
      context.out.line(object);
      continue;
    }
    table.row({to_cell(text_of(limit.target), 60), std::to_string(limit.running),
               rule.max_running > 0 ? std::to_string(rule.max_running) : "-", rate_text(rule),
               limit.tokens ? std::to_string(*limit.tokens) : "-"});
  }
  if (!json) table.print(context.out, {1, 2, 4});
  return kExitOk;
}

Result<int> set(Context& context, const TargetFlags& which, const RuleFlags& flags) {
  const auto target = target_of(which);
  if (!target) return target.error();
  const auto rule = rule_of(flags);
  if (!rule) return rule.error();
  auto store = context.open_existing();
  if (!store) return store.error();
  if (auto done = (*store)->put_limit(*target, *rule); !done) return done.error();
  std::string text = text_of(*target) + ":";
  if (rule->max_running > 0) text += " at most " + std::to_string(rule->max_running) + " at a time";
  if (rule->rate > 0) text += (rule->max_running > 0 ? ", " : " ") + rate_text(*rule);
  context.out.line(text);
  return kExitOk;
}

Result<int> remove(Context& context, const TargetFlags& which) {
  const auto target = target_of(which);
  if (!target) return target.error();
  auto store = context.open_existing();
  if (!store) return store.error();
  if (auto done = (*store)->remove_limit(*target); !done) return done.error();
  context.out.line(text_of(*target) + " has no limit");
  return kExitOk;
}

void add_target(CLI::App& app, TargetFlags& flags) {
  app.add_option("NAME", flags.name, "A limit that jobs name (galley enqueue --limit NAME)");
  app.add_option("--queue", flags.queue, "Of all jobs of this queue; with --key or --each-key, of a key in it")
      ->type_name("QUEUE");
  app.add_option("--kind", flags.kind, "Of all jobs of this kind")->type_name("KIND");
  app.add_option("--key", flags.key, "Of the jobs with this key")->type_name("KEY");
  app.add_flag("--each-key", flags.each_key, "Of each key that has no limit of its own");
}

void add_set(CLI::App& limits, Context& context) {
  CLI::App* app = limits.add_subcommand("set", "Set a limit, or change it");
  auto target = std::make_shared<TargetFlags>();
  auto rule = std::make_shared<RuleFlags>();
  add_target(*app, *target);
  const auto jobs = CLI::Range(1, limits::kMaxLimitJobs).description("");
  app->add_option("--running", rule->running, "How many may run at a time")->check(jobs)->type_name("N");
  app->add_option("--rate", rule->rate, "How many may start in a time, as 100/1m")->type_name("N/TIME");
  app->add_option("--burst", rule->burst, "How many of these may start at once after a pause (default 1)")
      ->check(jobs)
      ->type_name("N");
  add_store_option(*app, context);
  app->footer("Example: galley limits set smtp --running 5 --rate 100/1m");
  app->callback(
      [&context, target, rule] { context.action = [&context, target, rule] { return set(context, *target, *rule); }; });
}

void add_remove(CLI::App& limits, Context& context) {
  CLI::App* app = limits.add_subcommand("remove", "Remove a limit");
  auto target = std::make_shared<TargetFlags>();
  add_target(*app, *target);
  add_store_option(*app, context);
  app->footer("Example: galley limits remove smtp");
  app->callback([&context, target] { context.action = [&context, target] { return remove(context, *target); }; });
}

}  // namespace

void add_limits(CLI::App& app, Context& context) {
  CLI::App* limits = app.add_subcommand("limits", "List limits on what runs and starts; set and remove them");
  auto json = std::make_shared<bool>(false);
  limits->add_flag("--json", *json, "One object a line");
  add_store_option(*limits, context);
  limits->require_subcommand(0, 1);
  limits->footer("Example: galley limits --json");
  add_set(*limits, context);
  add_remove(*limits, context);
  limits->callback([&context, json] {
    if (context.action) return;  // of a subcommand, whose callback comes first
    context.action = [&context, json] { return list(context, *json); };
  });
}

}  // namespace galley::cli
