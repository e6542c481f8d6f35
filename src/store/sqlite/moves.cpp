// What the start and the end of a job bring with them, beside its own row and place. Each is called once for a move.

#include "store/sqlite/backend.hpp"
#include "store/sqlite/key_lanes.hpp"

namespace galley::store::sqlite {

void Backend::started(Transaction&, JobId id, int extras) {
  if ((extras & kHasUnique) != 0) release_unique(id, UniqueUntil::Start);
  if ((extras & kHasGroup) != 0) close_group(id);
}

void Backend::ended(Transaction& tx, const JobRow& row, JobState state) {
  const JobId id = row.place.id;
  if (row.place.ordered) KeyLanes(tx, db_, directory_).drop_holder(row.place);
  if ((row.extras & kHasUnique) != 0) release_unique(id, UniqueUntil::Finish);
  if ((row.extras & kHasGroup) != 0) close_group(id);
  if (row.batch != 0) ended_in_batch(tx, row.batch, state);
}

bool Backend::revived(Transaction& tx, const JobRow& row) {
  if (!is_ended(row.place.state)) return true;  // it was scheduled, and still has what it had
  if ((row.extras & kHasUnique) != 0 && !regain_unique(row.place.id)) return false;
  if (row.batch != 0) revived_in_batch(tx, row.batch);
  return true;
}

void Backend::erased(Transaction& tx, const JobRow& row) {
  const JobId id = row.place.id;
  if (row.place.ordered) KeyLanes(tx, db_, directory_).drop_holder(row.place);
  if ((row.extras & kHasUnique) != 0) Query(db_, Sql::DropUnique).bind(id).run();
  if ((row.extras & kHasTags) != 0) drop_tags(id);
  if ((row.extras & kHasGroup) != 0) drop_group(id);
  if ((row.extras & kHasCallback) != 0) drop_callback(tx, id);
  if (row.batch != 0) erased_in_batch(tx, row.batch, row.place.state);
}

}  // namespace galley::store::sqlite
