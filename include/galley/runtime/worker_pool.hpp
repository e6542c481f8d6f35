#pragma once
// A bounded pool of threads for work that takes long, so that whoever submits it stays responsive.
//
//   galley::WorkerPool pool{[] {
//     galley::PoolOptions options;
//     options.workers = 4;
//     return options;
//   }()};
//   if (pool.try_submit([] { resize(image); }) == galley::Submitted::Full) return busy();
//
// Two tiers: a queue with a hard bound, and in front of it dispatchers with so many workers each. A task counts against
// the bound until it begins. What does not fit is refused, or waits for room as long as was said; memory never grows.
// There is one queue for each class of tasks. Of 13 tasks that begin, 8 are of the high class, 4 of the normal and 1 of
// the low one, as far as there are such. Nothing ages: these turns are what keeps a class from starving. The n-th of
// the low class waits for at most 12 * (n - 1 + workers) tasks of the others. One that floods its queue fills no
// other's.
//
// A task begins at most once and in its class first come, first served. What a task throws is kept in a bounded sink
// (take_errors), unless somebody awaits it: galley/runtime/offload.hpp has all of this for coroutines.
//
// Thread-safety: every function from any thread, also from inside a task or a callback of its stop token, but for the
// destructor and close().

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/runtime/task.hpp"

namespace galley {

enum class TaskClass : std::uint8_t { High, Normal, Low };
inline constexpr int kTaskClasses = 3;

enum class Submitted : std::uint8_t {
  Accepted,
  Full,      ///< no room; the task is still the caller's
  Closed,    ///< the pool takes no more; the task is still the caller's
  NoThread,  ///< of a pool on_demand: no thread could be started for it; the task is still the caller's
};

/// Why a task that was accepted never began.
enum class Dropped : std::uint8_t {
  QueueTimeout,
  Discarded,  ///< by close()
};

struct TaskOptions {
  TaskClass task_class = TaskClass::Normal;
  /// Dropped by the worker that comes to it, when that is more than this long after it was handed to submit (so a wait
  /// for room counts); 0: never.
  Duration queue_timeout{0};
  Duration run_timeout{0};  ///< From its beginning: then its stop token is requested; 0: never. It cannot be killed.
  std::function<void(Dropped)> on_dropped;  ///< Called by a thread of the pool, or by close(); must not throw.
  std::string name;                         ///< For reports: current_task() while it runs, PoolClosed::tasks.
  TaskOptions() {}                          // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

/// Adds a dispatcher when tasks wait too long, and takes it away again when it is idle.
struct PoolScaling {
  int max_dispatchers = 0;                           ///< 0: never scaled; else at least `dispatchers`
  Duration target = std::chrono::milliseconds(10);   ///< of the 95th percentile of waiting
  Duration period = std::chrono::milliseconds(100);  ///< how often it is looked at, unless it is idle at `dispatchers`
  int periods = 3;                                   ///< in a row above the target before one is added
  Duration idle = std::chrono::seconds(30);          ///< in which one dispatcher less would have done
};

/// Called by the pool's threads; each may be empty, none may throw. on_run and on_ran also see a task that is not run
/// after all, because its queue_timeout is over or who awaited it was cancelled.
struct PoolTracer {
  std::function<void(int dispatcher, int worker)> on_start;             ///< a worker's thread has begun
  std::function<void(TaskContext&)> on_run;                             ///< a task is about to begin
  std::function<void(TaskContext&, const std::exception_ptr&)> on_ran;  ///< it has ended; null: well
  std::function<void(int dispatcher, int worker)> on_close;             ///< a worker's thread is about to end
};

struct PoolOptions {
  std::string name = "pool";  ///< Of its threads, "name/0/1" cut to 15 bytes.
  int dispatchers = 1;        ///< 1..1000
  int workers = 0;            ///< Of each dispatcher, 1..1000; 0: one a core.
  /// Threads are started as they are needed: one more when there are fewer than tasks that run or wait, and workers
  /// without one. Else all are started at once. What was started stays until its dispatcher goes.
  bool on_demand = false;
  std::size_t capacity = 1'000;  ///< Tasks of each class that may wait, 1..10,000,000 (64 bytes each, taken at once).
  /// Of each class, who may wait for room at once (submit_for, submit_then, awaited): 1..10,000,000. One more is Full.
  std::size_t max_waiting = 100'000;
  /// Called once for each dispatcher, before its first task; its workers share what it gives (TaskContext::state).
  /// Where it throws, that dispatcher is not there: Unavailable. Must not call the pool, which is locked meanwhile; the
  /// state may, when it is destroyed, but not close().
  std::function<std::shared_ptr<void>(int dispatcher)> make_state;
  PoolScaling scaling;
  PoolTracer tracer;
  std::vector<int> cpus;           ///< The threads run on these alone, which must be there; empty: anywhere.
  std::size_t max_errors = 1'000;  ///< That are kept for take_errors; then the oldest is dropped, and counted.
};

enum class CloseMode : std::uint8_t {
  Drain,    ///< What was accepted is run.
  Discard,  ///< What has not begun is dropped.
  Cancel,   ///< As Discard, and what runs is asked to stop.
};

struct PoolClosed {
  std::int64_t discarded = 0;      ///< tasks that were accepted and never began
  int abandoned = 0;               ///< tasks that were still running at the deadline; their threads end when they do
  std::vector<std::string> tasks;  ///< each of those: its name and thread, "thumbnails (pool/0/3)"
  PoolClosed() {}                  // no aggregate: it is what a co_await gives
};

struct PoolStats {
  int dispatchers = 0;
  int workers = 0;  ///< of all dispatchers
  int busy = 0;
  std::int64_t queued[kTaskClasses] = {};
  std::int64_t accepted = 0;
  std::int64_t completed = 0;  ///< ended, well or not
  std::int64_t failed = 0;     ///< of those, with an exception that nobody awaits
  std::int64_t refused = 0;    ///< answered Full or Closed
  std::int64_t timed_out = 0;  ///< in the queue
  std::int64_t cancelled = 0;  ///< before they began: who awaited them was cancelled
  std::int64_t discarded = 0;
  std::int64_t waiting_for_room = 0;
  std::int64_t errors_dropped = 0;  ///< by the sink's bound
  std::int64_t scaling_looks = 0;   ///< whether to scale; none while it is idle at its least size
  /// Of each task to every 32nd, the faster they come the fewer; the last thousand or so: zero where there is none.
  Duration wait_p50{0}, wait_p99{0}, run_p50{0}, run_p99{0};
};

class WorkerPool {
 public:
  /// Throws Exception: InvalidInput naming the option, Unavailable where no thread can be started.
  explicit WorkerPool(PoolOptions options = {});
  /// As close(Cancel) without a deadline: waits for what runs.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Never blocks. A task that is not accepted is not moved from. All forms of submit throw Exception (Unavailable)
  /// where a task with a run_timeout needs the thread that watches it, and that cannot be started.
  [[nodiscard]] Submitted try_submit(Task&& task);
  [[nodiscard]] Submitted try_submit(Task&& task, const TaskOptions& options);
  /// Waits for room, in the order of those who wait, at most `patience`. From inside a task of this pool it never
  /// waits: where there is no room, the task is run at once, by the caller.
  [[nodiscard]] Submitted submit_for(Duration patience, Task&& task, const TaskOptions& options = {});
  /// As many as there is room for, from the front; returns how many. Those are moved from.
  [[nodiscard]] std::size_t try_submit_bulk(std::span<Task> tasks, TaskClass task_class = TaskClass::Normal);

  /// Waits for room without blocking: `done` is called once, with Accepted or Closed (Full: max_waiting wait already;
  /// NoThread), maybe before this returns, else by a thread of the pool. It must not throw and not block. What
  /// awaitable forms are made of. Gives a ticket for withdraw(), 0 where it does not wait.
  std::uint64_t submit_then(Task&& task, const TaskOptions& options, std::function<void(Submitted)> done);
  /// Takes a task out that still waits for room: it is destroyed, and its `done` never called. False: it waits no more.
  bool withdraw(std::uint64_t ticket);

  /// 1..1000 dispatchers. More are there when it returns; of fewer, each ends with the task that it runs. Their states
  /// are made and dropped with them. Errors: InvalidInput, WrongState (closed), Unavailable (no thread; nothing
  /// changed).
  [[nodiscard]] Result<void> resize(int dispatchers);
  /// Dispatchers; 0 once it is closed.
  [[nodiscard]] int size() const noexcept;

  /// Takes no more, and waits until all threads have ended, at most until the deadline: then what waits is dropped,
  /// what runs is asked to stop, and it returns. No deadline: as long as it takes. May be repeated, also with a
  /// stronger mode. Not from inside a task of this pool.
  PoolClosed close(CloseMode mode, std::optional<Duration> deadline = std::nullopt);
  /// The same without waiting: `done` is called once, by a thread of the pool's own. It must not throw and must not
  /// destroy the pool. Unavailable: that thread cannot be started; the pool is closing all the same.
  Result<void> close_then(CloseMode mode, std::optional<Duration> deadline, std::function<void(PoolClosed)> done);
  /// Takes no more.
  [[nodiscard]] bool closing() const noexcept;
  /// All threads have ended.
  [[nodiscard]] bool closed() const noexcept;

  /// What detached tasks have thrown, oldest first; empties the sink.
  [[nodiscard]] std::vector<std::exception_ptr> take_errors();
  [[nodiscard]] PoolStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace galley
