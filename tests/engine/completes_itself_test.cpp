// Handlers that complete their job in a transaction of the application: what the worker makes of it.

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/event.hpp"
#include "engine/forwarding_store.hpp"
#include "galley/galley.hpp"
#include "galley/sqlite.hpp"
#include "store/app_connection.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::engine {
namespace {

using test::Event;

using namespace std::chrono_literals;

/// Counts the renewals that were answered.
class RenewalCounter : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::vector<store::Renewed>> renew(std::span<const store::Renewal> renewals, Duration lease) override {
    auto answer = ForwardingStore::renew(renewals, lease);
    renewed.set();
    return answer;
  }
  Event renewed;
};

class CompletesItself : public testing::Test {
 protected:
  CompletesItself() { app_.execute("CREATE TABLE parcels (job INTEGER)"); }

  static store::SqliteOptions options(const std::string& path, const base::Clock& clock) {
    return {path, store::Durability::Normal, false, &clock};
  }
  JobId enqueue(int attempts = 10) {
    JobOptions options;
    options.backoff.kind = Backoff::Kind::Fixed;
    options.backoff.base = 0s;
    options.max_attempts = attempts;
    return Queue(store_, "q").enqueue_json("ship", "1", options).value();
  }
  /// Runs until nothing is left.
  template <class Handler>
  WorkerReport run(Handler handler, WorkerOptions options = {}) {
    options.drain = true;
    Worker worker{store_, options};
    worker.handle("ship", [&](Attempt& attempt, std::string_view) { return handler(attempt); });
    return worker.pool("q", 1).run().value();
  }
  void write(const Attempt& attempt) {
    app_.execute("BEGIN IMMEDIATE");
    app_.execute("INSERT INTO parcels VALUES (" + std::to_string(attempt.id()) + ")");
  }
  [[nodiscard]] std::int64_t parcels() const { return app_.number("SELECT count(*) FROM parcels"); }

  test::TempDir dir_;
  base::SystemClock clock_;
  std::unique_ptr<store::Store> opened_ = store::open_sqlite(options(dir_.file("shop.db"), clock_)).value();
  store::Store* const inner_ = opened_.get();
  std::shared_ptr<RenewalCounter> counter_ = std::make_shared<RenewalCounter>(std::move(opened_));
  StorePtr store_ = counter_;
  test::AppConnection app_{dir_.file("shop.db")};
  sqlite::Session session_{StorePtr(counter_, inner_), app_.raw()};
};

TEST_F(CompletesItself, AJobThatIsCommittedIsCompletedWithItsResultAndItsLog) {
  const JobId id = enqueue();
  const WorkerReport report = run([&](Attempt& attempt) {
    write(attempt);
    attempt.log("packed");
    attempt.result("parcel 7").value();
    session_.complete(attempt).value();
    app_.execute("COMMIT");
  });
  EXPECT_EQ(report.completed, 1);
  EXPECT_EQ(report.failed, 0);
  const auto job = store_->find(id).value();
  EXPECT_EQ(job.state, JobState::Completed);
  EXPECT_EQ(job.result, "parcel 7");
  EXPECT_EQ(job.counters.attempts, 1);
  const auto attempts = store_->attempts(id).value();
  ASSERT_EQ(attempts.size(), 1U);
  EXPECT_EQ(attempts[0].outcome, "completed");
  EXPECT_EQ(attempts[0].report.log, "packed\n");
  EXPECT_GT(attempts[0].report.run_time, Duration{0});
  EXPECT_EQ(parcels(), 1);
}

TEST_F(CompletesItself, AHandlerThatRollsBackAndThrowsIsTriedAgain) {
  const JobId id = enqueue();
  const WorkerReport report = run([&](Attempt& attempt) {
    write(attempt);
    session_.complete(attempt).value();
    app_.execute(attempt.number() == 1 ? "ROLLBACK" : "COMMIT");
    if (attempt.number() == 1) throw std::runtime_error("no stamps");
  });
  EXPECT_EQ(report.completed, 1);
  EXPECT_EQ(report.failed, 1);
  EXPECT_EQ(parcels(), 1);
  EXPECT_EQ(store_->find(id).value().counters.errors, 1);
  EXPECT_EQ(store_->attempts(id).value().at(0).report.error, "no stamps");
}

TEST_F(CompletesItself, AHandlerThatRollsBackAndReturnsAsIfAllWereWellHasFailed) {
  const JobId id = enqueue(1);
  const WorkerReport report = run([&](Attempt& attempt) {
    write(attempt);
    session_.complete(attempt).value();
    app_.execute("ROLLBACK");
    return Outcome::done();
  });
  EXPECT_EQ(report.completed, 0);
  EXPECT_EQ(report.dead, 1);
  const auto job = store_->find(id).value();
  EXPECT_EQ(job.state, JobState::Dead);
  EXPECT_NE(job.error.find("a transaction that was not committed"), std::string::npos) << job.error;
}

TEST_F(CompletesItself, AfterTheCommitNothingThatTheHandlerDoesMakesItRunAgain) {
  const JobId id = enqueue();
  int runs = 0;
  const WorkerReport report = run([&](Attempt& attempt) -> Outcome {
    ++runs;
    write(attempt);
    session_.complete(attempt).value();
    app_.execute("COMMIT");
    throw std::runtime_error("the phone rang");
  });
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(report.completed, 1);
  EXPECT_EQ(report.failed, 0);
  EXPECT_EQ(store_->find(id).value().state, JobState::Completed);
}

TEST_F(CompletesItself, ARenewalAfterTheCommitIsNoLostClaim) {
  enqueue();
  WorkerOptions options;
  options.lease = 1s;  // renewed every third of it
  bool stopped = true;
  const WorkerReport report = run(
      [&](Attempt& attempt) {
        write(attempt);
        session_.complete(attempt).value();
        app_.execute("COMMIT");
        // A claim that was taken as lost is stopped and not renewed again; the first one may have been under way.
        EXPECT_TRUE(counter_->renewed.wait(3));
        stopped = attempt.stop_requested();
      },
      options);
  EXPECT_FALSE(stopped);
  EXPECT_EQ(report.completed, 1);
}

TEST_F(CompletesItself, ASecondCompletionOfACommittedAttemptIsRefused) {
  enqueue();
  const WorkerReport report = run([&](Attempt& attempt) {
    write(attempt);
    session_.complete(attempt).value();
    app_.execute("COMMIT");
    write(attempt);  // as a handler does that takes the first commit for failed
    EXPECT_EQ(session_.complete(attempt).error().code, Errc::WrongState);
    app_.execute("ROLLBACK");
  });
  EXPECT_EQ(report.completed, 1);
  EXPECT_EQ(parcels(), 1);
}

TEST_F(CompletesItself, ATransactionMayBeTriedAgainAfterARollback) {
  enqueue();
  const WorkerReport report = run([&](Attempt& attempt) {
    for (const char* const end : {"ROLLBACK", "COMMIT"}) {
      write(attempt);
      session_.complete(attempt).value();
      app_.execute(end);
    }
  });
  EXPECT_EQ(report.completed, 1);
  EXPECT_EQ(report.failed, 0);
  EXPECT_EQ(parcels(), 1);
}

TEST_F(CompletesItself, AnAttemptThatHasLostItsClaimCannotComplete) {
  enqueue(1);
  const WorkerReport report = run([&](Attempt& attempt) {
    write(attempt);
    app_.execute("UPDATE galley_running SET epoch = epoch + 1");  // as if another worker had it now
    EXPECT_EQ(session_.complete(attempt).error().code, Errc::LeaseLost);
    app_.execute("ROLLBACK");
    EXPECT_EQ(session_.complete(attempt).error().code, Errc::WrongState) << "no transaction";
    return Outcome::fail("lost");
  });
  EXPECT_EQ(report.dead, 1);
  EXPECT_EQ(parcels(), 0);
}

}  // namespace
}  // namespace galley::engine
