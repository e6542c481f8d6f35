#include "galley/runtime/with_timeout.hpp"

#include "base/duration.hpp"

namespace galley::detail {

Error timed_out(Duration limit) {
  return Error{Errc::TimedOut, "timed out after " + base::format_duration(limit), Written::Nothing};
}

}  // namespace galley::detail
