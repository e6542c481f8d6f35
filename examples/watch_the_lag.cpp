// A loop that tells what holds it up: a warning when its lag is above a limit, the split of its time, and its figures
// as Prometheus reads them.

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <galley/runtime/loop.hpp>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;

std::uint64_t fibonacci(unsigned n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

int main() {
  galley::LoopOptions options;
  options.name = "front";
  options.lag_limit = 20ms;
  int told = 0;
  options.on_lag = [&told](const galley::LoopLag& lag) {
    ++told;
    const auto longest = std::chrono::duration<double, std::milli>(lag.longest);
    std::cout << "loop " << lag.loop << " was held for " << longest.count() << " ms\n";
  };
  galley::Loop loop(options);

  asio::steady_timer timer(loop.context());
  timer.expires_after(200ms);
  timer.async_wait([](boost::system::error_code) { std::cout << "fibonacci(38) = " << fibonacci(38) << "\n"; });

  const galley::LoopStats before = loop.stats();
  loop.run();
  const galley::LoopStats after = loop.stats();

  const galley::LoopUse use = galley::use_between(before, after);
  std::cout << "busy " << 100 * use.busy << " % of the time; of that on a CPU " << 100 * use.on_cpu
            << " %, waiting for one " << 100 * use.waiting_for_cpu << " %, blocked " << 100 * use.blocked << " %\n";
  std::cout << "half of " << after.handler_time.count() << " handlers took at most "
            << after.handler_time.quantile(0.5).count() << " ns\n\n";
  std::cout << galley::prometheus_text(loop.name(), after);
  return told > 0 ? 0 : 1;  // the loop was held, so that it was told is what this program shows
}
