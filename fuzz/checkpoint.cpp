#include "base/clock.hpp"
#include "engine/attempt.hpp"
#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"
#include "galley/resume.hpp"

namespace galley::fuzz {

/// What an earlier attempt has left, as galley::resume reads it.
void checkpoint(std::string_view input) {
  constexpr std::int64_t kFirst = -3, kLast = 40;
  const base::ManualClock clock;
  job::Claim claim;
  claim.id = {7, 3};
  claim.kind = "k";
  claim.checkpoint = input;
  engine::RunningAttempt attempt(std::move(claim), std::nullopt, clock, [] {});
  std::int64_t items = 0;
  std::int64_t last = kFirst - 1;
  ResumeOptions options;
  options.items = 5;
  const auto outcome = resume(
      attempt, range(kFirst, kLast),
      [&](std::int64_t item) {
        require(item >= kFirst && item < kLast && item > last, "an item is of the range, each once, in order");
        last = item;
        ++items;
      },
      options);
  if (outcome && outcome->kind() == Outcome::Kind::Failed) {
    require(items == 0, "what cannot be read runs nothing");
    return require_message({Errc::InvalidInput, std::string(outcome->text())});
  }
  require(!outcome || outcome->kind() == Outcome::Kind::Done, "what can be read goes on to its end");
  const auto progress = attempt.renewal().progress.value_or("");
  require(base::is_printable(progress) && progress.size() < 200, "progress is short and printable", progress);
}

}  // namespace galley::fuzz
