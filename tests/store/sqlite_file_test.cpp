// What happens to files that are not what they should be: a sentence, and nothing lost.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <latch>
#include <sstream>
#include <thread>

#include "base/clock.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::store {
namespace {

class SqliteFile : public testing::Test {
 protected:
  Result<std::unique_ptr<Store>> open(const std::string& path) {
    return open_sqlite({path, Durability::Full, false, &clock_});
  }

  void write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
  std::string bytes_of(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
  }
  void execute(const std::string& path, const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  job::NewJob a_job() {
    job::NewJob job;
    job.kind = "k";
    job.payload = "{}";
    return job;
  }
  /// Refused with this code, the file untouched, and its path in the message.
  void expect_refused(const std::string& path, Errc code) {
    const std::string before = bytes_of(path);
    const auto store = open(path);
    ASSERT_FALSE(store);
    EXPECT_EQ(name(store.error().code), name(code)) << store.error().message;
    EXPECT_NE(store.error().message.find(path), std::string::npos) << store.error().message;
    EXPECT_EQ(bytes_of(path), before);
  }

  test::TempDir dir_;
  base::SystemClock clock_;
};

TEST_F(SqliteFile, IsCreatedForItsOwnerOnly) {
  const std::string path = dir_.file("new.db");
  const auto store = open(path);
  ASSERT_TRUE(store) << store.error().message;
  struct stat status {};
  for (const char* suffix : {"", "-wal", "-workers"}) {
    if (suffix == std::string("-workers")) {
      ASSERT_TRUE((*store)->join({"w", ""}));
    }
    ASSERT_EQ(stat((path + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << suffix;
  }
}

TEST_F(SqliteFile, KeepsItsJobsOverAReopening) {
  const std::string path = dir_.file("kept.db");
  const std::vector jobs{a_job(), a_job()};
  ASSERT_TRUE((*open(path))->enqueue(jobs));
  const auto again = open(path);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->find(2).value().kind, "k");
}

TEST_F(SqliteFile, IsCreatedOnceByManyAtATime) {
  for (int round = 0; round < 20; ++round) {
    const std::string path = dir_.file("race" + std::to_string(round) + ".db");
    std::latch together(8);
    std::vector<std::jthread> openers;
    for (int i = 0; i < 8; ++i) {
      openers.emplace_back([&] {
        together.arrive_and_wait();
        const auto store = open(path);
        ASSERT_TRUE(store) << store.error().message;
        EXPECT_TRUE((*store)->enqueue(std::vector{a_job()}));
      });
    }
    openers.clear();
    EXPECT_TRUE((*open(path))->find(8));
  }
}

TEST_F(SqliteFile, RubbishIsRefused) {
  write(dir_.file("rubbish.db"), std::string(5000, 'x'));
  expect_refused(dir_.file("rubbish.db"), Errc::NotAStore);
  write(dir_.file("short.db"), "short");
  expect_refused(dir_.file("short.db"), Errc::NotAStore);
}

TEST_F(SqliteFile, AnotherProgramsFileIsRefusedAndLeftAsItIs) {
  execute(dir_.file("foreign.db"), "CREATE TABLE pets (name TEXT); INSERT INTO pets VALUES ('cat')");
  expect_refused(dir_.file("foreign.db"), Errc::NotAStore);
}

TEST_F(SqliteFile, ANewerStoreIsRefused) {
  const std::string path = dir_.file("newer.db");
  { ASSERT_TRUE(open(path)); }
  execute(path, "UPDATE galley_meta SET value = '99' WHERE name = 'schema_version'");
  expect_refused(path, Errc::NewerSchema);
}

TEST_F(SqliteFile, ATruncatedStoreIsRefused) {
  const std::string path = dir_.file("cut.db");
  {
    const auto store = open(path);
    ASSERT_TRUE(store);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE((*store)->enqueue(std::vector(10, a_job())));
  }
  const std::string whole = bytes_of(path);
  for (const std::size_t size :
       {whole.size() - 1, whole.size() / 2, std::size_t{4096}, std::size_t{200}, std::size_t{50}}) {
    write(path, whole.substr(0, size));
    expect_refused(path, Errc::NotAStore);
  }
  write(path, whole);
  EXPECT_TRUE(open(path));
}

// Root may write everything, so the look is taken by a process that has become nobody.
TEST_F(SqliteFile, AStoreThatThisUserCannotWriteIsNamedAndLeftAsItIs) {
  const std::string path = dir_.file("locked.db");
  { ASSERT_TRUE((*open(path))->enqueue(std::vector{a_job()})); }
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  for (const mode_t mode : {0444U, 0400U}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const std::string before = bytes_of(path);
    const pid_t child = fork();
    if (child == 0) {
      if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(2);
      const auto store = open(path);
      _exit(!store && store.error().code == Errc::ReadOnly && store.error().message.find("denied") != std::string::npos
                ? 0
                : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_EQ(bytes_of(path), before);
  }
}

TEST_F(SqliteFile, ADirectoryAndAMissingDirectoryAreNamed) {
  const auto folder = open(dir_.path());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, Errc::NotAStore);
  const auto missing = open(dir_.file("no/such/galley.db"));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("No such file or directory"), std::string::npos) << missing.error().message;
}

TEST_F(SqliteFile, NetworkFileSystemsAreKnownByName) {
  for (const char* type : {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph"})
    EXPECT_TRUE(sqlite::is_network_fs(type)) << type;
  for (const char* type : {"ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", ""})
    EXPECT_FALSE(sqlite::is_network_fs(type)) << type;
}

// Closing any descriptor of a file drops the process's POSIX locks on it: a second opening that peeked at the header by
// itself made the last connection's log vanish under the first one.
TEST_F(SqliteFile, OpeningItTwiceInOneProcessKeepsTheFirstOnesLocks) {
  const std::string path = dir_.file("twice.db");
  const auto first = open(path);
  ASSERT_TRUE((*first)->enqueue(std::vector{a_job()}));
  struct stat before {};
  ASSERT_EQ(stat((path + "-wal").c_str(), &before), 0);
  { ASSERT_TRUE(open(path)); }
  struct stat after {};
  ASSERT_EQ(stat((path + "-wal").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(SqliteFile, TheBellRingsForACommitByAnotherConnection) {
  const std::string path = dir_.file("bell.db");
  const auto mine = open(path);
  ASSERT_TRUE(mine);
  ASSERT_TRUE((*mine)->enqueue(std::vector{a_job()}));
  const auto bell = (*mine)->bell();
  ASSERT_TRUE((*open(path))->enqueue(std::vector{a_job()}));
  EXPECT_EQ(bell->wait(std::chrono::seconds(20)), Ring::Changed);
  EXPECT_EQ(bell->wait(Duration{0}), Ring::TimedOut) << "one commit rings once";
  execute(path, "UPDATE galley_queues SET paused = 1");
  EXPECT_EQ(bell->wait(std::chrono::seconds(20)), Ring::Changed) << "the sqlite3 shell rings too";
}

TEST_F(SqliteFile, AWorkerOfAnotherConnectionThatStillHoldsItsLockIsNotRecovered) {
  const std::string path = dir_.file("locks.db");
  const auto mine = open(path);
  auto other = open(path);
  ASSERT_TRUE((*mine)->enqueue(std::vector{a_job()}));
  ClaimRequest request;
  request.worker = (*other)->join({"other", ""}).value();
  request.queues = {"default"};
  request.kinds = {{"k", 1}};
  request.limit = 1;
  ASSERT_EQ((*other)->claim(request).value().claims.size(), 1U);
  EXPECT_EQ((*mine)->step(100).value().recovered, 0);
  EXPECT_LE((*mine)->step(100).value().next, std::chrono::seconds(1)) << "its death must be seen within a second";
  *other = nullptr;  // as a crash does: the lock goes, nobody says goodbye
  const auto step = (*mine)->step(100).value();
  EXPECT_EQ(step.recovered, 1);
  EXPECT_EQ(step.dead_workers, std::vector<WorkerId>{request.worker});
}

TEST_F(SqliteFile, AWorkerWhoseLockSomebodyElseHoldsIsLeftToItsLease) {
  const std::string path = dir_.file("taken.db");
  const auto mine = open(path);
  const int fd = ::open((path + "-workers").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct flock first_byte {};
  first_byte.l_type = F_WRLCK;
  first_byte.l_start = 1;
  first_byte.l_len = 1;
  ASSERT_EQ(fcntl(fd, F_OFD_SETLK, &first_byte), 0);
  ASSERT_EQ((*mine)->join({"mine", ""}).value(), 1);
  close(fd);  // the byte is free now, and yet the worker lives
  EXPECT_TRUE((*open(path))->step(100).value().dead_workers.empty());
  EXPECT_EQ((*open(path))->workers().value().size(), 1U);
}

TEST_F(SqliteFile, AStoreThatIsNotInWalModeIsPutIntoIt) {
  const std::string path = dir_.file("copy.db");
  { ASSERT_TRUE(open(path)); }
  execute(path, "PRAGMA journal_mode = DELETE");
  const auto again = open(path);
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_TRUE((*again)->enqueue(std::vector{a_job()}));
  struct stat wal {};
  EXPECT_EQ(stat((path + "-wal").c_str(), &wal), 0);
}

TEST_F(SqliteFile, ALinkToAStoreIsTheSameStore) {
  const std::string path = dir_.file("real.db");
  const auto real = open(path);
  ASSERT_TRUE((*real)->join({"w", ""}));
  ASSERT_EQ(symlink(path.c_str(), dir_.file("link.db").c_str()), 0);
  const auto linked = open(dir_.file("link.db"));
  ASSERT_TRUE(linked) << linked.error().message;
  const auto bell = (*linked)->bell();
  ASSERT_TRUE((*real)->enqueue(std::vector{a_job()}));
  EXPECT_EQ(bell->wait(std::chrono::seconds(20)), Ring::Changed);
  EXPECT_TRUE((*linked)->step(100).value().dead_workers.empty());
  EXPECT_NE(access(dir_.file("link.db-workers").c_str(), F_OK), 0);
}

TEST_F(SqliteFile, ARingThatComesWithAnInterruptIsNotLost) {
  const auto store = open(dir_.file("both.db"));
  const auto bell = (*store)->bell();
  ASSERT_TRUE((*store)->enqueue(std::vector{a_job()}));
  bell->interrupt();
  EXPECT_EQ(bell->wait(Duration{0}), Ring::Interrupted);
  EXPECT_EQ(bell->wait(Duration{0}), Ring::Changed);
  EXPECT_EQ(bell->wait(Duration{0}), Ring::TimedOut);
}

TEST_F(SqliteFile, AQueueAndAKindThatAreADashAreListedToTheirEnd) {
  const auto store = open(dir_.file("dash.db"));
  job::NewJob job = a_job();
  job.queue = "-";
  job.kind = "-";
  ASSERT_TRUE((*store)->enqueue(std::vector(3, job)));
  const Page first = (*store)->list({}, "", 2).value();
  const Page second = (*store)->list({}, first.next, 2).value();
  EXPECT_EQ(first.jobs.size(), 2U);
  ASSERT_EQ(second.jobs.size(), 1U);
  EXPECT_EQ(second.jobs.front().id, 3);
  EXPECT_EQ(second.next, "");
}

TEST_F(SqliteFile, ADeletedLockFileProvesNobodysDeath) {
  const std::string path = dir_.file("unlinked.db");
  const auto mine = open(path);
  const auto other = open(path);
  const WorkerId worker = (*other)->join({"other", ""}).value();
  ASSERT_EQ(unlink((path + "-workers").c_str()), 0);
  ASSERT_TRUE((*mine)->join({"mine", ""}));
  EXPECT_TRUE((*mine)->step(100).value().dead_workers.empty()) << worker;
}

}  // namespace
}  // namespace galley::store
