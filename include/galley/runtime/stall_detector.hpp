#pragma once
// Says which function blocks a loop. When one handler keeps its loop for longer than a threshold, everything else that
// the loop serves waits; the detector reports then, while it lasts, the task that runs, where it was spawned, the stack
// with files and lines, and whether the thread computes, waits for a CPU or is blocked in a system call.
//
//   galley::StallOptions options;
//   options.signal = SIGRTMIN + 1;
//   options.on_report = [](const galley::StallReport& report) { std::cerr << report.text(); };
//   galley::StallDetector detector{options};
//   const auto watch = detector.watch(loop);
//   loop.run();
//
// A handler that runs is reported once it has lasted for the threshold, again at twice and four times that, and when it
// has ended. A stack that was reported before is counted, and printed in one line.
//
// One thread watches all loops. It looks at each of them twice a threshold (80 times a second by default, about 10 us
// each), and sleeps while they have had nothing to do for a second. The loops pay nothing but the two stores by which
// they show what they do. A thread that is found stalled is sent the signal, whose handler writes its stack down (some
// 50 us) and which may interrupt a system call that it waits in (EINTR); no other thread ever is.
//
// A stack is not taken in the moments in which an exception unwinds it; it is asked for again a millisecond later.
//
// Thread-safety: every function from any thread, but for the destructor.

#include <boost/assert/source_location.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/runtime/stack.hpp"

namespace galley {

class Loop;
namespace runtime {
struct Heartbeat;
}

enum class StallCause : std::uint8_t {
  Unknown,        ///< the kernel does not tell
  Computing,      ///< it had a CPU most of the time
  WaitingForCpu,  ///< it could have run, and others had the CPUs
  Blocked,        ///< it waited in a system call
};

struct StallReport {
  std::string loop;       ///< its name
  bool ended = false;     ///< the handler has ended: `lasted` is all of it, and there is no stack
  Duration lasted{0};     ///< so far; once it has ended, at most 1/16 or 1 ms too long
  bool has_task = false;  ///< the handler belongs to a named task
  std::string task;       ///< the first 127 bytes of its name
  boost::source_location spawned_at;
  StallCause cause = StallCause::Unknown;
  Duration observed{0};         ///< from when the thread's times were noted: the last half of the threshold, or more
  Duration on_cpu{0};           ///< of `observed`; the kernel counts in steps of up to 10 ms
  std::string system_call;      ///< in which it is blocked, "fsync"; empty where it is not, or is not known
  Stack stack;                  ///< of the loop's thread; empty: see no_stack
  std::string no_stack;         ///< why there is none
  int times = 0;                ///< that this stack was reported, with this one
  std::int64_t suppressed = 0;  ///< stalls before this one that were not reported, above the limit
  std::chrono::nanoseconds capture{0};  ///< that its thread was held up for the stack

  /// For a person: a line that says it all, then the stack with a line for each frame, where it is a new one.
  [[nodiscard]] std::string text() const;
};

struct StallOptions {
  /// Which the program uses for nothing else: SIGRTMIN..SIGRTMAX. It is given back by the destructor.
  int signal = 0;
  Duration threshold = std::chrono::milliseconds(25);  ///< 1 ms..1 h
  /// Stalls that are reported in any minute, 1..1000, each with up to four reports; others are only counted.
  int reports_per_minute = 5;
  /// Called by the detector's thread, which sees nothing meanwhile; must not throw. Empty: the text goes to stderr.
  std::function<void(const StallReport&)> on_report;
  StallOptions() {}  // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

struct StallStats {
  std::int64_t stalls = 0;      ///< handlers that lasted for the threshold, as far as they were seen
  std::int64_t reported = 0;    ///< of those
  std::int64_t suppressed = 0;  ///< of those, above the limit
  std::int64_t late = 0;        ///< of those, over before their stack could be taken; not reported
  std::int64_t looks = 0;       ///< that the detector has woken up
};

/// Watches a loop as long as it lives. It must end before the loop does.
class StallWatch {
 public:
  StallWatch() noexcept = default;
  explicit StallWatch(std::shared_ptr<void> entry) noexcept : entry_(std::move(entry)) {}
  void reset() noexcept { entry_.reset(); }

 private:
  std::shared_ptr<void> entry_;
};

class StallDetector {
 public:
  /// Starts its thread and takes the signal over. Throws Exception: InvalidInput naming the option.
  explicit StallDetector(StallOptions options);
  /// Gives the signal back.
  ~StallDetector();
  StallDetector(const StallDetector&) = delete;
  StallDetector& operator=(const StallDetector&) = delete;

  /// A loop may be watched before it runs. What is watched after the detector has gone is watched no more.
  [[nodiscard]] StallWatch watch(const Loop& loop);
  /// Whatever shows a heartbeat; `thread` answers the kernel's id of the thread whose it is, 0: none's.
  [[nodiscard]] StallWatch watch(std::string name, const runtime::Heartbeat& heartbeat, std::function<int()> thread);

  [[nodiscard]] StallStats stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace galley
