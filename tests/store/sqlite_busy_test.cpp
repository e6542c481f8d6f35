// While another program holds the file locked: a sentence after a stated time, for however many callers.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <thread>

#include "base/clock.hpp"
#include "store/combiner.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store {
namespace {

using namespace std::chrono_literals;

/// Another program with the writer's lock, as long as it lives.
class Holder {
 public:
  explicit Holder(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &db_), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db_, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~Holder() { sqlite3_close(db_); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

class SqliteBusy : public testing::Test {
 protected:
  std::unique_ptr<Store> open(Duration limit) {
    SqliteOptions options;
    options.path = path_;
    options.clock = &clock_;
    options.busy_timeout = limit;
    return open_sqlite(options).value();
  }
  static std::vector<job::NewJob> a_job() {
    std::vector<job::NewJob> jobs(1);
    jobs[0].kind = "k";
    jobs[0].payload = "{}";
    return jobs;
  }
  template <class Call>
  Duration time_of(Call call) {
    const base::Mono begin = clock_.mono();
    call();
    return clock_.mono() - begin;
  }
  /// `call` on that many threads at once; each must give Unavailable.
  template <class Call>
  void expect_all_unavailable(std::size_t callers, Call call) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < callers; ++i) {
      threads.emplace_back([&call] {
        const auto answer = call();
        ASSERT_TRUE(answer.has_error());
        EXPECT_EQ(answer.error().code, Errc::Unavailable);
        EXPECT_EQ(answer.error().written, Written::Nothing);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  test::TempDir dir_;
  std::string path_ = dir_.file("busy.db");
  base::SystemClock clock_;
};

TEST_F(SqliteBusy, ACallFailsAfterTheStatedTimeAndNamesIt) {
  const auto store = open(200ms);
  const Holder holder(path_);
  const Duration took = time_of([&] {
    const auto answer = store->enqueue(a_job());
    ASSERT_TRUE(answer.has_error());
    EXPECT_EQ(answer.error().code, Errc::Unavailable);
    EXPECT_EQ(answer.error().message, path_ + ": another program has held the store locked for 200ms; try again");
  });
  EXPECT_GE(took, 200ms);
  EXPECT_LT(took, 5s);
}

TEST_F(SqliteBusy, WithoutALimitItFailsAtOnce) {
  const auto store = open(0s);
  const Holder holder(path_);
  const auto answer = store->enqueue(a_job());
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().code, Errc::Unavailable);
  EXPECT_EQ(answer.error().message, path_ + ": another program holds the store locked; try again");
}

TEST_F(SqliteBusy, ReadsGoOn) {
  const auto store = open(0s);
  ASSERT_TRUE(store->enqueue(a_job()));
  const Holder holder(path_);
  EXPECT_TRUE(store->find(1));
}

TEST_F(SqliteBusy, WorksAgainWhenTheLockIsGone) {
  const auto store = open(50ms);
  {
    const Holder holder(path_);
    expect_all_unavailable(4, [&] { return store->enqueue(a_job()); });
  }
  EXPECT_TRUE(store->enqueue(a_job()));
}

// One after the other they would take 40 times the limit: 12 s.
TEST_F(SqliteBusy, ManyProducersDoNotWaitOneAfterTheOther) {
  const auto store = open(300ms);
  const Holder holder(path_);
  const std::vector<job::NewJob> jobs(limits::kMaxEnqueueBatch / 2, a_job().front());  // two callers fill a batch
  const Duration took = time_of([&] { expect_all_unavailable(40, [&] { return store->combiner().enqueue(jobs); }); });
  EXPECT_LT(took, 4s);
}

TEST_F(SqliteBusy, ManyOperatorsDoNotWaitOneAfterTheOther) {
  const auto store = open(300ms);
  const Holder holder(path_);
  const JobId id = 1;
  const Duration took = time_of([&] { expect_all_unavailable(40, [&] { return store->cancel(std::span(&id, 1)); }); });
  EXPECT_LT(took, 4s);
}

}  // namespace
}  // namespace galley::store
