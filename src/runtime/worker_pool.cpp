#include "galley/runtime/worker_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <thread>

#include "runtime/worker_pool_impl.hpp"

namespace galley {

namespace {

constexpr int kMaxDispatchers = 1'000;
constexpr int kMaxWorkers = 1'000;
constexpr std::size_t kMaxCapacity = 10'000'000;

[[noreturn]] void refuse(const std::string& option, const std::string& value, const std::string& allowed) {
  throw Exception(Error{Errc::InvalidInput, option + " " + value + " is not allowed: " + allowed});
}

void check_range(const char* option, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return;
  refuse(option, std::to_string(value), std::to_string(least) + ".." + std::to_string(most));
}

void check(const PoolScaling& scaling, int dispatchers) {
  if (scaling.max_dispatchers == 0) return;
  check_range("scaling.max_dispatchers", scaling.max_dispatchers, dispatchers, kMaxDispatchers);
  check_range("scaling.periods", scaling.periods, 1, 1'000);
  constexpr Duration kHour = std::chrono::hours(1);
  for (const auto& [option, value] :
       {std::pair("scaling.target", scaling.target), std::pair("scaling.period", scaling.period),
        std::pair("scaling.idle", scaling.idle)}) {
    if (value >= std::chrono::milliseconds(1) && value <= kHour) continue;
    refuse(option, std::to_string(value.count()) + " us", "1 ms..1 h");
  }
}

/// Whatever the thread that makes the pool is bound to: a program may keep its loop on one cpu and the pool on another.
cpu_set_t cpus_there() {
  cpu_set_t there;
  const auto look = [&there] {
    cpu_set_t all;
    CPU_ZERO(&all);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &all);
    sched_setaffinity(0, sizeof all, &all);  // the kernel takes those that are there; where it is forbidden: as before
    if (sched_getaffinity(0, sizeof there, &there) != 0) there = all;  // more cpus than such a set can name
  };
  try {
    std::thread(look).join();
  } catch (const std::system_error& failure) {
    throw Exception(Error{Errc::Unavailable, std::string("no thread can be started: ") + failure.what()});
  }
  return there;
}

/// "0..3, 8"
std::string text_of(const cpu_set_t& cpus) {
  std::string text;
  for (unsigned first = 0; first < CPU_SETSIZE; ++first) {
    if (!CPU_ISSET(first, &cpus)) continue;
    unsigned last = first;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &cpus)) ++last;
    text += (text.empty() ? "" : ", ") + std::to_string(first) + (last > first ? ".." + std::to_string(last) : "");
    first = last;
  }
  return text;
}

void check_cpus(const std::vector<int>& cpus) {
  if (cpus.empty()) return;
  const cpu_set_t there = cpus_there();
  for (const int cpu : cpus) {
    if (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(static_cast<unsigned>(cpu), &there)) continue;
    refuse("cpus", std::to_string(cpu), text_of(there));
  }
}

PoolOptions checked(PoolOptions options) {
  if (options.workers == 0) {
    options.workers = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, unsigned{kMaxWorkers}));
  }
  check_range("dispatchers", options.dispatchers, 1, kMaxDispatchers);
  check_range("workers", options.workers, 1, kMaxWorkers);
  if (options.capacity < 1 || options.capacity > kMaxCapacity) {
    refuse("capacity", std::to_string(options.capacity), "1.." + std::to_string(kMaxCapacity));
  }
  if (options.max_waiting < 1 || options.max_waiting > kMaxCapacity) {
    refuse("max_waiting", std::to_string(options.max_waiting), "1.." + std::to_string(kMaxCapacity));
  }
  check(options.scaling, options.dispatchers);
  check_cpus(options.cpus);
  return options;
}

}  // namespace

WorkerPool::WorkerPool(PoolOptions options) : impl_(std::make_unique<Impl>(checked(std::move(options)))) {}

WorkerPool::~WorkerPool() = default;

Submitted WorkerPool::try_submit(Task&& task) { return impl_->try_submit(task, TaskClass::Normal); }

Submitted WorkerPool::try_submit(Task&& task, const TaskOptions& options) { return impl_->try_submit(task, options); }

Submitted WorkerPool::submit_for(Duration patience, Task&& task, const TaskOptions& options) {
  return impl_->submit_for(patience, task, options);
}

std::size_t WorkerPool::try_submit_bulk(std::span<Task> tasks, TaskClass task_class) {
  return impl_->try_submit_bulk(tasks, task_class);
}

std::uint64_t WorkerPool::submit_then(Task&& task, const TaskOptions& options, std::function<void(Submitted)> done) {
  return impl_->submit_then(task, options, std::move(done));
}

bool WorkerPool::withdraw(std::uint64_t ticket) { return impl_->withdraw(ticket); }

Result<void> WorkerPool::resize(int dispatchers) {
  if (dispatchers < 1 || dispatchers > kMaxDispatchers) {
    return Error{Errc::InvalidInput, "dispatchers " + std::to_string(dispatchers) + " is not allowed: 1..1000"};
  }
  return impl_->resize(dispatchers);
}

int WorkerPool::size() const noexcept { return impl_->size(); }

PoolClosed WorkerPool::close(CloseMode mode, std::optional<Duration> deadline) { return impl_->close(mode, deadline); }

Result<void> WorkerPool::close_then(CloseMode mode, std::optional<Duration> deadline,
                                    std::function<void(PoolClosed)> done) {
  return impl_->close_then(mode, deadline, std::move(done));
}

bool WorkerPool::closing() const noexcept { return impl_->closing(); }

bool WorkerPool::closed() const noexcept { return impl_->closed(); }

std::vector<std::exception_ptr> WorkerPool::take_errors() { return impl_->take_errors(); }

PoolStats WorkerPool::stats() const { return impl_->stats(); }

}  // namespace galley
