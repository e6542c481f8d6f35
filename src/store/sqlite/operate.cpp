#include "job/order.hpp"
#include "job/validate.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

Result<WorkerId> Backend::join(const std::string& name, const std::string& pools) {
  WorkerId joined = 0;
  auto id = write(Sync::No, Rings::No, [&](Transaction& tx) {
    const std::string lock_file = locks_.prepare();
    Query(db_, Sql::InsertWorker).bind(name, pools, boot_id_, lock_file, tx.wall_us()).run();
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
    Place place = row.place;
    tx.leave(place);
    place.state = *to;
    place.position = job::rank(tx.next_tick(), row.priority);
    Query(db_, Sql::Revive).bind(place.position, place.id).run();
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
    return Operated::Done;
  });
}

Result<std::vector<Operated>> Backend::erase(std::span<const JobId> ids) {
  return operate(ids, [this](Transaction& tx, const JobRow& row, bool running) {
    if (running) return Operated::WrongState;
    erase_job(tx, row.place, row.extras);
    return Operated::Done;
  });
}

Result<void> Backend::pause(const std::string& queue) { return set_paused(queue, true); }

Result<void> Backend::resume(const std::string& queue) { return set_paused(queue, false); }

Result<void> Backend::set_paused(const std::string& queue, bool paused) {
  if (auto valid = job::check_queue("queue", queue); !valid) return valid.error();
  auto done = write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    Query(db_, Sql::SetPaused).bind(paused, directory_.queue(queue)).run();
    tx.signal();
    return true;
  });
  if (!done) return done.error();
  return {};
}

}  // namespace galley::store::sqlite
