// What engine/explain.hpp reasons about: the time line, and looking at the store.

#include <algorithm>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "engine/explain.hpp"

namespace galley::engine {

namespace {

// A job may move on between two looks; what was seen is used as it is after so many.
constexpr int kLooks = 3;
constexpr int kRateMinutes = 5;

std::string attempt_text(const job::AttemptRecord& attempt) {
  std::string text = "attempt " + std::to_string(attempt.attempt) + " ended: " + attempt.outcome + " after " +
                     base::format_duration(attempt.report.run_time);
  const std::string error = first_line(attempt.report.error);
  return error.empty() ? text : text + ": " + error;
}

std::string started_text(int attempt, const std::string& worker) {
  return "attempt " + std::to_string(attempt) + " started" + (worker.empty() ? "" : " on " + base::quoted(worker));
}

/// The ids in the order in which they run, until its own or as far as a look goes.
Result<std::optional<InLine>> line_before(store::Store& store, const job::JobRecord& job) {
  store::Filter filter;
  filter.queue = job.queue;
  filter.kind = job.kind;
  filter.state = JobState::Ready;
  InLine line;
  std::string cursor;
  do {
    const auto page = store.select(filter, cursor, limits::kMaxPage);
    if (!page) return page.error();
    for (const JobId id : page->ids) {
      if (id == job.id) return std::optional(line);
      ++line.before;
    }
    cursor = page->next;
    line.at_least = !cursor.empty();
  } while (!cursor.empty() && line.before < static_cast<std::int64_t>(limits::kMaxPage));
  // All were seen, and it is not among them: it has been claimed meanwhile.
  return line.at_least ? std::optional(line) : std::optional<InLine>();
}

Result<void> look_at_rate(store::Store& store, Facts& facts) {
  auto minutes = store.minutes(limits::kKeepMinutes);
  if (!minutes) return minutes.error();
  facts.minutes = *std::move(minutes);
  const Time since = std::chrono::floor<std::chrono::minutes>(facts.now) - std::chrono::minutes(kRateMinutes);
  std::optional<Time> first;
  for (const store::Minute& minute : facts.minutes) {
    if (minute.minute < since) continue;
    if (minute.measured.queue != facts.job.queue || minute.measured.kind != facts.job.kind) continue;
    const std::int64_t ended = minute.measured.completed + minute.measured.failed;
    if (ended > 0 && !first) first = minute.minute;
    facts.ended += ended;
  }
  if (first) facts.ended_over = std::max(facts.now - *first, Duration(std::chrono::seconds(1)));
  return {};
}

Result<void> look_at_running(store::Store& store, Facts& facts) {
  store::Filter filter;
  filter.state = JobState::Running;
  const auto page = store.list(filter, "", limits::kMaxPage);
  if (!page) return page.error();
  for (const job::JobRecord& job : page->jobs) {
    facts.running.push_back({job.id, job.queue, job.kind, job.worker, job.started_at.value_or(facts.now)});
  }
  return {};
}

Result<void> look_at_schedules(store::Store& store, Facts& facts) {
  const auto schedules = store.schedules();
  if (!schedules) return schedules.error();
  for (const store::ScheduleStats& one : *schedules) {
    if (one.last_job == facts.job.id) facts.schedule = one.schedule.name;
  }
  return {};
}

Result<void> look_at_line(store::Store& store, Facts& facts) {
  auto line = line_before(store, facts.job);
  if (!line) return line.error();
  facts.in_line = *line;
  if (auto seen = look_at_rate(store, facts); !seen) return seen;
  return look_at_running(store, facts);
}

Result<void> look_around(store::Store& store, Facts& facts) {
  const JobState state = facts.job.state;
  if (is_ended(state)) return {};
  auto workers = store.workers();
  if (!workers) return workers.error();
  facts.workers = *std::move(workers);
  if (state == JobState::Running) return {};
  auto queues = store.queues();
  if (!queues) return queues.error();
  facts.queues = *std::move(queues);
  auto lanes = store.lanes();
  if (!lanes) return lanes.error();
  facts.lanes = *std::move(lanes);
  if (state == JobState::Scheduled && facts.job.counters.attempts == 0) return look_at_schedules(store, facts);
  if (state == JobState::Ready) {
    auto standing = store.standing(facts.job.id);
    if (!standing && standing.error().code != Errc::NotFound) return standing.error();
    if (standing) facts.standing = *std::move(standing);
    if (facts.standing.behind != 0) {
      auto first = store.find(facts.standing.behind);
      if (!first && first.error().code != Errc::NotFound) return first.error();
      if (first) facts.goes_first = *std::move(first);
    }
    return look_at_line(store, facts);
  }
  if (state == JobState::Blocked && facts.job.awaits != 0) {
    auto batch = store.find_batch(facts.job.awaits);
    if (!batch && batch.error().code != Errc::NotFound) return batch.error();
    if (batch) facts.batch = *std::move(batch);
  }
  return {};
}

}  // namespace

std::vector<Moment> timeline_of(const Facts& facts) {
  const job::JobRecord& job = facts.job;
  const bool waits = !is_ended(job.state) && job.state != JobState::Running;
  std::vector<Moment> moments;
  const auto add = [&](Time at, std::string what) { moments.push_back({at, std::move(what), at > facts.now}); };
  add(job.enqueued_at, "enqueued");
  if (!facts.attempts.empty() && facts.attempts.front().attempt > 1) {
    add(facts.attempts.front().started_at, "(of the attempts before this one nothing is kept)");
  }
  for (const job::AttemptRecord& attempt : facts.attempts) {
    add(attempt.started_at, started_text(attempt.attempt, attempt.worker));
    add(attempt.ended_at, attempt_text(attempt));
  }
  if (job.state == JobState::Running && job.started_at) {
    add(*job.started_at, started_text(job.counters.attempts + 1, job.worker));
    if (job.policy.timeout > Duration{0}) add(*job.started_at + job.policy.timeout, "time-out of this attempt");
  }
  if (job.due_at && waits) add(*job.due_at, "due");
  if (job.expires_at && !job.started_at && waits) add(*job.expires_at, "expires, unless it has started");
  if (job.deadline_at && !is_ended(job.state)) add(*job.deadline_at, "deadline");
  if (job.finished_at && is_ended(job.state)) add(*job.finished_at, std::string(name(job.state)));
  const auto earlier = [](const Moment& a, const Moment& b) { return a.at < b.at; };
  std::stable_sort(moments.begin(), moments.end(), earlier);
  return moments;
}

Result<Facts> gather(store::Store& store, const base::Clock& clock, JobId id) {
  for (int look = 1;; ++look) {
    Facts facts;
    auto job = store.find(id);
    if (!job) return job.error();
    facts.job = *std::move(job);
    auto attempts = store.attempts(id);
    if (!attempts) return attempts.error();
    facts.attempts = *std::move(attempts);
    facts.now = clock.wall();
    if (auto seen = look_around(store, facts); !seen) return seen.error();
    const auto now = store.states(std::span(&id, 1));
    if (!now) return now.error();
    if (look == kLooks || (*now)[0] == facts.job.state) return facts;
  }
}

}  // namespace galley::engine
