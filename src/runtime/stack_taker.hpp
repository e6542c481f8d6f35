#pragma once
// The stack of another thread of this process, and the task that it runs.
//
// Linux can only ask a thread for its own stack, so it is sent a signal, whose handler writes the frames down. The
// signal carries the address to write to, so that there is no global state but the signal's disposition.

#include <sys/types.h>

#include <array>
#include <atomic>
#include <boost/assert/source_location.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "runtime/heartbeat.hpp"
#include "runtime/unwind.hpp"

namespace galley::runtime {

/// One reading of a heartbeat.
struct Beat {
  std::int64_t busy_since_ns = 0;
  std::uint64_t handlers = 0;
  bool operator==(const Beat&) const = default;
};

[[nodiscard]] inline Beat read(const Heartbeat& heartbeat) noexcept {
  return {heartbeat.busy_since_ns.load(std::memory_order_acquire), heartbeat.handlers.load(std::memory_order_relaxed)};
}

/// What a thread is asked for, and its answer. Made ahead, so that asking allocates nothing.
class StackRequest {
 public:
  enum class State : std::uint8_t {
    Free,       ///< may be asked
    Sent,       ///< the thread has not looked yet
    Writing,    ///< it is just writing
    Taken,      ///< `stack` and the task are there
    MovedOn,    ///< the handler that it was asked about had ended
    Unwinding,  ///< an exception unwinds it: nobody can know its stack
  };

  StackRequest();
  StackRequest(const StackRequest&) = delete;
  StackRequest& operator=(const StackRequest&) = delete;

  [[nodiscard]] State state() const noexcept { return state_.load(std::memory_order_acquire); }
  /// Whether an answer is there within `limit`.
  [[nodiscard]] bool wait(std::chrono::milliseconds limit) noexcept;
  /// After an answer: it may be asked again.
  void reset() noexcept;
  /// Its heartbeat is about to go: whoever comes late finds that the thread has moved on.
  void forget_heartbeat() noexcept;

  RawStack stack;
  bool has_task = false;
  std::array<char, 128> task_name{};  ///< what fits
  boost::source_location spawned_at;
  std::int64_t took_ns = 0;  ///< that the thread was held up

 private:
  friend class StackTaker;
  void answer() noexcept;

  std::atomic<State> state_{State::Free};
  std::atomic<const Heartbeat*> heartbeat_{nullptr};
  bool about_a_beat_ = false;
  Beat beat_;
  base::Fd done_;  ///< an eventfd
};

/// Thread-safety: any thread, a request from one at a time.
class StackTaker {
 public:
  /// Takes the signal over, also together with others of its kind; the last destructor gives it back. Throws Exception
  /// (InvalidInput) where it is no signal that can be taken.
  explicit StackTaker(int signal);
  StackTaker(const StackTaker&) = delete;
  StackTaker& operator=(const StackTaker&) = delete;
  ~StackTaker();

  /// Asks a thread that may do anything just now. False where there is none.
  [[nodiscard]] bool ask(StackRequest& request, pid_t thread) noexcept;
  /// Asks a thread for the stack of the handler that this beat stands for: where it has ended, there is none.
  [[nodiscard]] bool ask(StackRequest& request, pid_t thread, const Heartbeat& heartbeat, const Beat& beat) noexcept;
  /// Keeps a request that is over for its owner, though its thread may answer still.
  void keep(std::unique_ptr<StackRequest> request);

  /// "inner (file.cpp:12) < outer < ...", behind the name of the task that it runs, if it runs one. Waits up to a
  /// second for the thread; why there is none, where it does not answer.
  [[nodiscard]] std::string take(pid_t thread);

 private:
  static void on_signal(int signal, siginfo_t* info, void* context);
  [[nodiscard]] bool send(StackRequest& request, pid_t thread) noexcept;

  int signal_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<StackRequest>> unanswered_;
};

}  // namespace galley::runtime
