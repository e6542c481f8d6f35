#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "contract/support.hpp"

namespace galley::store::contract {

class Threads : public Contract {
 protected:
  static constexpr int kThreads = 4;
  static constexpr int kJobsEach = 50;

  void produce() {
    for (int i = 0; i < kJobsEach; ++i) add(a_job());
  }

  /// Claims and finishes until all jobs have run; `noted` counts the runs of each.
  void work(WorkerId who, std::atomic<int>& left, std::mutex& mutex, std::map<JobId, int>& noted) {
    const auto bell = store.bell();
    while (left > 0) {
      const auto claims = claim(ClaimBuilder(who).kind("k").limit(3));
      for (const job::Claim& one : claims) {
        {
          const std::scoped_lock lock(mutex);
          ++noted[one.id.job];
          --left;  // before the finish, whose ring lets the others see it
        }
        EXPECT_EQ(finish(one, JobEvent::Complete), FinishAnswer::Finished);
      }
      if (claims.empty() && left > 0) {
        EXPECT_EQ(bell->wait(30s), Ring::Changed) << "a ring was missed";
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Every, Threads, testing::ValuesIn(backends()), backend_name);

TEST_P(Threads, AllVerbsAtOnceRunEachJobOnce) {
  std::atomic<int> left = kThreads * kJobsEach;
  std::mutex mutex;
  std::map<JobId, int> noted;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      const WorkerId who = store.join({"host:" + std::to_string(i), ""}).value();
      threads.emplace_back([&, who] { work(who, left, mutex, noted); });
      threads.emplace_back([&] { produce(); });
    }
    threads.emplace_back([&] {
      while (left > 0) {
        (void)step();
        (void)store.queues().value();
        (void)list();
      }
    });
  }
  EXPECT_EQ(noted.size(), static_cast<std::size_t>(kThreads * kJobsEach));
  for (const auto& [id, runs] : noted) EXPECT_EQ(runs, 1) << "job " << id;
  expect_counts_match_contents();
}

}  // namespace galley::store::contract
