#include "store/sqlite/transaction.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "store/limit_rules.hpp"
#include "store/sqlite/key_lanes.hpp"

namespace galley::store::sqlite {

Transaction::Transaction(Database& db, Directory& directory, const base::Clock& clock, Kind kind)
    : db_(db), directory_(directory), kind_(kind) {
  begin();
  open_ = true;
  try {
    Query row(db_, Sql::ReadClock);
    if (!row.row()) throw SqlError(SQLITE_CORRUPT, "its clock row is missing");
    next_id_ = row.integer(0);
    tick_ = row.integer(1);
    epoch_ = row.integer(2);
    signals_ = row.integer(3);
    enqueued_us_ = row.integer(4);
    names_ = row.integer(5);
    config_ = row.integer(6);
    has_schedules_ = row.integer(7) != 0;
    has_keys_ = row.integer(8) != 0;
    directory_.refresh(names_, config_);
  } catch (...) {
    roll_back();
    throw;
  }
  // Read under the lock, so that a transaction that waited long does not write old times.
  wall_us_ = clock.wall().time_since_epoch().count();
  mono_us_ = clock.mono().time_since_epoch().count();
}

Transaction::~Transaction() {
  if (!open_) return;
  roll_back();
  directory_.rolled_back();
}

void Transaction::begin() {
  if (kind_ != Kind::Joined) {
    Query(db_, kind_ == Kind::Write ? Sql::BeginWrite : Sql::Begin).run();
    return;
  }
  directory_.forget();  // the application may have rolled back since the last call
  db_.execute("SAVEPOINT galley_call");
}

void Transaction::roll_back() noexcept {
  if (!db_.in_transaction()) return;  // SQLite has rolled back itself
  const char* const sql = kind_ == Kind::Joined ? "ROLLBACK TO galley_call; RELEASE galley_call" : "ROLLBACK";
  sqlite3_exec(db_.raw(), sql, nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  if (kind_ != Kind::Read) {
    for (const auto& [lane, by] : counts_) {
      Query(db_, Sql::AddCounts).bind(by[0], by[1], by[2], by[3], by[4], by[5], by[6], by[7], by[8], lane).run();
    }
    for (const auto& [lane, jobs] : enqueued_) Query(db_, Sql::AddEnqueued).bind(minute_of(wall_us_), lane, jobs).run();
    for (const auto& [queue, change] : waiting_) {
      if (change.by != 0) Query(db_, Sql::AddWaiting).bind(change.by, queue).run();
    }
    for (const auto& [lane, kept] : shares_) {
      if (kept.changed) Query(db_, Sql::PutShare).bind(lane, kept.share.time, kept.share.plain).run();
    }
    uses_.write(directory_, wall_us_);
    KeyLanes(*this, db_, directory_).write();
    if (directory_.has_grown()) touched(), ++names_;
    if (clock_changed_) {
      Query(db_, Sql::WriteClock).bind(next_id_, tick_, epoch_, signals_, enqueued_us_, names_, config_).run();
    }
  }
  committing_ = kind_ == Kind::Write;
  if (kind_ == Kind::Joined) {
    db_.execute("RELEASE galley_call");
  } else {
    Query(db_, Sql::Commit).run();
  }
  committing_ = false;
  open_ = false;
  directory_.committed();
}

void Transaction::count_waiting(LaneKey lane, JobState state, int by) {
  if (!waits(state)) return;
  const QueueKey queue = directory_.lane(lane).queue;
  if (directory_.max_waiting(queue)) waiting_[queue].by += by;
}

std::int64_t Transaction::waiting(QueueKey queue) {
  Waiting& change = waiting_[queue];
  if (!change.before) {
    Query row(db_, Sql::QueueWaiting);
    row.bind(queue);
    change.before = row.row() ? row.integer(0) : 0;
  }
  return *change.before + change.by;
}

Share Transaction::share(LaneKey lane) {
  const auto [at, added] = shares_.try_emplace(lane);
  if (added) {
    Query row(db_, Sql::ShareOf);
    row.bind(lane);
    if (row.row()) at->second.share = {row.integer(0), row.integer(1)};
  }
  return at->second.share;
}

bool Transaction::rings() const noexcept {
  return rings_ || std::any_of(waiting_.begin(), waiting_.end(), [](const auto& one) { return one.second.by < 0; });
}

void Transaction::enter(const Place& place) {
  if (place.expires_us && !is_ended(place.state))
    Query(db_, Sql::InsertExpiring).bind(*place.expires_us, place.id).run();
  switch (place.state) {
    case JobState::Ready:
      if (place.keyed()) {
        KeyLanes(*this, db_, directory_).enter(place);
        break;
      }
      for (const LaneKey lane : directory_.waiting_lanes(place.lane)) {
        Query(db_, Sql::InsertReady).bind(lane, place.position, place.id).run();
      }
      break;
    case JobState::Scheduled:
      Query(db_, Sql::InsertScheduled).bind(directory_.lane(place.lane).queue, place.position, place.id).run();
      break;
    case JobState::Blocked: break;
    default:
      GALLEY_ASSERT(is_ended(place.state));
      Query(db_, Sql::InsertEnded).bind(place.lane, name(place.state), place.position, place.id).run();
  }
  count(place.lane, place.state, 1);
}

void Transaction::leave(const Place& place, KeyLane* known) {
  int gone = 1;
  if (place.expires_us && !is_ended(place.state)) {
    gone = Query(db_, Sql::DeleteExpiring).bind(*place.expires_us, place.id).run();
  }
  switch (place.state) {
    case JobState::Ready:
      if (place.keyed()) {
        KeyLanes lanes(*this, db_, directory_);
        gone &= (known != nullptr ? lanes.leave(place, *known) : lanes.leave(place)) ? 1 : 0;
        break;
      }
      for (const LaneKey lane : directory_.waiting_lanes(place.lane)) {
        gone &= Query(db_, Sql::DeleteReady).bind(lane, place.position, place.id).run();
      }
      break;
    case JobState::Scheduled:
      gone &= Query(db_, Sql::DeleteScheduled).bind(directory_.lane(place.lane).queue, place.position, place.id).run();
      break;
    case JobState::Blocked: break;
    default:
      GALLEY_ASSERT(is_ended(place.state));
      gone &= Query(db_, Sql::DeleteEnded).bind(place.lane, name(place.state), place.position, place.id).run();
  }
  if (gone != 1) throw SqlError(SQLITE_CORRUPT, "job " + std::to_string(place.id) + " is not where its row says it is");
  count(place.lane, place.state, -1);
}

}  // namespace galley::store::sqlite
