// Groups. galley_groups has a row for each job that gathers others, galley_members one for each payload, so that a
// member costs the same however many are there. A group takes members as long as its row says `open` and its job is
// scheduled; what makes it ready (its due time, a person) need not know of groups, and a row that is open but stale is
// closed by the next job that would have joined.

#include "job/group.hpp"

#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

std::optional<Backend::OpenGroup> Backend::find_group(LaneKey lane, const std::string& key) {
  Query row(db_, Sql::OpenGroup);
  row.bind(lane, key);
  if (!row.row()) return std::nullopt;
  OpenGroup group;
  group.job = row.integer(0);
  group.jobs = row.small(1);
  group.bytes = row.integer(2);
  group.bounds.max_jobs = row.small(3);
  group.bounds.max_bytes = row.small(4);
  group.stale = row.text(5) != name(JobState::Scheduled);
  group.due_us = row.integer(6);
  group.redacted = row.integer(7) != 0;
  group.over_us = over_at(false, row.maybe(8), row.maybe(9));
  return group;
}

LaneKey Backend::lane_of(const job::NewJob& job) {
  return directory_.lane(directory_.queue(job.queue), job.kind, job.program);
}

std::optional<Enqueued> Backend::meet_group(Transaction& tx, const job::NewJob& job) {
  if (job.group.key.empty()) return std::nullopt;
  const LaneKey lane = lane_of(job);
  const auto open = find_group(lane, job.group.key);
  if (open && !open->stale && open->over_us && ends_now(tx, open->job)) return std::nullopt;
  if (!open || open->stale || !job::has_room(open->bounds, open->bytes, job.payload.size())) return std::nullopt;
  const int jobs = open->jobs + 1;
  const std::int64_t bytes = job::with_member(open->bytes, job.payload.size());
  Query(db_, Sql::InsertMember).bind(open->job, jobs).bind_blob(job.payload).run();
  Query(db_, Sql::GrowGroup).bind(jobs, bytes, open->job).run();
  if (job.redacted && !open->redacted) Query(db_, Sql::MarkRedacted).bind(open->job).run();
  if (job::is_full(open->bounds, jobs, bytes)) {
    close_group(open->job);
    promote_one(tx, directory_.lane(lane).queue, open->due_us, open->job);
  }
  return Enqueued{open->job, true, false, std::nullopt, {}};
}

void Backend::close_former(Transaction& tx, const job::NewJob& job) {
  const LaneKey lane = lane_of(job);
  const auto open = find_group(lane, job.group.key);
  if (!open) return;
  close_group(open->job);
  if (!open->stale) promote_one(tx, directory_.lane(lane).queue, open->due_us, open->job);
}

void Backend::open_group(const Place& place, const job::NewJob& job) {
  const Group& group = job.group;
  Query(db_, Sql::InsertGroup)
      .bind(place.id, place.lane, group.key, place.state == JobState::Scheduled, job::group_of_one(job.payload.size()))
      .bind(group.max_jobs, group.max_bytes, group.max_age.count())
      .run();
  Query(db_, Sql::InsertMember).bind(place.id, 1).bind_blob(job.payload).run();
}

void Backend::close_group(JobId id) { Query(db_, Sql::CloseGroup).bind(id).run(); }

std::string Backend::gathered(JobId id) {
  std::string array;
  Query rows(db_, Sql::MembersOf);
  rows.bind(id);
  while (rows.row()) (array += array.empty() ? '[' : ',') += rows.text(0);
  return array + ']';
}

void Backend::read_group(job::JobRecord& job) {
  {
    Query row(db_, Sql::FindGroup);
    row.bind(job.id);
    if (!row.row()) throw SqlError(SQLITE_CORRUPT, "the group of job " + std::to_string(job.id) + " is missing");
    job.group = {row.text(0), row.small(2), row.small(3), Duration(row.integer(4))};
    job.members = row.small(1);
  }
  job.payload = gathered(job.id);
}

void Backend::drop_group(JobId id) {
  Query(db_, Sql::DropMembers).bind(id).run();
  Query(db_, Sql::DropGroup).bind(id).run();
}

}  // namespace galley::store::sqlite
