// Long work on a loop in pieces: what else runs there does not wait for it. Prints how long the loop was held, for the
// work in one piece, in chunks of a thousand, and with a yield whenever half a millisecond is over.

#include <boost/asio/co_spawn.hpp>
#include <cstdint>
#include <galley/runtime/loop.hpp>
#include <galley/runtime/yield.hpp>
#include <iostream>
#include <numeric>
#include <vector>

namespace asio = boost::asio;

using Rows = std::vector<std::uint64_t>;

std::uint64_t check(std::uint64_t row) {
  for (int i = 0; i < 500; ++i) row = row * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
  return row;
}

asio::awaitable<void> in_one_piece(const Rows& rows, std::uint64_t& sum) {
  for (const auto row : rows) sum += check(row);
  co_return;
}

asio::awaitable<void> in_chunks(const Rows& rows, std::uint64_t& sum) {
  const auto check_all = [&](std::span<const std::uint64_t> part) {
    for (const auto row : part) sum += check(row);
  };
  co_await galley::for_each_chunk(rows, 1'000, check_all);
}

asio::awaitable<void> by_the_clock(const Rows& rows, std::uint64_t& sum) {
  for (const auto row : rows) {
    sum += check(row);
    if (galley::need_yield()) co_await galley::yield();
  }
}

int main() {
  Rows rows(100'000);
  std::iota(rows.begin(), rows.end(), 1);

  const auto run = [&](const char* how, auto work) {
    galley::Loop loop;
    std::uint64_t sum = 0;
    asio::co_spawn(loop.context(), work(rows, sum), [](const std::exception_ptr& failure) {
      if (failure) std::rethrow_exception(failure);
    });
    loop.run();
    const auto longest = std::chrono::duration<double, std::milli>(loop.stats().handler_time.max());
    std::cout << how << ": nothing else could run for " << longest.count() << " ms (sum " << sum % 1'000 << ")\n";
  };
  run("in one piece", in_one_piece);
  run("in chunks of 1,000", in_chunks);
  run("by the clock", by_the_clock);
}
