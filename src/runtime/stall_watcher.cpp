#include "runtime/stall_watcher.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/ticks.hpp"
#include "runtime/symbols.hpp"

namespace galley {

using runtime::StackRequest;
using runtime::StallStep;

namespace {

constexpr std::chrono::milliseconds kAnswer{2};  // how long the other loops wait for one loop's answer
constexpr int kTries = 10;                       // a millisecond each or more

Duration micros(std::int64_t ns) { return std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(ns)); }

void to_stderr(const StallReport& report) {
  const std::string text = report.text();
  static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
}

/// The program's signals are for its own threads.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// Reads the debug information before there is any hurry.
void warm_up() {
  block_signals();
  runtime::RawStack here;
  runtime::unwind(here);
  static_cast<void>(runtime::symbolise(here.frames()));
}

/// What the thread did while it was observed. The kernel adds waiting for a CPU only when it is over, so the time of a
/// thread that is ready and that nobody accounts for is such waiting; that of one that sleeps, a system call.
void classify(StallReport& report, pid_t thread, const std::optional<runtime::ThreadTimes>& before,
              std::int64_t observed_ns) {
  const char state = runtime::thread_state(thread);
  const bool sleeps = state == 'S' || state == 'D';
  if (sleeps) report.system_call = runtime::system_call(thread);
  report.observed = micros(observed_ns);
  const auto after = runtime::thread_times(thread);
  if (!before || !after || observed_ns <= 0) {
    report.cause = sleeps ? StallCause::Blocked : StallCause::Unknown;
    return;
  }
  const std::int64_t on_cpu_ns = std::clamp<std::int64_t>(after->on_cpu_ns - before->on_cpu_ns, 0, observed_ns);
  report.on_cpu = micros(on_cpu_ns);
  if (on_cpu_ns * 2 >= observed_ns) {
    report.cause = StallCause::Computing;
  } else {
    report.cause = sleeps ? StallCause::Blocked : StallCause::WaitingForCpu;
  }
}

}  // namespace

StallDetector::Impl::Impl(StallOptions options)
    : options_(std::move(options)),
      taker_(std::make_unique<runtime::StackTaker>(options_.signal)),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      limit_(options_.reports_per_minute) {
  if (bell_.get() < 0) throw Exception(Error{Errc::Unavailable, std::string("no eventfd: ") + std::strerror(errno)});
  if (!options_.on_report) options_.on_report = &to_stderr;
  thread_ = std::thread([this] { run(); });
  try {
    warming_up_ = std::thread(&warm_up);
  } catch (const std::system_error&) {  // then the first report reads what it needs
  }
  ::pthread_setname_np(thread_.native_handle(), "galley-stalls");
}

void StallDetector::Impl::ring() noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(bell_.get(), &one, sizeof one));
}

void StallDetector::Impl::add(std::shared_ptr<Watched> watched) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    watched->heartbeat.rouse_by([this] { ring(); });
    watched_.push_back(std::move(watched));
  }
  ring();
}

void StallDetector::Impl::remove(Watched& watched) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(watched_.begin(), watched_.end(), [&](const auto& one) { return one.get() == &watched; });
  if (found == watched_.end()) return;
  watched.heartbeat.rouse_by({});
  watched.request->forget_heartbeat();
  if (watched.request->state() == StackRequest::State::Sent) taker_->keep(std::move(watched.request));
  watched_.erase(found);
}

void StallDetector::Impl::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ring();
  thread_.join();
  if (warming_up_.joinable()) warming_up_.join();
  while (!watched_.empty()) remove(*watched_.back());
  taker_.reset();
}

StallStats StallDetector::Impl::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void StallDetector::Impl::run() {
  block_signals();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    ++stats_.looks;
    const std::int64_t next_ns = look_at_all(base::mono_ns());
    if (auto drafts = std::exchange(out_, {}); !drafts.empty()) {
      lock.unlock();
      deliver(std::move(drafts));
      lock.lock();
      continue;  // it may have taken long
    }
    wait(lock, next_ns);
  }
}

/// When to look again; INT64_MAX: when the bell rings.
std::int64_t StallDetector::Impl::look_at_all(std::int64_t now_ns) {
  std::int64_t next_ns = INT64_MAX;
  bool quiet = true;
  for (const auto& watched : watched_) {
    const StallStep step = look(*watched, now_ns);
    next_ns = std::min(next_ns, step.look_at_ns);
    quiet = quiet && step.quiet;
  }
  return quiet && all_sleep() ? INT64_MAX : next_ns;
}

/// From now on a loop that wakes up rings the bell; unless one has woken up before it could know.
bool StallDetector::Impl::all_sleep() {
  for (const auto& watched : watched_) watched->heartbeat.watcher_sleeps.exchange(true, std::memory_order_seq_cst);
  return std::all_of(watched_.begin(), watched_.end(),
                     [](const auto& watched) { return runtime::read(watched->heartbeat).busy_since_ns == 0; });
}

StallStep StallDetector::Impl::look(Watched& watched, std::int64_t now_ns) {
  settle(watched);
  const runtime::Beat beat = runtime::read(watched.heartbeat);
  StallStep step = watched.rules.look(beat, now_ns);
  if (step.what == StallStep::What::Ended) {
    ended(watched, step.lasted_ns);
    step = watched.rules.look(beat, now_ns);
  }
  if (beat != watched.beat) {
    watched.beat = beat;
    begun(watched, now_ns);
  }
  if (step.what == StallStep::What::Stalled) stalled(watched, now_ns, step.lasted_ns);
  return step;
}

void StallDetector::Impl::begun(Watched& watched, std::int64_t now_ns) {
  watched.begun_ns = now_ns;
  watched.counted = watched.reports = watched.reported = false;
  watched.tries = 0;
  watched.draft.reset();
  watched.times.reset();
  if (watched.beat.busy_since_ns == 0) return;
  if (const int thread = watched.thread(); thread != 0) watched.times = runtime::thread_times(thread);
}

void StallDetector::Impl::stalled(Watched& watched, std::int64_t now_ns, std::int64_t lasted_ns) {
  if (!watched.counted) {
    watched.counted = true;
    ++stats_.stalls;
    watched.reports = limit_.take(now_ns);
    if (!watched.reports) ++stats_.suppressed;
  }
  if (!watched.reports) return;
  if (watched.draft) hand_out(watched, "its thread has not answered");
  Draft& draft = watched.draft.emplace();
  draft.report.loop = watched.name;
  draft.report.lasted = micros(lasted_ns);
  const int thread = watched.thread();
  classify(draft.report, thread, watched.times, now_ns - watched.begun_ns);
  ask(watched);
  if (watched.request->state() != StackRequest::State::Free) {
    static_cast<void>(watched.request->wait(kAnswer));
    settle(watched);
  }
}

/// Unless it was asked before and has not answered yet: then that answer will do.
void StallDetector::Impl::ask(Watched& watched) {
  StackRequest& request = *watched.request;
  if (request.state() > StackRequest::State::Writing) request.reset();
  if (request.state() != StackRequest::State::Free) return;
  watched.asked = watched.beat;
  const int thread = watched.thread();
  if (thread != 0 && taker_->ask(request, thread, watched.heartbeat, watched.beat)) return;
  hand_out(watched, "its thread cannot be asked");
}

/// Takes an answer, if there is one.
void StallDetector::Impl::settle(Watched& watched) {
  StackRequest& request = *watched.request;
  const StackRequest::State state = request.state();
  if (state <= StackRequest::State::Writing) return;
  if (!watched.draft || state == StackRequest::State::MovedOn) {
    request.reset();
    if (watched.draft && watched.asked != watched.beat) return ask(watched);  // it was about an earlier handler
    if (watched.draft && !watched.reported) ++stats_.late;
    watched.draft.reset();
    return;
  }
  StallReport& report = watched.draft->report;
  report.capture = std::chrono::nanoseconds(request.took_ns);
  report.has_task = request.has_task;
  if (request.has_task) {
    report.task = request.task_name.data();
    report.spawned_at = request.spawned_at;
  }
  if (state == StackRequest::State::Taken) {
    watched.draft->stack = request.stack;
    hand_out(watched, "");
    request.reset();
  } else if (++watched.tries < kTries) {
    request.reset();
    ask(watched);
  } else {
    hand_out(watched, "exceptions unwind it");
    request.reset();
  }
}

void StallDetector::Impl::hand_out(Watched& watched, std::string no_stack) {
  if (!watched.draft) return;
  StallReport& report = watched.draft->report;
  report.no_stack = std::move(no_stack);
  if (!watched.reported) {
    ++stats_.reported;
    report.suppressed = limit_.suppressed();
  }
  watched.reported = true;
  watched.last = report;
  out_.push_back(std::move(*watched.draft));
  watched.draft.reset();
}

void StallDetector::Impl::ended(Watched& watched, std::int64_t lasted_ns) {
  if (watched.draft && !watched.reported) ++stats_.late;
  watched.draft.reset();
  if (!watched.reported) return;
  Draft draft{watched.last, {}};
  draft.report.ended = true;
  draft.report.lasted = micros(lasted_ns);
  draft.report.no_stack.clear();
  draft.report.suppressed = 0;
  out_.push_back(std::move(draft));
}

void StallDetector::Impl::deliver(std::vector<Draft> drafts) {
  for (Draft& draft : drafts) {
    if (draft.stack) {
      draft.report.stack = runtime::symbolise(draft.stack->frames());
      draft.report.times = seen_.count(runtime::hash_of(draft.report.stack));
    }
    options_.on_report(draft.report);
  }
}

void StallDetector::Impl::wait(std::unique_lock<std::mutex>& lock, std::int64_t until_ns) {
  lock.unlock();
  const std::int64_t left_ns = std::max<std::int64_t>(until_ns == INT64_MAX ? 0 : until_ns - base::mono_ns(), 0);
  const timespec left{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
  pollfd bell{bell_.get(), POLLIN, 0};
  if (::ppoll(&bell, 1, until_ns == INT64_MAX ? nullptr : &left, nullptr) == 1) {
    std::uint64_t rings = 0;
    static_cast<void>(!::read(bell_.get(), &rings, sizeof rings));
  }
  lock.lock();
}

}  // namespace galley
