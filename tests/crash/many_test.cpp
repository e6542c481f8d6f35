// Many processes share one file: four workers, four producers, two that look, one that examines and copies. Nobody
// meets an error, and what each of them takes, the log and the file stay bounded.
//
// GALLEY_SOAK_SECONDS=3600 (./dev soak) makes it longer.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iomanip>
#include <iostream>

#include "base/resident.hpp"
#include "crash/crew.hpp"
#include "e2e/process.hpp"

namespace galley::test {
namespace {

using namespace std::chrono_literals;

// A checkpoint at 24 MiB waits for the readers of that moment; the longest is a backup, while the writers go on.
constexpr std::int64_t kMostLogBytes = 160 << 20;
// 100,000 completed jobs and their last attempts are kept, of about 600 bytes with their indexes.
constexpr std::int64_t kMostFileBytes = 256 << 20;
// The page cache of a connection has 8 MiB, and is full only after a while.
constexpr std::int64_t kMostGrowthKib = 10 << 10;
constexpr std::int64_t kMostMoreFiles = 4;

/// Runs the program in the crew's directory, as a person would.
void call(Member& member, const std::vector<std::string>& arguments) {
  const Finished end = Process(member.dir(), {.arguments = arguments}).finish();
  if (end.exit_code != 0) member.failed("galley " + arguments[0], std::to_string(end.exit_code) + " " + end.err);
}

Role looks() {
  return [](Member& member) {
    const std::vector<std::vector<std::string>> all{
        {"stats", "--json"}, {"jobs", "--limit", "200", "--json"}, {"queues"}, {"jobs", "--state", "dead", "--json"}};
    for (std::size_t i = 0; member.go_on(20ms); ++i) call(member, all[i % all.size()]);
  };
}

/// What was cancelled or died is kept until a person deletes it.
void clear_away(Member& member, JobState state) {
  store::Filter filter;
  filter.state = state;
  const auto page = member.store()->select(filter, "", 1'000);
  if (!member.well("select", page) || page->ids.empty()) return;
  (void)member.well("erase", member.store()->erase(page->ids));
}

Role keeps() {
  return [](Member& member) {
    for (int i = 0; member.go_on(500ms); ++i) {
      call(member, {"queues", "pause", "q"});
      call(member, {"queues", "resume", "q"});
      clear_away(member, JobState::Cancelled);
      clear_away(member, JobState::Dead);
      if (i % 4 != 0) continue;
      (void)member.well("examine", member.store()->examine(false));
      const std::string copy = "copy-" + std::to_string(i) + ".db";
      call(member, {"backup", copy});
      unlink(member.dir().file(copy).c_str());
    }
  };
}

std::int64_t size_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_size : -1;
}

void print(const std::vector<Figures>& all) {
  std::cout << "process         calls  memory warm, end (KiB)  files warm, end  log at most (KiB)\n";
  for (const Figures& one : all) {
    std::cout << std::left << std::setw(12) << one.name << std::right << std::setw(9) << one.calls << std::setw(12)
              << one.rss_warm_kib << std::setw(12) << one.rss_end_kib << std::setw(12) << one.files_warm << std::setw(5)
              << one.files_end << std::setw(19) << one.log_bytes / 1'024 << " " << one.error << "\n";
  }
}

TEST(Soak, OfManyProcessesOverOneFileMeetsNoErrorAndStaysBounded) {
  const char* const text = std::getenv("GALLEY_SOAK_SECONDS");
  const std::chrono::seconds time(text == nullptr ? 10 : std::atoi(text));
  Crew crew(time / 5);
  for (int i = 0; i < 4; ++i) crew.start("worker", works(2, 30ms));
  for (int i = 0; i < 4; ++i) crew.start("producer", produces());
  for (int i = 0; i < 2; ++i) crew.start("looker", looks());
  crew.start("keeper", keeps());
  EXPECT_TRUE(crew.wait(time)) << "a process ended early";
  EXPECT_TRUE(crew.stop());
  const std::int64_t bytes = size_of(crew.dir().file("galley.db"));
  const std::vector<Figures> all = crew.figures();
  print(all);
  EXPECT_EQ(all.size(), 11U);
  for (const Figures& one : all) {
    EXPECT_EQ(one.error, "") << one.name;
    EXPECT_LE(one.log_bytes, kMostLogBytes) << one.name;
    if (kMemoryIsOurs) {
      EXPECT_LE(one.rss_end_kib, one.rss_warm_kib + kMostGrowthKib) << one.name;
    }
    EXPECT_LE(one.files_end, one.files_warm + kMostMoreFiles) << one.name;
  }
  EXPECT_LE(bytes, kMostFileBytes);
  const history::Checker checker = crew.check_history();
  EXPECT_EQ(checker.text(), "");
  EXPECT_GT(checker.completed(), 10 * time.count()) << "too few to say much";
  std::cout << "soak: " << time.count() << " s, acknowledged " << checker.acknowledged() << ", claims "
            << checker.claims() << ", completed " << checker.completed() << ", file " << bytes / 1'024
            << " KiB, violations " << checker.violations().size() << "\n";
}

}  // namespace
}  // namespace galley::test
