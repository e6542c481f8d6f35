#include "cli/alarm.hpp"

#include "base/duration.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "job/state.hpp"

namespace galley::fuzz {

namespace {

std::string printed(const cli::Alarm& alarm) {
  constexpr const char* kMetrics[] = {"oldest", "lag", "failed"};
  const bool count = alarm.metric == cli::Metric::Count;
  const bool duration = alarm.metric == cli::Metric::Oldest || alarm.metric == cli::Metric::Lag;
  return (alarm.queue ? *alarm.queue + ":" : "") +
         (count ? std::string(name(alarm.state)) : kMetrics[static_cast<std::size_t>(alarm.metric)]) +
         (alarm.or_equal ? ">=" : ">") +
         (duration ? base::format_duration_exactly(Duration(alarm.bound)) : std::to_string(alarm.bound));
}

}  // namespace

void alarm(std::string_view input) {
  const auto read = cli::alarm_from(input);
  if (refused(read, "--fail-if")) return;
  require(read->bound >= 0, "a bound is not negative");
  const auto again = cli::alarm_from(printed(*read));
  require(again && again->queue == read->queue && again->metric == read->metric && again->state == read->state &&
              again->or_equal == read->or_equal && again->bound == read->bound,
          "a printed alarm reads the same", printed(*read));
  store::QueueStats queue;
  queue.queue = read->queue.value_or("default");
  queue.oldest_ready = Duration(read->bound);
  for (std::int64_t& count : queue.count) count = read->bound;
  const bool measured = read->metric == cli::Metric::Oldest || read->metric == cli::Metric::Count;
  const bool rings = !cli::check(*read, {queue}, {}).empty();
  require(rings == (measured && read->or_equal), "at its bound an alarm rings if it has a >=");
}

}  // namespace galley::fuzz
