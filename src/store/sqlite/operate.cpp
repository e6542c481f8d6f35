#include "job/order.hpp"
#include "job/validate.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/card.hpp"
#include "store/sqlite/key_lanes.hpp"

namespace galley::store::sqlite {

Result<WorkerId> Backend::join(const WorkerCard& card) {
  if (auto valid = check(card); !valid) return valid.error();
  WorkerId joined = 0;
  auto id = write(Sync::No, Rings::No, [&](Transaction& tx) {
    const std::string lock_file = locks_.prepare();
    const std::string text = card_text(card);
    Query(db_, Sql::InsertWorker).bind(card.name, card.pools, boot_id_, lock_file, tx.wall_us(), text).run();
    joined = sqlite3_last_insert_rowid(db_.raw());
    // Before the commit: nobody may see the worker without its lock. Without one its lease alone decides.
    if (!locks_.take(joined)) Query(db_, Sql::WorkerUnlocked).bind(joined).run();
    return joined;
  });
  if (!id && joined != 0) {
    const std::lock_guard lock(mutex_);
    locks_.release(joined);
  }
  return id;
}

Result<void> Backend::leave(WorkerId worker) {
  auto left = write(Sync::No, Rings::Yes, [&](Transaction&) {
    Query(db_, Sql::WorkerGone).bind(worker).run();
    locks_.release(worker);
    return true;
  });
  if (!left) return left.error();
  return {};
}

template <class One>
Result<std::vector<Operated>> Backend::operate(std::span<const JobId> ids, One one) {
  if (auto valid = check(ids); !valid) return valid.error();
  return write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    std::vector<Operated> answer;
    answer.reserve(ids.size());
    for (const JobId id : ids) {
      const auto row = read_row(db_, id);
      if (!row) {
        answer.push_back(Operated::NotFound);
        continue;
      }
      Query running(db_, Sql::FindRunning);
      running.bind(id);
      answer.push_back(one(tx, *row, running.row()));
    }
    return answer;
  });
}

Result<std::vector<Operated>> Backend::retry(std::span<const JobId> ids) {
  return operate(ids, [this](Transaction& tx, const JobRow& row, bool running) {
    const auto to = running ? std::nullopt : job::next(row.place.state, job::JobEvent::Revive);
    if (!to) return Operated::WrongState;
    if (!revived(tx, row)) return Operated::Conflict;
    Place place = row.place;
    tx.leave(place);
    place.state = *to;
    JobRow again = row;
    again.deadline_us.reset();
    const Stand stands = stand(tx, again);
    place.position = stands.position;
    place.expires_us.reset();  // a person wants it to run
    Query(db_, Sql::Revive).bind(place.position, place.id).run();
    note_since(place.id, stands);
    tx.enter(place);
    return Operated::Done;
  });
}

Result<std::vector<Operated>> Backend::cancel(std::span<const JobId> ids) {
  return operate(ids, [this](Transaction& tx, const JobRow& row, bool running) {
    if (running) {
      Query(db_, Sql::CancelRunning).bind(row.place.id).run();
      tx.signal();
      return Operated::Requested;
    }
    const auto to = job::next(row.place.state, job::JobEvent::Cancel);
    if (!to) return Operated::WrongState;
    Place place = row.place;
    tx.leave(place);
    place.state = *to;
    place.position = tx.wall_us();
    Query(db_, Sql::SetPlace).bind(name(place.state), place.position, place.id).run();
    if ((row.extras & kHasExtras) != 0) Query(db_, Sql::DropExtra).bind(place.id, "checkpoint").run();
    tx.enter(place);
    ended(tx, row, place.state);
    return Operated::Done;
  });
}

Result<std::vector<Operated>> Backend::erase(std::span<const JobId> ids) {
  return operate(ids, [this](Transaction& tx, const JobRow& row, bool running) {
    if (running) return Operated::WrongState;
    erase_job(tx, row);
    return Operated::Done;
  });
}

Result<std::vector<Operated>> Backend::run_now(std::span<const JobId> ids) {
  return operate(ids, [this](Transaction& tx, const JobRow& row, bool running) {
    const Place& place = row.place;
    if (running || place.state != JobState::Scheduled) return Operated::WrongState;
    promote_one(tx, directory_.lane(place.lane).queue, place.position, place.id);
    return Operated::Done;
  });
}

Result<std::vector<Operated>> Backend::alter(std::span<const JobId> ids, const Alteration& change) {
  if (auto valid = check(change); !valid) return valid.error();
  return operate(ids, [this, &change](Transaction& tx, const JobRow& row, bool running) {
    if (running) return Operated::WrongState;
    Place place = row.place;
    tx.leave(place);
    if (change.queue) {
      const Lane own = directory_.lane(place.lane);
      place.lane = directory_.lane(directory_.queue(*change.queue), own.kind, own.program);
      if (place.ordered && place.lane != own.id) KeyLanes(tx, db_, directory_).drop_holder(row.place);
    }
    const int priority = change.priority.value_or(row.priority);
    Stand stands;
    if (place.state == JobState::Ready) {
      JobRow altered = row;
      altered.priority = priority;
      altered.place.lane = place.lane;
      stands = stand(tx, altered);
      place.position = stands.position;
    }
    Query(db_, Sql::Alter).bind(place.lane, priority, place.position, place.id).run();
    note_since(place.id, stands);
    tx.enter(place);
    if ((row.extras & kHasGroup) != 0) close_group(place.id);
    return Operated::Done;
  });
}

Result<void> Backend::pause(const std::string& queue) { return set_paused(queue, true); }

Result<void> Backend::resume(const std::string& queue) { return set_paused(queue, false); }

Result<void> Backend::set_paused(const std::string& queue, bool paused) {
  if (auto valid = job::check_queue("queue", queue); !valid) return valid.error();
  auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    Query(db_, Sql::SetPaused).bind(paused, directory_.queue(queue)).run();
    tx.configured();
    tx.signal();
    return true;
  });
  if (!done) return done.error();
  return {};
}

}  // namespace galley::store::sqlite
