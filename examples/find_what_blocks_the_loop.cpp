// A loop that serves many, and one request that blocks it: the stall detector says which function it is, in which task,
// and where that was spawned. The program ends as soon as it has been told.

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <csignal>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/stall_detector.hpp>
#include <galley/runtime/throw_sites.hpp>
#include <galley/runtime/uncaught.hpp>
#include <iostream>
#include <stdexcept>

GALLEY_RECORD_THROW_SITES

namespace {

std::atomic<bool> told = false;

/// Should run on a worker pool: it computes, and the loop waits for it.
[[gnu::noinline]] void blur(double& pixel) {
  while (!told) pixel = pixel * 0.99 + 0.01;
}

[[gnu::noinline]] double make_thumbnail(double pixel) {
  blur(pixel);
  return pixel;
}

boost::asio::awaitable<void> upload() {
  if (make_thumbnail(0.5) > 0) throw std::runtime_error("the disk is full");
  co_return;
}

}  // namespace

int main() {
  galley::StallOptions options;
  options.signal = SIGRTMIN + 1;
  options.on_report = [](const galley::StallReport& report) {
    std::cout << report.text() << std::flush;
    told = true;
  };
  galley::StallDetector detector{options};

  galley::Loop loop;
  const galley::StallWatch watch = detector.watch(loop);
  const galley::TaskInfo task{"upload", BOOST_CURRENT_LOCATION};
  const galley::TaskScope scope(&task);  // a TaskGroup does this for each of its tasks
  boost::asio::co_spawn(loop.context(), upload(), [&task](const std::exception_ptr& error) {
    std::cout << galley::uncaught_report(task, error).text();
  });
  loop.run();
  return detector.stats().reported == 1 ? 0 : 1;
}
