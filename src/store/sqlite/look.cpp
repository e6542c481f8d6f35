#include <algorithm>

#include "job/settle.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/card.hpp"
#include "store/sqlite/key_lanes.hpp"
#include "store/sqlite/times.hpp"

namespace galley::store::sqlite {

namespace {

job::Policy read_policy(const Query& row, int first) {
  job::Policy policy;
  const auto set = [&row](int column, auto& value) {
    using Value = std::remove_reference_t<decltype(value)>;
    if (!row.null(column)) value = static_cast<Value>(row.integer(column));
  };
  std::int64_t timeout = policy.timeout.count();
  std::int64_t grace = policy.grace.count();
  set(first, timeout);
  set(first + 1, grace);
  policy.timeout = Duration(timeout);
  policy.grace = Duration(grace);
  if (const auto action = on_timeout_from(row.text(first + 2))) policy.on_timeout = *action;
  set(first + 3, policy.max_attempts);
  set(first + 4, policy.max_pauses);
  set(first + 5, policy.max_crashes);
  if (!row.null(first + 6)) {
    if (auto backoff = job::backoff_from(row.text(first + 6))) policy.backoff = std::move(*backoff);
  }
  policy.resumable = row.small(first + 7) != 0;
  return policy;
}

}  // namespace

std::string Backend::extra(JobId id, std::string_view what) {
  Query row(db_, Sql::GetExtra);
  row.bind(id, what);
  return row.row() ? row.text(0) : std::string();
}

std::optional<StoredJob> Backend::read_job(JobId id) {
  StoredJob stored;
  job::JobRecord& job = stored.record;
  {
    Query row(db_, Sql::FindJob);
    row.bind(id);
    if (!row.row()) return std::nullopt;
    const Lane& lane = directory_.lane(row.integer(0));
    job.id = id;
    job.queue = directory_.queue_name(lane.queue);
    job.kind = lane.kind;
    job.program = lane.program;
    job.state = job_state_from(row.text(1)).value_or(JobState::Ready);
    const std::int64_t position = row.integer(2);
    stored.place = {id, lane.id, job.state, position, std::nullopt};
    if (job.state == JobState::Scheduled) job.due_at = time_of(position);
    if (is_ended(job.state)) job.finished_at = time_of(position);
    job.content = job::content_from(row.text(3)).value_or(job::Content::Bytes);
    job.priority = row.small(4);
    job.key = row.text(5);
    job.payload = row.text(6);
    job.policy = read_policy(row, 7);
    job.counters = {row.small(15), row.small(16), row.small(17), row.small(18), row.small(19)};
    job.enqueued_at = time_of(row.integer(20));
    if (const auto started = row.maybe(21)) job.started_at = time_of(*started);
    job.error = row.text(23);
    stored.extras = row.small(24);
    const auto expires_us = row.maybe(25);
    const auto deadline_us = row.maybe(26);
    stored.place.expires_us = over_at(job.started_at.has_value(), expires_us, deadline_us);
    if (expires_us) job.expires_at = time_of(*expires_us);
    if (deadline_us) job.deadline_at = time_of(*deadline_us);
    job.error_class = row.text(27);
    job.batch = row.integer(28);
    job.redacted = row.small(29) != 0;
    stored.due_us = row.maybe(30);
    if (!row.null(31)) stored.place.limits = row.text(31);
    stored.place.key = job.key;
    stored.place.ordered = row.integer(32) != 0;
    job.limits = limits_from(stored.place.limits);
    job.ordered = stored.place.ordered;
    job.expect = Duration(row.integer(33));
  }
  if ((stored.extras & kHasExtras) != 0) read_extras(job);
  if ((stored.extras & kHasUnique) != 0) read_unique(job);
  if ((stored.extras & kHasGroup) != 0) read_group(job);
  if ((stored.extras & kHasCallback) != 0) read_callback(job);
  return stored;
}

job::JobRecord Backend::with_claim(job::JobRecord job) {
  Query row(db_, Sql::FindRunning);
  row.bind(job.id);
  if (!row.row()) return job;
  job.state = JobState::Running;
  job.worker = worker_name(row.integer(1));
  job.started_at = time_of(row.integer(2));
  job.cancel_requested = row.integer(3) != 0;
  return job;
}

Result<job::JobRecord> Backend::find(JobId id) {
  auto found = read([&](Transaction&) {
    auto job = read_job(id);
    return job ? std::optional(with_claim(std::move(job->record))) : std::nullopt;
  });
  if (!found) return found.error();
  if (!*found) return Error{Errc::NotFound, "job " + std::to_string(id) + ": there is no such job (any more)"};
  return std::move(**found);
}

Result<std::vector<job::AttemptRecord>> Backend::attempts(JobId id) {
  auto found = read([&](Transaction&) -> std::optional<std::vector<job::AttemptRecord>> {
    const auto row = read_row(db_, id);
    if (!row) return std::nullopt;
    std::vector<job::AttemptRecord> attempts;
    Query rows(db_, Sql::AttemptsOf);
    rows.bind(id);
    while (rows.row()) {
      job::AttemptRecord one;
      one.attempt = rows.small(0);
      one.outcome = rows.text(1);
      one.started_at = time_of(rows.integer(2));
      one.ended_at = time_of(rows.integer(3));
      one.worker = rows.text(4);
      one.report.run_time = Duration(rows.integer(5));
      one.report.error = rows.text(6);
      if (!rows.null(7)) one.report.exit_code = rows.small(7);
      if (!rows.null(8)) one.report.signal = rows.small(8);
      one.report.out = rows.text(9);
      one.report.err = rows.text(10);
      one.report.log = rows.text(11);
      one.report.error_class = rows.text(12);
      attempts.push_back(std::move(one));
    }
    const int last = row->counters.attempts;
    if (row->place.state == JobState::Completed && (attempts.empty() || attempts.back().attempt < last)) {
      job::AttemptRecord silent;  // ended well without a word: no row of its own
      silent.attempt = last;
      silent.outcome = "completed";
      silent.started_at = time_of(row->started_us.value_or(row->place.position));
      silent.ended_at = time_of(row->place.position);
      silent.report.run_time = std::max(Duration{0}, silent.ended_at - silent.started_at);
      attempts.push_back(std::move(silent));
      if (attempts.size() > limits::kMaxKeptAttempts) attempts.erase(attempts.begin());
    }
    return attempts;
  });
  if (!found) return found.error();
  if (!*found) return Error{Errc::NotFound, "job " + std::to_string(id) + ": there is no such job (any more)"};
  return std::move(**found);
}

Result<std::vector<std::optional<JobState>>> Backend::states(std::span<const JobId> ids) {
  if (auto valid = check(ids); !valid) return valid.error();
  return read([&](Transaction&) {
    std::vector<std::optional<JobState>> states;
    states.reserve(ids.size());
    for (const JobId id : ids) {
      const auto row = read_row(db_, id);
      Query running(db_, Sql::FindRunning);
      running.bind(id);
      states.push_back(!row ? std::nullopt : running.row() ? std::optional(JobState::Running) : row->place.state);
    }
    return states;
  });
}

Result<std::vector<LaneStats>> Backend::lanes() {
  return read([&](Transaction&) {
    std::map<std::pair<std::string, std::string>, LaneStats> groups;
    Query rows(db_, Sql::LaneCounts);
    while (rows.row()) {
      const Lane& lane = directory_.lane(rows.integer(0));
      LaneStats& stats = groups[{directory_.queue_name(lane.queue), lane.kind}];
      for (int i = 0; i < kJobStates; ++i) stats.count[i] += rows.integer(1 + i);
    }
    std::vector<LaneStats> answer;
    for (auto& [names, stats] : groups) {
      if (std::all_of(std::begin(stats.count), std::end(stats.count), [](auto n) { return n == 0; })) continue;
      std::tie(stats.queue, stats.kind) = names;
      answer.push_back(std::move(stats));
    }
    return answer;
  });
}

Result<std::vector<QueueStats>> Backend::queues() {
  return read([&](Transaction& tx) {
    std::map<std::string, QueueStats> stats;
    std::map<std::string, std::pair<std::int64_t, JobId>> next;
    for (const auto& [name, id] : directory_.queues())
      stats[name] = {name, is_paused(id), {}, {}, directory_.max_waiting(id), directory_.order(id)};
    Query rows(db_, Sql::LaneCounts);
    while (rows.row()) {
      const Lane& lane = directory_.lane(rows.integer(0));
      QueueStats& queue = stats[directory_.queue_name(lane.queue)];
      for (int i = 0; i < kJobStates; ++i) queue.count[i] += rows.integer(1 + i);
      if (rows.integer(1 + static_cast<int>(JobState::Ready)) == 0) continue;
      for (const LaneKey one : {lane.id, keyed_jobs(lane.id)}) {
        Query head(db_, Sql::ReadyHead);
        head.bind(one, 1);
        if (!head.row()) continue;
        const std::pair first(head.integer(0), head.integer(1));
        auto& best = next.try_emplace(queue.queue, first).first->second;
        best = std::min(best, first);
      }
    }
    for (const auto& [name, first] : next) {
      Query job(db_, Sql::FindJob);
      job.bind(first.second);
      if (job.row()) stats[name].oldest_ready = std::max(Duration{0}, Duration(tx.wall_us() - job.integer(20)));
    }
    std::vector<QueueStats> answer;
    for (auto& [name, queue] : stats) {
      const bool empty = std::all_of(std::begin(queue.count), std::end(queue.count), [](auto n) { return n == 0; });
      const bool set = queue.paused || queue.max_waiting || queue.order != job::Order::Fifo;
      if (!empty || set) answer.push_back(std::move(queue));
    }
    return answer;
  });
}

Result<std::vector<WorkerStats>> Backend::workers() {
  return read([&](Transaction&) {
    const std::map<WorkerId, std::int64_t> held = claims_held();
    std::vector<WorkerStats> workers;
    Query rows(db_, Sql::AllWorkers);
    while (rows.row()) {
      if (rows.integer(6) != 0) continue;
      WorkerStats worker;
      worker.id = rows.integer(0);
      Query card(db_, Sql::WorkerCard);
      card.bind(worker.id);
      if (card.row()) worker.card = card_from(card.text(0));
      worker.card.name = rows.text(1);
      worker.card.pools = rows.text(2);
      if (const auto at = held.find(worker.id); at != held.end()) worker.running = at->second;
      worker.started_at = time_of(rows.integer(5));
      workers.push_back(std::move(worker));
    }
    return workers;
  });
}

}  // namespace galley::store::sqlite
