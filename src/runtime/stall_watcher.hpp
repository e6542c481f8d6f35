#pragma once
// The thread behind a StallDetector: looks at the loops when StallRules say so, asks a stalled one for its stack, and
// hands out reports.
//
// Thread-safety: any thread; the reports are made by its own.

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "galley/runtime/stall_detector.hpp"
#include "runtime/stack_taker.hpp"
#include "runtime/stall_rules.hpp"
#include "runtime/thread_times.hpp"

namespace galley {

class StallDetector::Impl {
 public:
  explicit Impl(StallOptions options);

  struct Watched;
  void add(std::shared_ptr<Watched> watched);
  /// Once it returns, nothing of it is looked at any more.
  void remove(Watched& watched) noexcept;
  /// No more reports, and the signal is given back.
  void stop() noexcept;
  [[nodiscard]] StallStats stats() const;
  [[nodiscard]] Duration threshold() const noexcept { return options_.threshold; }

 private:
  using RawStack = runtime::RawStack;
  /// A report whose stack has no names yet: they are looked up without the lock.
  struct Draft {
    StallReport report;
    std::optional<RawStack> stack;
  };

  void run();
  [[nodiscard]] std::int64_t look_at_all(std::int64_t now_ns);
  [[nodiscard]] runtime::StallStep look(Watched& watched, std::int64_t now_ns);
  void begun(Watched& watched, std::int64_t now_ns);
  void stalled(Watched& watched, std::int64_t now_ns, std::int64_t lasted_ns);
  void ended(Watched& watched, std::int64_t lasted_ns);
  void ask(Watched& watched);
  void settle(Watched& watched);
  void hand_out(Watched& watched, std::string no_stack);
  [[nodiscard]] bool all_sleep();
  void deliver(std::vector<Draft> drafts);
  void wait(std::unique_lock<std::mutex>& lock, std::int64_t until_ns);
  void ring() noexcept;

  StallOptions options_;
  std::unique_ptr<runtime::StackTaker> taker_;
  base::Fd bell_;  ///< an eventfd: looked at again at once

  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::vector<std::shared_ptr<Watched>> watched_;
  runtime::ReportLimit limit_;
  std::vector<Draft> out_;  ///< at most two for each loop and look
  StallStats stats_;

  runtime::SeenStacks seen_;  ///< of the thread alone
  std::thread thread_;
  std::thread warming_up_;  ///< ends at once
};

struct StallDetector::Impl::Watched {
  Watched(std::string its_name, const runtime::Heartbeat& its_heartbeat, std::function<int()> its_thread,
          std::int64_t threshold_ns)
      : name(std::move(its_name)), heartbeat(its_heartbeat), thread(std::move(its_thread)), rules(threshold_ns) {}

  const std::string name;
  const runtime::Heartbeat& heartbeat;
  const std::function<int()> thread;
  runtime::StallRules rules;
  std::unique_ptr<runtime::StackRequest> request = std::make_unique<runtime::StackRequest>();

  // Of the handler that runs.
  runtime::Beat beat;
  runtime::Beat asked;                        ///< the one that the request is about
  std::int64_t begun_ns = 0;                  ///< when it was first seen
  std::optional<runtime::ThreadTimes> times;  ///< then
  bool counted = false;                       ///< as a stall
  bool reports = false;                       ///< within the limit
  bool reported = false;                      ///< once at least
  int tries = 0;                              ///< to get its stack while exceptions unwound it
  std::optional<Draft> draft;                 ///< waits for its stack
  StallReport last;                           ///< what was known of it
};

}  // namespace galley
