#include "job/validate.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace galley::job {

namespace {

Error bad(std::string_view field, std::string_view value, std::string_view allowed) {
  return {Errc::InvalidInput,
          std::string(field) + ": " + base::quoted(value) + " is not allowed; allowed is " + std::string(allowed)};
}

Error bad(std::string_view field, std::int64_t value, std::string_view allowed) {
  return {Errc::InvalidInput, std::string(field) + ": " + std::to_string(value) + " is not allowed; allowed is " + std::string(allowed)};
}

Result<void> in_range(std::string_view field, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return {};
  return bad(field, value, std::to_string(least) + ".." + std::to_string(most));
}

Result<void> in_range(std::string_view field, Duration value, Duration least, Duration most, std::string_view allowed) {
  if (value >= least && value <= most) return {};
  return bad(field, std::to_string(value.count()) + "us", allowed);
}

Result<void> check_text(std::string_view field, std::string_view value, std::size_t most) {
  if (value.size() > most) return bad(field, value, "at most " + std::to_string(most) + " bytes");
  if (!base::is_printable(value)) return bad(field, value, "printable UTF-8");
  return {};
}

Result<void> check_backoff(const Backoff& backoff) {
  constexpr std::string_view kAllowed = "0 to ten years";
  if (auto r = in_range("backoff", backoff.base, Duration{0}, limits::kMaxDelay, kAllowed); !r) return r;
  if (backoff.kind == Backoff::Kind::Exponential) {
    if (auto r = in_range("backoff cap", backoff.cap, backoff.base, limits::kMaxDelay, "its base to ten years"); !r) return r;
  }
  if (backoff.kind != Backoff::Kind::List) return {};
  if (backoff.list.empty() || backoff.list.size() > limits::kMaxBackoffList) {
    return bad("backoff list", static_cast<std::int64_t>(backoff.list.size()), "1..100 entries");
  }
  for (const Duration entry : backoff.list) {
    if (auto r = in_range("backoff list", entry, Duration{0}, limits::kMaxDelay, kAllowed); !r) return r;
  }
  return {};
}

Result<void> check_policy(const Policy& policy) {
  if (auto r = in_range("timeout", policy.timeout, Duration{0}, limits::kMaxTimeout, "0 (none) to a year"); !r) return r;
  if (auto r = in_range("grace", policy.grace, Duration{0}, limits::kMaxTimeout, "0 to a year"); !r) return r;
  if (auto r = in_range("attempts", policy.max_attempts, 1, limits::kMaxAttempts); !r) return r;
  if (auto r = in_range("max_pauses", policy.max_pauses, 0, limits::kMaxPauses); !r) return r;
  if (auto r = in_range("max_crashes", policy.max_crashes, 1, limits::kMaxCrashes); !r) return r;
  return check_backoff(policy.backoff);
}

}  // namespace

Result<void> check_queue(std::string_view field, std::string_view value) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (!value.empty() && value.size() <= limits::kMaxNameBytes && std::all_of(value.begin(), value.end(), allowed)) return {};
  return bad(field, value, "1 to 128 of letters, digits, '.', '_' and '-'");
}

Result<void> check_kind(std::string_view value) {
  const auto allowed = [](char c) { return c > ' ' && c < 0x7f && c != ',' && c != '"' && c != '\''; };
  if (!value.empty() && value.size() <= limits::kMaxNameBytes && std::all_of(value.begin(), value.end(), allowed)) return {};
  return bad("kind", value, "1 to 128 printable ASCII characters without blanks, commas and quotes");
}

Result<void> validate(const NewJob& job) {
  if (auto r = check_queue("queue", job.queue); !r) return r;
  if (auto r = check_kind(job.kind); !r) return r;
  if (auto r = check_text("key", job.key, limits::kMaxKeyBytes); !r) return r;
  if (auto r = check_text("token", job.token, limits::kMaxTokenBytes); !r) return r;
  if (job.payload.size() > limits::kMaxPayloadBytes) {
    return bad("payload", static_cast<std::int64_t>(job.payload.size()), "at most 1048576 bytes; keep larger data in a file");
  }
  const bool command = job.content == Content::Command;
  if (command == job.program.empty() || job.program.find('\0') != std::string::npos) {
    return bad("program", job.program, command ? "the command's argv[0]" : "none, but for commands");
  }
  if (auto r = in_range("priority", job.priority, -limits::kMaxPriority, limits::kMaxPriority); !r) return r;
  if (auto r = in_range("delay", job.delay, Duration{0}, limits::kMaxDelay, "0 to ten years"); !r) return r;
  if (job.at && job.delay != Duration{0}) {
    return bad("delay", std::to_string(job.delay.count()) + "us", "either a delay or an absolute time (at), not both");
  }
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
