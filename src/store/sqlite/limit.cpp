// Bounds on what waits, and the end of what has waited too long. A queue with a bound has its waiting jobs counted in
// its own row by the transactions that move them, so that an enqueue reads one number; a queue without one pays
// nothing.

#include "job/expiry.hpp"
#include "job/validate.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/times.hpp"

namespace galley::store::sqlite {

namespace {

std::int64_t number_of(Database& db, Sql sql) {
  Query row(db, sql);
  return row.row() ? row.integer(0) : 0;
}

}  // namespace

std::int64_t Backend::bytes_in_use() {
  return (number_of(db_, Sql::PageCount) - number_of(db_, Sql::FreePages)) * number_of(db_, Sql::PageBytes);
}

std::optional<Enqueued> Backend::meet_limits(Transaction& tx, const job::NewJob& job, Source source) {
  if (directory_.has_bounds()) {
    const QueueKey queue = directory_.find_queue(job.queue);
    if (const auto most = directory_.max_waiting(queue)) {
      if (auto refused = refuse_waiting(job.queue, tx.waiting(queue), most)) return refused;
    }
  }
  if (source == Source::Schedule || !directory_.max_bytes()) return std::nullopt;
  return refuse_bytes(bytes_in_use(), job.payload.size(), directory_.max_bytes());
}

void Backend::expire_one(Transaction& tx, const JobRow& row) {
  Place place = row.place;
  tx.leave(place);
  const auto to = job::next(place.state, job::JobEvent::Expire);
  if (!to) throw SqlError(SQLITE_CORRUPT, "job " + std::to_string(place.id) + " is to expire and does not wait");
  const std::string why = job::why_over(row.started_us.has_value(), time_of(row.expires_us), time_of(row.deadline_us));
  place.state = *to;
  place.position = tx.wall_us();
  Query(db_, Sql::Expire).bind(place.position, why, place.id).run();
  if ((row.extras & kHasExtras) != 0) Query(db_, Sql::DropExtra).bind(place.id, "checkpoint").run();
  tx.enter(place);
  ended(tx, row, place.state);
  tx.ring();
}

bool Backend::ends_now(Transaction& tx, JobId id) {
  const auto row = read_row(db_, id);
  if (!row || !row->place.expires_us || *row->place.expires_us > tx.wall_us()) return false;
  expire_one(tx, *row);
  return true;
}

int Backend::expire(Transaction& tx, std::size_t limit) {
  std::vector<JobId> over;
  {
    Query rows(db_, Sql::ExpiringHead);
    rows.bind(limit);
    while (rows.row() && rows.integer(0) <= tx.wall_us()) over.push_back(rows.integer(1));
  }
  for (const JobId id : over) {
    const auto row = read_row(db_, id);
    if (!row) throw SqlError(SQLITE_CORRUPT, "expiring job " + std::to_string(id) + " is missing");
    expire_one(tx, *row);  // which makes callbacks ready, and ends none: so the rest still wait
  }
  return static_cast<int>(over.size());
}

std::optional<Duration> Backend::next_expiry(const Transaction& tx) {
  Query row(db_, Sql::ExpiringHead);
  row.bind(1);
  if (!row.row()) return std::nullopt;
  return Duration(row.integer(0) - tx.wall_us());
}

Result<void> Backend::set_max_waiting(const std::string& queue, std::optional<std::int64_t> most) {
  if (auto valid = job::check_queue("queue", queue); !valid) return valid;
  if (auto valid = check_bound("max_waiting", most); !valid) return valid;
  const auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    Query(db_, Sql::SetMaxWaiting).bind(most, directory_.queue(queue)).run();
    tx.configured();
    return true;
  });
  if (!done) return done.error();
  return {};
}

Result<void> Backend::set_max_bytes(std::optional<std::int64_t> most) {
  if (auto valid = check_bound("max_bytes", most); !valid) return valid;
  const auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    if (most) {
      Query(db_, Sql::SetMaxBytes).bind(std::to_string(*most)).run();
    } else {
      Query(db_, Sql::DropMaxBytes).run();
    }
    tx.configured();
    return true;
  });
  if (!done) return done.error();
  return {};
}

}  // namespace galley::store::sqlite
