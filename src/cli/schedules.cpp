// galley schedules: recurring jobs; what stands there, putting and removing them, and looking at when they tick.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <memory>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "base/time_zone.hpp"
#include "cli/commands.hpp"
#include "cli/job_content.hpp"
#include "cli/job_flags.hpp"
#include "cli/render_job.hpp"
#include "cli/text.hpp"
#include "galley/schedule.hpp"
#include "job/schedule.hpp"
#include "job/validate.hpp"
#include "store/check.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

constexpr std::size_t kNameColumns = 32;
constexpr std::size_t kWhenColumns = 40;
constexpr std::size_t kWhatColumns = 60;
constexpr int kMostTicks = 1'000;

struct RuleFlags {
  std::string cron;
  std::string zone = "UTC";
  std::string misfire = "once";
  std::string overlap = "allow";
  std::string jitter;
  std::string spread;
};

struct PutFlags : ContentFlags {
  std::string name;
  RuleFlags rule;
  JobFlags job;
};

struct NextFlags {
  std::string name;
  RuleFlags rule;
  int count = 5;
  bool json = false;
};

Result<Duration> duration_of(std::string_view option, const std::string& text) {
  return text.empty() ? Result<Duration>(Duration{0}) : base::parse_duration(option, text);
}

Result<job::ScheduleRule> rule_of(const RuleFlags& flags) {
  job::ScheduleRule rule;
  rule.expression = flags.cron;
  rule.zone = flags.zone;
  rule.misfire = *misfire_from(flags.misfire);
  rule.overlap = *overlap_from(flags.overlap);
  const auto jitter = duration_of("--jitter", flags.jitter);
  if (!jitter) return jitter.error();
  const auto spread = duration_of("--spread", flags.spread);
  if (!spread) return spread.error();
  rule.jitter = *jitter;
  rule.spread = *spread;
  return rule;
}

/// "2026-03-29 03:00:00+02:00": what the clocks of the zone show, to the second.
std::string local_text(const base::TimeZone& zone, Time time) {
  const auto offset = zone.span_at(time).offset;
  const std::string shown = base::format_time(std::chrono::floor<std::chrono::seconds>(time) + offset);
  const auto minutes = std::abs(std::chrono::duration_cast<std::chrono::minutes>(offset).count());
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return shown.substr(0, 10) + " " + shown.substr(11, 8) + (offset.count() < 0 ? "-" : "+") + two(minutes / 60) + ":" +
         two(minutes % 60);
}

/// "-" where there is none, or where the zone is not installed here.
std::string local_text(const std::string& zone, const std::optional<Time>& time) {
  const auto known = base::TimeZone::named(zone);
  return time && known ? local_text(*known, *time) : "-";
}

std::string utc_text(const std::optional<Time>& time) { return time ? base::format_time(*time) : "-"; }

/// The job of a tick, as far as it can be known before.
job::JobRecord job_record(const job::NewJob& job) {
  job::JobRecord record;
  record.content = job.content;
  record.payload = job.payload;
  record.redacted = job.redacted;
  return record;
}

boost::json::object schedule_to_json(const store::ScheduleStats& stats) {
  const auto& [name, rule, job] = stats.schedule;
  boost::json::object object{{"name", base::to_utf8(name)},
                             {"cron", base::to_utf8(rule.expression)},
                             {"zone", base::to_utf8(rule.zone)},
                             {"misfire", galley::name(rule.misfire)},
                             {"overlap", galley::name(rule.overlap)},
                             {"jitter_ms", rule.jitter.count() / 1'000},
                             {"spread_ms", rule.spread.count() / 1'000},
                             {"queue", base::to_utf8(job.queue)},
                             {"kind", base::to_utf8(job.kind)},
                             {"paused", stats.paused},
                             {"next_at", time_value(stats.next_at)},
                             {"last_at", time_value(stats.last_at)}};
  object["last_job"] = nullptr;
  if (stats.last_job) object["last_job"] = *stats.last_job;
  object["enqueued"] = stats.enqueued;
  object["skipped"] = stats.skipped;
  const boost::json::object content = to_json(job_record(job));
  for (const std::string_view member : {"content", "command", "payload", "redacted"}) {
    if (const auto* value = content.if_contains(member)) object[member] = *value;
  }
  return object;
}

Result<int> list(Context& context, bool json) {
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto all = (*store)->schedules();
  if (!all) return all.error();
  Table table({"NAME", "WHEN", "ZONE", "NEXT", "NEXT (UTC)", "LAST (UTC)", "JOB", "ENQUEUED", "SKIPPED", "QUEUE",
               "KIND", "PAUSED", "WHAT"});
  for (const store::ScheduleStats& one : *all) {
    if (json) {
      context.out.line(schedule_to_json(one));
      continue;
    }
    const auto& [name, rule, job] = one.schedule;
    table.row({to_cell(name, kNameColumns), to_cell(rule.expression, kWhenColumns), to_cell(rule.zone, kNameColumns),
               local_text(rule.zone, one.next_at), utc_text(one.next_at), utc_text(one.last_at),
               one.last_job ? std::to_string(*one.last_job) : "-", std::to_string(one.enqueued),
               std::to_string(one.skipped), to_cell(job.queue, kNameColumns), to_cell(job.kind, kNameColumns),
               one.paused ? "paused" : "-", to_cell(summary(job_record(job)), kWhatColumns)});
  }
  if (json) return kExitOk;
  if (all->empty()) {
    context.complain("there are no schedules");
  } else {
    table.print(context.out, {6, 7, 8});
  }
  return kExitOk;
}

Result<job::NewJob> job_of(Context& context, const PutFlags& flags, const std::string& queue) {
  const auto options = options_of(flags.job, flags.typed() ? JobOptions{}.max_attempts : 1);
  if (!options) return options.error();
  auto command = command_of(flags, context);
  if (!command) return command.error();
  auto job = content_job(flags, *std::move(command));
  if (!job) return job;
  job->queue = queue;
  if (auto done = job::apply(*options, *job); !done) return done.error();
  return job;
}

Result<int> put(Context& context, const PutFlags& flags) {
  if (auto done = check_content(flags, context, "galley schedules put NAME --cron '...'"); !done) return done.error();
  auto rule = rule_of(flags.rule);
  if (!rule) return rule.error();
  const auto settings = context.settings();
  if (!settings) return settings.error();
  auto job = job_of(context, flags, *settings->queue);
  if (!job) return job.error();
  const store::Schedule schedule{flags.name, *std::move(rule), *std::move(job)};
  if (auto done = store::check(schedule); !done) return done.error();  // before a store is created
  if (auto done = job::validate(schedule.rule); !done) return done.error();
  auto store = context.open(*settings, true);
  if (!store) return store.error();
  if (auto done = (*store)->put_schedule(schedule); !done) return done.error();
  const auto all = (*store)->schedules();
  if (!all) return all.error();
  const auto found = std::find_if(all->begin(), all->end(),
                                  [&](const store::ScheduleStats& one) { return one.schedule.name == flags.name; });
  const std::optional<Time> next = found == all->end() ? std::nullopt : found->next_at;
  context.out.line("put " + flags.name + ": next " + local_text(schedule.rule.zone, next) + " (" + utc_text(next) +
                   ")");
  return kExitOk;
}

Result<int> remove(Context& context, const std::string& name) {
  auto store = context.open_existing();
  if (!store) return store.error();
  if (auto done = (*store)->remove_schedule(name); !done) return done.error();
  context.out.line("removed " + to_terminal(name) + ": its jobs stay");
  return kExitOk;
}

Result<int> set_paused(Context& context, const std::string& name, bool paused) {
  auto store = context.open_existing();
  if (!store) return store.error();
  if (auto done = (*store)->pause_schedule(name, paused); !done) return done.error();
  context.out.line(paused ? "paused " + name + ": its ticks pass without a job" : "resumed " + name);
  return kExitOk;
}

/// What is to be shown: the ticks of a timetable from `first` on.
struct Asked {
  job::Timetable timetable;
  std::optional<Time> first;
  Time anchor{};  ///< of "@every"
};

Result<Asked> asked_for(Context& context, const NextFlags& flags) {
  if (flags.name.empty() == flags.rule.cron.empty()) {
    return usage_error("schedules next needs the name of a schedule, or an expression: --cron '0 3 * * *'");
  }
  if (flags.name.empty()) {
    const auto rule = rule_of(flags.rule);
    if (!rule) return rule.error();
    auto timetable = job::timetable_from("", *rule);
    if (!timetable) return timetable.error();
    const Time now = context.clock.wall();
    const auto first = timetable->cron.next(now, timetable->zone, now);
    return Asked{*std::move(timetable), first, now};
  }
  auto store = context.open_existing();
  if (!store) return store.error();
  auto all = (*store)->schedules();
  if (!all) return all.error();
  for (store::ScheduleStats& one : *all) {
    if (one.schedule.name != flags.name) continue;
    auto timetable = job::timetable_from(one.schedule.name, one.schedule.rule);
    if (!timetable) return timetable.error();
    return Asked{*std::move(timetable), one.next_at, one.next_at.value_or(Time{})};
  }
  return Error{Errc::NotFound, "schedule " + base::quoted(flags.name) + ": there is no such schedule"};
}

Result<int> next(Context& context, const NextFlags& flags) {
  const auto asked = asked_for(context, flags);
  if (!asked) return asked.error();
  const auto& [timetable, first, anchor] = *asked;
  const bool moved = timetable.rule.jitter + timetable.rule.spread > Duration{0};
  Table table(moved ? std::vector<std::string>{"TICK", "UTC", "DUE (UTC)"} : std::vector<std::string>{"TICK", "UTC"});
  std::optional<Time> tick = first;
  for (int i = 0; i < flags.count && tick; ++i) {
    const Time due = job::due_at(timetable, *tick);
    if (flags.json) {
      context.out.line({{"tick", base::format_time(*tick)},
                        {"local", local_text(timetable.zone, *tick)},
                        {"due", base::format_time(due)}});
    } else {
      std::vector<std::string> row{local_text(timetable.zone, *tick), base::format_time(*tick)};
      if (moved) row.push_back(base::format_time(due));
      table.row(std::move(row));
    }
    tick = timetable.cron.next(*tick, timetable.zone, anchor);
  }
  if (!flags.json) table.print(context.out);
  return kExitOk;
}

void add_rule_options(CLI::App& app, RuleFlags& flags, bool all) {
  CLI::Option* cron =
      app.add_option("--cron", flags.cron,
                     "When: five fields (minute hour day month weekday), six (with the seconds first), @daily and its "
                     "like, or @every 90s")
          ->type_name("WHEN");
  app.add_option("--zone", flags.zone, "The zone whose clocks --cron means, as Europe/Berlin (default: UTC)")
      ->type_name("ZONE");
  if (!all) return;
  cron->required();
  app.add_option("--misfire", flags.misfire,
                 "Ticks that nobody served within a minute: skip them, once (one job for all, the default), or all")
      ->check(CLI::IsMember({"skip", "once", "all"}).description(""))
      ->type_name("WHAT");
  app.add_option("--overlap", flags.overlap,
                 "A tick while the job of an earlier one has not ended: allow (the default) or skip")
      ->check(CLI::IsMember({"allow", "skip"}).description(""))
      ->type_name("WHAT");
  app.add_option("--jitter", flags.jitter, "Delay each job by its own share of this")->type_name("TIME");
  app.add_option("--spread", flags.spread, "Delay all jobs by one share of this, drawn from the schedule's name")
      ->type_name("TIME");
}

void add_put(CLI::App& schedules, Context& context) {
  CLI::App* app = schedules.add_subcommand("put", "Add a recurring job, or change the one of this name");
  auto flags = std::make_shared<PutFlags>();
  app->add_option("NAME", flags->name, "The schedule")->required();
  add_rule_options(*app, flags->rule, true);
  app->add_option("--queue", context.flags.queue, "The queue (default: default; also in galley.toml)")
      ->type_name("NAME");
  add_content_options(*app, *flags);
  add_job_options(*app, flags->job);
  add_store_option(*app, context);
  app->footer(
      "Examples:\n"
      "  galley schedules put backup --cron '0 3 * * *' --zone Europe/Berlin -- ./backup.sh\n"
      "  galley schedules put poll --cron '@every 90s' --overlap skip --kind poll --json '{}'");
  app->callback([&context, flags] { context.action = [&context, flags] { return put(context, *flags); }; });
}

void add_verb(CLI::App& schedules, Context& context, const char* verb, const char* help,
              Result<int> (*run)(Context&, const std::string&)) {
  CLI::App* app = schedules.add_subcommand(verb, help);
  auto name = std::make_shared<std::string>();
  app->add_option("NAME", *name, "The schedule")->required();
  add_store_option(*app, context);
  app->footer(std::string("Example: galley schedules ") + verb + " backup");
  app->callback([&context, name, run] { context.action = [&context, name, run] { return run(context, *name); }; });
}

void add_next(CLI::App& schedules, Context& context) {
  CLI::App* app = schedules.add_subcommand("next", "Show when a schedule, or an expression, ticks next");
  auto flags = std::make_shared<NextFlags>();
  app->add_option("NAME", flags->name, "The schedule; or an expression by --cron, for which no store is needed");
  add_rule_options(*app, flags->rule, false);
  app->add_option("-n,--count", flags->count, "How many ticks (default 5)")
      ->check(CLI::Range(1, kMostTicks).description(""))
      ->type_name("N");
  app->add_flag("--json", flags->json, "One object a line: tick, local and due");
  add_store_option(*app, context);
  app->footer("Example: galley schedules next --cron '30 2 * * *' --zone Europe/Berlin -n 10");
  app->callback([&context, flags] { context.action = [&context, flags] { return next(context, *flags); }; });
}

}  // namespace

void add_schedules(CLI::App& app, Context& context) {
  CLI::App* schedules = app.add_subcommand("schedules", "Recurring jobs: list, put, remove and pause them");
  auto json = std::make_shared<bool>(false);
  schedules->add_flag("--json", *json, "One object a line");
  add_store_option(*schedules, context);
  schedules->require_subcommand(0, 1);
  schedules->footer("Example: galley schedules --json");
  add_put(*schedules, context);
  add_verb(*schedules, context, "remove", "Remove a schedule; jobs that it has enqueued stay", remove);
  add_verb(*schedules, context, "pause", "Let the ticks of a schedule pass without a job",
           [](Context& c, const std::string& name) { return set_paused(c, name, true); });
  add_verb(*schedules, context, "resume", "Let a paused schedule tick again",
           [](Context& c, const std::string& name) { return set_paused(c, name, false); });
  add_next(*schedules, context);
  schedules->callback([&context, json] {
    if (context.action) return;  // of a subcommand, whose callback comes first
    context.action = [&context, json] { return list(context, *json); };
  });
}

}  // namespace galley::cli
