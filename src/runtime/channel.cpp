#include "galley/runtime/channel.hpp"

#include <string>

namespace galley::detail {

std::size_t checked_capacity(std::size_t capacity) {
  constexpr std::size_t kMost = Channel<int>::kMaxCapacity;
  if (capacity <= kMost) return capacity;
  throw Exception(Error{Errc::InvalidInput,
                        "capacity is " + std::to_string(capacity) + "; allowed are 0 to " + std::to_string(kMost),
                        Written::Nothing});
}

}  // namespace galley::detail
