#include "base/limits.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "job/settle.hpp"

namespace galley::fuzz {

void backoff(std::string_view input) {
  const auto read = job::backoff_from(input);
  if (refused(read, "backoff")) return;
  const std::string text = job::to_text(*read);
  const auto again = job::backoff_from(text);
  require(again && job::to_text(*again) == text, "a printed backoff reads the same", text);
  for (const int errors : {1, 2, 63, 64, 65, limits::kMaxAttempts}) {
    for (const double random : {0.0, 0.999}) {
      const Duration delay = job::backoff_delay(*read, errors, random);
      require(delay >= Duration{0} && delay <= Duration(limits::kMaxDelay), "a wait is within its bounds", input);
    }
  }
}

}  // namespace galley::fuzz
