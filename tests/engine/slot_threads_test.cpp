// The threads of a worker's slots: as many as are needed, and what happens where none can be had.

#include <pthread.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <iterator>

#include "engine/worker_fixture.hpp"

namespace galley::engine {
namespace {

class SlotThreads : public WorkerTest {};

TEST_F(SlotThreads, AreNamedByTheirPoolAndAsManyAsRunAtOnce) {
  for (int i = 0; i < 3; ++i) enqueue("k");
  Event all;
  std::atomic<int> named = 0;
  const auto threads = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); };
  const auto before = threads();
  std::atomic<std::ptrdiff_t> most = 0;
  Worker worker(store, drain());
  worker.pool("q", 10'000).handle("k", [&](Attempt&, std::string_view) {
    std::array<char, 16> name{};
    if (pthread_getname_np(pthread_self(), name.data(), name.size()) == 0) {
      named += std::string_view(name.data()).starts_with("q/0/") ? 1 : 0;
    }
    all.set();
    EXPECT_TRUE(all.wait(3)) << "all three run at once";
    most = std::max<std::ptrdiff_t>(most, threads());
  });
  EXPECT_EQ(worker.run().value().completed, 3);
  EXPECT_EQ(named, 3);
  EXPECT_LE(most, before + 6) << "three, the watchdog, and one that was started early or is the store's";
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // theirs start threads in their own way
/// No thread can be started while it lives: no address space has room for its stack.
class NoThreads {
 public:
  NoThreads() {
    EXPECT_EQ(::pthread_getattr_default_np(&before_), 0);
    pthread_attr_t endless = before_;
    EXPECT_EQ(::pthread_attr_setstacksize(&endless, std::size_t{1} << 50U), 0);
    EXPECT_EQ(::pthread_setattr_default_np(&endless), 0);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;
  ~NoThreads() {
    EXPECT_EQ(::pthread_setattr_default_np(&before_), 0);
    ::pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_{};
};

TEST_F(SlotThreads, AClaimForWhichNoneCanBeStartedIsGivenBackAndRunLater) {
  JobId id = 0;
  std::optional<NoThreads> none;
  int pulses = 0;
  int running = 0;
  WorkerOptions options;
  options.pulse_every = 10ms;
  options.log_level = "error";
  options.on_pulse = [&](const WorkerPulse& pulse) {
    if (none) running += pulse.busy;
    if (++pulses == 1) {  // all other threads of the worker are there by now
      none.emplace();
      id = enqueue("k");
    }
    if (pulses == 30) none.reset();
  };
  testing::internal::CaptureStderr();
  Worker worker(store, options);
  worker.pool("q", 1).handle("k", [&](Attempt& attempt, std::string_view) {
    EXPECT_FALSE(none) << "it cannot run before";
    EXPECT_EQ(attempt.number(), 1) << "no try was used";
    worker.stop();
  });
  const auto report = worker.run();
  const std::string log = testing::internal::GetCapturedStderr();
  none.reset();
  EXPECT_EQ(report.value().completed, 1);
  EXPECT_NE(log.find("job.not_started"), std::string::npos) << log;
  EXPECT_EQ(running, 0) << "it held no slot meanwhile";
  EXPECT_EQ(find(id).counters.errors, 0);
}
#endif

}  // namespace
}  // namespace galley::engine
