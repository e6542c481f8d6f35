// A resumable job under a worker that is killed with SIGKILL again and again: it ends, it is not quarantined, and
// little of it is done twice. GALLEY_RESUME_SECONDS=120 is a job of two minutes, of which less than 5 % may be
// repeated.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "galley/galley.hpp"
#include "store/store.hpp"
#include "store/temp_dir.hpp"

namespace galley::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kItem = 5ms;

struct Long {
  std::int64_t items = 0;
};
BOOST_DESCRIBE_STRUCT(Long, (), (items))

/// Takes its time, unless it is asked to stop.
void take(const Attempt& attempt, Duration time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, attempt.stop_token(), time, [] { return false; });
}

bool work(const std::string& path, int told) {
  const auto store = open_store("sqlite:" + path).value();
  WorkerOptions options;
  options.drain = true;
  Worker worker{store, options};
  worker.handle<Long>("long", [told](Attempt& attempt, const Long& job) {
    return resume(attempt, range(0, job.items), [&](std::int64_t item) {
      take(attempt, kItem);
      if (write(told, &item, sizeof item) != sizeof item) _exit(1);
    });
  });
  return worker.pool("q", 1).run().has_value();
}

template <class Body>
pid_t start(Body body) {
  const pid_t child = fork();
  if (child != 0) return child;
  bool well = false;
  try {
    well = body();
  } catch (const std::exception& thrown) {
    (void)!write(STDERR_FILENO, thrown.what(), std::string_view(thrown.what()).size());
  }
  _exit(well ? 0 : 1);
}

int status_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

struct Ran {
  std::vector<int> times;  ///< how often each item was done
  int kills = 0;
  bool ended = false;
  std::int64_t acknowledged = 0;     ///< the item that the store's checkpoint names
  std::int64_t first = -1;           ///< that the present worker has done
  std::vector<std::int64_t> beyond;  ///< of each kill: items done that the checkpoint did not have
};

/// Reads what the worker has done until `most` items, or its end. False: it ended.
bool follow(int fd, std::int64_t most, Ran& ran) {
  for (std::int64_t seen = 0; seen < most; ++seen) {
    std::int64_t item = 0;
    if (read(fd, &item, sizeof item) != sizeof item) return false;
    ++ran.times.at(static_cast<std::size_t>(item));
    if (ran.first < 0) ran.first = item;
    ran.beyond.back() = item + 1 - ran.acknowledged;
  }
  return true;
}

/// The place in the job's checkpoint; 0: it has none.
std::int64_t place_in(const std::string& path) {
  int told[2];
  if (pipe(told) != 0) return -1;
  const pid_t looker = start([&] {
    const std::string text = open_store("sqlite:" + path).value()->find(1).value().checkpoint;
    const auto at = text.find("\"at\":");
    const std::int64_t place = at == std::string::npos ? 0 : std::stoll(text.substr(at + 5));
    return write(told[1], &place, sizeof place) == sizeof place;
  });
  close(told[1]);
  std::int64_t place = -1;
  EXPECT_EQ(read(told[0], &place, sizeof place), static_cast<ssize_t>(sizeof place));
  close(told[0]);
  EXPECT_EQ(status_of(looker), 0);
  return place;
}

/// Workers one after the other, each killed after `least` to `most` of work.
Ran run(const std::string& path, std::int64_t items, Duration least, Duration most) {
  Ran ran;
  ran.times.resize(static_cast<std::size_t>(items));
  base::Random random(1);
  while (ran.kills < 1'000) {
    int told[2];
    if (pipe(told) != 0) return ran;
    ran.first = -1;
    ran.beyond.push_back(0);
    const pid_t worker = start([&] { return close(told[0]) == 0 && work(path, told[1]); });
    close(told[1]);
    const auto up =
        least + Duration(static_cast<std::int64_t>(random.unit() * static_cast<double>((most - least).count())));
    const bool lives = follow(told[0], up / kItem, ran);
    if (lives) kill(worker, SIGKILL);
    while (follow(told[0], 1, ran)) continue;  // what it had done before the kill
    close(told[0]);
    const int status = status_of(worker);
    ran.ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (ran.first >= 0) {
      EXPECT_EQ(ran.first, ran.acknowledged) << "it goes on where the store has it";
    }
    if (!lives) {
      ran.beyond.pop_back();
      return ran;
    }
    ++ran.kills;
    const std::int64_t place = place_in(path);
    EXPECT_GE(place, ran.acknowledged);
    ran.beyond.back() -= place - ran.acknowledged;
    ran.acknowledged = place;
  }
  return ran;
}

TEST(Killed, AResumableJobGetsToItsEndAndRepeatsLittle) {
  const char* const wanted = std::getenv("GALLEY_RESUME_SECONDS");
  const bool whole = wanted != nullptr;
  const std::int64_t items = std::chrono::seconds(whole ? std::atoi(wanted) : 6) / kItem;
  const TempDir dir;
  const std::string path = dir.file("jobs.db");
  ASSERT_EQ(status_of(start([&] {
              Queue queue(open_store("sqlite:" + path).value(), "q");
              return queue.enqueue("long", Long{items}, resumable()).has_value();
            })),
            0);
  const Ran ran = whole ? run(path, items, 2s, 8s) : run(path, items, 700ms, 1'300ms);
  std::int64_t repeated = 0;
  for (const int times : ran.times) {
    ASSERT_GE(times, 1) << "an item was skipped";
    repeated += times - 1;
  }
  EXPECT_EQ(repeated, std::accumulate(ran.beyond.begin(), ran.beyond.end(), std::int64_t{0}))
      << "what no checkpoint had is done again, and nothing else";
  const double percent = 100.0 * static_cast<double>(repeated) / static_cast<double>(items);
  std::cout << items << " items of 5 ms, " << ran.kills << " kills, " << repeated << " items repeated, " << percent
            << " %\n";
  EXPECT_TRUE(ran.ended);
  EXPECT_GT(ran.kills, JobOptions{}.max_crashes) << "it gets on, so its crashes do not quarantine it";
  if (whole) {
    EXPECT_LT(percent, 5.0);
  } else {
    EXPECT_LT(repeated * kItem, ran.kills * 250ms) << "100 ms in the mean, and what a busy machine adds to it";
  }
  EXPECT_EQ(status_of(start(
                [&] { return open_store("sqlite:" + path).value()->find(1).value().state == JobState::Completed; })),
            0);
}

}  // namespace
}  // namespace galley::test
