#include "cli/alarm.hpp"

#include <algorithm>
#include <charconv>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "job/state.hpp"
#include "job/validate.hpp"

namespace galley::cli {

namespace {

Error refuse(std::string_view text, const std::string& why) {
  return {Errc::InvalidInput, "--fail-if " + base::quoted(text) + ": " + why +
                                  "; the form is [QUEUE:]METRIC>VALUE, with oldest or lag and a duration, or failed or"
                                  " a state and a number: oldest>60s, mail:ready>=1000, dead>0"};
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

bool is_duration(Metric metric) noexcept { return metric == Metric::Oldest || metric == Metric::Lag; }

bool set_metric(std::string_view word, Alarm& alarm) {
  if (word == "oldest") return alarm.metric = Metric::Oldest, true;
  if (word == "lag") return alarm.metric = Metric::Lag, true;
  if (word == "failed") return alarm.metric = Metric::Failed, true;
  const auto state = job_state_from(word);
  if (!state) return false;
  alarm.metric = Metric::Count;
  alarm.state = *state;
  return true;
}

std::optional<std::int64_t> count_from(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::string_view metric_name(const Alarm& alarm) {
  switch (alarm.metric) {
    case Metric::Oldest: return "oldest";
    case Metric::Lag: return "lag";
    case Metric::Failed: return "failed";
    default: return name(alarm.state);
  }
}

std::string shown(const Alarm& alarm, std::int64_t value) {
  return is_duration(alarm.metric) ? base::format_duration(Duration(value)) : std::to_string(value);
}

/// Nothing: there is nothing to measure.
std::optional<std::int64_t> measure(const Alarm& alarm, const store::QueueStats& queue,
                                    const std::vector<Rates>& rates) {
  if (alarm.metric == Metric::Count) return queue.count[static_cast<std::size_t>(alarm.state)];
  if (alarm.metric == Metric::Oldest) {
    return queue.oldest_ready ? std::optional(queue.oldest_ready->count()) : std::nullopt;
  }
  std::optional<std::int64_t> most;
  for (const Rates& one : rates) {
    if (one.queue != queue.queue) continue;
    if (alarm.metric == Metric::Failed) most = most.value_or(0) + one.failed;
    if (alarm.metric == Metric::Lag && !one.wait.empty()) {
      most = std::max(most.value_or(0), one.wait.quantile(0.99).count());
    }
  }
  return most;
}

}  // namespace

Result<Alarm> alarm_from(std::string_view text) {
  Alarm alarm;
  alarm.text = text;
  const std::size_t sign = text.find('>');
  if (sign == std::string_view::npos) return refuse(text, "there is no >");
  std::string_view left = trimmed(text.substr(0, sign));
  std::string_view right = text.substr(sign + 1);
  alarm.or_equal = right.starts_with('=');
  if (alarm.or_equal) right.remove_prefix(1);
  right = trimmed(right);
  if (const std::size_t colon = left.find(':'); colon != std::string_view::npos) {
    alarm.queue = trimmed(left.substr(0, colon));
    if (auto valid = job::check_queue("queue", *alarm.queue); !valid) return refuse(text, valid.error().message);
    left = trimmed(left.substr(colon + 1));
  }
  if (!set_metric(left, alarm)) return refuse(text, base::quoted(left) + " is not a metric");
  if (is_duration(alarm.metric)) {
    const auto bound = base::parse_duration("value", right);
    if (!bound) return refuse(text, bound.error().message);
    alarm.bound = bound->count();
    return alarm;
  }
  const auto bound = count_from(right);
  if (!bound) return refuse(text, base::quoted(right) + " is not a number");
  alarm.bound = *bound;
  return alarm;
}

std::vector<Alarmed> check(const Alarm& alarm, const std::vector<store::QueueStats>& queues,
                           const std::vector<Rates>& rates) {
  std::vector<Alarmed> alarmed;
  for (const store::QueueStats& queue : queues) {
    if (alarm.queue && *alarm.queue != queue.queue) continue;
    const auto value = measure(alarm, queue, rates);
    if (!value || *value < alarm.bound || (*value == alarm.bound && !alarm.or_equal)) continue;
    alarmed.push_back({queue.queue, std::string(metric_name(alarm)) + " is " + shown(alarm, *value) + ", which is " +
                                        (alarm.or_equal ? ">= " : "> ") + shown(alarm, alarm.bound)});
  }
  return alarmed;
}

}  // namespace galley::cli
