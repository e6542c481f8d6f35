#include "job/validate.hpp"

#include <algorithm>

#include "base/duration.hpp"
#include "base/text.hpp"

namespace galley::job {

namespace {

Error bad(std::string_view field, std::string_view value, std::string_view allowed) {
  return {Errc::InvalidInput,
          std::string(field) + ": " + base::quoted(value) + " is not allowed; allowed is " + std::string(allowed)};
}

Error bad(std::string_view field, std::int64_t value, std::string_view allowed) {
  return {Errc::InvalidInput,
          std::string(field) + ": " + std::to_string(value) + " is not allowed; allowed is " + std::string(allowed)};
}

Result<void> in_range(std::string_view field, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return {};
  return bad(field, value, std::to_string(least) + ".." + std::to_string(most));
}

/// In microseconds, because a form for people would round "one microsecond too long" away.
Result<void> in_range(std::string_view field, Duration value, Duration least, Duration most, std::string_view allowed) {
  if (value >= least && value <= most) return {};
  return bad(field, std::to_string(value.count()) + "us", allowed);
}

template <class Allowed>
bool is_name(std::string_view value, Allowed allowed) {
  return !value.empty() && value.size() <= limits::kMaxNameBytes && std::all_of(value.begin(), value.end(), allowed);
}

Result<void> check_text(std::string_view field, std::string_view value, std::size_t most) {
  if (value.size() > most) return bad(field, value, "at most " + std::to_string(most) + " bytes");
  if (!base::is_printable(value)) return bad(field, value, "printable UTF-8");
  return {};
}

Result<void> check_backoff(const Backoff& backoff) {
  constexpr std::string_view kAllowed = "0 to ten years";
  constexpr auto kMost = static_cast<std::int64_t>(limits::kMaxBackoffList);
  if (backoff.kind == Backoff::Kind::List) {
    const auto entries = static_cast<std::int64_t>(backoff.list.size());
    if (auto r = in_range("backoff's number of entries", entries, 1, kMost); !r) return r;
    for (const Duration entry : backoff.list) {
      if (auto r = in_range("backoff's entry", entry, Duration{0}, limits::kMaxDelay, kAllowed); !r) return r;
    }
    return {};
  }
  if (auto r = in_range("backoff's base", backoff.base, Duration{0}, limits::kMaxDelay, kAllowed); !r) return r;
  if (backoff.kind == Backoff::Kind::Fixed) return {};
  if (backoff.kind != Backoff::Kind::Exponential) {
    return bad("backoff's kind", static_cast<std::int64_t>(backoff.kind), "exponential, fixed or list");
  }
  return in_range("backoff's cap", backoff.cap, backoff.base, limits::kMaxDelay, "its base to ten years");
}

Result<void> check_policy(const Policy& policy) {
  constexpr Duration kMost = limits::kMaxTimeout;
  if (auto r = in_range("timeout", policy.timeout, Duration{0}, kMost, "0 (none) to 366 days"); !r) return r;
  if (auto r = in_range("grace", policy.grace, Duration{0}, kMost, "0 to 366 days"); !r) return r;
  if (policy.on_timeout > OnTimeout::Dead) {
    return bad("on_timeout", static_cast<std::int64_t>(policy.on_timeout), "pause, retry or dead");
  }
  if (auto r = in_range("attempts", policy.max_attempts, 1, limits::kMaxAttempts); !r) return r;
  if (auto r = in_range("max_pauses", policy.max_pauses, 0, limits::kMaxPauses); !r) return r;
  if (auto r = in_range("max_crashes", policy.max_crashes, 1, limits::kMaxCrashes); !r) return r;
  return check_backoff(policy.backoff);
}

Result<void> check_program(const NewJob& job) {
  if (job.content != Content::Command) {
    if (job.program.empty()) return {};
    return bad("program", job.program, "none, because only a command has one");
  }
  const bool fits = !job.program.empty() && job.program.size() <= limits::kMaxProgramBytes;
  if (fits && job.program.find('\0') == std::string::npos) return {};
  return bad("program", job.program,
             "1 to " + std::to_string(limits::kMaxProgramBytes) + " bytes without NUL, the command's argv[0]");
}

Result<void> check_due(const NewJob& job) {
  if (auto r = in_range("delay", job.delay, Duration{0}, limits::kMaxDelay, "0 to ten years"); !r) return r;
  if (!job.at) return {};
  if (job.delay != Duration{0}) {
    return bad("delay", std::to_string(job.delay.count()) + "us", "a delay or an absolute time (at), not both");
  }
  const auto us = job.at->time_since_epoch();
  return in_range("at", us, Duration{0}, base::kMaxTime.time_since_epoch(), "a time of the years 1970 to 9999");
}

}  // namespace

Result<void> check_queue(std::string_view field, std::string_view value) {
  if (is_name(value, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
      })) {
    return {};
  }
  return bad(field, value, "1 to 128 of letters, digits, '.', '_' and '-'");
}

Result<void> check_kind(std::string_view value) {
  if (is_name(value, [](char c) { return c > ' ' && c < 0x7f && c != ',' && c != '"' && c != '\''; })) return {};
  return bad("kind", value, "1 to 128 printable ASCII characters without blanks, commas and quotes");
}

Result<void> validate(const NewJob& job) {
  if (auto r = check_queue("queue", job.queue); !r) return r;
  if (auto r = check_kind(job.kind); !r) return r;
  if (auto r = check_text("key", job.key, limits::kMaxKeyBytes); !r) return r;
  if (auto r = check_text("token", job.token, limits::kMaxTokenBytes); !r) return r;
  if (job.payload.size() > limits::kMaxPayloadBytes) {
    return bad("payload", std::to_string(job.payload.size()) + " bytes",
               "at most " + std::to_string(limits::kMaxPayloadBytes) + " bytes; keep larger data in a file");
  }
  if (job.content > Content::Command) {
    return bad("content", static_cast<std::int64_t>(job.content), "json, bytes or command");
  }
  if (auto r = check_program(job); !r) return r;
  if (auto r = in_range("priority", job.priority, -limits::kMaxPriority, limits::kMaxPriority); !r) return r;
  if (auto r = check_due(job); !r) return r;
  return check_policy(job.policy);
}

Result<void> apply(const JobOptions& options, NewJob& job) {
  job.priority = options.priority;
  job.delay = options.delay;
  job.at = options.at;
  job.key = options.key;
  job.token = options.token;
  job.policy.timeout = options.timeout;
  job.policy.grace = options.grace;
  job.policy.on_timeout = options.on_timeout.value_or(options.resumable ? OnTimeout::Pause : OnTimeout::Retry);
  job.policy.max_attempts = options.max_attempts;
  job.policy.max_pauses = options.max_pauses;
  job.policy.max_crashes = options.max_crashes;
  job.policy.backoff = options.backoff;
  job.policy.resumable = options.resumable;
  return validate(job);
}

}  // namespace galley::job
