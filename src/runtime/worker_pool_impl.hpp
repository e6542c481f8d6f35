#pragma once
// The parts of a worker pool: the rings that hold what waits, those who wait for room, the dispatchers with their
// workers, and the supervisor, a thread that is there only when something has a time limit or the pool is scaled.

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "base/patience.hpp"
#include "galley/runtime/worker_pool.hpp"
#include "runtime/event_count.hpp"
#include "runtime/samples.hpp"
#include "runtime/task_ring.hpp"

namespace galley {

/// Of what a program gives as a limit of time, so that no sum of it and a moment overflows.
inline constexpr Duration kLongestDeadline = std::chrono::hours(24 * 365);

class WorkerPool::Impl {
 public:
  explicit Impl(PoolOptions options);
  ~Impl();

  [[nodiscard]] Submitted try_submit(Task& task, TaskClass task_class);
  [[nodiscard]] Submitted try_submit(Task& task, const TaskOptions& options);
  [[nodiscard]] Submitted submit_for(Duration patience, Task& task, const TaskOptions& options);
  [[nodiscard]] std::size_t try_submit_bulk(std::span<Task> tasks, TaskClass task_class);
  std::uint64_t submit_then(Task& task, const TaskOptions& options, std::function<void(Submitted)> done);
  bool withdraw(std::uint64_t ticket);
  [[nodiscard]] Result<void> resize(int dispatchers);
  [[nodiscard]] int size() const noexcept { return size_; }
  PoolClosed close(CloseMode mode, std::optional<Duration> deadline);
  Result<void> close_then(CloseMode mode, std::optional<Duration> deadline, std::function<void(PoolClosed)> done);
  [[nodiscard]] bool closing() const noexcept { return state_ != State::Open; }
  [[nodiscard]] bool closed() const noexcept { return state_ == State::Closed; }
  [[nodiscard]] std::vector<std::exception_ptr> take_errors();
  [[nodiscard]] PoolStats stats() const;

 private:
  enum class State : std::uint8_t { Open, Closing, Closed };
  struct Dispatcher;
  class Worker;
  using Dispatchers = std::list<std::unique_ptr<Dispatcher>>;
  struct Guarded;
  struct GuardedTask;
  class Named;
  /// Told once; of a refused one, its task is given back.
  using Admitted = std::function<void(Submitted, Task& back)>;
  struct Waiter {  ///< for room
    std::uint64_t ticket = 0;
    Task task;
    Admitted done;
  };

  // submitting (worker_pool_submit.cpp)
  [[nodiscard]] runtime::TaskRing::Push push(Task& task, TaskClass task_class);
  Submitted counted(Submitted answer) noexcept;
  [[nodiscard]] Submitted offer(Task& task, TaskClass task_class);
  [[nodiscard]] Submitted offer(Task& task, const TaskOptions& options);
  [[nodiscard]] static bool needs_guard(const TaskOptions& options) noexcept;
  [[nodiscard]] std::unique_ptr<Guarded> guard(Task& task, const TaskOptions& options);
  [[nodiscard]] static Task task_of(std::unique_ptr<Guarded> guarded);
  [[nodiscard]] Submitted block_for_room(Duration patience, Task& task, const TaskOptions& options);
  /// A ticket; 0: too many wait, and nothing was moved from.
  [[nodiscard]] std::uint64_t wait_for_room(Task& task, TaskClass task_class, Admitted& done);
  /// The task of one that still waits.
  [[nodiscard]] std::optional<Task> stop_waiting(std::uint64_t ticket);
  void admit(std::size_t task_class);
  void refuse_waiters();

  // working (worker_pool_work.cpp)
  void work(Worker& worker);
  [[nodiscard]] bool next(Worker& worker, runtime::TaskRing::Popped& out);
  [[nodiscard]] bool pop(Worker& worker, runtime::TaskRing::Popped& out);
  [[nodiscard]] bool look(Worker& worker, runtime::TaskRing::Popped& out);
  [[nodiscard]] bool search(Worker& worker, runtime::TaskRing::Popped& out);
  void wake() noexcept;
  void search_is_over() noexcept;
  [[nodiscard]] bool anything_waits() const noexcept;
  void execute(Worker& worker, runtime::TaskRing::Popped& popped);
  void run(Worker& worker, Task& task);
  void keep_error(std::exception_ptr error);
  /// The worker whose thread this is; null: none of this pool's.
  [[nodiscard]] Worker* current() const noexcept;

  // dispatchers (worker_pool_control.cpp)
  [[nodiscard]] Result<void> add_dispatcher();
  void start_thread(Worker& worker);
  void retire_last();
  /// Of threads that have ended. They are destroyed, and their states with them, outside of the lock.
  [[nodiscard]] Dispatchers reap_retired();
  void take_out(Dispatcher& dispatcher);
  void thread_ended();
  void discard_queued();
  void cancel_running();
  void join_all();

  // threads on demand (worker_pool_threads.cpp)
  /// One more task is coming: there will be a thread for it. False: there will not, and it is not counted.
  [[nodiscard]] bool expect_task();
  void forget_task() noexcept;
  [[nodiscard]] bool have_threads(int tasks);

  // the end (worker_pool_close.cpp)
  struct Closer {  ///< who waits for the end
    base::Mono until = base::Mono::max();
    std::int64_t discarded_before = 0;
    std::function<void(PoolClosed)> done;
  };
  /// Gives how many had been discarded before.
  std::int64_t begin_close(CloseMode mode);
  [[nodiscard]] PoolClosed end_of_wait(std::int64_t discarded_before, bool over);
  void finish_close();
  void give_up();
  [[nodiscard]] std::vector<std::string> running_tasks() const;
  void serve_closers();
  [[nodiscard]] std::vector<Closer> closers_due(base::Mono now);
  void end_closer();

  // supervising (worker_pool_supervise.cpp)
  void need_supervisor();
  void end_supervisor();
  void supervise();
  [[nodiscard]] base::Mono stop_overdue(base::Mono now);
  void scale(base::Mono now);
  /// Then it sleeps without a timer until wake_scaling().
  [[nodiscard]] bool nothing_to_scale() noexcept;
  void wake_scaling();
  void run_limit_set(base::Mono at);

  const PoolOptions options_;
  const base::SystemClock clock_;
  std::atomic<State> state_{State::Open};
  std::array<runtime::TaskRing, kTaskClasses> rings_;
  runtime::EventCount events_;
  /// 1: a worker searches, or has been woken to do so. Whoever sets it to 0 looks at the rings afterwards.
  alignas(64) std::atomic<int> searching_{0};

  mutable std::mutex room_mutex_;
  std::uint64_t last_waiter_ = 0;
  std::array<std::deque<Waiter>, kTaskClasses> waiters_;
  std::array<std::atomic<int>, kTaskClasses> waiting_{};

  mutable std::mutex control_mutex_;  ///< dispatchers_, retired_; taken before room_mutex_
  std::vector<std::unique_ptr<Dispatcher>> dispatchers_;
  Dispatchers retired_;  ///< their threads have ended, or are about to
  std::atomic<int> size_{0};
  std::atomic<int> unfinished_{0};  ///< on demand: tasks that run, wait, or are about to
  std::atomic<int> started_{0};     ///< on demand: threads of dispatchers_; changed under control_mutex_
  int alive_ = 0;                   ///< threads; guarded by ended_mutex_
  std::mutex ended_mutex_;
  std::condition_variable ended_;
  std::vector<Closer> closers_;  ///< guarded by ended_mutex_, as the next two
  bool closer_wanted_ = true;
  std::thread closer_;  ///< calls those who wait for the end; there as soon as one does
  std::atomic<bool> cancelled_{false};
  std::mutex close_mutex_;  ///< of finish_close

  std::atomic<std::int64_t> refused_{0}, timed_out_{0}, withdrawn_{0}, discarded_{0};
  std::atomic<std::int64_t> completed_before_{0}, failed_before_{0};  ///< of workers that are gone
  mutable std::mutex errors_mutex_;
  std::deque<std::exception_ptr> errors_;
  std::int64_t errors_dropped_ = 0;
  runtime::Samples waits_, runs_;

  std::mutex supervisor_mutex_;
  std::condition_variable supervisor_wake_;
  std::thread supervisor_;
  bool supervising_ = true;
  base::Mono supervisor_until_ = base::Mono::max();
  base::Mono scale_at_ = base::Mono::max();
  base::Mono busy_since_{};  ///< when all dispatchers were needed last
  int above_target_ = 0;     ///< periods in a row
  /// scale_at_ is never, until somebody says that there is something to look at. Who says so sets it to false.
  std::atomic<bool> scaling_sleeps_{false};
  std::atomic<std::int64_t> scaling_looks_{0};
  base::Mono unstamped_since_ = base::Mono::max();
  std::size_t scaled_to_ = 0;  ///< waits up to here have been looked at
};

/// One thread's; what its task sees of it.
class WorkerPool::Impl::Worker final : public TaskContext {
 public:
  Worker(Dispatcher& dispatcher, int number, Impl& pool) noexcept
      : pool_(pool), dispatcher_(dispatcher), number_(number) {}

  [[nodiscard]] int dispatcher() const noexcept override;
  [[nodiscard]] int worker() const noexcept override { return number_; }
  [[nodiscard]] void* state() const noexcept override;
  [[nodiscard]] std::stop_token stop_token() override;

  /// The task that it was about to run is not run; asked and forgotten once.
  void skip() noexcept { skipped_ = true; }
  void withdrawn() noexcept override {
    skip();
    pool_.withdrawn_.fetch_add(1, std::memory_order_relaxed);
  }
  [[nodiscard]] bool skipped() noexcept { return std::exchange(skipped_, false); }
  /// Of the task that it runs; gives that of the one outside.
  const std::string* name_task(const std::string* name) noexcept;
  /// "thumbnails (pool/0/3)"; nothing: it runs none.
  [[nodiscard]] std::optional<std::string> running() const;
  [[nodiscard]] Dispatcher& owner() noexcept { return dispatcher_; }
  [[nodiscard]] std::size_t next_turn() noexcept { return turn_++; }
  /// Of its task, by its own thread.
  void limit(base::Mono until);
  void ended() noexcept;
  /// Its task is to stop. Gives what the caller requests that of, outside of all locks: the task's callbacks run then.
  [[nodiscard]] std::stop_source mark_stopped() noexcept;
  /// Of a task that runs another one within itself.
  struct Limits {
    std::optional<std::stop_source> stop;
    bool stop_requested = false;
    base::Mono run_until = base::Mono::max();
  };
  /// Around the inner one, which has limits of its own. Gives until when the outer one may run.
  [[nodiscard]] Limits set_aside();
  base::Mono bring_back(Limits outer) noexcept;
  /// The same where its task's time is over. Gives until when it may run, as long as that is to come.
  base::Mono mark_if_overdue(base::Mono now, std::vector<std::stop_source>& overdue);
  base::Patience patience;
  std::atomic<bool> busy{false};
  std::atomic<std::int64_t> completed{0}, failed{0};
  std::thread thread;

 private:
  Impl& pool_;
  Dispatcher& dispatcher_;
  const int number_;
  std::size_t turn_ = 0;
  bool skipped_ = false;
  mutable std::mutex mutex_;                ///< of the next four
  const std::string* task_name_ = nullptr;  ///< null: it has none
  std::optional<std::stop_source> stop_;
  bool stop_requested_ = false;
  base::Mono run_until_ = base::Mono::max();  ///< its task; max(): as long as it likes
  std::atomic<bool> touched_{false};          ///< one of the three was changed for its task
};

struct WorkerPool::Impl::Dispatcher {
  int number = 0;
  std::shared_ptr<void> state;
  std::atomic<bool> retired{false};
  std::atomic<int> alive{0};  ///< threads that are still at work
  std::vector<std::unique_ptr<Worker>> workers;
};

}  // namespace galley
