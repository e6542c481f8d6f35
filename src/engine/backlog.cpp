#include "engine/backlog.hpp"

#include <algorithm>

namespace galley::engine {

namespace {

constexpr std::size_t kRecords = 16;  // a record may bring a payload of 1 MiB
constexpr int kPages = 64;
constexpr int kHeldBack = 64;  // jobs in a row: then those behind them are taken as held back too

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct Found {
  std::optional<JobId> job;
  bool moved = false;  ///< fewer jobs are there than the statistics said just now: some have changed their state
};

/// A full limit, or a job of its key that goes first, keeps it from every worker: it waits for its turn.
Result<bool> is_held_back(store::Store& store, const job::JobRecord& record) {
  const auto standing = store.standing(record.id);
  if (!standing && standing.error().code == Errc::NotFound) return true;  // gone meanwhile
  if (!standing) return standing.error();
  if (!standing->full.empty() || standing->behind != 0) return true;
  if (record.content != job::Content::Command) return false;
  // A claim passes over a bounded number of commands of a kind whose limit is full, and this one may be behind them.
  const auto limits = store.limits();
  if (!limits) return limits.error();
  return std::any_of(limits->begin(), limits->end(), [](const store::LimitStats& limit) {
    if (limit.target.scope != store::LimitScope::Kind) return false;
    return (limit.rule.max_running > 0 && limit.running >= limit.rule.max_running) || limit.tokens.value_or(1) < 1;
  });
}

/// The first job of a lane in `state` that this worker could run. `claimable`: that nothing holds back either.
Result<Found> first_served(store::Store& store, const BacklogQuery& query, const store::LaneStats& lane, JobState state,
                           bool claimable = false) {
  const std::int64_t count = lane.count[static_cast<std::size_t>(state)];
  if (count <= 0) return Found{};
  std::int64_t seen = 0;
  int held_back = 0;
  std::string cursor;
  for (int i = 0; i < kPages; ++i) {
    auto page = store.list({lane.queue, lane.kind, state}, cursor, kRecords);
    if (!page) return page.error();
    for (const job::JobRecord& record : page->jobs) {
      if (!query.serves(record)) continue;
      if (!claimable) return Found{record.id, false};
      const auto held = is_held_back(store, record);
      if (!held) return held.error();
      if (!*held) return Found{record.id, false};
      if (++held_back == kHeldBack) return Found{};
    }
    seen += static_cast<std::int64_t>(page->jobs.size());
    if (page->next.empty()) return Found{std::nullopt, seen < count};
    cursor = std::move(page->next);
  }
  return Found{};
}

Result<std::vector<std::string>> paused_queues(store::Store& store) {
  auto queues = store.queues();
  if (!queues) return queues.error();
  std::vector<std::string> paused;
  for (const store::QueueStats& queue : *queues) {
    if (queue.paused) paused.push_back(queue.queue);
  }
  return paused;
}

/// One lane's part of the answer.
Result<void> look_at_lane(store::Store& store, const BacklogQuery& query, const store::LaneStats& lane,
                          Backlog& backlog) {
  if (!backlog.overlooked && among(query.dry, lane.queue)) {
    auto first = first_served(store, query, lane, JobState::Ready, true);
    if (!first) return first.error();
    backlog.overlooked = first->job;
    if (first->job) backlog.left = true;
  }
  if (!query.whole || backlog.left) return {};
  bool any = false;
  for (const JobState state : {JobState::Running, JobState::Ready, JobState::Scheduled}) {
    any = any || lane.count[static_cast<std::size_t>(state)] > 0;
    auto first = first_served(store, query, lane, state);
    if (!first) return first.error();
    if (first->job || first->moved) {
      backlog.left = true;
      return {};
    }
  }
  if (any) backlog.unserved.push_back(lane.queue + "/" + lane.kind);
  return {};
}

}  // namespace

Result<Backlog> look_at_backlog(store::Store& store, const BacklogQuery& query) {
  auto paused = paused_queues(store);
  if (!paused) return paused.error();
  auto lanes = store.lanes();
  if (!lanes) return lanes.error();
  Backlog backlog;
  for (const store::LaneStats& lane : *lanes) {
    if (!among(query.queues, lane.queue)) continue;
    if (among(*paused, lane.queue)) {
      const bool waits = lane.count[static_cast<std::size_t>(JobState::Ready)] +
                             lane.count[static_cast<std::size_t>(JobState::Scheduled)] >
                         0;
      if (waits && !among(backlog.paused, lane.queue)) backlog.paused.push_back(lane.queue);
      continue;
    }
    auto looked = look_at_lane(store, query, lane, backlog);
    if (!looked) return looked.error();
  }
  return backlog;
}

}  // namespace galley::engine
