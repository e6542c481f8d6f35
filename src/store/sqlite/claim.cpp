#include <algorithm>
#include <tuple>

#include "job/order.hpp"
#include "job/settle.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

/// One lane's ready jobs, read ahead as far as the request can need them.
struct Candidate {
  std::int64_t rank;
  JobId id;
  int group;  // which bound it counts against

  friend bool operator<(const Candidate& a, const Candidate& b) {
    return std::tie(a.rank, a.id) < std::tie(b.rank, b.id);
  }
};

constexpr std::size_t kMostHeld = 20'000;  // ~4 MB; more than a worker's slots and claims ahead

/// As it is while it runs, with the epoch of its claim.
JobRow held_row(const StoredJob& stored, std::int64_t epoch) {
  const job::JobRecord& job = stored.record;
  const auto us = [](const std::optional<Time>& time) {
    return time ? std::optional(time->time_since_epoch().count()) : std::nullopt;
  };
  JobRow row;
  row.place = stored.place;
  row.priority = job.priority;
  row.counters = job.counters;
  row.max_crashes = job.policy.max_crashes;
  row.started_us = us(job.started_at);
  row.epoch = epoch;
  row.extras = stored.extras;
  row.expires_us = us(job.expires_at);
  row.deadline_us = us(job.deadline_at);
  row.batch = job.batch;
  row.has_error = !job.error.empty();
  row.expect_us = job.expect.count();
  return row;
}

std::optional<Duration> sooner(std::optional<Duration> a, std::optional<Duration> b) {
  return a && b ? std::min(a, b) : (a ? a : b);
}

}  // namespace

Result<FinishAndClaimAnswer> Backend::finish_and_claim(std::span<const Finish> finishes,
                                                       std::span<const ClaimRequest> requests) {
  if (auto valid = check(finishes); !valid) return valid.error();
  if (auto valid = check(requests); !valid) return valid.error();
  // An idle worker's look must not take the writer's lock; one that answers an enqueue of this process will find work.
  const bool wants = std::any_of(requests.begin(), requests.end(), [](const auto& one) { return one.limit > 0; });
  const bool news = wants && news_.exchange(false);
  if (finishes.empty() && !news) {
    auto idle = read([&](Transaction& tx) {
      FinishAndClaimAnswer answer;
      const auto expiry = next_expiry(tx);
      bool nothing = !expiry || *expiry > Duration{0};
      for (const ClaimRequest& request : requests) {
        check_worker(request.worker);
        std::optional<Duration> until;
        nothing = nothing && !anything_to_claim(tx, request, until);
        answer.claimed.push_back({{}, sooner(until, next_due(tx, request.queues))});
      }
      answer.signals = tx.signals();
      return std::pair(nothing, std::move(answer));
    });
    if (!idle) return idle.error();
    if (idle->first) return std::move(idle->second);
  }
  auto answered = write(Sync::No, finishes.empty() ? Rings::No : Rings::Yes, [&](Transaction& tx) {
    FinishAndClaimAnswer answer;
    answer.finished.reserve(finishes.size());
    for (const ClaimRequest& request : requests) check_worker(request.worker);
    for (const Finish& finish : finishes) answer.finished.push_back(finish_one(tx, finish));
    for (const ClaimRequest& request : requests) answer.claimed.push_back(claim_one(tx, request));
    answer.signals = tx.signals();
    return answer;
  });
  if (!answered) {  // what it has claimed was rolled back
    const std::lock_guard lock(mutex_);
    held_.clear();
  }
  return answered;
}

void Backend::check_worker(WorkerId worker) {
  Query known(db_, Sql::FindWorker);
  known.bind(worker);
  if (!known.row() || known.integer(1) != 0) {
    throw Refused{
        {Errc::NotFound, "worker " + std::to_string(worker) + " is not known here (any more)", Written::Nothing}};
  }
}

std::optional<Duration> Backend::next_due(Transaction& tx, const std::vector<std::string>& queues) {
  std::optional<Duration> soonest;
  for (const std::string& name : queues) {
    const QueueKey queue = directory_.find_queue(name);
    if (queue == 0) continue;
    Query row(db_, Sql::NextDue);
    row.bind(queue);
    const auto job = row.row() ? row.maybe(0) : std::nullopt;
    for (const auto& due : {job, next_schedule(tx, queue)}) {
      if (!due) continue;
      const Duration wait = std::max(Duration{0}, Duration(*due - tx.wall_us()));
      soonest = soonest ? std::min(*soonest, wait) : wait;
    }
  }
  return soonest;
}

bool Backend::anything_to_claim(Transaction& tx, const ClaimRequest& request, std::optional<Duration>& until) {
  if (tx.has_keys() && !directory_.limits().empty() && has_due_keys(tx)) return true;
  for (const std::string& name : request.queues) {
    const QueueKey queue = directory_.find_queue(name);
    if (queue == 0) continue;
    Query due(db_, Sql::DueHead);
    due.bind(queue, tx.wall_us(), 1);
    if (due.row()) return true;
    if (const auto ticks = due_schedules(tx, queue, limits::kMaxStep); !ticks.empty()) {
      read_timetables(ticks);
      return true;
    }
    if (request.limit == 0 || is_paused(queue)) continue;
    const std::vector<LaneKey> lanes = wanted_lanes(request, queue);
    if (is_shared(tx)) {
      for (const Wanted& one : wanted(request, lanes)) {
        Fronts fronts;
        const Next next = next_of(tx, one.lane, Settle::No, 1, fronts);
        if (next.job != 0 || next.settles) return true;
        if (next.until_us) until = sooner(until, Duration(*next.until_us - tx.wall_us()));
      }
      continue;
    }
    for (const LaneKey lane : lanes) {
      Query head(db_, Sql::ReadyHead);
      head.bind(lane, 1);
      if (head.row()) return true;
    }
  }
  return false;
}

std::vector<LaneKey> Backend::wanted_lanes(const ClaimRequest& request, QueueKey queue) const {
  std::vector<LaneKey> lanes;
  for (const Want& want : request.kinds) {
    lanes.push_back(want.max > 0 ? directory_.find_lane(queue, want.kind, "") : 0);
  }
  if (request.commands.max <= 0) return lanes;
  if (request.commands.any) {
    lanes.push_back(directory_.find_lane(queue, "", std::string(kAnyProgram)));
  } else {
    for (const std::string& program : request.commands.programs)
      lanes.push_back(directory_.find_lane(queue, "", program));
  }
  return lanes;
}

int Backend::promote(Transaction& tx, QueueKey queue, std::size_t limit) {
  std::vector<std::pair<std::int64_t, JobId>> due;
  {
    Query rows(db_, Sql::DueHead);
    rows.bind(queue, tx.wall_us(), limit);
    while (rows.row()) due.emplace_back(rows.integer(0), rows.integer(1));
  }
  for (const auto& [when, id] : due) promote_one(tx, queue, when, id);
  return static_cast<int>(due.size());
}

void Backend::promote_one(Transaction& tx, QueueKey queue, std::int64_t due, JobId id) {
  const auto row = read_row(db_, id);
  if (!row) throw SqlError(SQLITE_CORRUPT, "scheduled job " + std::to_string(id) + " is missing");
  if (directory_.lane(row->place.lane).queue != queue || row->place.position != due) {
    throw SqlError(SQLITE_CORRUPT, "scheduled job " + std::to_string(id) + " is not where its row says it is");
  }
  Place place = row->place;
  tx.leave(place);
  place.state = JobState::Ready;
  const Stand stands = stand(tx, *row);
  place.position = stands.position;
  Query(db_, Sql::Promote).bind(place.position, std::min(due, stands.since_us.value_or(due)), id).run();
  tx.enter(place);
}

Claimed Backend::claim_one(Transaction& tx, const ClaimRequest& request) {
  Claimed answer;
  std::vector<int> left;  // what may still be taken of each kind; the last one: of commands
  for (const Want& want : request.kinds) left.push_back(want.max);
  left.push_back(request.commands.max);
  auto free = static_cast<std::size_t>(request.limit);
  (void)expire(tx, limits::kMaxStep);
  if (tx.has_keys() && !directory_.limits().empty()) open_due(tx);
  for (const std::string& name : request.queues) {
    if (const QueueKey queue = directory_.find_queue(name); queue != 0) promote(tx, queue, limits::kMaxStep);
  }
  for (const std::string& name : request.queues) {
    const auto due = due_schedules(tx, directory_.find_queue(name), limits::kMaxStep);
    tick(tx, due, limits::kMaxStep);
  }
  for (const std::string& name : request.queues) {
    const QueueKey queue = directory_.find_queue(name);
    if (free == 0 || queue == 0 || is_paused(queue)) continue;
    const std::vector<LaneKey> lanes = wanted_lanes(request, queue);
    if (is_shared(tx)) {
      claim_in_turn(tx, request, wanted(request, lanes), left, free, answer);
      continue;
    }
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      const auto group = std::min(i, request.kinds.size());
      if (lanes[i] == 0 || left[group] <= 0) continue;
      Query head(db_, Sql::ReadyHead);
      head.bind(lanes[i], std::min(free, static_cast<std::size_t>(left[group])));
      while (head.row()) candidates.push_back({head.integer(0), head.integer(1), static_cast<int>(group)});
    }
    std::sort(candidates.begin(), candidates.end());
    const auto twice = std::unique(candidates.begin(), candidates.end(),
                                   [](const Candidate& a, const Candidate& b) { return a.id == b.id; });
    candidates.erase(twice, candidates.end());  // a kind or program that the request names twice
    for (const Candidate& next : candidates) {
      if (free == 0) break;
      int& most = left[static_cast<std::size_t>(next.group)];
      if (most <= 0) continue;
      auto claim = take(tx, request, next.id);
      if (!claim) continue;
      answer.claims.push_back(std::move(claim->claim));
      --most;
      --free;
    }
  }
  const auto due = next_due(tx, request.queues);
  if (free == 0) answer.next_due.reset();  // it has no free slot that could wait for it
  answer.next_due = sooner(answer.next_due, due);
  return answer;
}

std::optional<Backend::Taken> Backend::take(Transaction& tx, const ClaimRequest& request, JobId id, const Next* next) {
  auto stored = read_job(id);
  if (!stored) throw SqlError(SQLITE_CORRUPT, "ready job " + std::to_string(id) + " is missing");
  const Place& place = stored->place;
  if (place.expires_us && *place.expires_us <= tx.wall_us()) return std::nullopt;  // one of too many for one call
  if (next) {
    take_turn(tx, *next, place);
  } else {
    tx.leave(place);
  }
  job::JobRecord& record = stored->record;
  const Held held = start_holds(tx, record);
  Taken taken{{}, held.filled};
  job::Claim& claim = taken.claim;
  claim.id = {id, tx.next_epoch()};
  Query(db_, Sql::InsertRunning)
      .bind(id, claim.id.epoch, request.worker, place.lane, tx.mono_us() + request.lease.count(), tx.wall_us())
      .bind(held.text)
      .run();
  tx.count(place.lane, JobState::Running, 1);
  if (held_.size() >= kMostHeld) held_.clear();
  held_[id] = held_row(*stored, claim.id.epoch);
  started(tx, id, stored->extras);
  claim.queue = std::move(record.queue);
  claim.kind = std::move(record.kind);
  claim.key = std::move(record.key);
  claim.content = record.content;
  claim.program = std::move(record.program);
  claim.payload = std::move(record.payload);
  claim.priority = record.priority;
  claim.policy = std::move(record.policy);
  claim.counters = record.counters;
  claim.checkpoint = std::move(record.checkpoint);
  claim.enqueued_at = record.enqueued_at;
  if (record.deadline_at) claim.deadline = record.deadline_at->time_since_epoch() - Duration(tx.wall_us());
  claim.headers = std::move(record.headers);
  claim.batch = record.batch;
  const std::int64_t ready_us = job::tick(place.position, record.ordered ? 0 : record.priority);
  const std::int64_t since_us = std::min(ready_us, stored->due_us.value_or(ready_us));
  claim.waited = Duration(std::max<std::int64_t>(0, tx.wall_us() - since_us));
  return taken;
}

}  // namespace galley::store::sqlite
