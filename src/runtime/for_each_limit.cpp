#include "galley/runtime/for_each_limit.hpp"

namespace galley::detail {

void refuse_at_once() {
  throw Exception(Error{Errc::InvalidInput, "at_once is 0; allowed are 1 and more", Written::Nothing});
}

}  // namespace galley::detail
