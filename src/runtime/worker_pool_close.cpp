// The end of a pool: what is dropped, what is asked to stop, and those who wait until all threads have ended.

#include <algorithm>
#include <iterator>
#include <system_error>

#include "base/assert.hpp"
#include "runtime/worker_pool_impl.hpp"

namespace galley {

namespace {

/// After a deadline a thread may be between two tasks, and end or begin one in a moment: it is looked at so often.
constexpr int kLooks = 50;
constexpr Duration kBetweenLooks = std::chrono::milliseconds(1);
constexpr Duration kLongestWait = std::chrono::hours(1);  // so that "never" is not handed to the system

}  // namespace

void WorkerPool::Impl::discard_queued() {
  runtime::TaskRing::Popped popped;
  for (runtime::TaskRing& ring : rings_) {
    while (ring.pop(popped)) {
      popped.task.reset();
      forget_task();
      discarded_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

void WorkerPool::Impl::cancel_running() {
  cancelled_ = true;
  std::vector<std::stop_source> sources;
  {
    const std::lock_guard lock(control_mutex_);
    const auto cancel = [&sources](const std::unique_ptr<Dispatcher>& dispatcher) {
      for (auto& worker : dispatcher->workers) sources.push_back(worker->mark_stopped());
    };
    std::for_each(dispatchers_.begin(), dispatchers_.end(), cancel);
    std::for_each(retired_.begin(), retired_.end(), cancel);
  }
  // Calls the tasks' own callbacks, which may call the pool: not under the lock.
  for (auto& source : sources) source.request_stop();
}

std::int64_t WorkerPool::Impl::begin_close(CloseMode mode) {
  const std::int64_t discarded_before = discarded_;
  // Before the threads may end: what is accepted until here is seen by them, and from here on nothing is.
  for (runtime::TaskRing& ring : rings_) ring.close();
  {
    const std::lock_guard lock(control_mutex_);  // no resize is under way
    if (state_ == State::Open) state_ = State::Closing;
  }
  if (mode != CloseMode::Drain) discard_queued();
  if (mode == CloseMode::Cancel) cancel_running();
  refuse_waiters();
  events_.wake_all();
  return discarded_before;
}

PoolClosed WorkerPool::Impl::close(CloseMode mode, std::optional<Duration> deadline) {
  GALLEY_ASSERT(current() == nullptr);
  const std::int64_t discarded_before = begin_close(mode);
  std::unique_lock lock(ended_mutex_);
  bool over = true;
  const auto all_ended = [this] { return alive_ == 0; };
  if (deadline) {
    over = ended_.wait_for(lock, std::min(*deadline, kLongestDeadline), all_ended);
  } else {
    ended_.wait(lock, all_ended);
  }
  lock.unlock();
  return end_of_wait(discarded_before, over);
}

/// `over`: all threads have ended. Otherwise the deadline has come.
PoolClosed WorkerPool::Impl::end_of_wait(std::int64_t discarded_before, bool over) {
  PoolClosed closed;
  if (!over) {
    give_up();
    std::unique_lock lock(ended_mutex_);
    for (int look = 0; look < kLooks && alive_ > 0; ++look) {
      const auto alive = static_cast<std::size_t>(alive_);
      lock.unlock();
      closed.tasks = running_tasks();
      lock.lock();
      if (closed.tasks.size() >= alive) break;
      ended_.wait_for(lock, kBetweenLooks);
    }
    over = alive_ == 0;
  }
  if (over) {
    closed.tasks.clear();
    finish_close();
  }
  closed.abandoned = static_cast<int>(closed.tasks.size());
  closed.discarded = discarded_ - discarded_before;
  return closed;
}

void WorkerPool::Impl::give_up() {
  discard_queued();
  cancel_running();
  events_.wake_all();
}

void WorkerPool::Impl::finish_close() {
  const std::lock_guard once(close_mutex_);
  if (closed()) return;
  join_all();
  size_ = 0;
  state_ = State::Closed;
}

std::vector<std::string> WorkerPool::Impl::running_tasks() const {
  std::vector<std::string> tasks;
  const std::lock_guard lock(control_mutex_);
  const auto look = [&tasks](const std::unique_ptr<Dispatcher>& dispatcher) {
    for (const auto& worker : dispatcher->workers) {
      if (auto task = worker->running()) tasks.push_back(std::move(*task));
    }
  };
  std::for_each(dispatchers_.begin(), dispatchers_.end(), look);
  std::for_each(retired_.begin(), retired_.end(), look);
  return tasks;
}

// ---- without blocking -------------------------------------------------------------------------------------------

Result<void> WorkerPool::Impl::close_then(CloseMode mode, std::optional<Duration> deadline,
                                          std::function<void(PoolClosed)> done) {
  Closer closer;
  if (deadline) closer.until = clock_.mono() + std::min(*deadline, kLongestDeadline);
  closer.discarded_before = begin_close(mode);
  closer.done = std::move(done);
  const std::lock_guard lock(ended_mutex_);
  try {
    if (!closer_.joinable()) closer_ = std::thread([this] { serve_closers(); });
  } catch (const std::system_error& failure) {
    return Error{Errc::Unavailable, std::string("no thread can be started: ") + failure.what()};
  }
  closers_.push_back(std::move(closer));
  ended_.notify_all();
  return {};
}

/// ended_mutex_ is held.
std::vector<WorkerPool::Impl::Closer> WorkerPool::Impl::closers_due(base::Mono now) {
  const auto waits = [&](const Closer& closer) { return alive_ > 0 && closer.until > now; };
  const auto due = std::stable_partition(closers_.begin(), closers_.end(), waits);
  std::vector<Closer> taken(std::make_move_iterator(due), std::make_move_iterator(closers_.end()));
  closers_.erase(due, closers_.end());
  return taken;
}

void WorkerPool::Impl::serve_closers() {
  std::unique_lock lock(ended_mutex_);
  while (closer_wanted_ || !closers_.empty()) {
    const base::Mono now = clock_.mono();
    const bool over = alive_ == 0;
    auto due = closers_due(now);
    if (!due.empty()) {
      lock.unlock();
      for (Closer& closer : due) closer.done(end_of_wait(closer.discarded_before, over));
      due.clear();  // what the callbacks hold, before the lock
      lock.lock();
      continue;
    }
    Duration wait = kLongestWait;
    for (const Closer& closer : closers_) wait = std::min(wait, closer.until - now);
    ended_.wait_for(lock, wait);
  }
}

/// All threads have ended, so whoever still waits is told at once.
void WorkerPool::Impl::end_closer() {
  {
    const std::lock_guard lock(ended_mutex_);
    closer_wanted_ = false;
    ended_.notify_all();
  }
  if (closer_.joinable()) closer_.join();
}

}  // namespace galley
