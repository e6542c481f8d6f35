#pragma once
// When a job is over without an attempt's doing, and what is said of it then. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "job/job.hpp"

namespace galley::job {

/// What an expired job's error is found by.
inline constexpr std::string_view kExpiredClass = "expired";
inline constexpr std::string_view kDeadlinePassed = "its deadline has passed";

/// When a waiting job is over: its `expires` counts until its first start, its deadline always. Nothing: never.
[[nodiscard]] std::optional<Time> over_at(bool started, const std::optional<Time>& expires_at,
                                          const std::optional<Time>& deadline_at) noexcept;

/// The error of one that is over: which of the two came first.
[[nodiscard]] std::string why_over(bool started, const std::optional<Time>& expires_at,
                                   const std::optional<Time>& deadline_at);

}  // namespace galley::job
