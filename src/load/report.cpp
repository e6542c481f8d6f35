#include "load/report.hpp"

#include <cstdio>
#include <iterator>
#include <utility>

#include "base/duration.hpp"

namespace galley::load {

namespace {

constexpr std::pair<const char*, double> kQuantiles[] = {
    {"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}};

double milliseconds(Moment time) { return std::chrono::duration<double, std::milli>(time).count(); }

double per_second(std::int64_t count, Moment length) {
  return length <= Moment{0} ? 0 : static_cast<double>(count) / std::chrono::duration<double>(length).count();
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

boost::json::object to_json(const telemetry::HdrHistogram& times) {
  boost::json::object object;
  for (const auto& [name, q] : kQuantiles) object[name] = milliseconds(times.quantile(q));
  object["max_ms"] = milliseconds(times.max());
  object["mean_ms"] = milliseconds(times.mean());
  return object;
}

template <class... Values>
void print(std::string& text, const char* format, const Values&... values) {
  char line[160];
  std::snprintf(line, sizeof line, format, values...);
  text += line;
}

std::string shown(Moment time) { return base::format_duration(std::chrono::duration_cast<Duration>(time)); }

void print_times(std::string& text, const char* name, const telemetry::HdrHistogram& times) {
  print(text, "%-10s", name);
  if (times.count() == 0) {  // nothing was answered: not in no time
    for (std::size_t i = 0; i < std::size(kQuantiles) + 2; ++i) print(text, "  %9s", "-");
    text += '\n';
    return;
  }
  for (const auto& [label, q] : kQuantiles) print(text, "  %9s", shown(times.quantile(q)).c_str());
  print(text, "  %9s  %9s\n", shown(times.max()).c_str(), shown(times.mean()).c_str());
}

}  // namespace

std::string_view name(Outcome::Kind kind) noexcept {
  switch (kind) {
    case Outcome::Kind::Answered: return "answered";
    case Outcome::Kind::Refused: return "refused";
    case Outcome::Kind::Broken: return "broken";
    case Outcome::Kind::TimedOut: return "timed_out";
  }
  return "";
}

void Report::took_up(Moment planned, Moment now) {
  ++taken_up;
  if (now - planned > kLateAfter) ++late;
  lateness.add(now - planned);
  length = std::max(length, now);
}

void Report::ended(Moment planned, Moment sent, Moment now, const Outcome& outcome) {
  ++outcomes[static_cast<std::size_t>(outcome.kind)];
  if (outcome.kind == Outcome::Kind::Answered) {
    ++statuses[outcome.status];
    if (outcome.status < 400) {
      ok.add(now - planned);
      if (deadline == Moment{0} || now - planned <= deadline) ++good;
    }
  }
  if (outcome.kind == Outcome::Kind::Answered || outcome.kind == Outcome::Kind::TimedOut) {
    response.add(now - planned);
    service.add(now - sent);
  }
  length = std::max(length, now);
}

std::int64_t Report::failed() const noexcept {
  std::int64_t sum = unsent;
  for (std::size_t kind = 1; kind < outcomes.size(); ++kind) sum += outcomes[kind];
  return sum;
}

bool Report::valid() const noexcept { return share(late, taken_up) <= kMaxLate; }

boost::json::object to_json(const Report& report) {
  boost::json::object outcomes;
  for (int kind = 0; kind < kOutcomeKinds; ++kind) {
    outcomes[name(static_cast<Outcome::Kind>(kind))] = report.outcomes[static_cast<std::size_t>(kind)];
  }
  outcomes["unsent"] = report.unsent;
  boost::json::object statuses;
  for (const auto& [status, count] : report.statuses) statuses[std::to_string(status)] = count;
  boost::json::object lateness = to_json(report.lateness);
  lateness["share"] = share(report.late, report.taken_up);
  return {{"valid", report.valid()},
          {"seconds", std::chrono::duration<double>(report.length).count()},
          {"requests", report.taken_up},
          {"offered_per_second", per_second(report.taken_up, report.planned_length)},
          {"answered_per_second", per_second(report.answered(), report.length)},
          {"good_per_second", per_second(report.good, report.planned_length)},
          {"outcomes", std::move(outcomes)},
          {"statuses", std::move(statuses)},
          {"ok", to_json(report.ok)},
          {"response", to_json(report.response)},
          {"service", to_json(report.service)},
          {"lateness", std::move(lateness)}};
}

std::string to_text(const Report& report) {
  std::string text;
  print(text, "%lld requests in %s: %.1f/s offered, %.1f/s answered\n", static_cast<long long>(report.taken_up),
        shown(report.length).c_str(), per_second(report.taken_up, report.planned_length),
        per_second(report.answered(), report.length));
  for (const auto& [status, count] : report.statuses) {
    print(text, "  status %d: %lld\n", status, static_cast<long long>(count));
  }
  for (int kind = 1; kind < kOutcomeKinds; ++kind) {
    const std::int64_t count = report.outcomes[static_cast<std::size_t>(kind)];
    const std::string label(name(static_cast<Outcome::Kind>(kind)));
    if (count > 0) print(text, "  %s: %lld\n", label.c_str(), static_cast<long long>(count));
  }
  if (report.unsent > 0) print(text, "  unsent: %lld\n", static_cast<long long>(report.unsent));
  if (report.deadline > Moment{0}) {
    print(text, "  good, within %s: %lld, %.1f/s\n", shown(report.deadline).c_str(),
          static_cast<long long>(report.good), per_second(report.good, report.planned_length));
  }
  print(text, "%-10s  %9s  %9s  %9s  %9s  %9s  %9s\n", "", "p50", "p90", "p99", "p99.9", "max", "mean");
  print_times(text, "response", report.response);
  print_times(text, "service", report.service);
  print_times(text, "lateness", report.lateness);
  if (!report.valid()) {
    print(text, "INVALID: %.1f %% of the requests were taken up more than %s late by the generator itself\n",
          100 * share(report.late, report.taken_up), base::format_duration(kLateAfter).c_str());
  }
  return text;
}

}  // namespace galley::load
