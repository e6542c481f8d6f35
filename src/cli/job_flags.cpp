#include "cli/job_flags.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <utility>

#include "base/duration.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/context.hpp"
#include "job/settle.hpp"

namespace galley::cli {

namespace {

/// Reads an optional duration into `target`.
Result<void> read_duration(std::string_view field, const std::string& text, Duration& target) {
  if (text.empty()) return {};
  const auto value = base::parse_duration(field, text);
  if (!value) return value.error();
  target = *value;
  return {};
}

Result<void> read_unique(const JobFlags& flags, JobOptions& options) {
  if (!flags.unique) {
    if (!flags.until.empty() || !flags.on_conflict.empty()) {
      return usage_error("--until and --on-conflict say more about --unique KEY; add it");
    }
    return {};
  }
  if (flags.unique->empty()) return usage_error("--unique: the key is empty; allowed is 1 to 200 bytes");
  options.unique.key = *flags.unique;
  if (!flags.until.empty()) options.unique.until = *unique_until_from(flags.until);
  if (!flags.on_conflict.empty()) options.unique.on_conflict = *on_conflict_from(flags.on_conflict);
  return {};
}

Result<void> read_headers(const JobFlags& flags, JobOptions& options) {
  for (const std::string& text : flags.headers) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      return usage_error("--header: " + base::quoted(text) + " has no '='; allowed is NAME=VALUE");
    options.headers.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return {};
}

Result<void> read_group(const OnceFlags& flags, JobOptions& options) {
  if (!flags.group) {
    if (flags.group_jobs || flags.group_bytes || !flags.group_age.empty()) {
      return usage_error("--group-jobs, --group-bytes and --group-age are bounds of --group KEY; add it");
    }
    return {};
  }
  if (flags.group->empty()) return usage_error("--group: the key is empty; allowed is 1 to 200 bytes");
  options.group.key = *flags.group;
  options.group.max_jobs = flags.group_jobs.value_or(options.group.max_jobs);
  options.group.max_bytes = flags.group_bytes.value_or(options.group.max_bytes);
  return read_duration("--group-age", flags.group_age, options.group.max_age);
}

}  // namespace

void add_job_options(CLI::App& app, JobFlags& flags) {
  app.add_option("--priority", flags.priority, "-10..10, larger runs sooner (default 0)")
      ->check(CLI::Range(-limits::kMaxPriority, limits::kMaxPriority).description(""))
      ->type_name("N");
  app.add_option("--timeout", flags.timeout, "The most that one attempt may run (default: no limit)")
      ->type_name("TIME");
  app.add_option("--grace", flags.grace, "From the stop request to the kill (default 5s)")->type_name("TIME");
  app.add_option("--on-timeout", flags.on_timeout, "pause, retry or dead (default: pause if --resumable, else retry)")
      ->check(CLI::IsMember({"pause", "retry", "dead"}).description(""))
      ->type_name("WHAT");
  app.add_option("--attempts", flags.attempts, "Tries that may end in an error (default 1 for commands, 10 for kinds)")
      ->check(CLI::Range(1, limits::kMaxAttempts).description(""))
      ->type_name("N");
  app.add_option("--backoff", flags.backoff,
                 "Wait before another try: exponential:1s..1h (the default), fixed:10s or list:1s,10s,1m")
      ->type_name("HOW");
  app.add_flag("--resumable", flags.resumable, "It saves its state and goes on from there");
  app.add_option("--key", flags.key, "A tenant or account that it belongs to; keys take turns")->type_name("TEXT");
  app.add_option("--limit", flags.limits, "A limit that it runs under (galley limits); may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_flag("--ordered", flags.ordered, "With --key: one at a time with those of its key, in their order");
  app.add_option("--expect", flags.expect, "Its run time, for a queue that runs the shortest first")->type_name("TIME");
  app.add_option("--unique", flags.unique, "At most one job of this kind holds this key")->type_name("KEY");
  app.add_option("--until", flags.until, "Until when --unique holds: start or finish (the default)")
      ->check(CLI::IsMember({"start", "finish"}).description(""))
      ->type_name("WHEN");
  app.add_option("--on-conflict", flags.on_conflict,
                 "While the key of --unique is held: ignore (the default; prints the holder's id), replace the waiting "
                 "holder, or error")
      ->check(CLI::IsMember({"ignore", "replace", "error"}).description(""))
      ->type_name("WHAT");
  app.add_option("--expires", flags.expires, "Give it up when it has not started this long after it was due")
      ->type_name("TIME");
  app.add_option("--deadline", flags.deadline, "Stop it and give it up this long after its enqueue")->type_name("TIME");
  app.add_option("--tag", flags.tags, "To find it by; may be repeated")->type_name("TEXT")->allow_extra_args(false);
  app.add_option("--header", flags.headers, "Travels with it to its handler; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--redact", flags.redacted, "Never show its payload, command, result and output");
}

void add_once_options(CLI::App& app, OnceFlags& flags) {
  app.add_option("--delay", flags.delay, "Not before this time has passed, as 90s or 1h30m")->type_name("TIME");
  app.add_option("--at", flags.at, "Not before, as 2026-12-31T23:59:00Z or @1767225600")->type_name("WHEN");
  app.add_option("--token", flags.token, "Enqueueing the same token twice gives the same job")->type_name("TEXT");
  app.add_option("--debounce", flags.debounce,
                 "With --unique: keep the last of many enqueues, and run it this long after it")
      ->type_name("TIME");
  app.add_option("--group", flags.group, "Gather jobs of this key into one run; its payload is the array of theirs")
      ->type_name("KEY");
  app.add_option("--group-jobs", flags.group_jobs, "Run a group at this many jobs (default 100)")
      ->check(CLI::Range(1, limits::kMaxGroupJobs).description(""))
      ->type_name("N");
  app.add_option("--group-bytes", flags.group_bytes, "Run a group at this many bytes (default 262144)")
      ->check(CLI::Range(1, limits::kMaxGroupBytes).description(""))
      ->type_name("N");
  app.add_option("--group-age", flags.group_age, "Run a group this long after its first job (default 5s)")
      ->type_name("TIME");
  app.add_option("--wait-for-room", flags.wait_for_room,
                 "While the queue or the store is full, wait this long (default: not at all)")
      ->type_name("TIME");
}

Result<JobOptions> options_of(const JobFlags& flags, int usual_attempts) {
  JobOptions options;
  options.priority = flags.priority;
  options.max_attempts = flags.attempts.value_or(usual_attempts);
  options.resumable = flags.resumable;
  options.key = flags.key;
  options.limits = flags.limits;
  options.ordered = flags.ordered;
  options.tags = flags.tags;
  options.redacted = flags.redacted;
  if (!flags.on_timeout.empty() && flags.timeout.empty()) {
    return usage_error("--on-timeout says what happens at --timeout TIME; add it");
  }
  if (auto done = read_duration("--timeout", flags.timeout, options.timeout); !done) return done.error();
  if (auto done = read_duration("--grace", flags.grace, options.grace); !done) return done.error();
  if (auto done = read_duration("--expires", flags.expires, options.expires); !done) return done.error();
  if (auto done = read_duration("--deadline", flags.deadline, options.deadline); !done) return done.error();
  if (auto done = read_duration("--expect", flags.expect, options.expect); !done) return done.error();
  if (!flags.on_timeout.empty()) options.on_timeout = on_timeout_from(flags.on_timeout);
  if (!flags.backoff.empty()) {
    auto backoff = job::backoff_from(flags.backoff);
    if (!backoff) return backoff.error();
    options.backoff = std::move(*backoff);
  }
  if (auto done = read_unique(flags, options); !done) return done.error();
  if (auto done = read_headers(flags, options); !done) return done.error();
  return options;
}

Result<void> read_once(const OnceFlags& flags, JobOptions& options) {
  if (!flags.delay.empty() && !flags.at.empty()) return usage_error("--delay and --at exclude each other; use one");
  if (auto done = read_duration("--delay", flags.delay, options.delay); !done) return done;
  if (auto done = read_duration("--wait-for-room", flags.wait_for_room, options.wait_for_room); !done) return done;
  if (!flags.at.empty()) {
    const auto at = base::parse_time("--at", flags.at);
    if (!at) return at.error();
    options.at = *at;
  }
  if (flags.token) {
    if (flags.token->empty()) return usage_error("--token: it is empty; allowed is 1 to 64 bytes");
    options.token = *flags.token;
  }
  if (!flags.debounce.empty()) {
    if (options.unique.key.empty()) return usage_error("--debounce needs --unique KEY: what is to run only once");
    if (!flags.delay.empty() || !flags.at.empty()) return usage_error("--debounce is a delay; leave --delay and --at");
    if (auto done = read_duration("--debounce", flags.debounce, options.delay); !done) return done;
    options.unique.until = UniqueUntil::Start;
    options.unique.on_conflict = OnConflict::Replace;
  }
  return read_group(flags, options);
}

}  // namespace galley::cli
