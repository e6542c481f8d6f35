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

Result<void> in_range(std::string_view field, Duration value, Duration least, Duration most, std::string_view allowed) {
  if (value >= least && value <= most) return {};
  return bad(field, base::format_duration_exactly(value), allowed);
}

template <class Allowed>
bool is_name(std::string_view value, Allowed allowed) {
  return !value.empty() && value.size() <= limits::kMaxNameBytes && std::all_of(value.begin(), value.end(), allowed);
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
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
    return bad("delay", base::format_duration_exactly(job.delay), "a delay or an absolute time (at), not both");
  }
  const auto us = job.at->time_since_epoch();
  return in_range("at", us, Duration{0}, base::kMaxTime.time_since_epoch(), "a time of the years 1970 to 9999");
}

Result<void> check_ends(const NewJob& job) {
  constexpr std::string_view kAllowed = "0 (none) to ten years";
  if (auto r = in_range("expires", job.expires, Duration{0}, limits::kMaxDelay, kAllowed); !r) return r;
  return in_range("deadline", job.deadline, Duration{0}, limits::kMaxDelay, kAllowed);
}

Result<void> check_unique(const Unique& unique) {
  if (unique.key.empty()) return {};
  if (auto r = check_text("unique key", unique.key, limits::kMaxKeyBytes); !r) return r;
  if (unique.until > UniqueUntil::Finish) {
    return bad("unique until", static_cast<std::int64_t>(unique.until), "start or finish");
  }
  if (unique.on_conflict > OnConflict::Error) {
    return bad("unique on_conflict", static_cast<std::int64_t>(unique.on_conflict), "ignore, replace or error");
  }
  return {};
}

/// A job of a group is a payload and nothing else: what it would have of its own, nobody could see or keep apart.
Result<void> check_grouped(const NewJob& job) {
  const auto refuse = [](std::string_view what) -> Result<void> {
    return Error{Errc::InvalidInput, "group: a grouped job cannot have " + std::string(what)};
  };
  if (job.content != Content::Json) return refuse("bytes or a command as its payload, only JSON");
  if (job.payload.empty()) return refuse("an empty payload, only a JSON value");
  if (!job.unique.key.empty()) return refuse("a unique key");
  if (!job.token.empty()) return refuse("a token");
  if (job.batch != 0 || job.awaits != 0) return refuse("a batch");
  if (!job.headers.empty()) return refuse("headers");
  if (!job.tags.empty()) return refuse("tags");
  if (job.delay != Duration{0} || job.at) return refuse("a delay or an absolute time (at); its group's max_age is one");
  return {};
}

/// A callback waits for its batch and for nothing else.
Result<void> check_batches(const NewJob& job) {
  if (job.batch < 0) return bad("batch", job.batch, "the id of a batch, from 1, or 0 for none");
  if (job.awaits < 0) return bad("awaits", job.awaits, "the id of a batch, from 1, or 0 for none");
  if (job.awaits == 0) return {};
  const auto refuse = [](std::string_view why) -> Result<void> {
    return Error{Errc::InvalidInput, "awaits: a callback " + std::string(why)};
  };
  if (job.trigger > Trigger::Finished) {
    return bad("trigger", static_cast<std::int64_t>(job.trigger), "success, failure or finished");
  }
  if (job.awaits == job.batch) return refuse("cannot be a job of the batch that it waits for");
  if (job.delay != Duration{0} || job.at) return refuse("has no delay and no absolute time (at); its batch decides");
  if (!job.unique.key.empty() && job.unique.on_conflict == OnConflict::Replace) {
    return refuse("cannot replace the job that holds its unique key");
  }
  return {};
}

Result<void> check_lane(const NewJob& job) {
  const auto number = static_cast<std::int64_t>(job.limits.size());
  if (auto r = in_range("number of limits", number, 0, limits::kMaxJobLimits); !r) return r;
  for (auto limit = job.limits.begin(); limit != job.limits.end(); ++limit) {
    if (auto r = check_queue("limit", *limit); !r) return r;
    if (std::find(job.limits.begin(), limit, *limit) != limit) return bad("limit", *limit, "each limit once");
  }
  if (job.ordered && job.key.empty()) {
    return Error{Errc::InvalidInput, "ordered: an ordered job needs a key, whose jobs run one at a time"};
  }
  return in_range("expect", job.expect, Duration{0}, limits::kMaxTimeout, "0 (as was learned) to 366 days");
}

Result<void> check_group(const NewJob& job) {
  const Group& group = job.group;
  if (group.key.empty()) return {};
  if (auto r = check_text("group key", group.key, limits::kMaxKeyBytes); !r) return r;
  if (auto r = in_range("group max_jobs", group.max_jobs, 1, limits::kMaxGroupJobs); !r) return r;
  if (auto r = in_range("group max_bytes", group.max_bytes, 1, limits::kMaxGroupBytes); !r) return r;
  constexpr std::string_view kAllowed = "0 to ten years";
  if (auto r = in_range("group max_age", group.max_age, Duration{0}, limits::kMaxDelay, kAllowed); !r) return r;
  return check_grouped(job);
}

Result<void> check_tags(const std::vector<std::string>& tags) {
  if (auto r = in_range("number of tags", static_cast<std::int64_t>(tags.size()), 0, limits::kMaxTags); !r) return r;
  for (auto tag = tags.begin(); tag != tags.end(); ++tag) {
    if (auto r = check_text("tag", *tag, limits::kMaxTagBytes); !r) return r;
    if (tag->empty()) return bad("tag", *tag, "1 to " + std::to_string(limits::kMaxTagBytes) + " bytes");
    if (std::find(tags.begin(), tag, *tag) != tag) return bad("tag", *tag, "each tag once");
  }
  return {};
}

Result<void> check_headers(const std::vector<Header>& headers) {
  constexpr auto kMost = static_cast<std::int64_t>(limits::kMaxHeaders);
  if (auto r = in_range("number of headers", static_cast<std::int64_t>(headers.size()), 0, kMost); !r) return r;
  std::size_t bytes = 0;
  for (auto header = headers.begin(); header != headers.end(); ++header) {
    const auto& [name, value] = *header;
    if (name.size() > limits::kMaxHeaderNameBytes || !is_name(name, is_plain)) {
      return bad("header's name", name, "1 to 64 of letters, digits, '.', '_' and '-'");
    }
    if (!base::is_printable(value)) return bad("header " + name, value, "printable UTF-8");
    if (std::any_of(headers.begin(), header, [&](const Header& other) { return other.first == header->first; })) {
      return bad("header's name", name, "each name once");
    }
    bytes += name.size() + value.size();
  }
  if (bytes <= limits::kMaxHeaderBytes) return {};
  return bad("headers", std::to_string(bytes) + " bytes",
             "at most " + std::to_string(limits::kMaxHeaderBytes) + " bytes of names and values together");
}

}  // namespace

Result<void> check_queue(std::string_view field, std::string_view value) {
  if (is_name(value, is_plain)) return {};
  return bad(field, value, "1 to 128 of letters, digits, '.', '_' and '-'");
}

Result<void> check_kind(std::string_view value) {
  if (is_name(value, [](char c) { return c > ' ' && c < 0x7f && c != ',' && c != '"' && c != '\''; })) return {};
  return bad("kind", value, "1 to 128 printable ASCII characters without blanks, commas and quotes");
}

Result<void> check_key(std::string_view value) { return check_text("key", value, limits::kMaxKeyBytes); }

Result<void> check_priority(int value) {
  return in_range("priority", value, -limits::kMaxPriority, limits::kMaxPriority);
}

Result<void> validate(const NewJob& job) {
  if (auto r = check_queue("queue", job.queue); !r) return r;
  if (auto r = check_kind(job.kind); !r) return r;
  if (auto r = check_key(job.key); !r) return r;
  if (auto r = check_lane(job); !r) return r;
  if (auto r = check_text("token", job.token, limits::kMaxTokenBytes); !r) return r;
  if (job.payload.size() > limits::kMaxPayloadBytes) {
    return bad("payload", std::to_string(job.payload.size()) + " bytes",
               "at most " + std::to_string(limits::kMaxPayloadBytes) + " bytes; keep larger data in a file");
  }
  if (job.content > Content::Command) {
    return bad("content", static_cast<std::int64_t>(job.content), "json, bytes or command");
  }
  if (auto r = check_program(job); !r) return r;
  if (auto r = check_priority(job.priority); !r) return r;
  if (auto r = check_due(job); !r) return r;
  if (auto r = check_ends(job); !r) return r;
  if (auto r = check_unique(job.unique); !r) return r;
  if (auto r = check_group(job); !r) return r;
  if (auto r = check_batches(job); !r) return r;
  if (auto r = check_tags(job.tags); !r) return r;
  if (auto r = check_headers(job.headers); !r) return r;
  return check_policy(job.policy);
}

Result<void> apply(const JobOptions& options, NewJob& job) {
  job.priority = options.priority;
  job.delay = options.delay;
  job.at = options.at;
  job.key = options.key;
  job.limits.clear();
  for (const std::string& limit : options.limits) {
    if (std::find(job.limits.begin(), job.limits.end(), limit) == job.limits.end()) job.limits.push_back(limit);
  }
  job.ordered = options.ordered;
  job.expect = options.expect;
  job.token = options.token;
  job.unique = options.unique;
  job.group = options.group;
  job.expires = options.expires;
  job.deadline = options.deadline;
  job.batch = options.batch;
  job.tags.clear();
  for (const std::string& tag : options.tags) {  // one that is given twice, by two places of a program, is one
    if (std::find(job.tags.begin(), job.tags.end(), tag) == job.tags.end()) job.tags.push_back(tag);
  }
  job.headers = options.headers;
  job.redacted = options.redacted;
  job.policy.timeout = options.timeout;
  job.policy.grace = options.grace;
  job.policy.on_timeout = options.on_timeout.value_or(options.resumable ? OnTimeout::Pause : OnTimeout::Retry);
  job.policy.max_attempts = options.max_attempts;
  job.policy.max_pauses = options.max_pauses;
  job.policy.max_crashes = options.max_crashes;
  job.policy.backoff = options.backoff;
  job.policy.resumable = options.resumable;
  const Duration patience = options.wait_for_room;  // of the enqueue, not of the job
  if (auto r = in_range("wait_for_room", patience, Duration{0}, limits::kMaxDelay, "0 to ten years"); !r) return r;
  return validate(job);
}

}  // namespace galley::job
