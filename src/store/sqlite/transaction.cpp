#include "store/sqlite/transaction.hpp"

#include "base/assert.hpp"

namespace galley::store::sqlite {

Transaction::Transaction(Database& db, Directory& directory, const base::Clock& clock, Kind kind)
    : db_(db), directory_(directory), kind_(kind) {
  Query(db_, kind == Kind::Write ? Sql::BeginWrite : Sql::Begin).run();
  open_ = true;
  try {
    directory_.refresh();
    Query row(db_, Sql::ReadClock);
    if (!row.row()) throw SqlError(SQLITE_CORRUPT, "its clock row is missing");
    next_id_ = row.integer(0);
    tick_ = row.integer(1);
    epoch_ = row.integer(2);
    signals_ = row.integer(3);
  } catch (...) {
    sqlite3_exec(db_.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
  // Read under the lock, so that a transaction that waited long does not write old times.
  wall_us_ = clock.wall().time_since_epoch().count();
  mono_us_ = clock.mono().time_since_epoch().count();
}

Transaction::~Transaction() {
  if (!open_) return;
  if (db_.in_transaction()) sqlite3_exec(db_.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
  directory_.rolled_back();
}

void Transaction::commit() {
  if (kind_ == Kind::Write) {
    for (const auto& [lane, by] : counts_) {
      Query(db_, Sql::AddCounts).bind(by[0], by[1], by[2], by[3], by[4], by[5], by[6], by[7], by[8], lane).run();
    }
    if (clock_changed_) Query(db_, Sql::WriteClock).bind(next_id_, tick_, epoch_, signals_).run();
  }
  committing_ = kind_ == Kind::Write;
  Query(db_, Sql::Commit).run();
  committing_ = false;
  open_ = false;
  directory_.committed();
}

void Transaction::enter(const Place& place) {
  switch (place.state) {
    case JobState::Ready:
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

void Transaction::leave(const Place& place) {
  int gone = 1;
  switch (place.state) {
    case JobState::Ready:
      for (const LaneKey lane : directory_.waiting_lanes(place.lane)) {
        gone &= Query(db_, Sql::DeleteReady).bind(lane, place.position, place.id).run();
      }
      break;
    case JobState::Scheduled:
      gone = Query(db_, Sql::DeleteScheduled).bind(directory_.lane(place.lane).queue, place.position, place.id).run();
      break;
    case JobState::Blocked: break;
    default:
      GALLEY_ASSERT(is_ended(place.state));
      gone = Query(db_, Sql::DeleteEnded).bind(place.lane, name(place.state), place.position, place.id).run();
  }
  if (gone != 1) throw SqlError(SQLITE_CORRUPT, "job " + std::to_string(place.id) + " is not where its row says it is");
  count(place.lane, place.state, -1);
}

}  // namespace galley::store::sqlite
