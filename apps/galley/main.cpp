// Wires and chooses: names the system clock, and decides what signals mean to the whole process. `galley work` takes
// SIGTERM and SIGINT over for itself (cli/signals.hpp); the other commands end by them as any program does.

#include <csignal>

#include "base/clock.hpp"
#include "cli/run.hpp"

int main(int argc, char** argv) {
  // A reader that went away is told by the write, not by a signal that would kill a worker in the middle of its jobs.
  std::signal(SIGPIPE, SIG_IGN);
  const galley::base::SystemClock clock;
  return galley::cli::run({argv + (argc > 0 ? 1 : 0), argv + argc}, clock);
}
