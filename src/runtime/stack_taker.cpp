#include "runtime/stack_taker.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>

#include "base/ticks.hpp"
#include "galley/error.hpp"
#include "galley/runtime/current_task.hpp"
#include "runtime/symbols.hpp"

namespace galley::runtime {

namespace {
constexpr std::chrono::milliseconds kWait{1'000};
constexpr std::size_t kMaxUnanswered = 64;  // a thread that never answers is asked no more often than this

/// Who has taken a signal over, and what it meant before. As global as the signals themselves.
struct Taken {
  int takers = 0;
  struct sigaction before {};
};
constinit std::mutex taken_mutex;
std::array<Taken, NSIG> taken;
}  // namespace

StackRequest::StackRequest() : done_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (done_.get() < 0) throw Exception(Error{Errc::Unavailable, std::string("no eventfd: ") + std::strerror(errno)});
}

bool StackRequest::wait(std::chrono::milliseconds limit) noexcept {
  pollfd done{done_.get(), POLLIN, 0};
  if (::poll(&done, 1, static_cast<int>(limit.count())) == 1) {
    while (state() == State::Writing) std::this_thread::yield();  // it has nothing left to do but to say so
  }
  return state() > State::Writing;
}

void StackRequest::reset() noexcept {
  std::uint64_t count = 0;
  static_cast<void>(!::read(done_.get(), &count, sizeof count));
  state_.store(State::Free, std::memory_order_release);
}

void StackRequest::forget_heartbeat() noexcept {
  heartbeat_.store(nullptr, std::memory_order_seq_cst);
  while (state_.load(std::memory_order_seq_cst) == State::Writing) std::this_thread::yield();
}

/// On the thread that was asked, inside the signal's handler: nothing here allocates or locks.
void StackRequest::answer() noexcept {
  const std::int64_t began = base::mono_ns();
  static_cast<void>(state());  // what send() has released: a signal orders nothing
  state_.store(State::Writing, std::memory_order_seq_cst);
  State answer = State::Taken;
  const Heartbeat* const heartbeat = heartbeat_.load(std::memory_order_seq_cst);
  if (about_a_beat_ && (heartbeat == nullptr || read(*heartbeat) != beat_)) {
    answer = State::MovedOn;
  } else {
    const TaskInfo* const task = current_task();
    has_task = task != nullptr;
    if (has_task) {
      const std::size_t size = std::min(task->name.size(), task_name.size() - 1);
      std::memcpy(task_name.data(), task->name.data(), size);
      task_name[size] = '\0';
      spawned_at = task->spawned_at;
    }
    if (std::uncaught_exceptions() > 0) {
      answer = State::Unwinding;
    } else {
      unwind(stack);
    }
  }
  took_ns = base::mono_ns() - began;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(done_.get(), &one, sizeof one));
  state_.store(answer, std::memory_order_release);  // the last thing: whoever sees it may let the request go
}

StackTaker::StackTaker(int signal) : signal_(signal) {
  const std::lock_guard lock(taken_mutex);
  if (signal_ > 0 && signal_ < NSIG && taken[static_cast<std::size_t>(signal_)].takers > 0) {
    ++taken[static_cast<std::size_t>(signal_)].takers;
    return;
  }
  RawStack stack;
  unwind(stack);  // finds what it needs once, outside of a signal handler
  static_cast<void>(std::uncaught_exceptions());
  struct sigaction action {};
  action.sa_sigaction = &StackTaker::on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  struct sigaction before {};
  if (::sigaction(signal_, &action, &before) != 0) {
    throw Exception(Error{Errc::InvalidInput,
                          "signal " + std::to_string(signal_) + " is not allowed; allowed is one that can be handled"});
  }
  taken[static_cast<std::size_t>(signal_)] = {1, before};
}

/// Ignoring the signal takes it back from threads that it has not reached; its own disposition might be to kill.
StackTaker::~StackTaker() {
  const std::lock_guard lock(taken_mutex);
  Taken& its = taken[static_cast<std::size_t>(signal_)];
  const bool last = --its.takers == 0;
  if (last) {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(signal_, &ignore, nullptr);
  }
  for (auto& request : unanswered_) {
    if (request->state() > StackRequest::State::Writing) continue;
    static_cast<void>(request.release());  // it may be written to still
  }
  if (last) ::sigaction(signal_, &its.before, nullptr);
}

void StackTaker::on_signal(int, siginfo_t* info, void*) {
  if (info->si_code != SI_QUEUE || info->si_pid != ::getpid()) return;  // somebody else's, who means nothing by it
  const int saved = errno;
  static_cast<StackRequest*>(info->si_value.sival_ptr)->answer();
  errno = saved;
}

bool StackTaker::ask(StackRequest& request, pid_t thread) noexcept {
  request.about_a_beat_ = false;
  request.heartbeat_.store(nullptr, std::memory_order_relaxed);
  return send(request, thread);
}

bool StackTaker::ask(StackRequest& request, pid_t thread, const Heartbeat& heartbeat, const Beat& beat) noexcept {
  request.about_a_beat_ = true;
  request.beat_ = beat;
  request.heartbeat_.store(&heartbeat, std::memory_order_relaxed);
  return send(request, thread);
}

/// By the thread's number: of one that has ended it is at worst another's, who then finds nothing that concerns it.
bool StackTaker::send(StackRequest& request, pid_t thread) noexcept {
  request.state_.store(StackRequest::State::Sent, std::memory_order_release);
  siginfo_t info{};
  info.si_signo = signal_;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = &request;
  if (::syscall(SYS_rt_tgsigqueueinfo, info.si_pid, thread, signal_, &info) == 0) return true;
  request.state_.store(StackRequest::State::Free, std::memory_order_release);
  return false;
}

void StackTaker::keep(std::unique_ptr<StackRequest> request) {
  const std::lock_guard lock(mutex_);
  std::erase_if(unanswered_, [](const auto& old) { return old->state() > StackRequest::State::Writing; });
  unanswered_.push_back(std::move(request));
}

std::string StackTaker::take(pid_t thread) {
  {
    const std::lock_guard lock(mutex_);
    if (unanswered_.size() >= kMaxUnanswered) return "too many threads have not answered for their stacks";
  }
  auto request = std::make_unique<StackRequest>();
  if (!ask(*request, thread)) return "its thread cannot be asked for its stack";
  if (!request->wait(kWait)) {
    keep(std::move(request));
    return "its thread does not answer; it blocks the signal, or waits in the kernel";
  }
  if (request->state() == StackRequest::State::Unwinding) return "an exception unwinds its stack";
  std::string text;
  for (const StackFrame& frame : symbolise(request->stack.frames())) {
    text += (text.empty() ? "" : " < ") + to_text(frame);
  }
  return request->has_task ? std::string(request->task_name.data()) + ": " + text : text;
}

}  // namespace galley::runtime
