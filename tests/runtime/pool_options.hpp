#pragma once
// A pool as most tests want it.

#include "galley/runtime/worker_pool.hpp"

namespace galley::test {

inline PoolOptions options_of(int dispatchers, int workers, std::size_t capacity = 1'000) {
  PoolOptions options;
  options.dispatchers = dispatchers;
  options.workers = workers;
  options.capacity = capacity;
  return options;
}

}  // namespace galley::test
