// Unique keys. A row of galley_unique with held = 1 is the key; an index lets only one job of a kind have it. A job
// that holds its key until it has ended keeps the row after that, with held = 0, for a retry.

#include "base/text.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

JobId Backend::unique_holder(std::string_view kind, std::string_view key) {
  Query row(db_, Sql::UniqueHolder);
  row.bind(kind, key);
  return row.row() ? row.integer(0) : 0;
}

std::optional<Enqueued> Backend::meet_unique(Transaction& tx, const job::NewJob& job) {
  if (job.unique.key.empty()) return std::nullopt;
  const JobId id = unique_holder(job.kind, job.unique.key);
  if (id == 0) return std::nullopt;
  const bool runs = [&] {
    Query running(db_, Sql::FindRunning);
    running.bind(id);
    return running.row();
  }();
  if (!runs && ends_now(tx, id)) return std::nullopt;
  if (job.unique.on_conflict == OnConflict::Error) {
    return Enqueued{id, false, false, Errc::Conflict,
                    "unique key " + base::quoted(job.unique.key) + ": job " + std::to_string(id) + " holds it"};
  }
  const bool replaces = !runs && job.unique.on_conflict == OnConflict::Replace;
  if (replaces) replace_job(tx, id, job);
  return Enqueued{id, true, replaces, std::nullopt, {}};
}

void Backend::hold_unique(JobId id, const job::NewJob& job) {
  Query(db_, Sql::InsertUnique).bind(id, job.kind, job.unique.key, name(job.unique.until)).run();
}

void Backend::release_unique(JobId id, UniqueUntil until) {
  Query(db_, Sql::DropStartUnique).bind(id).run();
  if (until == UniqueUntil::Finish) Query(db_, Sql::HoldUnique).bind(false, id).run();
}

bool Backend::regain_unique(JobId id) {
  {
    Query row(db_, Sql::FindUnique);
    row.bind(id);
    if (!row.row()) return true;  // it was held until the start only
    if (unique_holder(row.text(0), row.text(1)) != 0) return false;
  }
  Query(db_, Sql::HoldUnique).bind(true, id).run();
  return true;
}

void Backend::read_unique(job::JobRecord& job) {
  Query row(db_, Sql::FindUnique);
  row.bind(job.id);
  if (!row.row() || row.integer(3) == 0) return;
  job.unique.key = row.text(1);
  job.unique.until = unique_until_from(row.text(2)).value_or(UniqueUntil::Finish);
}

}  // namespace galley::store::sqlite
