#include "store/sqlite/backend.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "job/expiry.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/times.hpp"

namespace galley::store {

Result<std::unique_ptr<Store>> open_sqlite(const SqliteOptions& options) {
  GALLEY_ASSERT(options.clock != nullptr);
  if (options.path.empty()) return Error{Errc::InvalidInput, "store: the path is empty; allowed is sqlite:PATH"};
  try {
    return std::unique_ptr<Store>(std::make_unique<sqlite::Backend>(options));
  } catch (const sqlite::Refused& refused) {
    return refused.error;
  } catch (const sqlite::SqlError& error) {
    return sqlite::to_error(error, options.path, Written::Nothing);
  }
}

}  // namespace galley::store

namespace galley::store::sqlite {

namespace {
const std::string& prepared_file(const SqliteOptions& options) {
  prepare_file(options.path, options.force_network_fs);
  return options.path;
}
}  // namespace

Backend::Backend(const SqliteOptions& options)
    : path_(options.path),
      durability_(options.durability),
      clock_(*options.clock),
      boot_id_(base::boot_id()),
      db_(prepared_file(options), false, options.busy_timeout),
      directory_(db_),
      locks_(db_.file() + "-workers"),
      bells_(db_.file() + "-wal", [this]() -> std::optional<std::int64_t> {
        if (writing_) return std::nullopt;  // what the log has grown by is ours
        const std::lock_guard lock(mutex_);
        try {
          Query version(db_, Sql::DataVersion);
          return version.row() ? version.integer(0) : 0;
        } catch (const SqlError&) {
          return --failed_looks_;  // as if others had written: the next verb meets the trouble and tells it
        }
      }) {
  prepare_schema(db_, path_, options.adopt);
  db_.execute("PRAGMA temp_store = MEMORY");
  log_.emplace(db_);
  db_.execute("PRAGMA cache_size = -8192");             // 8 MiB: a worker without work stays small
  db_.execute("PRAGMA journal_size_limit = 67108864");  // what a burst leaves of the log is given back
  synchronous(Sync::Yes);
}

Backend::Backend(const Backend& owner, sqlite3* connection)
    : path_(owner.path_),
      durability_(owner.durability_),
      clock_(owner.clock_),
      boot_id_(owner.boot_id_),
      joined_(true),
      db_(connection),
      directory_(db_),
      locks_(db_.file() + "-workers"),
      bells_(db_.file() + "-wal", [] { return std::optional<std::int64_t>(0); }) {}

Backend::~Backend() = default;

void Backend::synchronous(Sync sync) {
  if (joined_) return;  // the application's commit, and its choice
  if (durability_ == Durability::Normal) sync = Sync::No;
  if (synchronous_ == sync) return;
  db_.execute(sync == Sync::Yes ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  synchronous_ = sync;
}

std::unique_ptr<Bell> Backend::bell() { return bells_.make(); }

std::optional<JobRow> read_row(Database& db, JobId id) {
  Query row(db, Sql::JobPlace);
  row.bind(id);
  if (!row.row()) return std::nullopt;
  JobRow job;
  const auto state = job_state_from(row.text(1));
  if (!state) throw SqlError(SQLITE_CORRUPT, "job " + std::to_string(id) + " has an unknown state");
  job.place = {id, row.integer(0), *state, row.integer(2), std::nullopt};
  job.priority = row.small(3);
  job.counters = {row.small(4), row.small(5), row.small(6), row.small(7), row.small(8)};
  job.max_crashes = row.null(9) ? job::Policy{}.max_crashes : row.small(9);
  job.started_us = row.maybe(10);
  job.epoch = row.integer(11);
  job.extras = row.small(12);
  job.expires_us = row.maybe(13);
  job.deadline_us = row.maybe(14);
  job.batch = row.integer(15);
  job.has_error = row.integer(16) != 0;
  if (!row.null(17)) job.place.key = row.text(17);
  if (!row.null(18)) job.place.limits = row.text(18);
  job.place.ordered = row.integer(19) != 0;
  job.expect_us = row.integer(20);
  job.place.expires_us = over_at(job.started_us.has_value(), job.expires_us, job.deadline_us);
  return job;
}

std::optional<std::int64_t> over_at(bool started, std::optional<std::int64_t> expires_us,
                                    std::optional<std::int64_t> deadline_us) noexcept {
  return us_of(job::over_at(started, time_of(expires_us), time_of(deadline_us)));
}

void write_row(Database& db, JobId id, const JobMove& move) {
  const job::Counters& c = move.counters;
  if (!move.set_error) {
    Query(db, Sql::MoveJob)
        .bind(name(move.state), move.position, c.attempts, c.errors, c.pauses, c.snoozes, c.crashes, move.started_us,
              move.epoch, move.extras, id)
        .run();
    return;
  }
  Query(db, Sql::PutJob)
      .bind(name(move.state), move.position, c.attempts, c.errors, c.pauses, c.snoozes, c.crashes, move.started_us,
            move.epoch, move.error, move.error_class, move.extras, id)
      .run();
}

}  // namespace galley::store::sqlite
