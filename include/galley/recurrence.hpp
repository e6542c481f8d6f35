#pragma once
// How a recurring job behaves when its ticks meet the real world (galley/schedule.hpp).
//
// Thread-safety: plain values.

#include <cstdint>
#include <optional>
#include <string_view>

namespace galley {

/// What becomes of the ticks that nobody served in time, that is, within a minute.
enum class Misfire : std::uint8_t {
  Skip,  ///< Nothing.
  Once,  ///< One job for all of them, at the last one's time; none where a tick that is in time stands for them.
  All,   ///< One job each, of the last 1,000.
};
/// "skip", "once", "all": the same in SQL, JSON, the command line and the docs.
[[nodiscard]] std::string_view name(Misfire misfire) noexcept;
[[nodiscard]] std::optional<Misfire> misfire_from(std::string_view name) noexcept;

/// What happens at a tick while a job of an earlier tick has not ended.
enum class Overlap : std::uint8_t {
  Allow,  ///< Another job is enqueued.
  Skip,   ///< None is; and of several ticks at once only the last one gets a job.
};
/// "allow", "skip".
[[nodiscard]] std::string_view name(Overlap overlap) noexcept;
[[nodiscard]] std::optional<Overlap> overlap_from(std::string_view name) noexcept;

}  // namespace galley
