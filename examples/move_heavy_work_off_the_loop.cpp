// A loop that serves many must not compute. This one awaits what a pool of threads computes, and ticks on meanwhile.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <galley/runtime/offload.hpp>
#include <iostream>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;

namespace {

long fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

asio::awaitable<void> tick(const bool& over, int& ticks) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!over) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    ++ticks;
  }
}

asio::awaitable<void> compute(galley::WorkerPool& pool, bool& over) {
  // A plain function in one line.
  const galley::Result<long> number = co_await galley::run_on(pool, fibonacci, 32);
  std::cout << "fibonacci(32) is " << number.value() << "\n";

  // A lambda gets a name first, and is awaited by it. What it throws is thrown here.
  const std::string text = "a long text";
  auto count = galley::offload(pool, [text](galley::TaskContext& context) -> std::size_t {
    if (context.stop_token().stop_requested()) throw std::runtime_error("the pool ends");
    return text.size();
  });
  const galley::Result<std::size_t> letters = co_await count.result();
  std::cout << "it has " << letters.value() << " letters\n";
  over = true;

  const galley::PoolClosed closed = co_await galley::close_pool(pool, galley::CloseMode::Drain);
  std::cout << closed.discarded << " discarded, " << closed.abandoned << " abandoned\n";
  auto late = galley::offload(pool, [] { return 1; });
  const galley::Result<int> refused = co_await late.result();
  std::cout << "afterwards: " << refused.error().message << "\n";
}

}  // namespace

int main() {
  galley::PoolOptions options;
  options.workers = 2;
  options.capacity = 100;  // who comes when so many wait, waits in line without a thread
  galley::WorkerPool pool{options};
  asio::io_context loop{1};
  bool over = false;
  int ticks = 0;
  const auto rethrow = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  asio::co_spawn(loop, tick(over, ticks), rethrow);
  asio::co_spawn(loop, compute(pool, over), rethrow);
  loop.run();
  std::cout << "the loop ticked meanwhile: " << (ticks > 0 ? "yes" : "no") << "\n";
  return ticks > 0 ? 0 : 1;
}
