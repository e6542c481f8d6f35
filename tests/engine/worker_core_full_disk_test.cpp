// A disk that is full for long: what writes fails, what only reads succeeds, and the worker neither spins nor babbles.

#include "engine/core_bench.hpp"

namespace galley::engine {
namespace {

const Error kFull{Errc::DiskFull, "no space left", Written::Nothing};

/// Answers as a full disk does, and counts.
struct FullDisk {
  Bench& bench;
  int failed = 0;
  int said = 0;
  int reached = 0;

  void fail() {
    ++failed;
    if (bench.core.on_store_error(bench.now, kFull)) ++said;
  }
  /// Nothing is to be recovered or promoted, unless `step_writes`.
  void turn(bool step_writes) {
    const bool before = bench.core.failing();
    Plan plan = bench.core.plan(bench.now);
    if (auto* exchange = std::get_if<Exchange>(&plan)) {
      if (exchange->finishes.empty()) {
        static_cast<void>(bench.answer(*exchange));
      } else {
        fail();
      }
    } else if (std::holds_alternative<Renew>(plan)) {
      fail();
    } else if (std::holds_alternative<Step>(plan)) {
      if (step_writes) {
        fail();
      } else {
        bench.step();
      }
    } else if (std::holds_alternative<Look>(plan)) {
      bench.core.on_looked(bench.now, {});
    } else {
      bench.now = std::max(bench.now + 1ms, std::get<Wait>(plan).until);
    }
    if (before && !bench.core.failing()) ++reached;
  }
  void run(Duration time, bool step_writes) {
    for (const Mono until = bench.now + time; bench.now < until;) turn(step_writes);
  }
};

TEST(WorkerCoreFullDisk, IsSaidOnceWhileAnAttemptCannotBeRenewed) {
  Bench bench;
  bench.claim({claim_of(1)});
  FullDisk disk{bench};
  disk.run(29s, false);
  EXPECT_GE(disk.failed, 5) << "it is tried again";
  EXPECT_LE(disk.failed, 25) << "after 50 ms at first, and then every two seconds";
  EXPECT_EQ(disk.said, 1);
  EXPECT_EQ(disk.reached, 0) << "claims that bring nothing succeed, which is no news";
}

TEST(WorkerCoreFullDisk, IsSaidOnceWhileHousekeepingCannotBeDone) {
  Bench bench;
  static_cast<void>(bench.run_dry());
  bench.now += 1h;
  FullDisk disk{bench};
  disk.run(60s, true);
  EXPECT_GE(disk.failed, 20);
  EXPECT_LE(disk.failed, 45);
  EXPECT_EQ(disk.said, 1);
  EXPECT_EQ(disk.reached, 0);
  EXPECT_FALSE(bench.core.stopping()) << "it can still claim what is there";
  disk.run(10s, false);
  EXPECT_FALSE(bench.core.failing());
  EXPECT_EQ(disk.reached, 1);
}

TEST(WorkerCoreFullDisk, IsOverWhenWhatCouldNotBeToldIsNobodysAnyMore) {
  CoreOptions wanted = options();
  wanted.lease = 10s;
  Bench bench(wanted);
  const auto starts = bench.claim({claim_of(1)});
  bench.core.on_ended(starts.at(0).slot, done());
  FullDisk disk{bench};
  disk.run(9s, false);
  EXPECT_TRUE(bench.core.failing());
  disk.run(5s, false);
  EXPECT_EQ(bench.core.take_given_up(), (std::vector<job::ClaimId>{{1, 1}}));
  EXPECT_FALSE(bench.core.failing());
  EXPECT_EQ(disk.said, 1);
}

TEST(WorkerCoreFullDisk, ARenewalThatFailedIsForgottenWithItsAttempt) {
  Bench bench;
  const auto starts = bench.claim({claim_of(1)});
  bench.now += 10s;
  static_cast<void>(bench.expect<Renew>());
  EXPECT_TRUE(bench.core.on_store_error(bench.now, kFull));
  bench.core.on_ended(starts.at(0).slot, done());
  bench.now += 50ms;
  static_cast<void>(bench.run_dry());
  EXPECT_FALSE(bench.core.failing());
}

}  // namespace
}  // namespace galley::engine
