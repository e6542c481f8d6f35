#include "cli/exposition.hpp"

#include "job/state.hpp"
#include "telemetry/prometheus.hpp"

namespace galley::cli {

namespace {

using telemetry::MetricType;
using telemetry::PrometheusWriter;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

void write_jobs(PrometheusWriter& out, const Exposed& exposed) {
  out.family("galley_jobs", MetricType::Gauge, "Jobs by queue, kind and state.");
  for (const store::LaneStats& lane : exposed.lanes) {
    for (std::size_t i = 0; i < kJobStates; ++i) {
      out.sample({{"queue", lane.queue}, {"kind", lane.kind}, {"state", name(static_cast<JobState>(i))}},
                 lane.count[i]);
    }
  }
  out.family("galley_queue_paused", MetricType::Gauge, "1 where the queue is paused.");
  for (const store::QueueStats& queue : exposed.queues) out.sample({{"queue", queue.queue}}, queue.paused ? 1 : 0);
  out.family("galley_queue_oldest_ready_seconds", MetricType::Gauge,
             "How long the job that runs next has been waiting; 0 where none waits.");
  for (const store::QueueStats& queue : exposed.queues) {
    out.sample({{"queue", queue.queue}}, seconds(queue.oldest_ready.value_or(Duration{0})));
  }
}

template <class Value>
void write_rates(PrometheusWriter& out, const Exposed& exposed, std::string_view name, std::string_view help,
                 Value value) {
  out.family(name, MetricType::Gauge, help);
  for (const Rates& one : exposed.rates) out.sample({{"queue", one.queue}, {"kind", one.kind}}, value(one));
}

}  // namespace

std::string prometheus_text(const Exposed& exposed) {
  std::string text;
  PrometheusWriter out(text);
  write_jobs(out, exposed);
  write_rates(out, exposed, "galley_recently_enqueued_jobs", "Jobs enqueued in the last five minutes.",
              [](const Rates& one) { return one.enqueued; });
  write_rates(out, exposed, "galley_recently_completed_jobs", "Jobs completed in the last five minutes.",
              [](const Rates& one) { return one.completed; });
  write_rates(out, exposed, "galley_recently_failed_attempts", "Attempts that failed in the last five minutes.",
              [](const Rates& one) { return one.failed; });
  write_rates(out, exposed, "galley_wait_p50_seconds", "Median of waiting, over the last five minutes.",
              [](const Rates& one) { return seconds(one.wait.quantile(0.5)); });
  write_rates(out, exposed, "galley_wait_p99_seconds", "99th percentile of waiting, over the last five minutes.",
              [](const Rates& one) { return seconds(one.wait.quantile(0.99)); });
  write_rates(out, exposed, "galley_run_p50_seconds", "Median of running, over the last five minutes.",
              [](const Rates& one) { return seconds(one.run.quantile(0.5)); });
  write_rates(out, exposed, "galley_run_p99_seconds", "99th percentile of running, over the last five minutes.",
              [](const Rates& one) { return seconds(one.run.quantile(0.99)); });
  std::int64_t slots = 0;
  std::int64_t running = 0;
  for (const store::WorkerStats& worker : exposed.workers) slots += worker.card.slots, running += worker.running;
  out.family("galley_workers", MetricType::Gauge, "Workers that have joined and not left.");
  out.sample({}, static_cast<std::int64_t>(exposed.workers.size()));
  out.family("galley_slots", MetricType::Gauge, "Slots of all workers.");
  out.sample({}, slots);
  out.family("galley_slots_busy", MetricType::Gauge, "Slots of all workers that hold a claim.");
  out.sample({}, running);
  out.family("galley_store_bytes", MetricType::Gauge, "What the store takes, without what is free inside.");
  out.sample({}, exposed.info.bytes);
  return text;
}

}  // namespace galley::cli
