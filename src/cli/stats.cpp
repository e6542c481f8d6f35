// galley stats: jobs by queue, kind and state, what the last minutes were like, and the workers that are there.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>
#include <cstdio>
#include <memory>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/alarm.hpp"
#include "cli/commands.hpp"
#include "cli/counts.hpp"
#include "cli/exposition.hpp"
#include "cli/rates.hpp"
#include "cli/running.hpp"
#include "cli/text.hpp"
#include "engine/explain_rooms.hpp"
#include "store/store.hpp"

namespace galley::cli {

namespace {

constexpr std::size_t kNameColumns = 40;

double per_minute(std::int64_t count, double minutes) {
  return std::round(10.0 * static_cast<double>(count) / minutes) / 10.0;
}

std::string shown(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", rate);
  return text;
}

std::string shown(const telemetry::Histogram& histogram, double q) {
  return histogram.empty() ? "-" : base::format_duration(histogram.quantile(q));
}

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

boost::json::object object_of(const Rates& rates, double minutes) {
  boost::json::object object{{"type", "rates"},
                             {"queue", base::to_utf8(rates.queue)},
                             {"kind", base::to_utf8(rates.kind)},
                             {"enqueued_per_minute", per_minute(rates.enqueued, minutes)},
                             {"completed_per_minute", per_minute(rates.completed, minutes)},
                             {"failed_per_minute", per_minute(rates.failed, minutes)}};
  const auto add = [&object](const char* name, const telemetry::Histogram& histogram, double q) {
    object[name] = nullptr;
    if (!histogram.empty()) object[name] = milliseconds(histogram.quantile(q));
  };
  add("wait_p50_ms", rates.wait, 0.5);
  add("wait_p99_ms", rates.wait, 0.99);
  add("run_p50_ms", rates.run, 0.5);
  add("run_p99_ms", rates.run, 0.99);
  return object;
}

void print_rates(Output& out, const std::vector<Rates>& rates, double minutes) {
  if (rates.empty()) return;
  Table table({"LAST 5 MIN", "KIND", "ENQUEUED/MIN", "COMPLETED/MIN", "FAILED/MIN", "WAIT P50", "WAIT P99", "RUN P50",
               "RUN P99"});
  for (const Rates& one : rates) {
    table.row({to_cell(one.queue, kNameColumns), to_cell(one.kind, kNameColumns),
               shown(per_minute(one.enqueued, minutes)), shown(per_minute(one.completed, minutes)),
               shown(per_minute(one.failed, minutes)), shown(one.wait, 0.5), shown(one.wait, 0.99), shown(one.run, 0.5),
               shown(one.run, 0.99)});
  }
  table.print(out, {2, 3, 4, 5, 6, 7, 8});
  out.line("");
}

void print_json(Output& out, const Exposed& seen, double minutes) {
  for (const store::LaneStats& lane : seen.lanes) {
    boost::json::object object{
        {"type", "jobs"}, {"queue", base::to_utf8(lane.queue)}, {"kind", base::to_utf8(lane.kind)}};
    add_counts(object, lane.count);
    out.line(object);
  }
  for (const Rates& one : seen.rates) out.line(object_of(one, minutes));
  for (const store::WorkerStats& worker : seen.workers) {
    out.line({{"type", "worker"},
              {"id", worker.id},
              {"name", base::to_utf8(worker.card.name)},
              {"pools", base::to_utf8(worker.card.pools)},
              {"slots", worker.card.slots},
              {"running", worker.running},
              {"started_at", base::format_time(worker.started_at)}});
  }
}

boost::json::object object_of(const store::WorkerStats& worker, const engine::PoolRoom& room) {
  boost::json::array kinds;
  for (std::size_t i = 0; i < room.kinds.size(); ++i) {
    const job::Decision::Kind& of = room.decision.kinds[i];
    kinds.push_back({{"kind", base::to_utf8(room.kinds[i])},
                     {"class", job::name(of.kind_class)},
                     {"runs", of.runs},
                     {"mean_ms", milliseconds(of.mean)},
                     {"p99_ms", milliseconds(of.p99)},
                     {"may_take", room.slots() - room.kept_from(room.kinds[i])}});
  }
  return {{"type", "room"},
          {"worker", base::to_utf8(worker.card.name)},
          {"pool", room.pool},
          {"reserve", job::name(room.reserve)},
          {"slots", room.decision.slots},
          {"express", room.decision.extra},
          {"kept", !room.decision.reserved.empty()},
          {"why", base::to_utf8(room.decision.why)},
          {"kinds", std::move(kinds)}};
}

/// What only JSON has.
Result<void> print_more_json(Output& out, store::Store& store, const Exposed& seen, Time now) {
  const auto minutes = store.minutes(limits::kKeepMinutes);
  if (!minutes) return minutes.error();
  const auto running = running_jobs(store, now, limits::kMaxPage);
  if (!running) return running.error();
  const auto rooms = engine::rooms_of(seen.workers, *minutes, now);
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    for (const engine::PoolRoom& room : rooms[i]) out.line(object_of(seen.workers[i], room));
  }
  for (const RunningJob& job : *running) {
    out.line({{"type", "running"},
              {"id", job.id},
              {"queue", base::to_utf8(job.queue)},
              {"kind", base::to_utf8(job.kind)},
              {"worker", base::to_utf8(job.worker)},
              {"for_ms", milliseconds(job.since)},
              {"progress", base::to_utf8(job.progress)},
              {"stuck", job.stuck}});
  }
  return {};
}

void print_text(Output& out, const Exposed& seen, double minutes) {
  Table jobs(with_states({"QUEUE", "KIND"}));
  for (const store::LaneStats& lane : seen.lanes) {
    std::vector<std::string> row{to_cell(lane.queue, kNameColumns), to_cell(lane.kind, kNameColumns)};
    add_counts(row, lane.count);
    jobs.row(std::move(row));
  }
  jobs.print(out, count_columns(2));
  out.line("");
  print_rates(out, seen.rates, minutes);
  Table table({"WORKER", "NAME", "STARTED", "RUNNING", "SLOTS", "POOLS"});
  for (const store::WorkerStats& worker : seen.workers) {
    table.row({std::to_string(worker.id), to_cell(worker.card.name, kNameColumns), base::format_time(worker.started_at),
               std::to_string(worker.running), std::to_string(worker.card.slots), to_terminal(worker.card.pools)});
  }
  table.print(out, {0, 3, 4});
}

Result<Exposed> look(store::Store& store) {
  Exposed seen;
  auto lanes = store.lanes();
  if (!lanes) return lanes.error();
  auto queues = store.queues();
  if (!queues) return queues.error();
  auto workers = store.workers();
  if (!workers) return workers.error();
  const auto minutes = store.minutes(kRateMinutes);
  if (!minutes) return minutes.error();
  auto info = store.info();
  if (!info) return info.error();
  seen.lanes = *std::move(lanes);
  seen.queues = *std::move(queues);
  seen.workers = *std::move(workers);
  seen.rates = rates_of(*minutes);
  seen.info = *std::move(info);
  return seen;
}

struct StatsFlags {
  bool json = false;
  bool prometheus = false;
  std::vector<std::string> fail_if;
};

/// A line for each queue that is behind.
int print_alarms(Context& context, const Exposed& seen, const std::vector<Alarm>& alarms, bool json) {
  Output& out = context.out;
  int code = kExitOk;
  for (const Alarm& alarm : alarms) {
    const auto is_its = [&alarm](const store::QueueStats& one) { return one.queue == alarm.queue; };
    if (alarm.queue && std::none_of(seen.queues.begin(), seen.queues.end(), is_its)) {
      context.complain("--fail-if " + base::quoted(alarm.text) + ": there is no queue " + base::quoted(*alarm.queue) +
                       " yet; galley queues names those that are there");
    }
    for (const Alarmed& one : check(alarm, seen.queues, seen.rates)) {
      code = kExitFailure;
      if (json) {
        out.line({{"type", "alarm"}, {"queue", base::to_utf8(one.queue)}, {"if", alarm.text}, {"what", one.what}});
      } else {
        out.line("queue " + to_terminal(one.queue) + ": " + one.what);
      }
    }
  }
  return code;
}

Result<int> stats(Context& context, const StatsFlags& flags) {
  std::vector<Alarm> alarms;
  for (const std::string& text : flags.fail_if) {
    auto alarm = alarm_from(text);
    if (!alarm) return alarm.error();
    alarms.push_back(*std::move(alarm));
  }
  auto store = context.open_existing();
  if (!store) return store.error();
  const auto seen = look(**store);
  if (!seen) return seen.error();
  if (!alarms.empty()) return print_alarms(context, *seen, alarms, flags.json);
  if (flags.prometheus) {
    context.out.write(prometheus_text(*seen));
  } else {
    const Time now = context.clock.wall();
    (flags.json ? print_json : print_text)(context.out, *seen, minutes_looked_at(now));
    if (flags.json) {
      if (auto more = print_more_json(context.out, **store, *seen, now); !more) return more.error();
    }
  }
  return kExitOk;
}

}  // namespace

void add_stats(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("stats", "Count jobs by queue, kind and state; rates of the last minutes; the workers");
  auto flags = std::make_shared<StatsFlags>();
  auto* json = command->add_flag("--json", flags->json,
                                 "One object a line; \"type\": jobs, rates, worker, room, running or alarm");
  auto* prometheus = command->add_flag("--prometheus", flags->prometheus, "As Prometheus's text format");
  auto* alarm = command->add_option("--fail-if", flags->fail_if,
                                    "Only tell, and exit with 1, where a queue is behind: [QUEUE:]METRIC>VALUE with "
                                    "oldest or lag (p99 of waiting) and a duration, failed or a state and a number");
  alarm->type_name("EXPR")->expected(1)->take_all();
  prometheus->excludes(json)->excludes(alarm);
  add_store_option(*command, context);
  command->footer(
      "Rates and percentiles are of the last five minutes, as all workers together saw them.\n"
      "Example: galley stats --fail-if 'oldest>60s' --fail-if 'mail:dead>0'");
  command->callback([&context, flags] { context.action = [&context, flags] { return stats(context, *flags); }; });
}

}  // namespace galley::cli
