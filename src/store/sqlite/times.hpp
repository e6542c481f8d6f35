#pragma once
// Times as they stand in columns: microseconds since 1970, NULL for none. Pure.

#include <cstdint>
#include <optional>

#include "galley/job.hpp"

namespace galley::store::sqlite {

[[nodiscard]] inline Time time_of(std::int64_t us) noexcept { return Time(Duration(us)); }
[[nodiscard]] inline std::optional<Time> time_of(const std::optional<std::int64_t>& us) noexcept {
  return us ? std::optional(time_of(*us)) : std::nullopt;
}
[[nodiscard]] inline std::optional<std::int64_t> us_of(const std::optional<Time>& time) noexcept {
  return time ? std::optional<std::int64_t>(time->time_since_epoch().count()) : std::nullopt;
}

}  // namespace galley::store::sqlite
