#pragma once
// What may be enqueued. Each fault names the field, the value and what is allowed. Pure.

#include "galley/error.hpp"
#include "job/job.hpp"

namespace galley::job {

/// Queue and pool names: 1..128 of letters, digits, '.', '_' and '-'.
[[nodiscard]] Result<void> check_queue(std::string_view field, std::string_view value);
/// Kinds: 1..128 printable ASCII characters without blanks, commas, quotes and control characters.
[[nodiscard]] Result<void> check_kind(std::string_view value);
/// At most kMaxKeyBytes of printable text.
[[nodiscard]] Result<void> check_key(std::string_view value);
/// -10..10.
[[nodiscard]] Result<void> check_priority(int value);
/// The whole job against base/limits.hpp.
[[nodiscard]] Result<void> validate(const NewJob& job);

/// A user's options as a job's policy and due time. Errors: as validate.
[[nodiscard]] Result<void> apply(const JobOptions& options, NewJob& job);

}  // namespace galley::job
