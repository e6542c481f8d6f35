#include <algorithm>

#include "job/group.hpp"
#include "job/order.hpp"
#include "job/settle.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/key_lanes.hpp"

namespace galley::store::sqlite {

namespace {

/// A value that is the default is stored as NULL: it costs a byte, and most jobs have only defaults.
template <class T>
std::optional<T> unless(const T& value, const T& usual) {
  return value == usual ? std::nullopt : std::optional(value);
}

bool same(const Backoff& a, const Backoff& b) {
  return a.kind == b.kind && a.base == b.base && a.cap == b.cap && a.list == b.list;
}

/// What this job will have rows for beside its own.
int extras_of(const job::NewJob& job) {
  return (job.headers.empty() && job.tags.empty() ? 0 : kHasExtras) | (job.tags.empty() ? 0 : kHasTags) |
         (job.unique.key.empty() ? 0 : kHasUnique) | (job.group.key.empty() ? 0 : kHasGroup) |
         (job.awaits == 0 ? 0 : kHasCallback);
}

/// Nothing but what every job has, which is most of them.
bool is_plain(const job::NewJob& job, const JobRow& row) {
  static const job::Policy usual;
  const job::Policy& policy = job.policy;
  return row.extras == 0 && job.key.empty() && job.token.empty() && job.batch == 0 && !job.redacted &&
         !row.expires_us && !row.deadline_us && policy.timeout == usual.timeout && policy.grace == usual.grace &&
         policy.on_timeout == usual.on_timeout && policy.max_attempts == usual.max_attempts &&
         policy.max_pauses == usual.max_pauses && policy.max_crashes == usual.max_crashes && !policy.resumable &&
         same(policy.backoff, usual.backoff);
}

void put_plain_job(Database& db, const job::NewJob& job, const JobRow& row, std::int64_t now_us) {
  const Place& place = row.place;
  Query insert(db, Sql::InsertPlainJob);
  insert.bind(place.id, place.lane, name(place.state), place.position, name(job.content), job.priority);
  insert.bind_blob(job.payload).bind(now_us).run();
}

/// What few jobs have.
void keep_lane(Database& db, const job::NewJob& job, JobId id) {
  if (job.limits.empty() && !job.ordered && job.expect == Duration{0}) return;
  const std::string limits = text_of(job.limits);
  Query(db, Sql::SetLimits)
      .bind(limits.empty() ? std::nullopt : std::optional<std::string_view>(limits))
      .bind(job.ordered ? std::optional(1) : std::nullopt, unless(job.expect.count(), std::int64_t{0}), id)
      .run();
}

/// `sql`: InsertJob, or ReplaceJob, which takes the same values and lets the time of the enqueue be.
void put_job(Database& db, Sql sql, const job::NewJob& job, const JobRow& row, std::int64_t now_us) {
  const Place& place = row.place;
  static const job::Policy usual;
  const job::Policy& policy = job.policy;
  const std::string backoff = job::to_text(policy.backoff);
  Query insert(db, sql);
  insert.bind(place.id, place.lane, name(place.state), place.position, name(job.content), job.priority);
  insert.bind(job.key.empty() ? std::nullopt : std::optional<std::string_view>(job.key));
  insert.bind_blob(job.group.key.empty() ? std::string_view(job.payload) : std::string_view());  // else with the group
  insert.bind(unless(policy.timeout.count(), usual.timeout.count()), unless(policy.grace.count(), usual.grace.count()));
  insert.bind(policy.on_timeout == usual.on_timeout ? std::nullopt : std::optional(name(policy.on_timeout)));
  insert.bind(unless(policy.max_attempts, usual.max_attempts), unless(policy.max_pauses, usual.max_pauses));
  insert.bind(unless(policy.max_crashes, usual.max_crashes));
  insert.bind(backoff == job::to_text(usual.backoff) ? std::nullopt : std::optional<std::string_view>(backoff));
  insert.bind(policy.resumable ? std::optional(1) : std::nullopt, now_us, row.extras);
  insert.bind(job.token.empty() ? std::nullopt : std::optional<std::string_view>(job.token));
  insert.bind(row.expires_us, row.deadline_us, unless(job.batch, BatchId{0}));
  insert.bind(job.redacted ? std::optional(1) : std::nullopt);
  insert.run();
}

}  // namespace

Result<std::vector<Enqueued>> Backend::enqueue(std::span<const job::NewJob> jobs) {
  if (auto valid = check(jobs); !valid) return valid.error();
  return write(Sync::Yes, Rings::No, [&](Transaction& tx) {
    std::vector<Enqueued> answer;
    answer.reserve(jobs.size());
    for (const job::NewJob& job : jobs) {
      answer.push_back(enqueue_one(tx, job, Source::Caller));
      if (!answer.back().refused) tx.ring();  // else those who wait for room would wake each other for ever
    }
    return answer;
  });
}

Enqueued Backend::enqueue_one(Transaction& tx, const job::NewJob& job, Source source) {
  if (!job.token.empty()) {
    Query known(db_, Sql::JobByToken);
    known.bind(job.token);
    if (known.row()) return {known.integer(0), true, false, std::nullopt, {}};
  }
  // A unique job or one of a group may be there already; then it was let in before, and no bound refuses it again.
  if (auto met = meet_unique(tx, job)) return *std::move(met);
  if (auto met = meet_group(tx, job)) return *std::move(met);
  if (auto met = meet_batch(tx, job)) return *std::move(met);
  if (auto met = meet_limits(tx, job, source)) return *std::move(met);
  if (!job.group.key.empty()) close_former(tx, job);
  JobRow row;
  row.place.id = tx.next_id();
  row.extras = extras_of(job);
  const Stand stands = begin(tx, row, job);
  if (is_plain(job, row)) {
    put_plain_job(db_, job, row, tx.next_enqueued_us());
  } else {
    put_job(db_, Sql::InsertJob, job, row, tx.next_enqueued_us());
  }
  keep_lane(db_, job, row.place.id);
  note_since(row.place.id, stands);
  tx.enter(row.place);
  tx.enqueued(row.place.lane);
  keep_marks(row.place.id, job);
  if (!job.unique.key.empty()) hold_unique(row.place.id, job);
  if (!job.group.key.empty()) open_group(row.place, job);
  if (job.batch != 0 || job.awaits != 0) entered_batch(tx, row.place, job);
  return {row.place.id, false, false, std::nullopt, {}};
}

void Backend::replace_job(Transaction& tx, JobId id, job::NewJob job) {
  job.awaits = 0;  // the holder's batch stays
  auto row = read_row(db_, id);
  if (!row) throw SqlError(SQLITE_CORRUPT, "job " + std::to_string(id) + ", which holds a unique key, is missing");
  tx.leave(row->place);
  if ((row->extras & kHasTags) != 0) drop_tags(id);
  if ((row->extras & kHasExtras) != 0) Query(db_, Sql::DropExtras).bind(id).run();  // they were of the former payload
  constexpr int kStays = kHasAttempts | kHasUnique | kHasCallback;
  row->extras = (row->extras & kStays) | extras_of(job);
  if (row->place.ordered) KeyLanes(tx, db_, directory_).drop_holder(row->place);
  const Stand stands = begin(tx, *row, job);
  put_job(db_, Sql::ReplaceJob, job, *row, tx.wall_us());
  Query(db_, Sql::SetLimits).bind(nullptr, nullptr, nullptr, id).run();
  keep_lane(db_, job, id);
  note_since(id, stands);
  tx.enter(row->place);
  keep_marks(id, job);
  Query(db_, Sql::HoldUntil).bind(name(job.unique.until), id).run();
}

/// When it is over, should it still wait then.
void Backend::set_ends(const Transaction& tx, JobRow& row, const job::NewJob& job) {
  const std::int64_t due = std::max(tx.wall_us(), due_us(tx, job));
  row.expires_us = job.expires > Duration{0} ? std::optional(due + job.expires.count()) : std::nullopt;
  row.deadline_us = job.deadline > Duration{0} ? std::optional(tx.wall_us() + job.deadline.count()) : std::nullopt;
  row.place.expires_us = over_at(row.started_us.has_value(), row.expires_us, row.deadline_us);
}

/// Where a job begins, or begins anew; one that waits for a batch goes on waiting.
Backend::Stand Backend::begin(Transaction& tx, JobRow& row, const job::NewJob& job) {
  const bool blocked = row.place.state == JobState::Blocked || job.awaits != 0;
  Place place;
  place.id = row.place.id;
  place.lane = lane_of(job);
  place.key = job.key;
  if (!job.limits.empty()) place.limits = text_of(job.limits);
  place.ordered = job.ordered;
  row.place = std::move(place);
  row.priority = job.priority;
  row.expect_us = job.expect.count();
  set_ends(tx, row, job);
  Stand stands;
  const std::int64_t due = due_us(tx, job);
  if (blocked) {
    row.place.state = JobState::Blocked;
    row.place.position = 0;
  } else if (due > tx.wall_us()) {
    row.place.state = JobState::Scheduled;
    row.place.position = due;
  } else {
    row.place.state = JobState::Ready;
    stands = stand(tx, row);
    row.place.position = stands.position;
  }
  return stands;
}

std::int64_t Backend::due_us(const Transaction& tx, const job::NewJob& job) {
  if (!job.group.key.empty()) {
    const bool full = job::is_full(job.group, 1, job::group_of_one(job.payload.size()));
    return tx.wall_us() + (full ? 0 : job.group.max_age.count());
  }
  return job.at ? job.at->time_since_epoch().count() : tx.wall_us() + job.delay.count();
}

}  // namespace galley::store::sqlite
