// The pool's threads: dispatchers that come and go, and the end.

#include <algorithm>
#include <iterator>
#include <system_error>

#include "base/assert.hpp"
#include "runtime/worker_pool_impl.hpp"

namespace galley {

WorkerPool::Impl::Impl(PoolOptions options)
    : options_(std::move(options)),
      rings_{runtime::TaskRing(options_.capacity), runtime::TaskRing(options_.capacity),
             runtime::TaskRing(options_.capacity)} {
  if (options_.scaling.max_dispatchers > 0) {
    scale_at_ = clock_.mono() + options_.scaling.period;
    busy_since_ = clock_.mono();
    need_supervisor();  // before the others: where it cannot be started there is nothing to take back
  }
  if (auto started = resize(options_.dispatchers); !started) {
    close(CloseMode::Cancel, std::nullopt);
    throw Exception(started.error());
  }
}

WorkerPool::Impl::~Impl() {
  GALLEY_ASSERT(current() == nullptr);  // a task cannot wait for itself
  close(CloseMode::Cancel, std::nullopt);
  end_closer();
}

Result<void> WorkerPool::Impl::add_dispatcher() {
  auto dispatcher = std::make_unique<Dispatcher>();
  dispatcher->number = size_;
  if (options_.make_state) {
    try {
      dispatcher->state = options_.make_state(dispatcher->number);
    } catch (const std::exception& thrown) {
      return Error{Errc::Unavailable, std::string("make_state has thrown: ") + thrown.what()};
    } catch (...) {
      return Error{Errc::Unavailable, "make_state has thrown"};
    }
  }
  for (int i = 0; i < options_.workers; ++i) {
    dispatcher->workers.push_back(std::make_unique<Worker>(*dispatcher, i, *this));
  }
  for (auto& worker : dispatcher->workers) {
    if (options_.on_demand) break;
    try {
      start_thread(*worker);
    } catch (const std::system_error& failure) {
      dispatcher->retired = true;
      events_.wake_all();
      retired_.push_back(std::move(dispatcher));
      return Error{Errc::Unavailable, std::string("no thread can be started: ") + failure.what()};
    }
  }
  dispatchers_.push_back(std::move(dispatcher));
  ++size_;
  return {};
}

void WorkerPool::Impl::start_thread(Worker& worker) {
  {
    const std::lock_guard lock(ended_mutex_);
    ++alive_;
  }
  ++worker.owner().alive;
  try {
    worker.thread = std::thread([this, &worker] { work(worker); });
  } catch (...) {
    --worker.owner().alive;
    thread_ended();
    throw;
  }
}

void WorkerPool::Impl::retire_last() {
  dispatchers_.back()->retired = true;
  for (const auto& worker : dispatchers_.back()->workers) {
    if (options_.on_demand && worker->thread.joinable()) --started_;
  }
  retired_.push_back(std::move(dispatchers_.back()));
  dispatchers_.pop_back();
  --size_;
  events_.wake_all();
}

Result<void> WorkerPool::Impl::resize(int dispatchers) {
  Dispatchers gone;  // after the lock
  const std::lock_guard lock(control_mutex_);
  if (closing()) return Error{Errc::WrongState, "the pool is closed"};
  gone = reap_retired();
  const int before = size_;
  while (size_ > dispatchers) retire_last();
  while (size_ < dispatchers) {
    if (auto added = add_dispatcher(); !added) {
      while (size_ > before) retire_last();
      return added;
    }
  }
  wake_scaling();
  return {};
}

void WorkerPool::Impl::thread_ended() {
  const std::lock_guard lock(ended_mutex_);
  --alive_;
  ended_.notify_all();
}

// ---- threads that have ended -----------------------------------------------------------------------------------

/// All threads have ended, or are about to.
void WorkerPool::Impl::join_all() {
  end_supervisor();  // it may be about to resize
  Dispatchers gone;  // after the lock
  const std::lock_guard lock(control_mutex_);
  std::move(dispatchers_.begin(), dispatchers_.end(), std::back_inserter(retired_));
  dispatchers_.clear();
  for (auto& dispatcher : retired_) take_out(*dispatcher);
  gone.swap(retired_);
}

WorkerPool::Impl::Dispatchers WorkerPool::Impl::reap_retired() {
  Dispatchers gone;
  for (auto at = retired_.begin(); at != retired_.end();) {
    const auto one = at++;
    if ((*one)->alive > 0) continue;
    take_out(**one);
    gone.splice(gone.end(), retired_, one);
  }
  return gone;
}

void WorkerPool::Impl::take_out(Dispatcher& dispatcher) {
  for (auto& worker : dispatcher.workers) {
    if (worker->thread.joinable()) worker->thread.join();
    completed_before_ += worker->completed;
    failed_before_ += worker->failed;
  }
}

PoolStats WorkerPool::Impl::stats() const {
  PoolStats stats;
  {
    const std::lock_guard lock(control_mutex_);
    stats.dispatchers = size_;
    stats.completed = completed_before_;
    stats.failed = failed_before_;
    const auto add = [&stats](const std::unique_ptr<Dispatcher>& dispatcher) {
      for (const auto& worker : dispatcher->workers) {
        if (!dispatcher->retired) ++stats.workers;
        if (worker->busy) ++stats.busy;
        stats.completed += worker->completed;
        stats.failed += worker->failed;
      }
    };
    std::for_each(dispatchers_.begin(), dispatchers_.end(), add);
    std::for_each(retired_.begin(), retired_.end(), add);
  }
  for (const auto& waiting : waiting_) stats.waiting_for_room += waiting;
  for (std::size_t at = 0; at < rings_.size(); ++at) stats.queued[at] = static_cast<std::int64_t>(rings_[at].size());
  for (const runtime::TaskRing& ring : rings_) stats.accepted += ring.pushed();
  stats.refused = refused_;
  stats.timed_out = timed_out_;
  stats.cancelled = withdrawn_;
  stats.discarded = discarded_;
  stats.scaling_looks = scaling_looks_;
  {
    const std::lock_guard lock(errors_mutex_);
    stats.errors_dropped = errors_dropped_;
  }
  auto waits = waits_.all();
  auto runs = runs_.all();
  stats.wait_p50 = runtime::quantile(waits, 0.5);
  stats.wait_p99 = runtime::quantile(waits, 0.99);
  stats.run_p50 = runtime::quantile(runs, 0.5);
  stats.run_p99 = runtime::quantile(runs, 0.99);
  return stats;
}

}  // namespace galley
