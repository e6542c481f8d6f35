#pragma once
// One command under its guardian (engine/guardian.hpp): started without a shell, in a session and process group of
// its own, with the job's input as its standard input, and with nothing of the worker's but its PATH and its umask.
//
// A job ends with its command: whatever the command left running, also as a daemon, is killed then. A job that wants a
// daemon asks a service manager for it.
//
// No global state, no extra thread; three file descriptors and one guardian a command.

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "galley/error.hpp"
#include "galley/queue.hpp"

namespace galley::engine {

struct ProcessSpec {
  std::string executable;  ///< absolute path
  Command command;
  std::string path;  ///< the variable PATH, unless command.env has one; empty: no PATH
  int input = -1;    ///< its standard input, borrowed; -1: command.input
  int output = -1;   ///< its standard output, borrowed; -1: ProcessEnd::out
};

struct ProcessEnd {
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string out;       ///< the last limits::kMaxOutputBytes of its standard output; kMaxResultBytes with keep_output
  std::string err;       ///< the last limits::kMaxOutputBytes of its standard error
  bool out_cut = false;  ///< `out` had more
  std::string error;     ///< why it could not start, or how its guardian was lost; empty: neither
};

using base::Fd;

/// Thread-safety: wait() from one thread, once; terminate() and kill() from any thread, also after wait().
class Process {
 public:
  /// Returns when the guardian runs. A command that cannot be executed is told by wait(), in ProcessEnd::error.
  /// Errors: Unavailable (out of processes, memory or file descriptors; later may succeed), Io.
  [[nodiscard]] static Result<std::unique_ptr<Process>> start(const ProcessSpec& spec);

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// Kills and waits, where nobody has waited.
  ~Process();

  /// Blocks until the command and everything it left behind is gone. A process that may not be killed (set-user-id,
  /// of another user) or cannot die (in the kernel, on a hanging disk) is waited for: what runs holds its slot.
  [[nodiscard]] ProcessEnd wait();

  /// SIGTERM, then SIGCONT, to its process group.
  void terminate() noexcept;
  /// SIGKILL to all of it.
  void kill() noexcept;

 private:
  explicit Process(std::size_t max_out) : max_out_(max_out) {}
  bool hear(ProcessEnd& end);  ///< one report; false: it was the last
  void guardian_lost(ProcessEnd& end) const;

  std::string title_;  ///< of messages: "convert" (/usr/bin/convert)
  std::string executable_;
  std::string cwd_;
  pid_t guardian_ = -1;
  pid_t group_ = -1;
  bool waited_ = false;
  std::size_t max_out_;
  Fd control_;
  Fd out_;
  Fd err_;
};

}  // namespace galley::engine
