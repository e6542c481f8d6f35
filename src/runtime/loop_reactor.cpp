#include "runtime/loop_reactor.hpp"

#include <algorithm>
#include <boost/asio/system_timer.hpp>
#include <memory>

#include "base/assert.hpp"
#include "base/ticks.hpp"

namespace galley::runtime {

namespace {
namespace asio_detail = boost::asio::detail;
}

// Members of Asio that have no other way in. An explicit instantiation may name a private member (C++20,
// [temp.spec.general]/6), and stops compiling where a later Asio has no such member.
template <auto member, class Tag>
struct Reveal {
  friend constexpr auto revealed(Tag) { return member; }
};
struct SchedulerQueue {
  friend constexpr auto revealed(SchedulerQueue);
};
struct SchedulerMutex {
  friend constexpr auto revealed(SchedulerMutex);
};
struct SchedulerMutexInside {
  friend constexpr auto revealed(SchedulerMutexInside);
};
struct SystemMutex {
  friend constexpr auto revealed(SystemMutex);
};
struct SchedulerInterrupted {
  friend constexpr auto revealed(SchedulerInterrupted);
};
struct SchedulerStopped {
  friend constexpr auto revealed(SchedulerStopped);
};
struct SchedulerWork {
  friend constexpr auto revealed(SchedulerWork);
};
struct ServiceTimers {
  friend constexpr auto revealed(ServiceTimers);
};
struct TimerHeap {
  friend constexpr auto revealed(TimerHeap);
};
using SteadyTraits =
    asio_detail::chrono_time_traits<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>>;
using SteadyService = asio_detail::deadline_timer_service<SteadyTraits>;
using SystemService = asio_detail::deadline_timer_service<
    asio_detail::chrono_time_traits<std::chrono::system_clock, boost::asio::wait_traits<std::chrono::system_clock>>>;
template struct Reveal<&asio_detail::scheduler::op_queue_, SchedulerQueue>;
template struct Reveal<&asio_detail::scheduler::mutex_, SchedulerMutex>;
template struct Reveal<&asio_detail::conditionally_enabled_mutex::mutex_, SchedulerMutexInside>;
template struct Reveal<&asio_detail::posix_mutex::mutex_, SystemMutex>;
template struct Reveal<&asio_detail::scheduler::task_interrupted_, SchedulerInterrupted>;
template struct Reveal<&asio_detail::scheduler::stopped_, SchedulerStopped>;
template struct Reveal<&asio_detail::scheduler::outstanding_work_, SchedulerWork>;
template struct Reveal<&SteadyService::timer_queue_, ServiceTimers>;
template struct Reveal<&asio_detail::timer_queue<SteadyTraits>::heap_, TimerHeap>;

LoopReactor& LoopReactor::install(boost::asio::io_context& context, LoopTurns& loop) {
  auto made = std::make_unique<LoopReactor>(context, loop);
  boost::asio::add_service<asio_detail::reactor>(context, made.get());
  LoopReactor& reactor = *made.release();
  // Each adds its queue, and the first the reactor to the scheduler. The queue that is added last is asked first: the
  // divider; then the steady timers, so that `due` begins with theirs. A service that is made later, of yet another
  // clock, comes before the divider, so its timers are among `io`.
  boost::asio::use_service<SystemService>(context);
  auto& service = boost::asio::use_service<SteadyService>(context);
  reactor.steady_ = &(service.*revealed(ServiceTimers{}));
  reactor.add_timer_queue(reactor.divider_);
  return reactor;
}

LoopReactor::LoopReactor(boost::asio::io_context& context, LoopTurns& loop)
    : epoll_reactor(context),
      loop_(loop),
      scheduler_(boost::asio::use_service<asio_detail::scheduler>(context)),
      divider_(*this) {}

void LoopReactor::shutdown() {
  for (Operations* const queue : {&io, &timers, &ready}) {
    Operations dropped;  // destroys them
    dropped.push(*queue);
  }
  epoll_reactor::shutdown();
}

void LoopReactor::run(long usec, Operations&) {
  thread_ = static_cast<asio_detail::scheduler_thread_info*>(asio_detail::thread_context::top_of_thread_call_stack());
  struct Settle {
    LoopReactor& reactor;
    ~Settle() { reactor.settle_work(); }
  } const settle{*this};
  loop_.turns(usec != 0);
}

void LoopReactor::look(bool sleep) {
  GALLEY_ASSERT(io.empty());  // a descriptor that is queued here must not be reported once more
  divided_ = false;
  Operations found;
  epoll_reactor::run(sleep ? -1 : 0, found);
  (divided_ ? timers : io).push(found);
}

void LoopReactor::Divider::get_ready_timers(Operations& found) {
  reactor_.io.push(found);
  reactor_.divided_ = true;
  reactor_.note_due();
}

/// The heap of Asio's timers is in our hands here, under the reactor's lock; of those behind one that is not due none
/// is.
void LoopReactor::note_due() {
  const auto& heap = steady_->*revealed(TimerHeap{});
  const std::int64_t now = base::mono_ns();
  if (timers.empty()) due.clear();
  const auto known = static_cast<std::ptrdiff_t>(due.size());
  to_visit_.assign(1, 0);
  while (!to_visit_.empty()) {
    const std::size_t at = to_visit_.back();
    to_visit_.pop_back();
    if (at >= heap.size()) continue;
    const auto when = std::chrono::nanoseconds(heap[at].time_.time_since_epoch()).count();
    if (when > now) continue;
    due.push_back(when);
    to_visit_.push_back(2 * at + 1);
    to_visit_.push_back(2 * at + 2);
  }
  std::sort(due.begin() + known, due.end());
}

void LoopReactor::take_posted() {
  asio_detail::conditionally_enabled_mutex::scoped_lock lock(scheduler_.*revealed(SchedulerMutex{}));
  ready.push(scheduler_.*revealed(SchedulerQueue{}));
}

bool LoopReactor::arm() {
  asio_detail::conditionally_enabled_mutex::scoped_lock lock(scheduler_.*revealed(SchedulerMutex{}));
  ready.push(scheduler_.*revealed(SchedulerQueue{}));
  if (!ready.empty()) return false;
  scheduler_.*revealed(SchedulerInterrupted{}) = false;  // so does stop()
  return true;
}

bool LoopReactor::begin_sleep() {
  if (!arm()) return false;
  scheduler_.work_finished();  // what the loop has counted for itself (LoopCore::begin_run)
  return true;
}

bool LoopReactor::found() {
  if (!io.empty() || !timers.empty()) return true;
  // Whoever posts holds the lock while he interrupts us: to wait for it here would be to sleep.
  pthread_mutex_t& lock =
      scheduler_.*revealed(SchedulerMutex{}).*revealed(SchedulerMutexInside{}).*revealed(SystemMutex{});
  if (pthread_mutex_trylock(&lock) != 0) return false;
  const bool posted = !(scheduler_.*revealed(SchedulerQueue{})).empty() || scheduler_.*revealed(SchedulerStopped{});
  pthread_mutex_unlock(&lock);
  return posted;
}

long LoopReactor::outstanding_work() {
  settle_work();
  return scheduler_.*revealed(SchedulerWork{});
}

/// What is above zero, the scheduler adds itself when run() returns.
void LoopReactor::settle_work() {
  for (; thread_->private_outstanding_work < 0; ++thread_->private_outstanding_work) scheduler_.work_finished();
}

}  // namespace galley::runtime
