// The log is taken over by a thread beside the commits, begins anew, and is bounded where that thread is outrun.

#include "store/sqlite/checkpointer.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "store/temp_dir.hpp"

namespace galley::store::sqlite {
namespace {

constexpr int kMostCommits = 200'000;

/// SQLite's salt in the log's header: another one each time that the log begins anew.
std::string salt_of(const std::string& log) {
  std::ifstream file(log, std::ios::binary);
  file.seekg(16);
  std::string salt(8, '\0');
  file.read(salt.data(), 8);
  return salt;
}

bool has_a_thread_for_the_log() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name == "galley-log") return true;
  }
  return false;
}

class CheckpointerTest : public testing::Test {
 protected:
  CheckpointerTest() {
    std::ofstream(path_).close();
    db_ = std::make_unique<Database>(path_, false);
    db_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    db_->execute("CREATE TABLE t (x); INSERT INTO t VALUES (0)");
  }
  void commit() { db_->execute("UPDATE t SET x = x + 1"); }
  [[nodiscard]] std::string salt() const { return salt_of(path_ + "-wal"); }
  /// Commits until the log begins anew; false: it does not.
  [[nodiscard]] bool begins_anew() {
    const std::string before = salt();
    for (int i = 0; i < kMostCommits; ++i) {
      commit();
      if (salt() != before) return true;
    }
    return false;
  }

  test::TempDir dir_;
  const std::string path_ = dir_.file("log.db");
  std::unique_ptr<Database> db_;
};

TEST_F(CheckpointerTest, AThreadTakesTheLogOverWhileCommitsGoOn) {
  const Checkpointer log(*db_, {10, 20, 100'000});
  EXPECT_FALSE(has_a_thread_for_the_log()) << "nothing to do yet";
  EXPECT_TRUE(begins_anew());
  EXPECT_TRUE(has_a_thread_for_the_log());
  EXPECT_TRUE(begins_anew()) << "and again";
}

TEST_F(CheckpointerTest, ItsThreadEndsWithIt) {
  {
    const Checkpointer log(*db_, {10, 20, 100});
    for (int i = 0; i < 20; ++i) commit();
    EXPECT_TRUE(has_a_thread_for_the_log());
  }
  EXPECT_FALSE(has_a_thread_for_the_log());
  for (int i = 0; i < 200; ++i) commit();
}

TEST_F(CheckpointerTest, ACommitWaitsForAThreadThatIsOutrun) {
  const Checkpointer log(*db_, {10, 20, 20});
  for (int i = 0; i < 3'000; ++i) commit();
  const auto bytes = std::filesystem::file_size(path_ + "-wal");
  EXPECT_LE(bytes, 100U * 4'200U) << "pages, each with its header";
}

TEST_F(CheckpointerTest, ALogThatSomebodyReadsBeginsAnewWhenTheyAreDone) {
  const Checkpointer log(*db_, {10, 20, 1'000});
  Database reader(path_, false);
  reader.execute("BEGIN; SELECT * FROM t");
  const std::string before = salt();
  for (int i = 0; i < 500; ++i) commit();
  EXPECT_EQ(salt(), before) << "it reads from there";
  EXPECT_EQ(reader.number("SELECT x FROM t"), 0);
  reader.execute("COMMIT");
  EXPECT_TRUE(begins_anew());
}

TEST_F(CheckpointerTest, WithoutAConnectionForTheThreadCommitsDoTheWork) {
  const Checkpointer log(*db_, {10, 20, 100});
  std::filesystem::rename(path_, path_ + ".moved");  // what is open stays open
  EXPECT_TRUE(begins_anew());
  for (int i = 0; i < 20; ++i) commit();
  EXPECT_TRUE(begins_anew());
}

TEST_F(CheckpointerTest, WritersOfAMomentEachLeaveNoLogThatGrows) {
  for (int i = 0; i < 300; ++i) {
    Database writer(path_, false);
    const Checkpointer log(writer, {10, 20, 100});
    writer.execute("UPDATE t SET x = x + 1");
  }
  EXPECT_LE(std::filesystem::file_size(path_ + "-wal"), 100U * 4'200U) << "db_ keeps the file open all the while";
}

}  // namespace
}  // namespace galley::store::sqlite
