// A pool of one type of job. Its generator is called once for each dispatcher, so that the five workers of one share
// what is dear to have; here just a name. Ten numbers over two dispatchers make 55.

#include <atomic>
#include <exception>
#include <galley/runtime/typed_pool.hpp>
#include <iostream>

int main() {
  std::atomic<int> sum{0};
  const auto generator = [&sum](int dispatcher) {
    std::cout << "dispatcher " << dispatcher << " is there\n";
    return [&sum](int& number) -> galley::Result<void> {
      if (number == 13) return galley::Error{galley::Errc::InvalidInput, "13 is not allowed here"};
      sum += number;
      return {};
    };
  };
  galley::PoolOptions options;
  options.dispatchers = 2;
  options.workers = 5;
  galley::TypedPool<int> pool{generator, options};
  for (int number = 1; number <= 10; ++number) {
    if (pool.submit_for(std::chrono::seconds(1), number) != galley::Submitted::Accepted) return 1;
  }
  if (pool.try_submit(13) != galley::Submitted::Accepted) return 1;
  pool.close(galley::CloseMode::Drain);
  for (const std::exception_ptr& error : pool.take_errors()) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& failure) {
      std::cout << "failed: " << failure.what() << "\n";
    }
  }
  std::cout << "sum: " << sum << "\n";
  return sum == 55 ? 0 : 1;
}
