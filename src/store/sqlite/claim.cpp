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
};

}  // namespace

Result<FinishAndClaimAnswer> Backend::finish_and_claim(std::span<const Finish> finishes,
                                                       std::span<const ClaimRequest> requests) {
  if (auto valid = check(finishes); !valid) return valid.error();
  if (auto valid = check(requests); !valid) return valid.error();
  if (finishes.empty()) {  // an idle worker's look must not take the writer's lock
    auto idle = read([&](Transaction& tx) {
      FinishAndClaimAnswer answer;
      bool nothing = true;
      for (const ClaimRequest& request : requests) {
        check_worker(request.worker);
        nothing = nothing && !anything_to_claim(tx, request);
        answer.claimed.push_back({{}, next_due(tx, request.queues)});
      }
      answer.signals = tx.signals();
      return std::pair(nothing, std::move(answer));
    });
    if (!idle) return idle.error();
    if (idle->first) return std::move(idle->second);
  }
  return write(Sync::No, finishes.empty() ? Rings::No : Rings::Yes, [&](Transaction& tx) {
    FinishAndClaimAnswer answer;
    answer.finished.reserve(finishes.size());
    for (const ClaimRequest& request : requests) check_worker(request.worker);
    for (const Finish& finish : finishes) answer.finished.push_back(finish_one(tx, finish));
    for (const ClaimRequest& request : requests) answer.claimed.push_back(claim_one(tx, request));
    answer.signals = tx.signals();
    return answer;
  });
}

void Backend::check_worker(WorkerId worker) {
  Query known(db_, Sql::FindWorker);
  known.bind(worker);
  if (!known.row() || known.integer(1) != 0) {
    throw Refused{
        {Errc::NotFound, "worker " + std::to_string(worker) + " is not known here (any more)", Written::Nothing}};
  }
}

bool Backend::is_paused(QueueKey queue) {
  Query row(db_, Sql::QueuePaused);
  row.bind(queue);
  return row.row() && row.integer(0) != 0;
}

std::optional<Duration> Backend::next_due(Transaction& tx, const std::vector<std::string>& queues) {
  std::optional<Duration> soonest;
  for (const std::string& name : queues) {
    const QueueKey queue = directory_.find_queue(name);
    if (queue == 0) continue;
    Query row(db_, Sql::NextDue);
    row.bind(queue);
    if (!row.row()) continue;
    const Duration wait = std::max(Duration{0}, Duration(row.integer(0) - tx.wall_us()));
    soonest = soonest ? std::min(*soonest, wait) : wait;
  }
  return soonest;
}

bool Backend::anything_to_claim(Transaction& tx, const ClaimRequest& request) {
  for (const std::string& name : request.queues) {
    const QueueKey queue = directory_.find_queue(name);
    if (queue == 0) continue;
    Query due(db_, Sql::DueHead);
    due.bind(queue, tx.wall_us(), 1);
    if (due.row()) return true;
    if (request.limit == 0 || is_paused(queue)) continue;
    for (const LaneKey lane : wanted_lanes(request, queue)) {
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
  place.position = job::rank(tx.next_tick(), row->priority);
  Query(db_, Sql::SetPlace).bind(name(place.state), place.position, id).run();
  tx.enter(place);
}

Claimed Backend::claim_one(Transaction& tx, const ClaimRequest& request) {
  Claimed answer;
  std::vector<int> left;  // what may still be taken of each kind; the last one: of commands
  for (const Want& want : request.kinds) left.push_back(want.max);
  left.push_back(request.commands.max);
  auto free = static_cast<std::size_t>(request.limit);
  for (const std::string& name : request.queues) {
    if (const QueueKey queue = directory_.find_queue(name); queue != 0) promote(tx, queue, limits::kMaxStep);
  }
  for (const std::string& name : request.queues) {
    const QueueKey queue = directory_.find_queue(name);
    if (free == 0 || queue == 0 || is_paused(queue)) continue;
    const std::vector<LaneKey> lanes = wanted_lanes(request, queue);
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      const auto group = std::min(i, request.kinds.size());
      if (lanes[i] == 0 || left[group] <= 0) continue;
      Query head(db_, Sql::ReadyHead);
      head.bind(lanes[i], std::min(free, static_cast<std::size_t>(left[group])));
      while (head.row()) candidates.push_back({head.integer(0), head.integer(1), static_cast<int>(group)});
    }
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate& a, const Candidate& b) { return std::tie(a.rank, a.id) < std::tie(b.rank, b.id); });
    const auto twice = std::unique(candidates.begin(), candidates.end(),
                                   [](const Candidate& a, const Candidate& b) { return a.id == b.id; });
    candidates.erase(twice, candidates.end());  // a kind or program that the request names twice
    for (const Candidate& next : candidates) {
      if (free == 0) break;
      int& most = left[static_cast<std::size_t>(next.group)];
      if (most <= 0) continue;
      answer.claims.push_back(take(tx, request, next.rank, next.id));
      --most;
      --free;
    }
  }
  answer.next_due = next_due(tx, request.queues);
  return answer;
}

job::Claim Backend::take(Transaction& tx, const ClaimRequest& request, std::int64_t rank, JobId id) {
  auto record = read_job(id);
  if (!record) throw SqlError(SQLITE_CORRUPT, "ready job " + std::to_string(id) + " is missing");
  const LaneKey lane = directory_.find_lane(directory_.find_queue(record->queue), record->kind, record->program);
  tx.leave({id, lane, JobState::Ready, rank});
  job::Claim claim;
  claim.id = {id, tx.next_epoch()};
  Query(db_, Sql::InsertRunning)
      .bind(id, claim.id.epoch, request.worker, lane, tx.mono_us() + request.lease.count(), tx.wall_us())
      .run();
  tx.count(lane, JobState::Running, 1);
  claim.queue = std::move(record->queue);
  claim.kind = std::move(record->kind);
  claim.key = std::move(record->key);
  claim.content = record->content;
  claim.program = std::move(record->program);
  claim.payload = std::move(record->payload);
  claim.priority = record->priority;
  claim.policy = std::move(record->policy);
  claim.counters = record->counters;
  claim.checkpoint = std::move(record->checkpoint);
  claim.enqueued_at = record->enqueued_at;
  return claim;
}

}  // namespace galley::store::sqlite
