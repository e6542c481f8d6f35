#include "galley/runtime/loop_stats.hpp"

#include <algorithm>

#include "runtime/loop_meter.hpp"
#include "telemetry/prometheus.hpp"

namespace galley {

using runtime::DelayBuckets;

std::string_view name(LoopPhase phase) noexcept {
  constexpr std::array<std::string_view, kLoopPhases> kNames{"timers", "pending", "idle",   "prepare",
                                                             "poll",   "check",   "closing"};
  return kNames[static_cast<std::size_t>(phase)];
}

DelayHistogram::DelayHistogram(std::vector<std::int64_t> counts, Nanoseconds sum, Nanoseconds max)
    : counts_(std::move(counts)), sum_(sum), max_(max) {
  for (const std::int64_t in_bucket : counts_) count_ += in_bucket;
}

DelayHistogram::Nanoseconds DelayHistogram::quantile(double q) const {
  if (count_ == 0) return Nanoseconds{0};
  const std::int64_t rank = telemetry::rank_of(q, count_);
  std::int64_t seen = 0;
  for (int bucket = 0; bucket < static_cast<int>(counts_.size()); ++bucket) {
    seen += counts_[static_cast<std::size_t>(bucket)];
    if (seen >= rank) return std::min(max_, Nanoseconds(DelayBuckets::end_of(bucket)));
  }
  return max_;
}

std::int64_t DelayHistogram::count_within(Nanoseconds edge) const {
  std::int64_t within = 0;
  for (int bucket = 0; bucket < static_cast<int>(counts_.size()) && DelayBuckets::end_of(bucket) <= edge.count();
       ++bucket) {
    within += counts_[static_cast<std::size_t>(bucket)];
  }
  return within;
}

DelayHistogram DelayHistogram::since(const DelayHistogram& earlier) const {
  std::vector<std::int64_t> counts = counts_;
  int last = -1;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (i < earlier.counts_.size()) counts[i] -= earlier.counts_[i];
    if (counts[i] > 0) last = static_cast<int>(i);
  }
  const Nanoseconds max = last < 0 ? Nanoseconds{0} : std::min(max_, Nanoseconds(DelayBuckets::end_of(last)));
  return DelayHistogram(std::move(counts), sum_ - earlier.sum_, max);
}

LoopUse use_between(const LoopStats& before, const LoopStats& after) {
  const auto passed = [](std::chrono::nanoseconds from, std::chrono::nanoseconds to) {
    return std::max(0.0, static_cast<double>((to - from).count()));
  };
  const double busy = passed(before.busy, after.busy);
  const double all = busy + passed(before.idle, after.idle);
  LoopUse use;
  if (all > 0) use.busy = busy / all;
  if (busy <= 0) return use;
  use.on_cpu = std::min(1.0, passed(before.on_cpu, after.on_cpu) / busy);
  // The wait for a CPU after a sleep is counted by the kernel here, and by the loop as sleep: so at most what is left.
  use.waiting_for_cpu = std::min(1 - use.on_cpu, passed(before.waiting_for_cpu, after.waiting_for_cpu) / busy);
  use.blocked = 1 - use.on_cpu - use.waiting_for_cpu;
  return use;
}

namespace {

using telemetry::MetricType;
using telemetry::PrometheusWriter;

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

std::string prometheus_text(std::string_view loop_name, const LoopStats& stats) {
  constexpr std::array<Duration, 9> kEdges{Duration(10),     Duration(100),     Duration(1'000),
                                           Duration(5'000),  Duration(10'000),  Duration(25'000),
                                           Duration(50'000), Duration(100'000), Duration(1'000'000)};
  std::string text;
  PrometheusWriter writer(text);
  const telemetry::Label loop{"loop", loop_name};
  const auto counter = [&](std::string_view family, std::string_view help, auto value) {
    writer.family(family, MetricType::Counter, help);
    writer.sample({loop}, value);
  };
  const auto histogram = [&](std::string_view family, std::string_view help, const DelayHistogram& delays) {
    writer.family(family, MetricType::Histogram, help);
    std::array<std::int64_t, kEdges.size()> within{};
    std::transform(kEdges.begin(), kEdges.end(), within.begin(),
                   [&](Duration edge) { return delays.count_within(edge); });
    writer.sample({loop}, kEdges, within, delays.count(), seconds(delays.sum()));
  };
  counter("galley_loop_turns_total", "Turns of the event loop.", stats.turns);
  counter("galley_loop_handlers_total", "Handlers that were run.", stats.handlers);
  counter("galley_loop_busy_seconds_total", "Time in run() that was not slept.", seconds(stats.busy));
  counter("galley_loop_idle_seconds_total", "Time in run() asleep with nothing to do.", seconds(stats.idle));
  counter("galley_loop_cpu_seconds_total", "Time on a CPU.", seconds(stats.on_cpu));
  counter("galley_loop_cpu_wait_seconds_total", "Time that the loop could run and had no CPU.",
          seconds(stats.waiting_for_cpu));
  counter("galley_loop_posts_refused_total", "Posts that the full inbox refused.", stats.posts_refused);
  writer.family("galley_loop_inbox", MetricType::Gauge, "Posts that wait.");
  writer.sample({loop}, static_cast<std::int64_t>(stats.inbox));
  writer.family("galley_loop_phase_seconds_total", MetricType::Counter, "Time in each phase of a turn, without sleep.");
  for (int phase = 0; phase < kLoopPhases; ++phase) {
    writer.sample({loop, {"phase", name(static_cast<LoopPhase>(phase))}},
                  seconds(stats.in_phase[static_cast<std::size_t>(phase)]));
  }
  histogram("galley_loop_turn_seconds", "Turns without their sleep.", stats.turn_time);
  histogram("galley_loop_handler_seconds", "Single handlers.", stats.handler_time);
  histogram("galley_loop_ready_delay_seconds", "From ready until begun.", stats.ready_delay);
  return text;
}

}  // namespace galley
