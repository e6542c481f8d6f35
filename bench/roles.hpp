#pragma once
// Galley in the roles that bench/peers/peers.py gives out, a process each, beside those of bench/peers/peer.mjs.

#include <string>
#include <vector>

namespace bench {

/// URL work SLOTS JOBS | URL bulk JOBS | URL single SECONDS | URL paced RATE JOBS. Writes one JSON object to standard
/// output; a worker also "ready" to standard error, once it waits for jobs. Returns the exit code.
[[nodiscard]] int play(const std::vector<std::string>& words);

inline constexpr const char* kRoles =
    "       galley_bench role URL work SLOTS JOBS | bulk JOBS | single SECONDS | paced RATE JOBS\n";

}  // namespace bench
