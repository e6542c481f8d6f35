// Statistics by the minute: what enqueues count as they commit (Transaction), and what workers report.

#include <algorithm>
#include <limits>

#include "store/check.hpp"
#include "store/sqlite/backend.hpp"

namespace galley::store::sqlite {

namespace {

// Rows of one step's transaction, ~2 us each. Steps come at least every 5 s, and at once while there are more.
constexpr std::size_t kMaxDropped = limits::kMaxStep;

std::int64_t sum(std::int64_t a, std::int64_t b) {
  return a > std::numeric_limits<std::int64_t>::max() - b ? std::numeric_limits<std::int64_t>::max() : a + b;
}

/// Statistics stop nobody: bytes that cannot be read (the doctor names them) count as nothing.
telemetry::Histogram histogram_from(const std::string& bytes) {
  if (bytes.empty()) return {};
  auto histogram = telemetry::Histogram::decode(bytes);
  return histogram ? *std::move(histogram) : telemetry::Histogram();
}

void add(Database& db, std::int64_t minute, LaneKey lane, Measured measured) {
  {
    Query row(db, Sql::FindMinute);
    row.bind(minute, lane);
    if (row.row()) {
      measured.completed = sum(measured.completed, row.integer(0));
      measured.failed = sum(measured.failed, row.integer(1));
      measured.wait.merge(histogram_from(row.text(2)));
      measured.run.merge(histogram_from(row.text(3)));
    }
  }
  const std::string wait = measured.wait.encode();
  const std::string run = measured.run.encode();
  Query(db, Sql::PutMeasured)
      .bind(minute, lane, measured.completed, measured.failed)
      .bind_blob(wait)
      .bind_blob(run)
      .run();
}

}  // namespace

Result<void> Backend::report(std::span<const Measured> measured) {
  if (auto valid = check(measured); !valid) return valid.error();
  if (measured.empty()) return {};
  auto done = write(Sync::No, Rings::No, [&](Transaction& tx) {
    for (const Measured& one : measured) {
      const QueueKey queue = directory_.queue(one.queue);
      learn_from(one, queue);
      add(db_, minute_of(tx.wall_us()), directory_.any_lane(queue, one.kind), one);
    }
    return true;
  });
  if (!done) return done.error();
  return {};
}

Result<std::vector<Minute>> Backend::minutes(int minutes) {
  if (auto valid = check_minutes(minutes); !valid) return valid.error();
  return read([&](Transaction& tx) {
    std::map<std::tuple<std::int64_t, std::string, std::string>, Minute> merged;
    const std::int64_t now = minute_of(tx.wall_us());
    Query rows(db_, Sql::MinutesBetween);
    rows.bind(now - minutes, now);
    while (rows.row()) {
      const Lane& lane = directory_.lane(rows.integer(1));
      const std::string& queue = directory_.queue_name(lane.queue);
      Minute& minute = merged[{rows.integer(0), queue, lane.kind}];
      minute.minute = Time(std::chrono::minutes(rows.integer(0)));
      minute.enqueued = sum(minute.enqueued, rows.integer(2));
      Measured& measured = minute.measured;
      measured.queue = queue;
      measured.kind = lane.kind;
      measured.completed = sum(measured.completed, rows.integer(3));
      measured.failed = sum(measured.failed, rows.integer(4));
      measured.wait.merge(histogram_from(rows.text(5)));
      measured.run.merge(histogram_from(rows.text(6)));
    }
    std::vector<Minute> answer;
    answer.reserve(merged.size());
    for (auto& [name, minute] : merged) answer.push_back(std::move(minute));
    return answer;
  });
}

bool Backend::has_old_minutes(const Transaction& tx) {
  Query rows(db_, Sql::MinutesBefore);
  rows.bind(minute_of(tx.wall_us()) - limits::kKeepMinutes, 1);
  return rows.row();
}

bool Backend::drop_old_minutes(const Transaction& tx) {
  std::vector<std::pair<std::int64_t, LaneKey>> old;
  {
    Query rows(db_, Sql::MinutesBefore);
    rows.bind(minute_of(tx.wall_us()) - limits::kKeepMinutes, kMaxDropped);
    while (rows.row()) old.emplace_back(rows.integer(0), rows.integer(1));
  }
  for (const auto& [minute, lane] : old) Query(db_, Sql::DeleteMinute).bind(minute, lane).run();
  return old.size() == kMaxDropped;
}

std::map<WorkerId, std::int64_t> Backend::claims_held() {
  std::map<WorkerId, std::int64_t> held;
  Query rows(db_, Sql::RunningAfter);
  rows.bind(0, kMaxRunningLook);
  while (rows.row()) ++held[rows.integer(2)];
  return held;
}

}  // namespace galley::store::sqlite
