// Out of the pool: how a worker finds its next task, sleeps when there is none, and runs it.

#include <emmintrin.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <utility>

#include "base/ticks.hpp"
#include "runtime/worker_pool_impl.hpp"

namespace galley {

namespace {

/// In this order of classes 13 tasks are looked for: 8 of the high one, 4 of the normal one, 1 of the low one.
constexpr std::array<std::size_t, 13> kTurns{0, 1, 0, 0, 1, 0, 2, 0, 1, 0, 0, 1, 0};
/// And where there is none of the class whose turn it is.
constexpr std::array<std::array<std::size_t, kTaskClasses>, kTaskClasses> kOrders{{{0, 1, 2}, {1, 0, 2}, {2, 0, 1}}};

/// Looks before a worker sleeps, about 2 us: a sleep and its wake-up cost more than that.
constexpr int kSpins = 50;

/// And then, where that was of use lately (base/patience.hpp), for so long, giving way at each look: a loop that awaits
/// its tasks one by one is back with the next one by then, even where it slept.
constexpr std::int64_t kLookOutNs = 100'000;

thread_local TaskContext* this_worker = nullptr;
thread_local const void* this_pool = nullptr;

std::string thread_name(const std::string& pool, int dispatcher, int worker) {
  constexpr std::size_t kMost = 15;  // of the kernel
  const std::string number = "/" + std::to_string(dispatcher) + "/" + std::to_string(worker);
  return (pool.substr(0, kMost - std::min(kMost, number.size())) + number).substr(0, kMost);
}

void pin_thread(const std::vector<int>& cpus) noexcept {
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<unsigned>(cpu), &set);
  // They were there when the pool was made; if all of them have gone since then, it runs where it may.
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

}  // namespace

// ---- a worker ---------------------------------------------------------------------------------------------------

int WorkerPool::Impl::Worker::dispatcher() const noexcept { return dispatcher_.number; }

void* WorkerPool::Impl::Worker::state() const noexcept { return dispatcher_.state.get(); }

std::stop_token WorkerPool::Impl::Worker::stop_token() {
  const std::lock_guard lock(mutex_);
  touched_ = true;
  if (!stop_) {
    stop_.emplace();
    if (stop_requested_ || pool_.cancelled_) stop_->request_stop();
  }
  return stop_->get_token();
}

void WorkerPool::Impl::Worker::limit(base::Mono until) {
  const std::lock_guard lock(mutex_);
  touched_ = true;
  run_until_ = until;
}

WorkerPool::Impl::Worker::Limits WorkerPool::Impl::Worker::set_aside() {
  const std::lock_guard lock(mutex_);
  Limits outer{std::exchange(stop_, std::nullopt), std::exchange(stop_requested_, false),
               std::exchange(run_until_, base::Mono::max())};
  return outer;
}

base::Mono WorkerPool::Impl::Worker::bring_back(Limits outer) noexcept {
  std::stop_source source{std::nostopstate};
  {
    const std::lock_guard lock(mutex_);
    touched_ = true;
    stop_ = std::move(outer.stop);
    stop_requested_ =
        outer.stop_requested || pool_.cancelled_;  // what the inner one was asked for alone is not the outer's
    run_until_ = outer.run_until;
    if (stop_ && stop_requested_) source = *stop_;
  }
  source.request_stop();
  return outer.run_until;
}

base::Mono WorkerPool::Impl::Worker::mark_if_overdue(base::Mono now, std::vector<std::stop_source>& overdue) {
  const std::lock_guard lock(mutex_);
  if (run_until_ > now) return run_until_;
  if (stop_) overdue.push_back(*stop_);
  run_until_ = base::Mono::max();
  stop_requested_ = true;
  return base::Mono::max();
}

std::stop_source WorkerPool::Impl::Worker::mark_stopped() noexcept {
  const std::lock_guard lock(mutex_);
  if (!busy) return std::stop_source(std::nostopstate);
  touched_ = true;
  stop_requested_ = true;
  return stop_ ? *stop_ : std::stop_source(std::nostopstate);
}

const std::string* WorkerPool::Impl::Worker::name_task(const std::string* name) noexcept {
  const std::lock_guard lock(mutex_);
  return std::exchange(task_name_, name);
}

std::optional<std::string> WorkerPool::Impl::Worker::running() const {
  const std::lock_guard lock(mutex_);
  if (!busy) return std::nullopt;
  const std::string where = thread_name(pool_.options_.name, dispatcher_.number, number_);
  return (task_name_ != nullptr ? *task_name_ : std::string("a task")) + " (" + where + ")";
}

/// What was meant for the task that has ended must not reach the next one. Only this thread and the supervisor, which
/// looks at a limit that this thread has set, mark a worker as touched while it is of use; mark_stopped() comes with
/// the end of the pool, and what it leaves behind is right for the next task too.
void WorkerPool::Impl::Worker::ended() noexcept {
  busy.store(false, std::memory_order_release);
  if (!touched_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  touched_ = false;
  stop_requested_ = false;
  run_until_ = base::Mono::max();
  stop_.reset();
}

WorkerPool::Impl::Worker* WorkerPool::Impl::current() const noexcept {
  return this_pool == this ? static_cast<Worker*>(this_worker) : nullptr;
}

// ---- finding a task ---------------------------------------------------------------------------------------------

bool WorkerPool::Impl::pop(Worker& worker, runtime::TaskRing::Popped& out) {
  for (const std::size_t at : kOrders[kTurns[worker.next_turn() % kTurns.size()]]) {
    if (!rings_[at].pop(out)) continue;
    if (waiting_[at].load(std::memory_order_seq_cst) > 0) admit(at);
    return true;
  }
  return false;
}

bool WorkerPool::Impl::anything_waits() const noexcept {
  return std::any_of(rings_.begin(), rings_.end(), [](const runtime::TaskRing& ring) { return ring.size() > 0; });
}

/// After a task was pushed (by an RMW), or when one is seen that may have no finder. At most one worker at a time is on
/// its way: a wake-up takes microseconds, and a call of the system for each task that is pushed meanwhile would cost
/// more than the tasks.
///
/// Who sees a search under way may go: the one that ends it looks afterwards. Who sees nobody asleep may go too: all
/// look once more between prepare() and their sleep. The role of the searcher is given to a sleeper, which ends it when
/// it has woken, or at once where it was not asleep yet.
void WorkerPool::Impl::wake() noexcept {
  while (searching_.load(std::memory_order_seq_cst) == 0 && events_.sleeps()) {
    int none = 0;
    if (!searching_.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) return;
    if (events_.sleeps()) return events_.wake_one();
    search_is_over();  // all have got up meanwhile; those who relied on a search have this one more look
  }
}

/// An RMW: what was pushed by those who woke nobody is seen by the looks that follow.
void WorkerPool::Impl::search_is_over() noexcept { searching_.exchange(0, std::memory_order_seq_cst); }

/// Again and again for a while.
bool WorkerPool::Impl::look(Worker& worker, runtime::TaskRing::Popped& out) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (pop(worker, out)) return true;
    _mm_pause();
  }
  if (!worker.patience.looks()) return false;
  // In time, not in number: one that has lost its core for long is no finder for what is submitted meanwhile.
  const std::int64_t until = base::mono_ns() + kLookOutNs;
  do {
    sched_yield();
    if (pop(worker, out)) return worker.patience.paid(), true;
  } while (base::mono_ns() < until);
  worker.patience.was_in_vain();
  return false;
}

/// One worker at a time looks again and again for a while. Who submits meanwhile wakes nobody; so whoever has found
/// something makes sure that the rest is found too.
bool WorkerPool::Impl::search(Worker& worker, runtime::TaskRing::Popped& out) {
  // While nobody sleeps nobody is woken: to say so would only take the line of searching_ from those who submit.
  if (!events_.sleeps()) return look(worker, out);
  int none = 0;
  if (!searching_.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) return false;
  const bool found = look(worker, out);
  search_is_over();
  if (found && anything_waits()) wake();
  return found;
}

bool WorkerPool::Impl::next(Worker& worker, runtime::TaskRing::Popped& out) {
  while (!worker.owner().retired) {
    if (pop(worker, out) || search(worker, out)) return true;
    const auto key = events_.prepare();
    search_is_over();  // of a wake-up that came before the key: it would not end this sleep
    if (pop(worker, out)) {
      events_.cancel();
      search_is_over();
      if (anything_waits()) wake();
      return true;
    }
    if (worker.owner().retired || (closing() && !anything_waits())) {
      events_.cancel();
      break;
    }
    events_.wait(key);
    search_is_over();
    if (pop(worker, out)) {
      if (anything_waits()) wake();
      return true;
    }
  }
  search_is_over();
  if (closing()) {
    events_.wake_all();  // those who slept because of a task that this one has taken
  } else if (anything_waits()) {
    wake();  // a wake-up that was meant for a task must not end with a worker that goes
  }
  return false;
}

// ---- running it -------------------------------------------------------------------------------------------------

void WorkerPool::Impl::work(Worker& worker) {
  this_pool = this;
  this_worker = &worker;
  pthread_setname_np(pthread_self(), thread_name(options_.name, worker.dispatcher(), worker.worker()).c_str());
  pin_thread(options_.cpus);
  if (options_.tracer.on_start) options_.tracer.on_start(worker.dispatcher(), worker.worker());
  runtime::TaskRing::Popped popped;
  while (next(worker, popped)) execute(worker, popped);
  if (options_.tracer.on_close) options_.tracer.on_close(worker.dispatcher(), worker.worker());
  --worker.owner().alive;
  thread_ended();
}

void WorkerPool::Impl::execute(Worker& worker, runtime::TaskRing::Popped& popped) {
  worker.busy.store(true, std::memory_order_relaxed);
  if (!popped.pushed_at) {
    run(worker, popped.task);
  } else {
    const base::Mono began = clock_.mono();
    waits_.add(began - *popped.pushed_at);
    run(worker, popped.task);
    runs_.add(clock_.mono() - began);
  }
  worker.ended();
  forget_task();
}

void WorkerPool::Impl::run(Worker& worker, Task& task) {
  if (options_.tracer.on_run) options_.tracer.on_run(worker);
  std::exception_ptr error;
  try {
    task(worker);
  } catch (...) {
    error = std::current_exception();
  }
  task.reset();  // what it held is gone before it counts as completed
  if (options_.tracer.on_ran) options_.tracer.on_ran(worker, error);
  if (error) {
    worker.failed.store(worker.failed.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    keep_error(std::move(error));
  }
  if (worker.skipped()) return;
  worker.completed.store(worker.completed.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void WorkerPool::Impl::keep_error(std::exception_ptr error) {
  const std::lock_guard lock(errors_mutex_);
  errors_.push_back(std::move(error));
  if (errors_.size() <= options_.max_errors) return;
  errors_.pop_front();
  ++errors_dropped_;
}

std::vector<std::exception_ptr> WorkerPool::Impl::take_errors() {
  const std::lock_guard lock(errors_mutex_);
  std::vector<std::exception_ptr> taken(errors_.begin(), errors_.end());
  errors_.clear();
  return taken;
}

}  // namespace galley
