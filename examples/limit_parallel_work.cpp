// Two hundred requests to a slow service, in three ways: blocking, one at a time, and eight at a time. For each it says
// how long it took, and how long the loop had no time for anybody else.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <galley/runtime/for_each_limit.hpp>
#include <galley/runtime/loop.hpp>
#include <iostream>
#include <mutex>
#include <numeric>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kAnswerTakes = 1ms;

/// A client that blocks its thread until the answer is there.
long fetch_blocking(long number) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable().wait_for(lock, kAnswerTakes, [] { return false; });
  return number * number;
}

/// A client that waits, and leaves the loop to others meanwhile.
asio::awaitable<long> fetch(long number) {
  asio::steady_timer answer(co_await asio::this_coro::executor, kAnswerTakes);
  co_await answer.async_wait(asio::use_awaitable);
  co_return number* number;
}

asio::awaitable<long> blocking(std::vector<long> numbers) {
  long sum = 0;
  for (const long number : numbers) sum += fetch_blocking(number);
  co_return sum;
}

asio::awaitable<long> one_at_a_time(std::vector<long> numbers) {
  long sum = 0;
  for (const long number : numbers) sum += co_await fetch(number);
  co_return sum;
}

asio::awaitable<long> eight_at_a_time(std::vector<long> numbers) {
  long sum = 0;
  const auto results = co_await galley::for_each_limit(numbers, 8, fetch);
  for (const auto& result : results) sum += result.value();
  co_return sum;
}

struct Seen {
  bool right = false;
  std::chrono::nanoseconds took, lag;
};

Seen measure(const char* how, asio::awaitable<long> (*sum_of)(std::vector<long>)) {
  std::vector<long> numbers(200);
  std::iota(numbers.begin(), numbers.end(), 0);
  galley::Loop loop;
  Seen seen;
  asio::co_spawn(loop.context(), sum_of(numbers),
                 [&](const std::exception_ptr& error, long sum) { seen.right = error == nullptr && sum == 2'646'700; });
  loop.run();
  const galley::LoopStats stats = loop.stats();
  seen.took = stats.busy + stats.idle;
  seen.lag = stats.turn_time.max();
  const auto ms = [](std::chrono::nanoseconds time) { return static_cast<double>(time.count() / 10'000) / 100; };
  std::cout << how << ": " << ms(seen.took) << " ms, of which the loop was gone for up to " << ms(seen.lag) << " ms\n";
  return seen;
}

}  // namespace

int main() {
  const Seen all_blocking = measure("blocking", blocking);
  const Seen single = measure("one at a time", one_at_a_time);
  const Seen limited = measure("eight at a time", eight_at_a_time);
  const bool right = all_blocking.right && single.right && limited.right;
  return right && all_blocking.lag > 200ms && limited.took < single.took ? 0 : 1;
}
