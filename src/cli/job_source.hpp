#pragma once
// What `galley enqueue` makes jobs of: a command or a JSON payload, once or for each line. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "galley/queue.hpp"
#include "job/job.hpp"

namespace galley::cli {

/// Replaces "{}" inside any argument. Errors: InvalidInput when the result is larger than a payload may be.
[[nodiscard]] Result<Command> with_line(const Command& pattern, std::string_view line);

/// A typed job. Errors: InvalidInput when `json` is not JSON.
[[nodiscard]] Result<job::NewJob> json_job(const std::string& kind, std::string json);

/// "NAME=VALUE" as it is; "NAME" takes the value from `lookup`, a getenv. Errors: InvalidInput.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> environment_of(
    const std::vector<std::string>& texts, const char* (*lookup)(const char*));

}  // namespace galley::cli
