// The write-ahead log stays bounded while many connections write without a pause and others always read: a log begins
// anew only in a moment in which all of it is taken over and nobody reads from it.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store/temp_dir.hpp"

namespace galley::test {
namespace {

// 40 MiB where a wait for the readers is never in vain (the usual case); each that was lets it double, and a bit more
// is written meanwhile. Without a bound it is 250 MiB by the end.
constexpr std::int64_t kMostLogBytes = 160 << 20;

class BusyLog : public testing::Test {
 protected:
  std::unique_ptr<store::Store> open() {
    store::SqliteOptions options;
    options.path = dir.file("galley.db");
    options.clock = &clock;
    options.durability = store::Durability::Normal;
    return store::open_sqlite(options).value();
  }
  void write(int times) {
    const auto store = open();
    job::NewJob job;
    job.kind = "work";
    job.payload = std::string(2'000, 'x');
    const std::vector<job::NewJob> jobs(20, job);
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(store->enqueue(jobs));
      struct stat log {};
      ASSERT_EQ(stat(dir.file("galley.db-wal").c_str(), &log), 0);
      std::int64_t most = most_;
      while (log.st_size > most && !most_.compare_exchange_weak(most, log.st_size)) {
      }
    }
  }
  void read() {
    const auto store = open();
    while (!over_) ASSERT_TRUE(store->list({}, "", 500));
  }

  test::TempDir dir;
  const base::SystemClock clock;
  std::atomic<std::int64_t> most_ = 0;
  std::atomic<bool> over_ = false;
};

TEST_F(BusyLog, StaysBoundedWhileManyWriteAndRead) {
  (void)open();
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back([this] { read(); });
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 4; ++i) writers.emplace_back([this] { write(800); });
  }
  over_ = true;
  readers.clear();
  std::cout << "log at most " << most_ / 1'024 << " KiB\n";
  EXPECT_LE(most_, kMostLogBytes);
}

}  // namespace
}  // namespace galley::test
