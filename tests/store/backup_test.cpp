// A copy taken while others work is a store of its own, whole and in order.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

using namespace std::chrono_literals;

class Backup : public testing::Test {
 protected:
  static job::NewJob a_job() {
    job::NewJob job;
    job.kind = "k";
    job.payload = std::string(2'000, 'x');
    job.content = job::Content::Bytes;
    return job;
  }
  std::unique_ptr<Store> open(const std::string& path) {
    return open_sqlite({path, Durability::Full, false, &clock_}).value();
  }
  WorkerId join(Store& store) {
    WorkerCard card;
    card.queues = {"default"};
    card.kinds = {"k"};
    return store.join(card).value();
  }
  std::vector<job::Claim> claim(Store& store, WorkerId worker, int most) {
    return store.claim({worker, {"default"}, {{"k", most}}, {}, most, 30s}).value().claims;
  }
  Errc refusal(const std::string& path) { return store_->backup(path).error().code; }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) all.push_back(entry.path().filename());
    std::sort(all.begin(), all.end());
    return all;
  }

  test::TempDir dir_;
  base::ManualClock clock_;
  std::unique_ptr<Store> store_ = open(dir_.file("store.db"));
};

TEST_F(Backup, IsAStoreOfItsOwn) {
  ASSERT_TRUE(store_->enqueue(std::vector{a_job(), a_job(), a_job()}));
  const WorkerId worker = join(*store_);
  ASSERT_EQ(claim(*store_, worker, 1).size(), 1U);
  ASSERT_TRUE(store_->backup(dir_.file("copy.db")));
  ASSERT_TRUE(store_->enqueue(std::vector{a_job()}));

  struct stat status {};
  ASSERT_EQ(stat(dir_.file("copy.db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(status.st_nlink, 1U);
  const auto copy = open(dir_.file("copy.db"));
  EXPECT_TRUE(copy->examine(false).value().empty());
  EXPECT_EQ(copy->queues().value().at(0).count[static_cast<std::size_t>(JobState::Ready)], 2);
  EXPECT_EQ(copy->queues().value().at(0).count[static_cast<std::size_t>(JobState::Running)], 1);
  EXPECT_EQ(claim(*copy, join(*copy), 9).size(), 2U);
  EXPECT_EQ(claim(*store_, worker, 9).size(), 3U) << "the two have nothing to do with each other";
}

TEST_F(Backup, AClaimInACopyIsRecoveredWhenItsLeaseIsOver) {
  ASSERT_TRUE(store_->enqueue(std::vector{a_job()}));
  ASSERT_EQ(claim(*store_, join(*store_), 1).size(), 1U);
  ASSERT_TRUE(store_->backup(dir_.file("copy.db")));
  const auto copy = open(dir_.file("copy.db"));
  EXPECT_EQ(copy->step(1'000).value().recovered, 0);
  clock_.advance(31s);
  EXPECT_EQ(copy->step(1'000).value().recovered, 1);
}

TEST_F(Backup, IsTakenWhileOthersWriteAndIsInOrder) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store_->enqueue(std::vector<job::NewJob>(1'000, a_job())));
  std::atomic<bool> over = false;
  std::atomic<int> rounds = 0;
  const auto other = open(dir_.file("store.db"));
  std::thread busy([&] {
    const WorkerId worker = join(*other);
    while (!over) {
      EXPECT_TRUE(other->enqueue(std::vector<job::NewJob>(10, a_job())));
      std::vector<Finish> finishes;
      for (const job::Claim& one : claim(*other, worker, 20)) {
        Finish finish;
        finish.claim = one.id;
        finish.counters.attempts = 1;
        finishes.push_back(finish);
      }
      EXPECT_TRUE(other->finish(finishes));
      ++rounds;
      rounds.notify_all();
    }
  });
  for (int i = 0; i < 5; ++i) {
    rounds.wait(0);
    const std::string path = dir_.file("copy" + std::to_string(i) + ".db");
    const auto done = store_->backup(path);
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    const auto copy = open(path);
    for (const Finding& finding : copy->examine(false).value()) ADD_FAILURE() << finding.code << ": " << finding.what;
  }
  over = true;
  busy.join();
  for (const Finding& finding : store_->examine(false).value()) ADD_FAILURE() << finding.code << ": " << finding.what;
}

TEST_F(Backup, NeverReplacesAFile) {
  std::ofstream(dir_.file("there")) << "precious";
  EXPECT_EQ(refusal(dir_.file("there")), Errc::InvalidInput);
  std::filesystem::create_symlink("nowhere", dir_.file("link"));
  EXPECT_EQ(refusal(dir_.file("link")), Errc::InvalidInput);
  std::ofstream(dir_.file("old-wal")) << "an old log";
  EXPECT_EQ(refusal(dir_.file("old")), Errc::InvalidInput);
  EXPECT_EQ(refusal(dir_.file("store.db")), Errc::InvalidInput);
  EXPECT_EQ(refusal(""), Errc::InvalidInput);
  std::string kept;
  std::ifstream(dir_.file("there")) >> kept;
  EXPECT_EQ(kept, "precious");
}

TEST_F(Backup, LeavesNothingBehindWhereItFails) {
  EXPECT_EQ(refusal(dir_.file("no/such/folder")), Errc::Io);
  const auto before = names();
  ASSERT_TRUE(store_->backup(dir_.file("copy.db")));
  auto after = before;
  after.push_back("copy.db");
  std::sort(after.begin(), after.end());
  EXPECT_EQ(names(), after);
}

TEST_F(Backup, TheStoresOwnLocksAreStillHeld) {
  const WorkerId worker = join(*store_);
  ASSERT_TRUE(store_->backup(dir_.file("copy.db")));
  const auto other = open(dir_.file("store.db"));
  ASSERT_TRUE(store_->enqueue(std::vector{a_job()}));
  ASSERT_EQ(claim(*store_, worker, 1).size(), 1U);
  EXPECT_EQ(other->step(1'000).value().recovered, 0) << "the worker's lock proves that it lives";
  EXPECT_EQ(other->workers().value().size(), 1U);
}

}  // namespace
}  // namespace galley::store::sqlite
