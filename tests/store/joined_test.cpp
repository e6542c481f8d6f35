// Jobs enqueued inside the application's own transactions: with its commit, or not at all.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "galley/batch.hpp"
#include "galley/galley.hpp"
#include "galley/middleware.hpp"
#include "galley/sqlite.hpp"
#include "store/app_connection.hpp"
#include "store/store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store {
namespace {

using namespace std::chrono_literals;
using test::AppConnection;

class Joined : public testing::Test {
 protected:
  Joined() { app_.execute("CREATE TABLE orders (item TEXT)"); }

  [[nodiscard]] JobId enqueue(galley::sqlite::Session& session, const std::string& queue,
                              const JobOptions& options = {}) {
    return session.enqueue_json(queue, "k", "1", options).value();
  }
  void order() { app_.execute("INSERT INTO orders VALUES ('kettle')"); }
  [[nodiscard]] std::int64_t orders() const { return app_.number("SELECT count(*) FROM orders"); }
  [[nodiscard]] bool exists(JobId id) { return store_->find(id).has_value(); }

  /// Counts are kept, not counted: they must be what a count finds, and all else must fit together too.
  void expect_sound() {
    std::map<std::string, std::int64_t> kept;
    for (const LaneStats& lane : store_->lanes().value()) {
      for (const std::int64_t count : lane.count) kept[lane.queue] += count;
    }
    std::map<std::string, std::int64_t> found;
    for (const auto& job : store_->list({}, "", limits::kMaxPage).value().jobs) ++found[job.queue];
    std::erase_if(kept, [](const auto& one) { return one.second == 0; });
    EXPECT_EQ(kept, found);
    for (const Finding& finding : store_->examine(false).value()) {
      if (finding.code == "unserved" || finding.code == "durability") continue;  // no workers here, and no syncs
      ADD_FAILURE() << finding.code << ": " << finding.what;
    }
  }

  static Errc code_of(const StorePtr& store, sqlite3* connection) {
    try {
      galley::sqlite::Session session{store, connection};
    } catch (const Exception& refused) {
      return refused.error().code;
    }
    ADD_FAILURE() << "it was accepted";
    return Errc::Io;
  }

  test::TempDir dir_;
  const std::string path_ = dir_.file("jobs.db");
  StorePtr store_ = open_store("sqlite:" + path_ + "?durability=normal").value();
  AppConnection app_{path_};
  galley::sqlite::Session session_{store_, app_.raw()};
};

TEST_F(Joined, AJobIsThereWhenTheApplicationHasCommittedAndNotBefore) {
  app_.execute("BEGIN IMMEDIATE");
  order();
  const JobId id = session_.enqueue("q", "k", std::string("cat"), priority(3), key("ann")).value();
  EXPECT_FALSE(exists(id));
  app_.execute("COMMIT");
  const auto job = store_->find(id).value();
  EXPECT_EQ(job.queue, "q");
  EXPECT_EQ(job.kind, "k");
  EXPECT_EQ(job.payload, "\"cat\"");
  EXPECT_EQ(job.priority, 3);
  EXPECT_EQ(job.key, "ann");
  EXPECT_EQ(job.state, JobState::Ready);
  EXPECT_EQ(orders(), 1);
  expect_sound();
}

TEST_F(Joined, AJobIsGoneWhenTheApplicationRollsBack) {
  app_.execute("BEGIN IMMEDIATE");
  order();
  const JobId id = enqueue(session_, "q");
  app_.execute("ROLLBACK");
  EXPECT_FALSE(exists(id));
  EXPECT_EQ(orders(), 0);
  expect_sound();
  EXPECT_EQ(Queue(store_, "q").enqueue_json("k", "2").value(), id) << "nobody has seen the id";
  expect_sound();
}

TEST_F(Joined, ARollbackToTheApplicationsSavepointTakesBackWhatCameAfterIt) {
  app_.execute("BEGIN IMMEDIATE");
  const JobId kept = enqueue(session_, "a");
  app_.execute("SAVEPOINT here");
  const JobId gone = enqueue(session_, "b");
  app_.execute("ROLLBACK TO here");
  const JobId again = enqueue(session_, "c");
  app_.execute("COMMIT");
  EXPECT_EQ(store_->find(kept).value().queue, "a");
  EXPECT_EQ(again, gone);
  EXPECT_EQ(store_->find(again).value().queue, "c");
  expect_sound();
}

TEST_F(Joined, AnEnqueueThatFailsHalfWayLeavesTheTransactionAsItWas) {
  app_.execute("BEGIN IMMEDIATE");
  order();
  // The counts are written last, when the job's rows are there already.
  app_.execute("CREATE TEMP TRIGGER boom BEFORE UPDATE ON main.galley_lanes BEGIN SELECT RAISE(ABORT, 'boom'); END");
  const auto failed = session_.enqueue_json("q", "k", "1");
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("boom"), std::string::npos) << failed.error().message;
  EXPECT_TRUE(app_.in_transaction());
  EXPECT_EQ(app_.number("SELECT count(*) FROM galley_jobs") + app_.number("SELECT count(*) FROM galley_lanes"), 0);
  app_.execute("DROP TRIGGER boom");
  const JobId id = enqueue(session_, "q");
  app_.execute("COMMIT");
  EXPECT_TRUE(exists(id));
  EXPECT_EQ(orders(), 1);
  expect_sound();
}

TEST_F(Joined, ATransactionThatSqliteHasRolledBackItselfIsToldOf) {
  app_.execute("BEGIN IMMEDIATE");
  order();
  app_.execute("CREATE TEMP TRIGGER boom BEFORE UPDATE ON main.galley_lanes BEGIN SELECT RAISE(ROLLBACK, 'boom'); END");
  const auto failed = session_.enqueue_json("q", "k", "1");
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("rolled back the whole transaction"), std::string::npos)
      << failed.error().message;
  EXPECT_FALSE(app_.in_transaction());
  EXPECT_EQ(orders(), 0);
  expect_sound();
}

TEST_F(Joined, AnEnqueueOutsideATransactionIsRefused) {
  const auto refused = session_.enqueue_json("q", "k", "1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::WrongState);
  EXPECT_NE(refused.error().message.find("BEGIN IMMEDIATE"), std::string::npos);
  EXPECT_TRUE(store_->lanes().value().empty());
}

TEST_F(Joined, ATransactionWithoutImmediateWorksAsLongAsItHasReadNothingOld) {
  app_.execute("BEGIN");
  const JobId id = enqueue(session_, "q");
  app_.execute("COMMIT");
  EXPECT_TRUE(exists(id));

  app_.execute("BEGIN");
  EXPECT_EQ(orders(), 0);
  ASSERT_TRUE(Queue(store_, "q").enqueue_json("k", "2"));
  const auto refused = session_.enqueue_json("q", "k", "3");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::Unavailable);
  EXPECT_NE(refused.error().message.find("BEGIN IMMEDIATE"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(app_.in_transaction());
  app_.execute("ROLLBACK");
  expect_sound();
}

TEST_F(Joined, WhereAnotherWritesTheConnectionsOwnPatienceDecides) {
  const AppConnection writer(path_);
  writer.execute("BEGIN IMMEDIATE");
  const AppConnection hasty(path_, 0);
  galley::sqlite::Session session{store_, hasty.raw()};
  hasty.execute("BEGIN");
  EXPECT_EQ(session.enqueue_json("q", "k", "1").error().code, Errc::Unavailable);
  writer.execute("COMMIT");
  const JobId id = enqueue(session, "q");
  hasty.execute("COMMIT");
  EXPECT_TRUE(exists(id));
}

TEST_F(Joined, OnlyAConnectionToTheStoresOwnFileIsTaken) {
  const auto other = open_store("sqlite:" + dir_.file("other.db")).value();
  EXPECT_EQ(code_of(other, app_.raw()), Errc::InvalidInput);
  EXPECT_EQ(code_of(open_store("memory:").value(), app_.raw()), Errc::InvalidInput);
  EXPECT_EQ(code_of(store_, nullptr), Errc::InvalidInput);
  const AppConnection memory(":memory:", 0, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  EXPECT_EQ(code_of(store_, memory.raw()), Errc::InvalidInput);
  const AppConnection reader(path_, 0, SQLITE_OPEN_READONLY);
  EXPECT_EQ(code_of(store_, reader.raw()), Errc::ReadOnly);
  std::filesystem::create_symlink(path_, dir_.file("link.db"));
  const AppConnection link(dir_.file("link.db"));
  EXPECT_NO_THROW((galley::sqlite::Session{store_, link.raw()})) << "another way to the same file";
}

TEST_F(Joined, AFileThatWasPutInThePlaceOfTheStoresIsNotIt) {
  std::filesystem::rename(path_, dir_.file("moved.db"));
  const AppConnection fresh(path_, 0, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  fresh.execute("CREATE TABLE orders (item TEXT)");
  EXPECT_EQ(code_of(store_, fresh.raw()), Errc::InvalidInput);
}

TEST_F(Joined, NamesThatWereRolledBackAreForgotten) {
  app_.execute("BEGIN IMMEDIATE");
  (void)enqueue(session_, "a");
  (void)enqueue(session_, "a");  // reads the name that is not committed yet
  app_.execute("ROLLBACK");
  const JobId other = Queue(store_, "b").enqueue_json("k", "2").value();  // takes the numbers that "a" had
  app_.execute("BEGIN IMMEDIATE");
  const JobId id = enqueue(session_, "a");
  app_.execute("COMMIT");
  EXPECT_EQ(store_->find(id).value().queue, "a");
  EXPECT_EQ(store_->find(other).value().queue, "b");
  expect_sound();
}

TEST_F(Joined, TwoSessionsOfOneTransactionSeeEachOthersJobs) {
  galley::sqlite::Session second{store_, app_.raw()};
  JobOptions once;
  once.token = "t";
  app_.execute("BEGIN IMMEDIATE");
  const JobId id = enqueue(session_, "new", once);
  EXPECT_EQ(enqueue(second, "new", once), id);
  const JobId next = enqueue(second, "new");
  EXPECT_EQ(next, id + 1);
  app_.execute("ROLLBACK");
  app_.execute("BEGIN IMMEDIATE");
  EXPECT_EQ(enqueue(second, "new", once), id);
  EXPECT_EQ(enqueue(session_, "new", once), id);
  app_.execute("COMMIT");
  EXPECT_TRUE(exists(id));
  EXPECT_FALSE(exists(next));
  expect_sound();
}

TEST_F(Joined, CountsStayTrueOverManyCommitsAndRollbacks) {
  std::mt19937 random(7);
  Queue queue(store_, "q0");
  std::int64_t committed = 0;
  for (int i = 0; i < 200; ++i) {
    app_.execute("BEGIN IMMEDIATE");
    const int jobs = 1 + static_cast<int>(random() % 3);
    for (int n = 0; n < jobs; ++n) {
      JobOptions options;
      options.delay = random() % 3 == 0 ? Duration(1h) : Duration(0);
      (void)enqueue(session_, "q" + std::to_string(random() % 40), options);
    }
    const bool commits = random() % 2 == 0;
    app_.execute(commits ? "COMMIT" : "ROLLBACK");
    if (commits) committed += jobs;
    if (i % 5 != 0) continue;
    ASSERT_TRUE(queue.enqueue_json("k", "0"));
    ++committed;
  }
  EXPECT_EQ(app_.number("SELECT count(*) FROM galley_jobs"), committed);
  expect_sound();
}

TEST_F(Joined, ThreadsWithAConnectionEachAndTheStoreItselfShareTheFile) {
  constexpr int kEach = 60;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      const AppConnection app(path_);
      galley::sqlite::Session session{store_, app.raw()};
      for (int i = 0; i < kEach; ++i) {
        app.execute("BEGIN IMMEDIATE");
        app.execute("INSERT INTO orders VALUES ('x')");
        (void)session.enqueue_json("q" + std::to_string((t + i) % 7), "k", "1").value();
        app.execute(i % 3 == 0 ? "ROLLBACK" : "COMMIT");
      }
    });
  }
  threads.emplace_back([this] {
    for (int i = 0; i < kEach; ++i) (void)Queue(store_, "q" + std::to_string(i % 9)).enqueue_json("k", "1").value();
  });
  threads.clear();
  EXPECT_EQ(orders(), 3 * kEach * 2 / 3);
  EXPECT_EQ(app_.number("SELECT count(*) FROM galley_jobs"), orders() + kEach);
  expect_sound();
}

TEST_F(Joined, TheStoresBellRingsWithTheApplicationsCommit) {
  const auto bell = store_->bell();
  ASSERT_EQ(bell->wait(0s), Ring::TimedOut);
  std::jthread commits([this] {
    app_.execute("BEGIN IMMEDIATE");
    (void)enqueue(session_, "q");
    app_.execute("COMMIT");
  });
  EXPECT_EQ(bell->wait(20s), Ring::Changed);
}

TEST_F(Joined, WhatAJobBringsWithItIsPartOfTheTransaction) {
  Batch batch{store_, "nightly"};
  const BatchId id = batch.enqueue().value();
  ASSERT_EQ(store_->find_batch(id).value().total, 0);
  const std::string text(100, 'x');
  for (const char* const end : {"ROLLBACK", "COMMIT"}) {
    app_.execute("BEGIN IMMEDIATE");
    const JobId unique = session_.enqueue("q", "u", 1, galley::unique("only")).value();
    EXPECT_EQ(session_.enqueue("q", "u", 2, galley::unique("only")).value(), unique);
    const auto conflict = session_.enqueue("q", "u", 3, galley::unique("only", UniqueUntil::Finish, OnConflict::Error));
    EXPECT_EQ(conflict.error().code, Errc::Conflict);
    Group group;
    group.key = "mails";
    const JobId grouped = session_.enqueue("q", "g", 1, galley::group(group)).value();
    EXPECT_EQ(session_.enqueue("q", "g", 2, galley::group(group)).value(), grouped);
    ASSERT_TRUE(session_.enqueue("q", "t", text, tag("red"), header("traceparent", "00"), delay(1h), expires(2h)));
    ASSERT_TRUE(session_.enqueue_command("q", Command{{"true"}, "", "", {}}, "c"));
    app_.execute(end);
    expect_sound();
  }
  const auto unique = store_->list({.kind = "u"}, "", 10).value().jobs;
  ASSERT_EQ(unique.size(), 1U);
  EXPECT_EQ(unique[0].payload, "1");
  EXPECT_EQ(store_->list({.kind = "g"}, "", 10).value().jobs.at(0).payload, "[1,2]");
  EXPECT_EQ(store_->list({.tag = "red"}, "", 10).value().jobs.size(), 1U);
  EXPECT_EQ(store_->list({.kind = "c"}, "", 10).value().jobs.size(), 1U);
}

TEST_F(Joined, AJobOfABatchIsCountedByItOnlyWhenItIsCommitted) {
  const BatchId id = store_->open_batch("nightly", "").value();
  for (const char* const end : {"ROLLBACK", "COMMIT", "ROLLBACK"}) {
    app_.execute("BEGIN IMMEDIATE");
    ASSERT_TRUE(session_.enqueue("q", "k", 1, galley::batch(id)));
    app_.execute(end);
  }
  EXPECT_EQ(store_->find_batch(id).value().total, 1);
  app_.execute("BEGIN IMMEDIATE");
  EXPECT_EQ(session_.enqueue("q", "k", 1, galley::batch(77)).error().code, Errc::NotFound);
  app_.execute("COMMIT");
  expect_sound();
}

TEST_F(Joined, ABoundOfTheQueueRefusesAtOnceAndCountsOnlyWhatIsCommitted) {
  ASSERT_TRUE(store_->set_max_waiting("q", 2));
  for (const char* const end : {"ROLLBACK", "COMMIT", "COMMIT", "COMMIT"}) {
    app_.execute("BEGIN IMMEDIATE");
    order();
    const auto job = session_.enqueue("q", "k", 1, wait_for_room(10s));
    if (!job) {
      EXPECT_EQ(job.error().code, Errc::QueueFull);
    }
    app_.execute(end);
  }
  EXPECT_EQ(app_.number("SELECT count(*) FROM galley_jobs"), 2);
  EXPECT_EQ(orders(), 3) << "a refusal does not end the transaction";
  expect_sound();
}

TEST_F(Joined, InvalidInputIsRefusedBeforeAnyWrite) {
  app_.execute("BEGIN IMMEDIATE");
  EXPECT_EQ(session_.enqueue_json("q", "k", "{").error().code, Errc::InvalidInput);
  EXPECT_EQ(session_.enqueue_json("not a name", "k", "1").error().code, Errc::InvalidInput);
  EXPECT_EQ(session_.enqueue("q", "k", 1, priority(99)).error().code, Errc::InvalidInput);
  app_.execute("COMMIT");
  EXPECT_TRUE(store_->lanes().value().empty());
}

TEST_F(Joined, TheStoresMiddlewareSeesTheJob) {
  struct Tagging : Middleware {
    Result<void> on_enqueue(Draft& draft) override {
      draft.options.tags.push_back("seen");
      return {};
    }
  };
  use(store_, std::make_shared<Tagging>());
  app_.execute("BEGIN IMMEDIATE");
  const JobId id = enqueue(session_, "q");
  app_.execute("COMMIT");
  EXPECT_EQ(store_->find(id).value().tags, std::vector<std::string>{"seen"});
}

TEST_F(Joined, TheConnectionKeepsItsSettingsAndItsLastRow) {
  app_.execute("PRAGMA synchronous = OFF");
  app_.execute("BEGIN IMMEDIATE");
  order();
  order();
  const std::int64_t row = sqlite3_last_insert_rowid(app_.raw());
  (void)enqueue(session_, "q");
  EXPECT_EQ(sqlite3_last_insert_rowid(app_.raw()), row);
  app_.execute("COMMIT");
  EXPECT_EQ(app_.number("PRAGMA synchronous"), 0);
  EXPECT_EQ(app_.number("PRAGMA busy_timeout"), 30'000);
  EXPECT_EQ(app_.number("PRAGMA cache_size"), AppConnection(path_).number("PRAGMA cache_size"));
}

}  // namespace
}  // namespace galley::store
