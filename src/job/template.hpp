#pragma once
// A job that is kept to be enqueued again and again: everything but its payload as JSON text, one flat object with
// "version" and a member for each field, those of the options under the names of galley/job.hpp, durations in
// microseconds ("timeout_us"). A program of any bytes is written as the characters U+0000 to U+00FF. The payload stays
// apart, as the bytes it is.
//
// A newer Galley that gives a job a new field writes a new version; a text of another version, or with a member that is
// missing or unknown, is refused: half of a job must not be enqueued. Pure.

#include <string>
#include <string_view>

#include "galley/error.hpp"
#include "job/job.hpp"

namespace galley::job {

inline constexpr int kTemplateVersion = 2;

/// Without the payload. Strings must be valid UTF-8, as job::validate has it.
[[nodiscard]] std::string template_text(const NewJob& job);

/// Errors: NewerSchema (another version), Io (not such a text; names the member).
[[nodiscard]] Result<NewJob> template_from(std::string_view text, std::string payload);

}  // namespace galley::job
