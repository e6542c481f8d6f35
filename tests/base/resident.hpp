#pragma once
// What a process has in memory, and whether that says anything.

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace galley::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kMemoryIsOurs = false;  // a sanitizer's own is many times as much, and it keeps what is freed
#elif defined(__has_feature)
inline constexpr bool kMemoryIsOurs = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool kMemoryIsOurs = true;
#endif

/// Resident memory; 0: it cannot be read.
inline std::int64_t resident_kib(pid_t process) {
  std::ifstream statm("/proc/" + std::to_string(process) + "/statm");
  std::int64_t size = 0;
  std::int64_t resident = 0;
  statm >> size >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1'024);
}

}  // namespace galley::test
