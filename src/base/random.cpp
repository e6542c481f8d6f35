#include "base/random.hpp"

#include <string_view>

namespace galley::base {

namespace {
std::uint64_t system_bits(std::random_device& device) {
  return (static_cast<std::uint64_t>(device()) << 32U) | static_cast<std::uint64_t>(device());
}
}  // namespace

Random Random::seeded_by_system() {
  std::random_device device;
  return Random(system_bits(device));
}

double Random::unit() {
  // 53 bits fill a double's mantissa exactly; std::uniform_real_distribution may round up to 1.
  return static_cast<double>(bits() >> 11U) * 0x1.0p-53;
}

std::string random_token() {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::random_device device;
  std::string token;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = system_bits(device);
    for (int digit = 0; digit < 16; ++digit, bits >>= 4U) token += kHex[bits & 15U];
  }
  return token;
}

}  // namespace galley::base
