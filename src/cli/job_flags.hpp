#pragma once
// The options that say how a job is run, as every command that makes jobs has them.

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley::cli {

struct JobFlags {
  int priority = 0;
  std::string timeout;
  std::string grace;
  std::string on_timeout;
  std::optional<int> attempts;
  std::string backoff;
  bool resumable = false;
  std::string key;
  std::vector<std::string> limits;
  bool ordered = false;
  std::string expect;
  std::optional<std::string> unique;
  std::string until;
  std::string on_conflict;
  std::string expires;
  std::string deadline;
  std::vector<std::string> tags;
  std::vector<std::string> headers;
  bool redacted = false;
};

/// What one enqueue has beside it, and a recurring job has not.
struct OnceFlags {
  std::string delay;
  std::string at;
  std::optional<std::string> token;
  std::string debounce;
  std::optional<std::string> group;
  std::optional<int> group_jobs;
  std::optional<int> group_bytes;
  std::string group_age;
  std::string wait_for_room;
};

void add_job_options(CLI::App& app, JobFlags& flags);
void add_once_options(CLI::App& app, OnceFlags& flags);

/// `usual_attempts`: where --attempts is not given. Errors: InvalidInput naming the option, the value and what is
/// allowed; what job::validate checks is left to it.
[[nodiscard]] Result<JobOptions> options_of(const JobFlags& flags, int usual_attempts);
[[nodiscard]] Result<void> read_once(const OnceFlags& flags, JobOptions& options);

}  // namespace galley::cli
