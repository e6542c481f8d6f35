// A thread that asks tasks to stop when their time is over, and adds and takes away dispatchers. Only there when
// wanted.

#include <algorithm>
#include <system_error>

#include "runtime/worker_pool_impl.hpp"

namespace galley {

namespace {

constexpr Duration kLongestWait = std::chrono::hours(1);  // so that "never" is not handed to the system

}  // namespace

void WorkerPool::Impl::need_supervisor() {
  const std::lock_guard lock(supervisor_mutex_);
  if (!supervising_ || supervisor_.joinable()) return;
  try {
    supervisor_ = std::thread([this] { supervise(); });
  } catch (const std::system_error& failure) {
    throw Exception(Error{Errc::Unavailable, std::string("no thread can be started: ") + failure.what()});
  }
}

void WorkerPool::Impl::end_supervisor() {
  {
    const std::lock_guard lock(supervisor_mutex_);
    supervising_ = false;
    supervisor_wake_.notify_all();
  }
  if (supervisor_.joinable()) supervisor_.join();
}

void WorkerPool::Impl::run_limit_set(base::Mono at) {
  const std::lock_guard lock(supervisor_mutex_);
  if (at >= supervisor_until_) return;
  supervisor_until_ = at;
  supervisor_wake_.notify_one();
}

void WorkerPool::Impl::supervise() {
  std::unique_lock lock(supervisor_mutex_);
  while (supervising_) {
    supervisor_until_ = base::Mono::max();  // what is set from here on wakes it
    lock.unlock();
    const base::Mono now = clock_.mono();
    const base::Mono next = stop_overdue(now);
    if (now >= scale_at_) {
      scale(now);
      scale_at_ = nothing_to_scale() ? base::Mono::max() : now + options_.scaling.period;
    } else if (options_.scaling.max_dispatchers > 0 && scale_at_ == base::Mono::max() && !scaling_sleeps_) {
      scale_at_ = now + options_.scaling.period;
    }
    lock.lock();
    supervisor_until_ = std::min({supervisor_until_, next, scale_at_});
    if (!supervising_ || clock_.mono() >= supervisor_until_) continue;
    const auto wait = supervisor_until_ == base::Mono::max() ? kLongestWait : supervisor_until_ - clock_.mono();
    supervisor_wake_.wait_for(lock, wait);
  }
}

/// A pool that cannot shrink, and in which nothing waits, changes only by what is submitted next: whoever submits that
/// sees scaling_sleeps_, or is seen by the look that follows it (both by an RMW).
bool WorkerPool::Impl::nothing_to_scale() noexcept {
  if (above_target_ > 0 || size_ > options_.dispatchers) return false;
  scaling_sleeps_.exchange(true, std::memory_order_seq_cst);
  if (size_ <= options_.dispatchers && !anything_waits()) return true;
  scaling_sleeps_.store(false, std::memory_order_seq_cst);
  return false;
}

void WorkerPool::Impl::wake_scaling() {
  if (scaling_sleeps_.exchange(false, std::memory_order_seq_cst)) run_limit_set(base::Mono::min());
}

/// The next moment at which one will be overdue.
base::Mono WorkerPool::Impl::stop_overdue(base::Mono now) {
  base::Mono next = base::Mono::max();
  std::vector<std::stop_source> overdue;
  {
    const std::lock_guard lock(control_mutex_);
    const auto look = [&](const std::unique_ptr<Dispatcher>& dispatcher) {
      for (auto& worker : dispatcher->workers) next = std::min(next, worker->mark_if_overdue(now, overdue));
    };
    std::for_each(dispatchers_.begin(), dispatchers_.end(), look);
    std::for_each(retired_.begin(), retired_.end(), look);
  }
  // Calls the tasks' own callbacks, which may call the pool: not under the lock.
  for (auto& source : overdue) source.request_stop();
  return next;
}

void WorkerPool::Impl::scale(base::Mono now) {
  scaling_looks_.fetch_add(1, std::memory_order_relaxed);
  const PoolScaling& scaling = options_.scaling;
  auto waits = waits_.since(scaled_to_);
  // What waits now and is not begun shows in no sample yet.
  bool unstamped = false;
  for (const runtime::TaskRing& ring : rings_) {
    if (const auto oldest = ring.oldest()) {
      waits.push_back(now - *oldest);
    } else {
      unstamped = unstamped || ring.size() > 0;
    }
  }
  // Where tasks that carry no stamp wait at each look, they have waited since the first. While tasks begin all the time
  // others take their place, and then this is one wait among many samples.
  unstamped_since_ = unstamped ? std::min(unstamped_since_, now) : base::Mono::max();
  if (unstamped) waits.push_back(now - unstamped_since_);
  const bool slow = runtime::quantile(waits, 0.95) > scaling.target;
  above_target_ = slow ? above_target_ + 1 : 0;
  const int busy = stats().busy;
  const int size = size_;
  if (slow || busy > (size - 1) * options_.workers) busy_since_ = now;
  if (above_target_ >= scaling.periods && size < scaling.max_dispatchers) {
    above_target_ = 0;
    static_cast<void>(resize(size + 1));  // no thread to be had, or closing: it goes on as it is
  } else if (size > options_.dispatchers && now - busy_since_ >= scaling.idle) {
    busy_since_ = now;
    static_cast<void>(resize(size - 1));
  }
}

}  // namespace galley
