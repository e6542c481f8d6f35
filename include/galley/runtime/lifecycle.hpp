#pragma once
// From ready to gone: whether a process can be given work, and how it ends so that nothing is lost that was begun.
//
//   galley::Lifecycle lifecycle{loop.get_executor()};
//   lifecycle.add(galley::part_of(server));
//   lifecycle.on_ended([&](const galley::StopReport& report) { loop.stop(); });
//   lifecycle.stop_on_signals();                       // SIGTERM and SIGINT; without this call none is touched
//   lifecycle.started();
//   loop.run();
//   return lifecycle.exit_code();
//
// A stop: not ready at once; after LifecycleOptions::not_ready, in which load balancers are to see that, nothing new is
// accepted; what is there is drained, at most for `drain`; then it is cancelled, and waited for `cancel` more; then all
// is closed. Parts go in the reverse of the order in which they were added. A second signal or stop() ends what is
// waited for and cancels, a third one abandons the rest.
//
// Thread-safety: readiness(), liveness(), set_ready(), set_not_ready(), set_live(), set_not_live(), started(), stage()
// and stop() from any thread; the others on the thread that runs the executor, or before it runs. Hooks run there. The
// executor must not run two handlers at a time, and its loop must outlive this.

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley {

enum class Stage : std::uint8_t {
  Running,
  NotReady,    ///< A stop has begun; work is still accepted.
  Draining,    ///< Nothing new; what is there ends by itself.
  Cancelling,  ///< What is there was told to end.
  Ended,
};
/// "running", "not_ready", "draining", "cancelling", "ended".
[[nodiscard]] std::string_view name(Stage stage) noexcept;

struct LifecycleOptions {
  /// Not ready, and still at work: as long as a load balancer takes to notice, about twice its period. 0..1 h.
  Duration not_ready{0};
  Duration drain = std::chrono::seconds(30);  ///< 0..24 h. Together with `cancel` less than what a supervisor grants.
  Duration cancel = std::chrono::seconds(5);  ///< 0..1 h.
  LifecycleOptions() {}                       // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

/// Something that a stop has to see to. Each hook may be empty; none may block for long. One that throws counts as a
/// failure of its part, and the stop goes on.
struct LifecyclePart {
  std::string name;
  std::function<void()> stop_accepting;
  /// Calls `drained`, once, when nothing is left: at once or later, from any thread, as long as the loop is there.
  std::function<void(std::function<void()> drained)> drain;
  std::function<void()> cancel;       ///< What is left is to end.
  std::function<void()> close;        ///< When all parts are drained, or given up.
  std::function<std::string()> left;  ///< What it is still at, for a person: "3 requests". Empty: nothing.
  LifecyclePart() {}
};

struct Readiness {
  bool yes = false;
  std::string reason;  ///< Why not; several are joined by "; ".
};

struct StopReport {
  std::string reason;  ///< "SIGTERM", or what stop() was given
  int hurried = 0;     ///< signals and stops after the first
  Duration took{0};
  std::vector<std::string> cancelled;  ///< parts that had to be, in the order of the stop
  std::vector<std::string> abandoned;  ///< parts that had not ended at the end: "pool: 2 tasks"
  std::vector<std::string> failed;     ///< hooks that threw: "pool: close: what it said"
};

class WorkerPool;
/// Runs what the pool has accepted, and asks what still runs at the limit to stop. Borrows the pool. To be added before
/// what gives it work: it takes work until that is drained. A task that does not stop is abandoned, and the pool's
/// destructor waits for it all the same: a program that is not to wait ends with std::_Exit(lifecycle.exit_code()).
[[nodiscard]] LifecyclePart part_of(WorkerPool& pool, std::string name = "pool");

class Lifecycle {
 public:
  /// Throws Exception, InvalidInput naming the option.
  explicit Lifecycle(boost::asio::any_io_executor executor, const LifecycleOptions& options = {});
  ~Lifecycle();
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  /// Those that others need first. Borrowed things in its hooks must live until the stop has ended. Errors: WrongState
  /// when a stop has begun.
  Result<void> add(LifecyclePart part);
  /// From now on SIGTERM and SIGINT stop this process in order. Errors: Io.
  Result<void> stop_on_signals();
  /// The program is set up: ready, as far as nothing else says no.
  void started();

  /// Begins the stop, or hurries it. The process ends with the largest of the exit codes that were given.
  void stop(std::string_view reason, int exit_code = 0);

  /// Conditions by name: ready is a process that was started, does not stop, and has no reason against it. "process"
  /// is the lifecycle's own and changed by nobody else.
  void set_not_ready(std::string_view condition, std::string_view reason);
  void set_ready(std::string_view condition);
  [[nodiscard]] Readiness readiness() const;
  /// Live is a process that restarting would not help: true unless the program says otherwise.
  void set_not_live(std::string_view condition, std::string_view reason);
  void set_live(std::string_view condition);
  [[nodiscard]] Readiness liveness() const;

  [[nodiscard]] Stage stage() const noexcept;
  /// Each new stage, when its actions are about to begin.
  void on_stage(std::function<void(Stage)> told);
  /// When all is closed: the last that happens.
  void on_ended(std::function<void(const StopReport&)> told);
  /// What was given to stop(); at least 1 when something was abandoned or failed.
  [[nodiscard]] int exit_code() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace galley
