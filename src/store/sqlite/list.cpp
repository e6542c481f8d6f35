// Jobs state by state, and the two verbs that give pages of them.

#include <algorithm>
#include <sstream>
#include <tuple>

#include "base/text.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/key_lanes.hpp"
#include "store/sqlite/walk.hpp"

namespace galley::store::sqlite {

namespace {

constexpr std::array kStateOrder{JobState::Running,   JobState::Ready,     JobState::Scheduled,
                                 JobState::Blocked,   JobState::Completed, JobState::Dead,
                                 JobState::Cancelled, JobState::Discarded, JobState::Expired};

// Rows that one call looks at, ~1 us each and 2 us more where the row itself must be read.
constexpr std::size_t kMaxLook = 10 * limits::kMaxPage;

constexpr std::size_t index(JobState state) { return static_cast<std::size_t>(state); }

}  // namespace

std::string Walk::run(std::size_t limit, const Take& take) {
  left_ = limit;
  looks_ = kMaxLook;
  take_ = &take;
  return walk();
}

bool Walk::matches(LaneKey id) const {
  const Lane& lane = directory_.lane(id);
  return (!filter_.queue || directory_.queue_name(lane.queue) == *filter_.queue) &&
         (!filter_.kind || lane.kind == *filter_.kind);
}

std::unique_ptr<Walk> walk_for(Database& db, const Directory& directory, const Filter& filter) {
  if (IdWalk::suits(filter)) return std::make_unique<IdWalk>(db, directory, filter);
  return std::make_unique<StateWalk>(db, directory, filter);
}

// As text: "INDEX A ID =QUEUE =KIND"; no name holds a blank.
bool StateWalk::resume(const std::string& cursor) {
  if (cursor.empty()) return true;
  std::istringstream in(cursor);
  std::string rest;
  if (!(in >> at_.state >> at_.a >> at_.id >> at_.queue >> at_.kind) || (in >> rest)) return false;
  if (at_.state >= kStateOrder.size() || at_.queue.front() != '=' || at_.kind.front() != '=') return false;
  at_.queue.erase(0, 1);
  at_.kind.erase(0, 1);
  return true;
}

std::string StateWalk::walk() {
  load_groups();
  for (; at_.state < kStateOrder.size(); begin(at_.state + 1)) {
    const JobState state = kStateOrder[at_.state];
    if (!wanted(state)) continue;
    if (state == JobState::Running) walk_running();
    if (state == JobState::Scheduled) walk_scheduled();
    if (state == JobState::Blocked) walk_blocked();
    if (state == JobState::Ready || is_ended(state)) walk_lanes(state);
    if (full()) {
      return std::to_string(at_.state) + ' ' + std::to_string(at_.a) + ' ' + std::to_string(at_.id) + " =" + at_.queue +
             " =" + at_.kind;
    }
  }
  return {};
}

void StateWalk::load_groups() {
  Query rows(db_, Sql::LaneCounts);
  while (rows.row()) {
    const LaneKey id = rows.integer(0);
    if (!matches(id)) continue;
    const Lane& lane = directory_.lane(id);
    for (std::size_t state = 0; state < groups_.size(); ++state) {
      if (rows.integer(1 + static_cast<int>(state)) == 0) continue;
      auto& lanes = groups_[state][{directory_.queue_name(lane.queue), lane.kind}];
      lanes.push_back(id);
      if (state == index(JobState::Ready)) lanes.push_back(keyed_jobs(id));
    }
  }
}

bool StateWalk::wanted(JobState state) const {
  if (filter_.state && *filter_.state != state) return false;
  if ((filter_.ended_since || filter_.ended_until) && !is_ended(state)) return false;
  return !groups_[index(state)].empty();
}

void StateWalk::begin(std::size_t state, std::string queue, std::string kind) {
  at_ = At{};
  at_.state = state;
  at_.queue = std::move(queue);
  at_.kind = std::move(kind);
}

void StateWalk::walk_running() {
  std::vector<std::pair<JobId, LaneKey>> batch;
  do {
    batch.clear();
    Query rows(db_, Sql::RunningAfter);
    rows.bind(at_.id, room());
    while (rows.row()) batch.emplace_back(rows.integer(0), rows.integer(3));
    for (const auto& [id, lane] : batch) {
      at_.id = id;
      looked(1);
      if (matches(lane)) give(id);
    }
  } while (!batch.empty() && !full());
}

void StateWalk::walk_blocked() {
  std::vector<JobId> batch;
  do {
    batch.clear();
    Query rows(db_, Sql::BlockedAfter);
    rows.bind(at_.id, room());
    while (rows.row()) batch.push_back(rows.integer(0));
    for (const JobId id : batch) {
      at_.id = id;
      looked(1);
      Query job(db_, Sql::LookAt);
      job.bind(id);
      if (job.row() && matches(job.integer(0)) && job.text(1) == name(JobState::Blocked)) give(id);
    }
  } while (!batch.empty() && !full());
}

void StateWalk::walk_scheduled() {
  const Groups& groups = groups_[index(JobState::Scheduled)];
  for (const auto& [name, queue] : directory_.queues()) {
    const auto first = groups.lower_bound({name, ""});
    if (name < at_.queue || first == groups.end() || first->first.first != name) continue;
    if (name > at_.queue) begin(at_.state, name);
    walk_queue(queue);
    if (full()) return;
  }
}

void StateWalk::walk_queue(QueueKey queue) {
  std::vector<Row> batch;
  do {
    batch.clear();
    Query rows(db_, Sql::ScheduledAfter);
    rows.bind(queue, at_.a, at_.id, room());
    while (rows.row()) batch.emplace_back(rows.integer(0), rows.integer(1));
    for (const auto& [due, id] : batch) {
      std::tie(at_.a, at_.id) = std::pair(due, id);
      looked(1);
      Query job(db_, Sql::LookAt);
      job.bind(id);
      if (job.row() && matches(job.integer(0))) give(id);
    }
  } while (!batch.empty() && !full());
}

void StateWalk::walk_lanes(JobState state) {
  for (const auto& [group, lanes] : groups_[index(state)]) {
    const std::pair at(at_.queue, at_.kind);
    if (group < at) continue;
    if (group > at) begin(at_.state, group.first, group.second);
    walk_group(lanes, state);
    if (full()) return;
  }
}

/// Merges the lanes. Of each an equal share of what there is room for is read, so that many lanes do not multiply the
/// rows; what lies beyond the end of a share that was used up is left for the next round.
void StateWalk::walk_group(const std::vector<LaneKey>& lanes, JobState state) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  bool more = true;
  while (more && !full()) {
    const std::size_t share = std::max<std::size_t>(1, room() / lanes.size());
    std::vector<Row> merged;
    Row horizon{kMax, kMax};
    for (const LaneKey lane : lanes) {
      const std::vector<Row> rows = read_lane(lane, state, share);
      if (rows.size() == share) horizon = std::min(horizon, rows.back());
      merged.insert(merged.end(), rows.begin(), rows.end());
    }
    std::sort(merged.begin(), merged.end());
    merged.erase(std::upper_bound(merged.begin(), merged.end(), horizon), merged.end());
    for (const Row& row : merged) {
      if (full()) break;
      std::tie(at_.a, at_.id) = row;
      give(row.second);
    }
    looked(lanes.size() + merged.size());
    more = horizon != Row{kMax, kMax};
  }
}

std::vector<StateWalk::Row> StateWalk::read_lane(LaneKey lane, JobState state, std::size_t limit) {
  const auto us = [](const std::optional<Time>& time, std::int64_t otherwise) {
    return time ? time->time_since_epoch().count() : otherwise;
  };
  Query rows(db_, state == JobState::Ready ? Sql::ReadyAfter : Sql::EndedAfter);
  rows.bind(lane);
  if (state == JobState::Ready) {
    rows.bind(at_.a, at_.id);
  } else {
    const Row from = std::max(Row{at_.a, at_.id}, Row{us(filter_.ended_since, at_.a), 0});
    rows.bind(name(state), from.first, from.second, us(filter_.ended_until, std::numeric_limits<std::int64_t>::max()));
  }
  rows.bind(limit);
  std::vector<Row> read;
  while (rows.row()) read.emplace_back(rows.integer(0), rows.integer(1));
  return read;
}

template <class Take>
std::string Backend::walk(const Filter& filter, const std::string& cursor, std::size_t limit, Take take) {
  const auto walk = walk_for(db_, directory_, filter);
  if (!walk->resume(cursor)) {
    const std::string what = "cursor: " + base::quoted(cursor) + " is not one that a page with this filter gave";
    throw Refused{{Errc::InvalidInput, what, Written::Nothing}};
  }
  return walk->run(limit, take);
}

Result<Page> Backend::list(const Filter& filter, const std::string& cursor, std::size_t limit) {
  if (auto valid = check_limit(limit, limits::kMaxPage); !valid) return valid.error();
  return read([&](Transaction&) {
    Page page;
    std::size_t bytes = 0;
    page.next = walk(filter, cursor, limit, [&](JobId id) {
      auto job = read_job(id);
      if (!job) throw SqlError(SQLITE_CORRUPT, "job " + std::to_string(id) + " is missing");
      bytes += job->record.payload.size() + job->record.result.size() + job->record.checkpoint.size();
      page.jobs.push_back(with_claim(std::move(job->record)));
      return bytes < limits::kMaxPageBytes;
    });
    return page;
  });
}

Result<IdPage> Backend::select(const Filter& filter, const std::string& cursor, std::size_t limit) {
  if (auto valid = check_limit(limit, limits::kMaxPage); !valid) return valid.error();
  return read([&](Transaction&) {
    IdPage page;
    page.next = walk(filter, cursor, limit, [&](JobId id) {
      page.ids.push_back(id);
      return true;
    });
    return page;
  });
}

}  // namespace galley::store::sqlite
