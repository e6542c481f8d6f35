// A job that is deleted leaves no row behind in any table, whatever it had.

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "store/sqlite/backend.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

class SqliteLeftovers : public testing::Test {
 protected:
  static job::NewJob a_job() {
    job::NewJob job;
    job.kind = "k";
    job.payload = "1";
    return job;
  }
  JobId add(const job::NewJob& job) { return store_.enqueue(std::span(&job, 1)).value().at(0).id; }
  /// Claims the next job and ends it with `event` and an error.
  JobId run(job::JobEvent event) {
    ClaimRequest request;
    request.worker = worker_;
    request.queues = {"default"};
    request.kinds = {{"k", 1}};
    request.limit = 1;
    const job::Claim claim = store_.claim(request).value().claims.at(0);
    Finish finish;
    finish.claim = claim.id;
    finish.event = event;
    finish.counters = {.attempts = 1, .errors = 1, .pauses = 0, .snoozes = 0, .crashes = 0};
    finish.outcome = "failed";
    finish.report.error = "boom";
    finish.checkpoint = "half";
    EXPECT_EQ(store_.finish(std::span(&finish, 1)).value().at(0), FinishAnswer::Finished);
    return claim.id.job;
  }
  void erase(JobId id) { EXPECT_EQ(store_.erase(std::span(&id, 1)).value().at(0), Operated::Done); }
  void expect_nothing_left() {
    for (const std::string table : {"jobs", "ready", "scheduled", "running", "ended", "extras", "attempts", "tags",
                                    "unique", "expiring", "groups", "members", "callbacks"}) {
      EXPECT_EQ(store_.database().number(("SELECT count(*) FROM galley_" + table).c_str()), 0) << table;
    }
  }

  test::TempDir dir_;
  base::SystemClock clock_;
  Backend store_{{dir_.file("leftovers.db"), Durability::Normal, false, &clock_}};
  const WorkerId worker_ = store_.join({"w", ""}).value();
};

TEST_F(SqliteLeftovers, OfAUniqueJobInEachWayToHoldItsKey) {
  for (const UniqueUntil until : {UniqueUntil::Start, UniqueUntil::Finish}) {
    job::NewJob job = a_job();
    job.unique = {"u", until, OnConflict::Ignore};
    erase(add(job));
    const JobId id = add(job);
    EXPECT_EQ(run(job::JobEvent::Die), id);
    erase(id);
    expect_nothing_left();
  }
}

TEST_F(SqliteLeftovers, OfAReplacedJobWithAllThatAJobCanHave) {
  job::NewJob job = a_job();
  job.unique = {"u", UniqueUntil::Finish, OnConflict::Replace};
  job.tags = {"a", "b"};
  job.headers = {{"traceparent", "00"}};
  job.deadline = std::chrono::hours(1);
  const JobId id = add(job);
  EXPECT_EQ(run(job::JobEvent::Retry), id);
  job.tags = {"b", "c"};
  job.expires = std::chrono::hours(1);
  EXPECT_EQ(add(job), id);
  job.tags.clear();
  job.headers.clear();
  EXPECT_EQ(add(job), id);
  erase(id);
  expect_nothing_left();
}

TEST_F(SqliteLeftovers, OfAGroup) {
  job::NewJob job = a_job();
  job.group.key = "g";
  job.group.max_jobs = 2;
  for (int i = 0; i < 3; ++i) erase((add(job), add(job)));
  const JobId open = add(job);
  erase(open);
  expect_nothing_left();
}

}  // namespace
}  // namespace galley::store::sqlite
