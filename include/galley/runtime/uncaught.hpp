#pragma once
// Errors that nobody has caught, told in full: what was thrown, its text and causes, where it was thrown
// (galley/runtime/throw_sites.hpp, where the program asks for it), and in which task.
//
//   galley::TaskGroup group{loop.get_executor(), [](const galley::TaskInfo& task, std::exception_ptr error) {
//     std::cerr << galley::uncaught_report(task, error).text();
//   }};
//
// and for what ends the program, std::terminate with or without an exception:
//
//   galley::TerminateOptions options;
//   options.on_fatal = [&] { server.refuse_and_flush(); };
//   const galley::TerminateReport guard{options};
//
// Thread-safety: any thread. Not from a signal handler.

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/runtime/current_task.hpp"
#include "galley/runtime/stack.hpp"

namespace galley {

struct ThrownError {
  std::string type;  ///< "std::out_of_range"; empty: there is no exception
  std::string text;  ///< what(), or the value of a thrown text or number; empty where there is none
  Stack thrown_at;   ///< innermost first; empty where throw sites are not recorded, or it was never thrown
};

struct ErrorDescription : ThrownError {
  std::vector<ThrownError> causes;  ///< std::throw_with_nested: what each was thrown for, at most 8
};

/// "std::runtime_error: cannot start", the stack of its throw, and "caused by ..." for each cause.
[[nodiscard]] std::string to_text(const ErrorDescription& error);

/// Null is described too: as no exception.
[[nodiscard]] ErrorDescription describe(const std::exception_ptr& error);

struct UncaughtReport {
  ErrorDescription error;
  std::optional<TaskInfo> task;  ///< whose it is
  std::string thread;            ///< the name of the thread that reports it
  int thread_id = 0;             ///< the kernel's
  Stack stack;                   ///< where std::terminate was called; empty where it was not

  /// For a person, several lines.
  [[nodiscard]] std::string text() const;
};

/// Of an error that nobody awaits: with this thread, and the task that it came from.
[[nodiscard]] UncaughtReport uncaught_report(const TaskInfo& task, const std::exception_ptr& error);
/// With this thread, and the task that it runs now.
[[nodiscard]] UncaughtReport uncaught_report(const std::exception_ptr& error);

struct TerminateOptions {
  /// Empty: the text goes to stderr.
  std::function<void(const UncaughtReport&)> on_report;
  /// Then begins an orderly end: stop accepting, flush what is buffered. It may end the process itself (std::_Exit).
  std::function<void()> on_fatal;
  /// For both together, 1 ms..1 min; then the process is aborted, whatever they do.
  Duration limit = std::chrono::seconds(5);
  TerminateOptions() {}  // no aggregate: g++ 12 destroys a temporary of one twice inside co_await
};

/// While it lives, std::terminate (an exception that nobody catches, one out of a noexcept function, a joinable thread
/// that is destroyed) is reported, and on_fatal called, both on a thread of their own: the one that failed never runs
/// again, so they must not wait for it or for a lock that it holds. Then the terminate handler of before is called,
/// which by default aborts, for a core dump. What throws out of them is ignored.
class TerminateReport {
 public:
  /// Throws Exception: InvalidInput naming the option, WrongState where there is one already.
  explicit TerminateReport(TerminateOptions options);
  /// Gives the handler of before back.
  ~TerminateReport();
  TerminateReport(const TerminateReport&) = delete;
  TerminateReport& operator=(const TerminateReport&) = delete;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace galley
