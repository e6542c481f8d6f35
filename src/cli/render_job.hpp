#pragma once
// A job as a line of a table, as a page of text and as JSON. Pure.

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "cli/output.hpp"
#include "job/job.hpp"

namespace galley::cli {

/// RFC 3339 in UTC, or null.
[[nodiscard]] boost::json::value time_value(const std::optional<Time>& time);

/// The command line, or the payload; not yet printable.
[[nodiscard]] std::string summary(const job::JobRecord& job);

/// "waits 3m20s", "due in 10s", "runs 2s", "ended 1h05m ago".
[[nodiscard]] std::string age(const job::JobRecord& job, Time now);

/// Times are RFC 3339 in UTC; a JSON payload and a command stand as values, other bytes as text.
[[nodiscard]] boost::json::object to_json(const job::JobRecord& job);
/// `redacted`: as its job; then what a command wrote is not to be seen.
[[nodiscard]] boost::json::object to_json(const job::AttemptRecord& attempt, bool redacted);

/// All that is known of a job, one fact a line.
void print_job(Output& out, const job::JobRecord& job, const std::vector<job::AttemptRecord>& attempts);

}  // namespace galley::cli
