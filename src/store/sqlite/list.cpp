// Backend::list: pages of jobs through the hot tables; no statement scans the jobs.

#include <algorithm>
#include <array>
#include <limits>
#include <sstream>

#include "store/check.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

constexpr std::array kStateOrder{JobState::Running,   JobState::Ready,     JobState::Scheduled,
                                 JobState::Blocked,   JobState::Completed, JobState::Dead,
                                 JobState::Cancelled, JobState::Discarded, JobState::Expired};

// Rows that one call looks at; with a filter it may answer fewer jobs than asked for, and a cursor.
constexpr std::size_t kMaxLook = 10 * limits::kMaxPage;

/// After which row the page goes on. As text: "INDEX A ID =QUEUE =KIND", index into kStateOrder.
struct Cursor {
  std::size_t state = 0;
  std::int64_t a = std::numeric_limits<std::int64_t>::min();  // rank, due time or time of the end
  JobId id = 0;
  std::string queue;
  std::string kind;
};

Cursor start_of(std::size_t state, std::string queue = {}, std::string kind = {}) {
  Cursor cursor;
  cursor.state = state;
  cursor.queue = std::move(queue);
  cursor.kind = std::move(kind);
  return cursor;
}

std::string to_text(const Cursor& cursor) {
  return std::to_string(cursor.state) + ' ' + std::to_string(cursor.a) + ' ' + std::to_string(cursor.id) + ' ' + '=' +
         cursor.queue + " =" + cursor.kind;
}

std::optional<Cursor> cursor_from(const std::string& text) {
  Cursor cursor;
  if (text.empty()) return cursor;
  std::istringstream in(text);
  std::string rest;
  if (!(in >> cursor.state >> cursor.a >> cursor.id >> cursor.queue >> cursor.kind) || (in >> rest))
    return std::nullopt;
  if (cursor.state >= kStateOrder.size()) return std::nullopt;
  if (cursor.queue.front() != '=' || cursor.kind.front() != '=') return std::nullopt;
  cursor.queue.erase(0, 1);
  cursor.kind.erase(0, 1);
  return cursor;
}

using Groups = std::map<std::pair<std::string, std::string>, std::vector<LaneKey>>;

/// One call's walk over the tables.
class Lister {
 public:
  Lister(Database& db, const Directory& directory, const Filter& filter, std::size_t limit, Cursor from)
      : db_(db), directory_(directory), filter_(filter), limit_(limit), at_(std::move(from)) {}

  /// The ids of the page; `next` is where it goes on, empty at the end.
  std::vector<JobId> walk(std::string& next) {
    load_groups();
    for (; at_.state < kStateOrder.size(); at_ = start_of(at_.state + 1)) {
      const JobState state = kStateOrder[at_.state];
      if (filter_.state && *filter_.state != state) continue;
      if (state == JobState::Running) walk_running();
      if (state == JobState::Scheduled) walk_scheduled();
      if (state == JobState::Ready || is_ended(state)) walk_lanes(state);
      if (full()) {
        next = to_text(at_);
        break;
      }
    }
    return std::move(ids_);
  }

 private:
  [[nodiscard]] bool full() const { return ids_.size() >= limit_ || looked_ >= kMaxLook; }
  [[nodiscard]] std::size_t room() const { return std::min(limit_ - ids_.size(), kMaxLook - looked_); }
  [[nodiscard]] bool matches(LaneKey id) const {
    const Lane& lane = directory_.lane(id);
    return (!filter_.queue || directory_.queue_name(lane.queue) == *filter_.queue) &&
           (!filter_.kind || lane.kind == *filter_.kind);
  }

  void load_groups() {
    Query rows(db_, Sql::LaneCounts);
    while (rows.row()) {
      const LaneKey id = rows.integer(0);
      const Lane& lane = directory_.lane(id);
      if (matches(id)) groups_[{directory_.queue_name(lane.queue), lane.kind}].push_back(id);
    }
  }

  void walk_running() {
    std::vector<std::pair<JobId, LaneKey>> batch;
    do {
      batch.clear();
      Query rows(db_, Sql::RunningAfter);
      rows.bind(at_.id, room());
      while (rows.row()) batch.emplace_back(rows.integer(0), rows.integer(3));
      for (const auto& [id, lane] : batch) {
        at_.id = id;
        ++looked_;
        if (matches(lane)) ids_.push_back(id);
      }
    } while (!batch.empty() && !full());
  }

  void walk_scheduled() {
    for (const auto& [name, queue] : directory_.queues()) {
      if (name < at_.queue || (filter_.queue && name != *filter_.queue)) continue;
      if (name > at_.queue) at_ = start_of(at_.state, name);
      std::vector<std::pair<std::int64_t, JobId>> batch;
      do {
        batch.clear();
        Query rows(db_, Sql::ScheduledAfter);
        rows.bind(queue, at_.a, at_.id, room());
        while (rows.row()) batch.emplace_back(rows.integer(0), rows.integer(1));
        for (const auto& [due, id] : batch) {
          std::tie(at_.a, at_.id) = std::pair(due, id);
          ++looked_;
          const auto job = read_row(db_, id);
          if (job && matches(job->place.lane)) ids_.push_back(id);
        }
      } while (!batch.empty() && !full());
      if (full()) return;
    }
  }

  void walk_lanes(JobState state) {
    for (const auto& [group, lanes] : groups_) {
      const std::pair at(at_.queue, at_.kind);
      if (group < at) continue;
      if (group > at) at_ = start_of(at_.state, group.first, group.second);
      std::vector<std::pair<std::int64_t, JobId>> merged;
      for (const LaneKey lane : lanes) {
        Query rows(db_, state == JobState::Ready ? Sql::ReadyAfter : Sql::EndedAfter);
        rows.bind(lane);
        if (state != JobState::Ready) rows.bind(name(state));
        rows.bind(at_.a, at_.id, room());
        while (rows.row()) merged.emplace_back(rows.integer(0), rows.integer(1));
      }
      std::sort(merged.begin(), merged.end());
      merged.resize(std::min(merged.size(), room()));
      for (const auto& [a, id] : merged) {
        std::tie(at_.a, at_.id) = std::pair(a, id);
        ++looked_;
        ids_.push_back(id);
      }
      if (full()) return;
    }
  }

  Database& db_;
  const Directory& directory_;
  const Filter& filter_;
  const std::size_t limit_;
  Cursor at_;
  Groups groups_;
  std::vector<JobId> ids_;
  std::size_t looked_ = 0;
};

}  // namespace

Result<Page> Backend::list(const Filter& filter, const std::string& cursor, std::size_t limit) {
  if (auto valid = check_limit(limit, limits::kMaxPage); !valid) return valid.error();
  const auto from = cursor_from(cursor);
  if (!from) return Error{Errc::InvalidInput, "cursor: \"" + cursor + "\" is not one that a page gave"};
  return read([&](Transaction&) {
    Page page;
    for (const JobId id : Lister(db_, directory_, filter, limit, *from).walk(page.next)) {
      auto job = read_job(id);
      if (!job) throw SqlError(SQLITE_CORRUPT, "job " + std::to_string(id) + " is missing");
      page.jobs.push_back(with_claim(std::move(*job)));
    }
    return page;
  });
}

}  // namespace galley::store::sqlite
