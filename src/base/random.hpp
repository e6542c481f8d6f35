#pragma once
// Randomness: seeded where a run must be repeatable, from the system where it must not be guessed.
// The only place of std::random_device.

#include <cstdint>
#include <random>
#include <string>

namespace galley::base {

/// Jitter and choices; not for secrets. Not thread-safe: one a thread.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] static Random seeded_by_system();

  [[nodiscard]] std::uint64_t bits() { return engine_(); }
  /// Evenly from [0, 1).
  [[nodiscard]] double unit();

 private:
  std::mt19937_64 engine_;
};

/// 128 bits of the system's randomness as 32 hex characters.
[[nodiscard]] std::string random_token();

}  // namespace galley::base
