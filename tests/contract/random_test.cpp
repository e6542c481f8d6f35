// The same random operations on each backend and on the memory one, all answers compared.
// GALLEY_SEEDS=N runs N seeds; GALLEY_SEED=S runs only S, as a failure says.

#include <cstdlib>

#include "contract/lockstep.hpp"
#include "contract/support.hpp"

namespace galley::store::contract {

namespace {

constexpr std::uint64_t kSeeds = 200;
constexpr int kOperations = 200;
constexpr int kBetweenComparisons = 40;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

void run(std::uint64_t seed, const Backend& backend) {
  Lockstep both(seed, backend);
  for (int i = 1; i <= kOperations && !testing::Test::HasFailure(); ++i) {
    both.operate();
    if (i % kBetweenComparisons == 0) both.compare_contents();
  }
  if (testing::Test::HasFailure()) {
    ADD_FAILURE() << "repeat it with GALLEY_SEED=" << seed << "; the last operations:\n" << both.story();
  }
}

}  // namespace

GALLEY_ON_EVERY_BACKEND(RandomOperations);

TEST_P(RandomOperations, AreAnsweredAsTheSpecificationDoes) {
  if (const std::uint64_t only = from_environment("GALLEY_SEED", 0); only != 0) return run(only, GetParam());
  const std::uint64_t seeds = from_environment("GALLEY_SEEDS", kSeeds);
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) run(seed, GetParam());
}

}  // namespace galley::store::contract
