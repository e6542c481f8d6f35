#include "base/clock.hpp"

#include <ctime>
#include <fstream>

namespace galley::base {

namespace {
std::int64_t read_us(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}
}  // namespace

Mono SystemClock::mono() const noexcept { return Mono(Duration(read_us(CLOCK_MONOTONIC))); }

Time SystemClock::wall() const noexcept { return Time(Duration(read_us(CLOCK_REALTIME))); }

std::int64_t mono_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  return std::getline(file, id) && !id.empty() ? id : "unknown";
}

}  // namespace galley::base
