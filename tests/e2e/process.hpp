#pragma once
// A real process of the program, in a directory of its own. Waiting is on its output and its end, with a deadline.

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "store/temp_dir.hpp"

namespace galley::test {

struct Finished {
  int exit_code = -1;  ///< -1: by a signal, or still running at the deadline
  std::string out;
  std::string err;
  [[nodiscard]] std::vector<std::string> lines() const;
  /// Every line of `out` as JSON; fails the test where one is not.
  [[nodiscard]] std::vector<boost::json::object> objects() const;
};

struct Start {
  std::vector<std::string> arguments = {};
  std::string input = {};                     ///< standard input, unless input_fd is given
  std::vector<std::string> environment = {};  ///< besides PATH: NAME=VALUE
  int input_fd = -1;                          ///< borrowed
  bool reader_gone = false;                   ///< nobody reads its standard output
  std::string program = GALLEY_PROGRAM;
};

class Process {
 public:
  Process(const TempDir& dir, const Start& start);
  /// Kills it where it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Until the text stands in what it wrote. False: it ended, or the deadline passed, without.
  [[nodiscard]] bool wait_out(std::string_view text) { return wait_for(finished_.out, text); }
  [[nodiscard]] bool wait_err(std::string_view text) { return wait_for(finished_.err, text); }
  void signal(int number) const;
  [[nodiscard]] int pid() const noexcept { return pid_; }
  /// Until it ended; a process that does not end before the deadline fails the test.
  [[nodiscard]] Finished finish();

 private:
  bool wait_for(const std::string& stream, std::string_view text);
  /// Waits for output or the end. False: it ended and all is read, or the deadline passed.
  bool pump();

  base::SystemClock clock_;
  base::Mono deadline_;
  int pid_ = -1;
  int pid_fd_ = -1;
  int out_ = -1;
  int err_ = -1;
  bool ended_ = false;
  Finished finished_;
};

/// A directory with a store, and the program run in it.
class Bench {
 public:
  [[nodiscard]] Finished run(std::vector<std::string> arguments, std::string input = {},
                             std::vector<std::string> environment = {}) const;
  [[nodiscard]] const TempDir& dir() const noexcept { return dir_; }
  [[nodiscard]] std::string read(const std::string& name) const;
  void write(const std::string& name, std::string_view text) const;
  [[nodiscard]] bool exists(const std::string& name) const;
  /// `jobs show ID --json`.
  [[nodiscard]] boost::json::object job(int id) const;
  [[nodiscard]] std::string state(int id) const;

 private:
  TempDir dir_;
};

/// A named pipe, by which a command tells that it runs, and is told to go on.
class Fifo {
 public:
  explicit Fifo(std::string path);
  ~Fifo();
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  /// Until somebody wrote a byte. False: the deadline passed.
  [[nodiscard]] bool wait() const;
  void tell() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace galley::test
