#pragma once
// The fields of a cron expression: read from text, and searched for the next local time they allow. Pure.

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "job/cron.hpp"

namespace galley::job {

/// Five or six fields. Errors: as Cron::parse.
[[nodiscard]] Result<CronFields> cron_fields_from(const std::vector<std::string_view>& parts);

/// Every hour is allowed.
[[nodiscard]] bool every_hour(const CronFields& fields) noexcept;

/// The first local time at or after `from` that the fields allow, up to the end of the year `last`.
[[nodiscard]] std::optional<std::chrono::local_seconds> next_local(const CronFields& fields,
                                                                   std::chrono::local_seconds from,
                                                                   std::chrono::year last);

}  // namespace galley::job
