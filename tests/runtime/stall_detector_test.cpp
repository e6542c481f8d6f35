#include "galley/runtime/stall_detector.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/event.hpp"
#include "galley/runtime/current_task.hpp"
#include "galley/runtime/loop.hpp"
#include "runtime/beating.hpp"
#include "runtime/symbols.hpp"
#include "runtime/unwind.hpp"

namespace galley {
namespace {

using namespace std::chrono_literals;
using runtime::Heartbeat;
using test::becomes_true;
using test::Event;
using test::Handler;

/// What a detector has reported.
class Reports {
 public:
  void add(const StallReport& report) {
    const std::lock_guard lock(mutex_);
    reports_.push_back(report);
  }
  [[nodiscard]] std::vector<StallReport> all() const {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  [[nodiscard]] std::size_t count() const { return all().size(); }
  /// The first that has a stack (a thread that gets no CPU does not answer for its own) and was printed so many times.
  [[nodiscard]] std::optional<StallReport> with_stack(int times) const {
    for (const StallReport& report : all()) {
      if (!report.stack.empty() && report.times >= times) return report;
    }
    return std::nullopt;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<StallReport> reports_;
};

StallOptions options_for(Reports& reports, Duration threshold = 25ms) {
  StallOptions options;
  options.signal = SIGRTMIN + 1;
  options.threshold = threshold;
  options.on_report = [&reports](const StallReport& report) { reports.add(report); };
  return options;
}

/// Has the debug information read, which delays the first report of a process.
class StallDetectors : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    runtime::RawStack stack;
    runtime::unwind(stack);
    EXPECT_FALSE(runtime::symbolise(stack.frames()).empty());
  }
};

/// Runs `body` on a thread that a detector watches.
void run_watched(StallDetector& detector, Heartbeat& heartbeat, const std::function<void()>& body) {
  Event ready;
  Event go;
  std::atomic<int> id{0};
  std::thread thread([&] {
    id = ::gettid();
    ready.set();
    EXPECT_TRUE(go.wait());
    body();
  });
  EXPECT_TRUE(ready.wait());
  {
    const StallWatch watch = detector.watch("main", heartbeat, [&id] { return id.load(); });
    go.set();
    thread.join();
    EXPECT_TRUE(becomes_true([&] { return heartbeat.busy_since_ns == 0; }));
  }
}

std::function<bool()> counts(const Reports& reports, std::size_t wanted) {
  return [&reports, wanted] { return reports.count() >= wanted; };
}

constexpr int kSpinLine = __LINE__ + 1;
[[gnu::noinline]] void shrink(const std::function<bool()>& done) { EXPECT_TRUE(becomes_true(done)); }

constexpr int kCallLine = __LINE__ + 2;
[[gnu::noinline]] void make_thumbnail(const std::function<bool()>& done) {
  shrink(done);
  asm volatile("");
}

boost::asio::awaitable<void> serve_upload(const std::function<bool()>& done) {
  make_thumbnail(done);
  co_return;
}

boost::asio::awaitable<void> serve(const std::function<bool()>& done) { co_await serve_upload(done); }

std::size_t find(const Stack& stack, const std::string& function) {
  const auto found = std::find_if(stack.begin(), stack.end(),
                                  [&](const StackFrame& frame) { return frame.function.starts_with(function); });
  return static_cast<std::size_t>(found - stack.begin());
}

TEST_F(StallDetectors, NamesTheTaskAndTheOffenderThreeFramesDeepInACoroutine) {
  Reports reports;
  StallDetector detector{options_for(reports)};
  Heartbeat heartbeat;
  const TaskInfo task{"upload", BOOST_CURRENT_LOCATION};
  run_watched(detector, heartbeat, [&] {
    boost::asio::io_context context{1};
    const std::function<bool()> done = [&] { return reports.with_stack(1).has_value(); };
    boost::asio::co_spawn(context, serve(done), [](const std::exception_ptr& error) { EXPECT_FALSE(error); });
    const TaskScope scope(&task);
    const Handler handler(heartbeat);
    context.run();
  });
  ASSERT_TRUE(reports.with_stack(1)) << reports.all().at(0).text();
  const StallReport report = *reports.with_stack(1);
  EXPECT_EQ(report.loop, "main");
  EXPECT_FALSE(report.ended);
  EXPECT_TRUE(report.has_task);
  EXPECT_EQ(report.task, "upload");
  EXPECT_EQ(report.spawned_at.line(), task.spawned_at.line());
  EXPECT_GE(report.lasted, 25ms);
  const std::size_t inner = find(report.stack, "galley::shrink(");
  const std::size_t outer = find(report.stack, "galley::make_thumbnail(");
  const std::size_t coroutine = find(report.stack, "galley::serve_upload(");
  ASSERT_LT(coroutine, report.stack.size()) << report.text();
  EXPECT_LT(inner, outer) << report.text();
  EXPECT_LT(outer, coroutine) << report.text();
  EXPECT_EQ(report.stack[inner].line, kSpinLine) << report.text();
  EXPECT_EQ(report.stack[outer].line, kCallLine) << report.text();
  EXPECT_TRUE(report.stack[inner].file.ends_with("stall_detector_test.cpp")) << report.stack[inner].file;
  EXPECT_NE(report.text().find("task \"upload\" (spawned at stall_detector_test.cpp:"), std::string::npos)
      << report.text();
  EXPECT_NE(report.text().find("  at galley::shrink("), std::string::npos) << report.text();
}

TEST_F(StallDetectors, ReportsAgainAtTwiceAndFourTimesTheThresholdAndAtTheEnd) {
  Reports reports;
  StallDetector detector{options_for(reports, 10ms)};
  Heartbeat heartbeat;
  run_watched(detector, heartbeat, [&] {
    {
      const Handler handler(heartbeat);
      make_thumbnail(counts(reports, 3));
    }
    EXPECT_TRUE(becomes_true([&] { return reports.count() == 4; }));
  });
  const std::vector<StallReport> all = reports.all();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_GE(all[0].lasted, 10ms);
  EXPECT_GE(all[1].lasted, 20ms);
  EXPECT_GE(all[2].lasted, 40ms);
  EXPECT_TRUE(all[3].ended);
  EXPECT_GE(all[3].lasted, all[2].lasted);
  EXPECT_TRUE(all[3].stack.empty());
  EXPECT_EQ(detector.stats().stalls, 1);
  EXPECT_EQ(detector.stats().reported, 1);
}

std::ptrdiff_t lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

/// The same stack each time, as a thread that waits has it.
TEST_F(StallDetectors, CountsAStackThatWasReportedBeforeAndPrintsItInOneLine) {
  Reports reports;
  StallDetector detector{options_for(reports, 10ms)};
  Heartbeat heartbeat;
  Event over;
  run_watched(detector, heartbeat, [&] {
    std::thread other([&] {
      EXPECT_TRUE(becomes_true([&] { return reports.with_stack(2).has_value(); }));
      over.set();
    });
    {
      const Handler handler(heartbeat);
      EXPECT_TRUE(over.wait());
    }
    other.join();
  });
  ASSERT_TRUE(reports.with_stack(2));
  const StallReport first = *reports.with_stack(1);
  EXPECT_EQ(first.times, 1);
  EXPECT_GT(lines(first.text()), 3);
  EXPECT_EQ(lines(reports.with_stack(2)->text()), 1) << reports.with_stack(2)->text();
}

TEST_F(StallDetectors, CountsTheStallsAboveItsLimitAndReportsThemNot) {
  Reports reports;
  StallOptions options = options_for(reports, 5ms);
  options.reports_per_minute = 2;
  StallDetector detector{options};
  Heartbeat heartbeat;
  run_watched(detector, heartbeat, [&] {
    for (int stall = 1; stall <= 5; ++stall) {
      const Handler handler(heartbeat);
      EXPECT_TRUE(becomes_true([&] {
        const StallStats stats = detector.stats();
        return stats.stalls == stall && stats.reported + stats.late == std::min(stall, 2);
      }));
    }
  });
  const StallStats stats = detector.stats();
  EXPECT_EQ(stats.stalls, 5);
  EXPECT_EQ(stats.reported, 2);
  EXPECT_EQ(stats.suppressed, 3);
}

TEST_F(StallDetectors, TellsWhatComputesFromWhatIsBlocked) {
  Reports reports;
  StallDetector detector{options_for(reports, 50ms)};
  Heartbeat heartbeat;
  Event reported;
  run_watched(detector, heartbeat, [&] {
    const Handler handler(heartbeat);
    std::thread other([&] {
      EXPECT_TRUE(becomes_true([&] { return reports.count() >= 1; }));
      reported.set();
    });
    EXPECT_TRUE(reported.wait());
    other.join();
  });
  const StallReport blocked = reports.all().at(0);
  EXPECT_EQ(blocked.cause, StallCause::Blocked) << blocked.text();
  EXPECT_EQ(blocked.system_call, "futex") << blocked.text();

  Heartbeat other;
  const std::size_t before = reports.count() + 3;  // at four times the threshold most of a busy machine's noise is gone
  run_watched(detector, other, [&] {
    const Handler handler(other);
    shrink(counts(reports, before));
  });
  const std::vector<StallReport> all = reports.all();
  EXPECT_TRUE(std::any_of(all.begin() + 1, all.end(), [](const StallReport& report) {
    return report.cause == StallCause::Computing || report.cause == StallCause::WaitingForCpu;
  }));
}

void set_blocked(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGRTMIN + 1);
  ::pthread_sigmask(how, &signals, nullptr);
}

TEST_F(StallDetectors, ReportsNothingOfAThreadThatHadMovedOnWhenItWasAsked) {
  Reports reports;
  StallDetector detector{options_for(reports, 5s)};
  StallDetector quick{[&] {
    StallOptions options = options_for(reports, 5ms);
    options.signal = SIGRTMIN + 2;
    return options;
  }()};
  Heartbeat heartbeat;
  run_watched(quick, heartbeat, [&] {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGRTMIN + 2);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    {
      // One that is over before the second mark, which would report it without a stack.
      const Handler handler(heartbeat);
      EXPECT_TRUE(becomes_true([&] { return quick.stats().stalls == 1; }));
    }
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    EXPECT_TRUE(becomes_true([&] { return quick.stats().late + quick.stats().reported == 1; }));
  });
  for (const StallReport& report : reports.all()) EXPECT_TRUE(report.stack.empty()) << report.text();
}

TEST_F(StallDetectors, ReportsAThreadThatDoesNotAnswerWithoutItsStack) {
  Reports reports;
  StallDetector detector{options_for(reports, 10ms)};
  Heartbeat heartbeat;
  run_watched(detector, heartbeat, [&] {
    set_blocked(SIG_BLOCK);
    const Handler handler(heartbeat);
    EXPECT_TRUE(becomes_true([&] { return reports.count() >= 1; }));
    set_blocked(SIG_UNBLOCK);
    EXPECT_TRUE(becomes_true([&] { return reports.count() >= 2; }));
  });
  const std::vector<StallReport> all = reports.all();
  EXPECT_TRUE(all[0].stack.empty());
  EXPECT_EQ(all[0].no_stack, "its thread has not answered");
  EXPECT_NE(all[0].text().find("no stack: its thread has not answered"), std::string::npos) << all[0].text();
  EXPECT_FALSE(all[1].stack.empty()) << "the answer came late, and is about the same handler";
}

TEST_F(StallDetectors, SleepsAsLongAsItsLoopDoesAndWakesWithIt) {
  Reports reports;
  StallDetector detector{options_for(reports)};
  Heartbeat heartbeat;
  run_watched(detector, heartbeat, [&] {
    EXPECT_TRUE(becomes_true([&] { return heartbeat.watcher_sleeps.load(); })) << "after a second without a handler";
    const std::int64_t looks = detector.stats().looks;
    // Time goes by: another detector reports a stall of 200 ms, in which this one would have looked 16 times.
    Reports others;
    StallOptions options = options_for(others, 200ms);
    options.signal = SIGRTMIN + 2;
    StallDetector other{options};
    Heartbeat others_heartbeat;
    run_watched(other, others_heartbeat, [&] {
      const Handler handler(others_heartbeat);
      shrink(counts(others, 1));
    });
    EXPECT_LE(detector.stats().looks, looks + 1);
    const Handler handler(heartbeat);
    shrink(counts(reports, 1));
  });
  EXPECT_GE(reports.count(), 1U);
}

TEST_F(StallDetectors, WatchesALoopThatSleepsAndWakes) {
  Reports reports;
  StallDetector detector{options_for(reports)};
  LoopOptions options;
  options.name = "front";
  Loop loop{options};
  const StallWatch watch = detector.watch(loop);
  std::thread thread([&loop] {
    const auto work = boost::asio::make_work_guard(loop.context());
    loop.run();
  });
  EXPECT_TRUE(becomes_true([&] { return loop.heartbeat().watcher_sleeps.load(); })) << "a loop that has nothing to do";
  EXPECT_TRUE(loop.post([&reports] { make_thumbnail([&] { return reports.with_stack(1).has_value(); }); }));
  EXPECT_TRUE(becomes_true([&] { return reports.count() >= 2 && reports.all().back().ended; }));
  loop.stop();
  thread.join();
  ASSERT_TRUE(reports.with_stack(1)) << reports.all().at(0).text();
  const StallReport report = *reports.with_stack(1);
  EXPECT_EQ(report.loop, "front");
  EXPECT_FALSE(report.has_task);
  EXPECT_LT(find(report.stack, "galley::make_thumbnail("), report.stack.size()) << report.text();
}

TEST_F(StallDetectors, LooksNoMoreAtALoopThatIsWatchedNoMore) {
  Reports reports;
  StallDetector detector{options_for(reports, 5ms)};
  Heartbeat heartbeat;
  const int id = ::gettid();
  StallWatch watch = detector.watch("main", heartbeat, [id] { return id; });
  watch.reset();
  Heartbeat other;
  const StallWatch kept = detector.watch("other", other, [id] { return id; });
  const Handler handler(heartbeat);
  const Handler others(other);
  shrink(counts(reports, 1));
  for (const StallReport& report : reports.all()) EXPECT_EQ(report.loop, "other");
}

TEST_F(StallDetectors, AWatchMayOutliveIt) {
  Reports reports;
  Heartbeat heartbeat;
  StallWatch watch;
  {
    StallDetector detector{options_for(reports)};
    watch = detector.watch("main", heartbeat, [] { return 0; });
  }
  watch.reset();
  EXPECT_EQ(reports.count(), 0U);
}

TEST_F(StallDetectors, RefusesOptionsAndNamesThem) {
  Reports reports;
  const auto message = [](const StallOptions& options) {
    try {
      const StallDetector detector{options};
    } catch (const Exception& error) {
      EXPECT_EQ(error.error().code, Errc::InvalidInput);
      return error.error().message;
    }
    return std::string("nothing");
  };
  StallOptions options = options_for(reports);
  options.signal = SIGUSR1;
  EXPECT_TRUE(message(options).starts_with("signal 10 is not allowed: SIGRTMIN..SIGRTMAX")) << message(options);
  options = options_for(reports, 999us);
  EXPECT_EQ(message(options), "threshold 999 us is not allowed: 1 ms..1 h");
  options = options_for(reports);
  options.reports_per_minute = 0;
  EXPECT_EQ(message(options), "reports_per_minute 0 is not allowed: 1..1000");
}

TEST(StallReport, SaysWhatIsBlockedAndHowManyWereNotReported) {
  StallReport report;
  report.loop = "main";
  report.lasted = 26'340us;
  report.cause = StallCause::Blocked;
  report.system_call = "fsync";
  report.suppressed = 7;
  report.no_stack = "exceptions unwind it";
  EXPECT_EQ(report.text(),
            "loop \"main\" has been stalled for 26.3 ms; it is blocked in fsync; 7 stalls before it were not reported; "
            "no stack: exceptions unwind it\n");
  report.ended = true;
  EXPECT_EQ(report.text(), "loop \"main\" goes on after 26.3 ms\n");
}

}  // namespace
}  // namespace galley
