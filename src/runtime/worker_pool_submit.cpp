// Into the pool: what fits, what waits for room, and the limits that a task brings along.

#include <algorithm>
#include <future>
#include <utility>

#include "base/assert.hpp"
#include "galley/runtime/current_task.hpp"
#include "runtime/worker_pool_impl.hpp"

namespace galley {

/// While it lives, the task that a worker runs has this name.
class WorkerPool::Impl::Named {
 public:
  Named(Worker& worker, const std::string& name) : worker_(worker), outer_(worker.name_task(&name)) {}
  ~Named() { worker_.name_task(outer_); }
  Named(const Named&) = delete;
  Named& operator=(const Named&) = delete;

 private:
  Worker& worker_;
  const std::string* outer_;
};

/// A task with limits of its own. It is a task itself, so that those without limits pay for none.
struct WorkerPool::Impl::Guarded {
  Impl* pool = nullptr;
  Task task;
  base::Mono drop_at = base::Mono::max();
  Duration run_timeout{0};
  std::function<void(Dropped)> on_dropped;
  std::optional<TaskInfo> info;  ///< of one with a name

  ~Guarded() {
    if (task && on_dropped) on_dropped(Dropped::Discarded);
  }
  void run(TaskContext& context) {
    Task now = std::move(task);
    auto& worker = static_cast<Worker&>(context);
    if (pool->clock_.mono() > drop_at) {
      worker.skip();
      pool->timed_out_.fetch_add(1, std::memory_order_relaxed);
      if (on_dropped) on_dropped(Dropped::QueueTimeout);
      return;
    }
    if (run_timeout > Duration{0}) {
      const base::Mono until = pool->clock_.mono() + std::min(run_timeout, kLongestDeadline);
      worker.limit(until);
      pool->run_limit_set(until);
    }
    if (!info) return now(context);
    const TaskScope scope(&*info);
    const Named named(worker, info->name);
    now(context);
  }
};

bool WorkerPool::Impl::needs_guard(const TaskOptions& options) noexcept {
  return options.queue_timeout > Duration{0} || options.run_timeout > Duration{0} || options.on_dropped ||
         !options.name.empty();
}

std::unique_ptr<WorkerPool::Impl::Guarded> WorkerPool::Impl::guard(Task& task, const TaskOptions& options) {
  if (options.run_timeout > Duration{0}) need_supervisor();  // it may throw: before the task is taken
  auto guarded = std::make_unique<Guarded>();
  guarded->pool = this;
  guarded->task = std::move(task);
  if (options.queue_timeout > Duration{0}) {
    guarded->drop_at = clock_.mono() + std::min(options.queue_timeout, kLongestDeadline);
  }
  guarded->run_timeout = options.run_timeout;
  guarded->on_dropped = options.on_dropped;
  if (!options.name.empty()) guarded->info.emplace(options.name, boost::source_location());
  return guarded;
}

/// What of it stands in a ring.
struct WorkerPool::Impl::GuardedTask {
  std::unique_ptr<Guarded> guarded;
  void operator()(TaskContext& context) { guarded->run(context); }
  void forget() noexcept { guarded->task.reset(); }
};

Task WorkerPool::Impl::task_of(std::unique_ptr<Guarded> guarded) { return GuardedTask{std::move(guarded)}; }

runtime::TaskRing::Push WorkerPool::Impl::push(Task& task, TaskClass task_class) {
  const auto done = rings_[static_cast<std::size_t>(task_class)].push(task, clock_);
  if (done != runtime::TaskRing::Push::Done) return done;
  wake();
  if (scaling_sleeps_.load(std::memory_order_seq_cst)) wake_scaling();
  return done;
}

/// As the caller gets to know it.
Submitted WorkerPool::Impl::counted(Submitted answer) noexcept {
  if (answer != Submitted::Accepted) refused_.fetch_add(1, std::memory_order_relaxed);
  return answer;
}

Submitted WorkerPool::Impl::offer(Task& task, TaskClass task_class) {
  GALLEY_ASSERT(task);
  if (closing()) return Submitted::Closed;
  // Those who wait for room come first.
  if (waiting_[static_cast<std::size_t>(task_class)].load(std::memory_order_relaxed) > 0) return Submitted::Full;
  if (!expect_task()) return closing() ? Submitted::Closed : Submitted::NoThread;
  const auto done = push(task, task_class);
  if (done == runtime::TaskRing::Push::Done) return Submitted::Accepted;
  forget_task();
  return done == runtime::TaskRing::Push::Full ? Submitted::Full : Submitted::Closed;
}

Submitted WorkerPool::Impl::offer(Task& task, const TaskOptions& options) {
  if (!needs_guard(options)) return offer(task, options.task_class);
  if (closing()) return Submitted::Closed;
  auto guarded = guard(task, options);
  Task& inner = guarded->task;
  Task whole = task_of(std::move(guarded));
  const Submitted answer = offer(whole, options.task_class);
  if (answer != Submitted::Accepted) task = std::move(inner);  // the caller's again
  return answer;
}

Submitted WorkerPool::Impl::try_submit(Task& task, TaskClass task_class) { return counted(offer(task, task_class)); }

Submitted WorkerPool::Impl::try_submit(Task& task, const TaskOptions& options) { return counted(offer(task, options)); }

std::size_t WorkerPool::Impl::try_submit_bulk(std::span<Task> tasks, TaskClass task_class) {
  std::size_t count = 0;
  while (count < tasks.size() && try_submit(tasks[count], task_class) == Submitted::Accepted) ++count;
  return count;
}

// ---- waiting for room -------------------------------------------------------------------------------------------

std::uint64_t WorkerPool::Impl::wait_for_room(Task& task, TaskClass task_class, Admitted& done) {
  const auto at = static_cast<std::size_t>(task_class);
  std::uint64_t ticket = 0;
  {
    const std::lock_guard lock(room_mutex_);
    if (waiters_[at].size() >= options_.max_waiting) return 0;
    ticket = ++last_waiter_ * kTaskClasses + at;
    waiters_[at].push_back({ticket, std::move(task), std::move(done)});
    waiting_[at].fetch_add(1, std::memory_order_seq_cst);
  }
  if (closing()) refuse_waiters();
  admit(at);  // who made room before this one was counted has not seen it
  return ticket;
}

std::optional<Task> WorkerPool::Impl::stop_waiting(std::uint64_t ticket) {
  const auto at = static_cast<std::size_t>(ticket % kTaskClasses);
  const std::lock_guard lock(room_mutex_);
  // Tickets grow, and so does the line.
  const auto waiter = std::lower_bound(waiters_[at].begin(), waiters_[at].end(), ticket,
                                       [](const Waiter& one, std::uint64_t wanted) { return one.ticket < wanted; });
  if (waiter == waiters_[at].end() || waiter->ticket != ticket) return std::nullopt;
  Task task = std::move(waiter->task);
  waiters_[at].erase(waiter);
  waiting_[at].fetch_sub(1, std::memory_order_seq_cst);
  return task;
}

void WorkerPool::Impl::admit(std::size_t task_class) {
  while (true) {
    Waiter admitted;
    {
      const std::lock_guard lock(room_mutex_);
      auto& waiters = waiters_[task_class];
      if (waiters.empty()) return;
      const bool expected = expect_task();  // if not: there was no room, so there are threads
      if (!expected && options_.on_demand) ++unfinished_;
      if (push(waiters.front().task, static_cast<TaskClass>(task_class)) != runtime::TaskRing::Push::Done) {
        forget_task();
        return;
      }
      admitted = std::move(waiters.front());
      waiters.pop_front();
      waiting_[task_class].fetch_sub(1, std::memory_order_seq_cst);
    }
    admitted.done(Submitted::Accepted, admitted.task);
  }
}

void WorkerPool::Impl::refuse_waiters() {
  for (std::size_t at = 0; at < waiters_.size(); ++at) {
    std::deque<Waiter> refused;
    {
      const std::lock_guard lock(room_mutex_);
      refused.swap(waiters_[at]);
      waiting_[at].fetch_sub(static_cast<int>(refused.size()), std::memory_order_seq_cst);
    }
    for (Waiter& waiter : refused) waiter.done(Submitted::Closed, waiter.task);
  }
}

Submitted WorkerPool::Impl::submit_for(Duration patience, Task& task, const TaskOptions& options) {
  const Submitted answer = offer(task, options);
  if (answer != Submitted::Full) return counted(answer);
  if (Worker* const worker = current(); worker != nullptr) {
    Task whole = needs_guard(options) ? task_of(guard(task, options)) : std::move(task);
    Worker::Limits outer = worker->set_aside();
    run(*worker, whole);
    run_limit_set(worker->bring_back(std::move(outer)));
    return Submitted::Accepted;
  }
  return counted(patience > Duration{0} ? block_for_room(patience, task, options) : answer);
}

Submitted WorkerPool::Impl::block_for_room(Duration patience, Task& task, const TaskOptions& options) {
  auto guarded = needs_guard(options) ? guard(task, options) : nullptr;
  Task* const inner = guarded ? &guarded->task : nullptr;
  Task whole = guarded ? task_of(std::move(guarded)) : std::move(task);
  std::promise<Submitted> promise;
  auto answer = promise.get_future();
  const auto take_back = [&task, inner](Task& back) { task = std::move(inner != nullptr ? *inner : back); };
  Admitted done = [&](Submitted submitted, Task& back) {
    if (submitted != Submitted::Accepted) take_back(back);
    promise.set_value(submitted);
  };
  const std::uint64_t ticket = wait_for_room(whole, options.task_class, done);
  if (ticket == 0) {
    take_back(whole);
    return Submitted::Full;
  }
  if (answer.wait_for(std::min(patience, kLongestDeadline)) == std::future_status::ready) return answer.get();
  auto back = stop_waiting(ticket);
  if (!back) return answer.get();  // it is being admitted or refused just now
  take_back(*back);
  return Submitted::Full;
}

std::uint64_t WorkerPool::Impl::submit_then(Task& task, const TaskOptions& options,
                                            std::function<void(Submitted)> done) {
  const Submitted answer = offer(task, options);
  if (answer != Submitted::Full) {
    done(counted(answer));
    return 0;
  }
  auto guarded = needs_guard(options) ? guard(task, options) : nullptr;
  Task* const inner = guarded ? &guarded->task : nullptr;
  Task whole = guarded ? task_of(std::move(guarded)) : std::move(task);
  Admitted told = [this, inner, done = std::move(done)](Submitted submitted, Task&) {
    done(counted(submitted));
    if (submitted != Submitted::Accepted && inner != nullptr) inner->reset();  // never accepted, so not dropped
  };
  const std::uint64_t ticket = wait_for_room(whole, options.task_class, told);
  if (ticket == 0) told(Submitted::Full, whole);
  return ticket;
}

bool WorkerPool::Impl::withdraw(std::uint64_t ticket) {
  auto task = stop_waiting(ticket);
  if (!task) return false;
  // It was never accepted, so it is not dropped either: not even where it has an on_dropped.
  if (auto* const guarded = task->target<GuardedTask>(); guarded != nullptr) guarded->forget();
  return true;
}

}  // namespace galley
