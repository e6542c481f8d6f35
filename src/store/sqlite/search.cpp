// Jobs by id: what a key, a tag, an error class, a batch or a time of enqueueing finds.

#include <algorithm>
#include <charconv>

#include "store/sqlite/walk.hpp"

namespace galley::store::sqlite {

namespace {

constexpr JobId kBeyondAll = std::numeric_limits<JobId>::max();
constexpr std::string_view kPrefix = "id ";

// Rows that are read at once, where few of them may fit the filter: enough that a page of one job is not a statement
// for each row.
constexpr std::size_t kChunk = 64;

}  // namespace

bool IdWalk::suits(const Filter& filter) {
  return filter.tag || filter.key || filter.error_class || filter.batch || filter.since || filter.until;
}

bool IdWalk::resume(const std::string& cursor) {
  if (cursor.empty()) return true;
  if (!cursor.starts_with(kPrefix)) return false;
  const char* const end = cursor.data() + cursor.size();
  const auto [rest, error] = std::from_chars(cursor.data() + kPrefix.size(), end, after_);
  return error == std::errc{} && rest == end && after_ > 0;
}

std::string IdWalk::walk() {
  JobId at = after_;
  if (filter_.since) at = std::max(at, first_since(*filter_.since) - 1);
  const JobId before = filter_.until ? first_since(*filter_.until) : kBeyondAll;
  while (true) {
    const auto ids = next_ids(at, before, std::max(room(), kChunk));
    for (const JobId id : ids) {
      at = id;
      looked(1);
      if (fits(id)) give(id);
      if (full()) return std::string(kPrefix) + std::to_string(at);
    }
    if (ids.empty()) return {};
  }
}

std::vector<JobId> IdWalk::next_ids(JobId after, JobId before, std::size_t limit) {
  std::vector<JobId> ids;
  const auto read = [&](Query& rows) {
    rows.bind(after, before, limit);
    while (rows.row()) ids.push_back(rows.integer(0));
  };
  const auto by = [&](Sql jobs_by, const auto& value) {
    Query rows(db_, jobs_by);
    rows.bind(value);
    read(rows);
  };
  if (filter_.tag) {
    by(Sql::JobsByTag, *filter_.tag);
  } else if (filter_.key) {
    by(Sql::JobsByKey, *filter_.key);
  } else if (filter_.error_class) {
    by(Sql::JobsByErrorClass, *filter_.error_class);
  } else if (filter_.batch) {
    by(Sql::JobsByBatch, *filter_.batch);
  } else {
    Query rows(db_, Sql::JobsById);
    read(rows);
  }
  return ids;
}

bool IdWalk::fits(JobId id) {
  // One of these has led here and holds; looking again would cost a seek.
  const bool led_by_key = !filter_.tag;
  const bool led_by_class = led_by_key && !filter_.key;
  const bool led_by_batch = led_by_class && !filter_.error_class;
  if (filter_.key && !led_by_key && !is_among(Sql::JobsByKey, *filter_.key, id)) return false;
  if (filter_.error_class && !led_by_class && !is_among(Sql::JobsByErrorClass, *filter_.error_class, id)) return false;
  if (filter_.batch && !led_by_batch && !is_among(Sql::JobsByBatch, *filter_.batch, id)) return false;
  const bool ended = filter_.ended_since || filter_.ended_until;
  if (!filter_.queue && !filter_.kind && !filter_.state && !ended) return true;

  Query row(db_, Sql::LookAt);
  row.bind(id);
  if (!row.row()) throw SqlError(SQLITE_CORRUPT, "job " + std::to_string(id) + " is missing");
  if (!matches(row.integer(0))) return false;
  const JobState state = job_state_from(row.text(1)).value_or(JobState::Ready);
  const Time position{Duration(row.integer(2))};
  if (ended && !is_ended(state)) return false;
  if (filter_.ended_since && position < *filter_.ended_since) return false;
  if (filter_.ended_until && position >= *filter_.ended_until) return false;
  if (!filter_.state) return true;
  if (is_ended(state)) return *filter_.state == state;
  Query running(db_, Sql::FindRunning);
  running.bind(id);
  return *filter_.state == (running.row() ? JobState::Running : state);
}

bool IdWalk::is_among(Sql jobs_by, const auto& value, JobId id) {
  Query row(db_, jobs_by);
  row.bind(value, id - 1, id + 1, 1);
  return row.row();
}

JobId IdWalk::first_since(Time time) {
  const std::int64_t us = time.time_since_epoch().count();
  JobId low = 1;
  JobId high = [&] {
    Query clock(db_, Sql::ReadClock);
    return clock.row() ? std::max<JobId>(low, clock.integer(0)) : low;
  }();
  while (low < high) {
    const JobId middle = low + (high - low) / 2;
    Query row(db_, Sql::JobFrom);
    row.bind(middle);
    if (row.row() && row.integer(1) < us) {
      low = row.integer(0) + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace galley::store::sqlite
