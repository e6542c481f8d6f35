// A pool whose threads are started as tasks come. There are as many as there are tasks that run or wait, until every
// worker has one: so a task never waits behind another one while a worker of its own could be had.

#include <system_error>

#include "runtime/worker_pool_impl.hpp"

namespace galley {

bool WorkerPool::Impl::expect_task() {
  if (!options_.on_demand) return true;
  const int tasks = unfinished_.fetch_add(1) + 1;
  if (tasks <= started_ || have_threads(tasks)) return true;
  forget_task();
  return false;
}

void WorkerPool::Impl::forget_task() noexcept {
  if (options_.on_demand) unfinished_.fetch_sub(1);
}

bool WorkerPool::Impl::have_threads(int tasks) {
  const std::lock_guard lock(control_mutex_);
  if (closing()) return false;
  for (const auto& dispatcher : dispatchers_) {
    for (const auto& worker : dispatcher->workers) {
      if (started_ >= tasks) return true;
      if (worker->thread.joinable()) continue;
      try {
        start_thread(*worker);
      } catch (const std::system_error&) {
        return false;
      }
      ++started_;
    }
  }
  return true;  // each worker has one
}

}  // namespace galley
