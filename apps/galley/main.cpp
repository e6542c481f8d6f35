// Wires and chooses: names the system clock, and decides what signals mean to the whole process. `galley work` takes
// SIGTERM and SIGINT over for itself (cli/signals.hpp); the other commands end by them as any program does.

#include <sys/resource.h>

#include <csignal>

#include "base/clock.hpp"
#include "cli/run.hpp"

int main(int argc, char** argv) {
  // A reader that went away is told by the write, not by a signal that would kill a worker in the middle of its jobs.
  std::signal(SIGPIPE, SIG_IGN);
  // Each running command takes three descriptors: use all that this process may have.
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const galley::base::SystemClock clock;
  return galley::cli::run({argv + (argc > 0 ? 1 : 0), argv + argc}, clock);
}
