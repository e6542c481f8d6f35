#pragma once
// When a group of jobs is full. Its payload is the JSON array of its members' payloads; a group's bytes are the
// array's. Pure.

#include <cstddef>
#include <cstdint>

#include "galley/job.hpp"

namespace galley::job {

/// Of an array with one element: the brackets.
[[nodiscard]] constexpr std::int64_t group_of_one(std::size_t payload) noexcept {
  return static_cast<std::int64_t>(payload) + 2;
}

/// Of an array of `bytes` with one element more: its comma.
[[nodiscard]] constexpr std::int64_t with_member(std::int64_t bytes, std::size_t payload) noexcept {
  return bytes + static_cast<std::int64_t>(payload) + 1;
}

/// Runs now, whatever its age. `bounds` are those of its first member.
[[nodiscard]] constexpr bool is_full(const Group& bounds, int jobs, std::int64_t bytes) noexcept {
  return jobs >= bounds.max_jobs || bytes >= bounds.max_bytes;
}

[[nodiscard]] constexpr bool has_room(const Group& bounds, std::int64_t bytes, std::size_t payload) noexcept {
  return with_member(bytes, payload) <= bounds.max_bytes;
}

}  // namespace galley::job
