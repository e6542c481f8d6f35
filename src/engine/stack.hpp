#pragma once
// The stack of another thread of this process, for the report of a handler that does not end.
//
// Linux can only ask a thread for its own stack, so it is sent a signal, whose handler writes the frames down. The
// signal carries the address to write to, so that there is no global state but the signal's disposition.

#include <pthread.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "engine/process.hpp"

namespace galley::engine {

/// Thread-safety: take() from one thread at a time. Must outlive the threads that it was used on.
class StackTaker {
 public:
  /// Takes the signal over; the destructor gives it back.
  explicit StackTaker(int signal);
  StackTaker(const StackTaker&) = delete;
  StackTaker& operator=(const StackTaker&) = delete;
  ~StackTaker();

  /// "inner < outer < ...", demangled where the program exports its names (-rdynamic), else as module(+0xoffset), which
  /// addr2line reads; behind the name of the task that the thread runs just now (galley/runtime/current_task.hpp), if
  /// it runs one: "fetch (job 7): inner < ...".
  /// Waits up to a second for the thread; why there is none, where it does not answer.
  [[nodiscard]] std::string take(pthread_t thread);

 private:
  struct Capture;
  static void on_signal(int signal, siginfo_t* info, void* context);

  int signal_;
  struct sigaction before_ {};
  /// Those that were not answered are kept: they may be still.
  std::vector<std::unique_ptr<Capture>> captures_;
};

}  // namespace galley::engine
