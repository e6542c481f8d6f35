// A disk that is full, and one that is mounted read-only: a sentence each, nothing lost, and everything goes on after.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/clock.hpp"
#include "e2e/process.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace galley::test {
namespace {

/// A small disk of a test's own, over the directory that is given.
class SmallDisk {
 public:
  SmallDisk(const TempDir& dir, const std::string& size) : path_(dir.path()) {
    mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
    if (!mounted_) why_ = std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const std::string& why_not() const { return why_; }
  /// Takes all that is free.
  void fill() const {
    const int fd = open((path_ + "/filler").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const std::string bytes(4096, 'x');
    while (::write(fd, bytes.data(), bytes.size()) > 0) {
    }
    EXPECT_EQ(errno, ENOSPC);
    close(fd);
  }
  void make_room() const { EXPECT_EQ(unlink((path_ + "/filler").c_str()), 0); }
  void make_read_only() const {
    EXPECT_EQ(mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0) << std::strerror(errno);
  }

 private:
  const std::string path_;
  bool mounted_ = false;
  std::string why_;
};

class Disk : public testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.mounted())
      GTEST_SKIP() << "no file system may be mounted here, full disks are NOT TESTED: " << disk_.why_not();
  }
  Result<std::unique_ptr<store::Store>> open_it() {
    store::SqliteOptions options;
    options.path = bench_.dir().file("galley.db");
    options.clock = &clock_;
    return store::open_sqlite(options);
  }
  static std::vector<job::NewJob> jobs(std::size_t count, std::size_t bytes) {
    job::NewJob job;
    job.kind = "k";
    job.content = job::Content::Bytes;
    job.payload.assign(bytes, 'x');
    return std::vector(count, job);
  }
  static std::size_t count(store::Store& store) {
    std::size_t all = 0;
    std::string cursor;
    do {
      const auto page = store.select({}, cursor, limits::kMaxPage);
      EXPECT_TRUE(page) << page.error().message;
      if (!page) return all;
      all += page->ids.size();
      cursor = page->next;
    } while (!cursor.empty());
    return all;
  }
  static void expect_whole(store::Store& store) {
    for (const store::Finding& finding : store.examine(false).value()) {
      EXPECT_TRUE(finding.code == "unserved") << finding.code << ": " << finding.what;
    }
  }

  Bench bench_;
  SmallDisk disk_{bench_.dir(), "3m"};
  base::SystemClock clock_;
};

TEST_F(Disk, ThatIsFullRefusesAnEnqueueAsAWholeAndLosesNothing) {
  auto store = open_it().value();
  disk_.fill();
  disk_.make_room();
  std::size_t acknowledged = 0;
  Result<std::vector<store::Enqueued>> last = std::vector<store::Enqueued>{};
  for (int i = 0; i < 1'000 && last; ++i) {
    last = store->enqueue(jobs(3, 9'000));
    if (last) acknowledged += 3;
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(name(last.error().code), name(Errc::DiskFull)) << last.error().message;
  EXPECT_EQ(last.error().written, Written::Nothing);
  EXPECT_GT(acknowledged, 50U);
  EXPECT_EQ(count(*store), acknowledged);
  for (int i = 0; i < 20; ++i) {
    const auto again = store->enqueue(jobs(3, 9'000));
    ASSERT_FALSE(again);
    EXPECT_EQ(name(again.error().code), name(Errc::DiskFull)) << again.error().message;
  }
  EXPECT_EQ(count(*store), acknowledged);
  EXPECT_TRUE(store->find(static_cast<JobId>(acknowledged))) << "what is there can be read";
  store.reset();
  const auto reopened = open_it();
  ASSERT_TRUE(reopened) << reopened.error().message;
  EXPECT_EQ(count(**reopened), acknowledged);
  expect_whole(**reopened);
}

TEST_F(Disk, ThatHasRoomAgainTakesJobsAndLetsThemEnd) {
  const auto store = open_it().value();
  ASSERT_TRUE(store->enqueue(jobs(20, 100)));
  const store::WorkerId worker = store->join({"w", ""}).value();
  store::ClaimRequest request;
  request.worker = worker;
  request.queues = {"default"};
  request.kinds = {{"k", 20}};
  request.limit = 10;
  const auto claims = store->claim(request).value().claims;
  ASSERT_EQ(claims.size(), 10U);
  disk_.fill();
  std::vector<store::Finish> finishes;
  for (const job::Claim& claim : claims) {
    finishes.push_back({});
    finishes.back().claim = claim.id;
  }
  const auto refused = store->finish(finishes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(name(refused.error().code), name(Errc::DiskFull)) << refused.error().message;
  const auto nothing = store->claim(request);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(name(nothing.error().code), name(Errc::DiskFull)) << nothing.error().message;
  disk_.make_room();
  for (const store::FinishAnswer answer : store->finish(finishes).value())
    EXPECT_EQ(answer, store::FinishAnswer::Finished);
  EXPECT_EQ(store->claim(request).value().claims.size(), 10U) << "a refused claim claims nothing";
  EXPECT_TRUE(store->enqueue(jobs(5, 100)));
  EXPECT_EQ(count(*store), 25U);
}

TEST_F(Disk, ThatIsFullBeforeTheStoreIsOpenedIsNamed) {
  { ASSERT_TRUE(open_it().value()->enqueue(jobs(2, 100))); }
  disk_.fill();
  const Finished refused = bench_.run({"enqueue", "--", "true"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("no space left"), std::string::npos) << refused.err;
  disk_.make_room();
  EXPECT_EQ(bench_.run({"enqueue", "--", "true"}).out, "3\n");
}

TEST_F(Disk, ThatIsFullNeitherLosesAWorkersJobsNorMakesItSpin) {
  const Fifo started(bench_.dir().file("started"));
  const Fifo go_on(bench_.dir().file("go-on"));
  ASSERT_EQ(bench_.run({"enqueue", "--", "sh", "-c", "echo > started; read x < go-on"}).exit_code, 0);
  ASSERT_EQ(bench_.run({"enqueue", "--", "sh", "-c", "echo > started; read x < go-on"}).exit_code, 0);
  Process worker(bench_.dir(), {.arguments = {"work", "--pool", "default=2", "--allow-commands", "--lease", "4s"}});
  ASSERT_TRUE(started.wait());
  ASSERT_TRUE(started.wait());
  disk_.fill();
  go_on.tell();  // one ends, and its end cannot be told; the other goes on, and its lease cannot be renewed
  ASSERT_TRUE(worker.wait_err("store.failing"));
  const Finished refused = bench_.run({"enqueue", "--", "true"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("no space left"), std::string::npos) << refused.err;
  ASSERT_TRUE(worker.wait_err("job.end_not_told")) << "its lease is over";
  disk_.make_room();
  ASSERT_TRUE(started.wait());
  ASSERT_TRUE(started.wait()) << "nobody was told that they ended, so both run again";
  go_on.tell();
  go_on.tell();
  const Finished waited = bench_.run({"enqueue", "--wait", "--", "true"});
  EXPECT_EQ(waited.exit_code, 0) << waited.err;
  worker.signal(SIGTERM);
  const Finished end = worker.finish();
  EXPECT_NE(end.err.find("store.reached"), std::string::npos) << end.err;
  EXPECT_LT(std::count(end.err.begin(), end.err.end(), '\n'), 20) << end.err;
  EXPECT_EQ(bench_.state(1), "completed") << end.err;
  EXPECT_EQ(bench_.state(2), "completed");
}

TEST_F(Disk, ThatIsReadOnlyIsNamedAndLeftAsItIs) {
  { ASSERT_TRUE(open_it().value()->enqueue(jobs(2, 100))); }
  const std::string before = bench_.read("galley.db");
  disk_.make_read_only();
  const auto store = open_it();
  ASSERT_FALSE(store);
  EXPECT_EQ(name(store.error().code), name(Errc::ReadOnly)) << store.error().message;
  EXPECT_EQ(store.error().written, Written::Nothing);
  EXPECT_EQ(bench_.read("galley.db"), before);
  EXPECT_NE(bench_.run({"enqueue", "--", "true"}).err.find("ead-only"), std::string::npos);
}

}  // namespace
}  // namespace galley::test
