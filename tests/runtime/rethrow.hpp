#pragma once
// For co_spawn: what a coroutine throws leaves the run() of its loop, and fails the test.

#include <exception>

namespace galley::test {

inline constexpr auto kRethrow = [](const std::exception_ptr& failure) {
  if (failure) std::rethrow_exception(failure);
};

}  // namespace galley::test
