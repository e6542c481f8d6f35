// Where a job stands that becomes ready: by its queue's order, which looks at deadlines and at expected run times. What
// is known of run times is kept with a kind's lanes, a number that reports move.

#include "job/order.hpp"
#include "job/validate.hpp"
#include "store/sqlite/backend.hpp"
#include "store/sqlite/times.hpp"

namespace galley::store::sqlite {

Backend::Stand Backend::stand(Transaction& tx, const JobRow& row) {
  const std::int64_t tick = tx.next_tick();
  if (row.place.ordered) return {tick, std::nullopt};
  const Lane& lane = directory_.lane(row.place.lane);
  const job::Order order = directory_.order(lane.queue);
  if (order == job::Order::Fifo) return {job::rank(tick, row.priority), std::nullopt};
  Duration expected(row.expect_us);
  if (order == job::Order::Shortest && row.expect_us == 0) {
    expected = learned(lane.queue, lane.kind).value_or(Duration{0});
  }
  const auto deadline = time_of(row.deadline_us);
  return {job::rank(order, tick, row.priority, expected, deadline), tick};
}

void Backend::note_since(JobId id, const Stand& stand) {
  if (stand.since_us) Query(db_, Sql::SetSince).bind(*stand.since_us, id).run();
}

std::optional<Duration> Backend::learned(QueueKey queue, const std::string& kind) {
  Query row(db_, Sql::Expected);
  row.bind(queue, kind);
  const auto us = row.row() ? row.maybe(0) : std::nullopt;
  return us ? std::optional(Duration(*us)) : std::nullopt;
}

void Backend::learn_from(const Measured& measured, QueueKey queue) {
  if (measured.run.count() == 0) return;
  (void)directory_.any_lane(queue, measured.kind);
  Duration expected = learned(queue, measured.kind).value_or(Duration{0});
  learn(expected, measured.run);
  Query(db_, Sql::SetExpected).bind(expected.count(), queue, measured.kind).run();
}

Result<void> Backend::set_order(const std::string& queue, job::Order order) {
  if (auto valid = job::check_queue("queue", queue); !valid) return valid.error();
  auto done = write(Sync::Yes, Rings::No, [&](Transaction& tx) {
    const auto text = order == job::Order::Fifo ? std::nullopt : std::optional(name(order));
    Query(db_, Sql::SetOrder).bind(text, directory_.queue(queue)).run();
    tx.configured();
    return true;
  });
  if (!done) return done.error();
  return {};
}

}  // namespace galley::store::sqlite
