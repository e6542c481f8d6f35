#include "job/order.hpp"
#include "job/settle.hpp"
#include "store/check.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

/// A value that is the default is stored as NULL: it costs a byte, and most jobs have only defaults.
template <class T>
std::optional<T> unless(const T& value, const T& usual) {
  return value == usual ? std::nullopt : std::optional(value);
}

void insert_job(Database& db, const job::NewJob& job, const Place& place, std::int64_t now_us) {
  static const job::Policy usual;
  const job::Policy& policy = job.policy;
  const std::string backoff = job::to_text(policy.backoff);
  Query insert(db, Sql::InsertJob);
  insert.bind(place.id, place.lane, name(place.state), place.position, name(job.content), job.priority);
  insert.bind(job.key.empty() ? std::nullopt : std::optional<std::string_view>(job.key));
  insert.bind_blob(job.payload);
  insert.bind(unless(policy.timeout.count(), usual.timeout.count()), unless(policy.grace.count(), usual.grace.count()));
  insert.bind(policy.on_timeout == usual.on_timeout ? std::nullopt : std::optional(name(policy.on_timeout)));
  insert.bind(unless(policy.max_attempts, usual.max_attempts), unless(policy.max_pauses, usual.max_pauses));
  insert.bind(unless(policy.max_crashes, usual.max_crashes));
  insert.bind(backoff == job::to_text(usual.backoff) ? std::nullopt : std::optional<std::string_view>(backoff));
  insert.bind(policy.resumable ? std::optional(1) : std::nullopt, now_us);
  insert.bind(job.token.empty() ? std::nullopt : std::optional<std::string_view>(job.token));
  insert.run();
}

}  // namespace

Result<std::vector<Enqueued>> Backend::enqueue(std::span<const job::NewJob> jobs) {
  if (auto valid = check(jobs); !valid) return valid.error();
  return write(Sync::Yes, Rings::Yes, [&](Transaction& tx) {
    std::vector<Enqueued> answer;
    answer.reserve(jobs.size());
    for (const job::NewJob& job : jobs) answer.push_back(enqueue_one(tx, job));
    return answer;
  });
}

Enqueued Backend::enqueue_one(Transaction& tx, const job::NewJob& job) {
  if (!job.token.empty()) {
    Query known(db_, Sql::JobByToken);
    known.bind(job.token);
    if (known.row()) return {known.integer(0), true};
  }
  const std::int64_t due = job.at ? job.at->time_since_epoch().count() : tx.wall_us() + job.delay.count();
  const bool later = due > tx.wall_us();
  Place place;
  place.id = tx.next_id();
  place.lane = directory_.lane(directory_.queue(job.queue), job.kind, job.program);
  place.state = later ? JobState::Scheduled : JobState::Ready;
  place.position = later ? due : job::rank(tx.next_tick(), job.priority);
  insert_job(db_, job, place, tx.wall_us());
  tx.enter(place);
  return {place.id, false};
}

}  // namespace galley::store::sqlite
