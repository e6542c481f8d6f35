#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace galley::base {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "galley: broken invariant: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace galley::base
