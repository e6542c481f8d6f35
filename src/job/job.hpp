#pragma once
// The values of a job's life, as the engine and the stores pass them to each other.
// Plain structs without invariants; what is allowed in them is checked by job/validate.hpp.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "galley/job.hpp"

namespace galley::job {

/// What the payload is.
enum class Content : std::uint8_t { Json, Bytes, Command };
[[nodiscard]] std::string_view name(Content content) noexcept;
[[nodiscard]] std::optional<Content> content_from(std::string_view name) noexcept;

/// The rules of one job that its attempts are ended by. Stored with the job, handed out with the claim.
struct Policy {
  Duration timeout{0};  ///< 0: none
  Duration grace = std::chrono::seconds(5);
  OnTimeout on_timeout = OnTimeout::Retry;
  int max_attempts = 10;
  int max_pauses = 100;
  int max_crashes = 3;
  Backoff backoff;
  bool resumable = false;
};

/// What a callback of a batch waits for.
enum class Trigger : std::uint8_t {
  Success,   ///< all jobs of the batch have completed
  Failure,   ///< the first one has ended otherwise
  Finished,  ///< all have ended, well or not
};
[[nodiscard]] std::string_view name(Trigger trigger) noexcept;
[[nodiscard]] std::optional<Trigger> trigger_from(std::string_view name) noexcept;

/// Which ready job of a kind runs first.
enum class Order : std::uint8_t {
  Fifo,      ///< the one that became ready first
  Shortest,  ///< the one that is expected to run shortest, as long as no other has waited much longer
  Deadline,  ///< the one whose deadline comes first
};
[[nodiscard]] std::string_view name(Order order) noexcept;
[[nodiscard]] std::optional<Order> order_from(std::string_view name) noexcept;

/// How earlier attempts ended. `attempts` counts all of them; errors count against max_attempts, the others
/// each against a bound of their own.
struct Counters {
  int attempts = 0;
  int errors = 0;
  int pauses = 0;
  int snoozes = 0;
  int crashes = 0;
  friend bool operator==(const Counters&, const Counters&) = default;
};

/// A job to be enqueued, valid by job::validate.
struct NewJob {
  std::string queue = "default";
  std::string kind;
  std::string key;                  ///< empty: none
  std::vector<std::string> limits;  ///< names of limits, each once
  bool ordered = false;             ///< one at a time with those of its key
  Duration expect{0};               ///< its run time; 0: as was learned
  Content content = Content::Json;
  std::string program;  ///< of a Command: its argv[0] as given, by which claims are matched; else empty
  std::string payload;
  int priority = 0;
  Duration delay{0};
  std::optional<Time> at;
  Policy policy;
  std::string token;  ///< empty: none
  Unique unique;
  Group group;
  Duration expires{0};   ///< from its due time, until its first start; 0: never
  Duration deadline{0};  ///< from its enqueue; 0: none
  std::vector<std::string> tags;
  std::vector<Header> headers;
  bool redacted = false;
  BatchId batch = 0;   ///< it is one of its jobs; 0: none
  BatchId awaits = 0;  ///< it is a callback of this batch: blocked until `trigger`; 0: none
  Trigger trigger = Trigger::Success;
};

/// A worker's right to run one attempt.
struct ClaimId {
  JobId job = 0;
  std::int64_t epoch = 0;
  friend bool operator==(const ClaimId&, const ClaimId&) = default;
};

/// One claimed job with all that its attempt needs.
struct Claim {
  ClaimId id;
  std::string queue;
  std::string kind;
  std::string key;
  Content content = Content::Json;
  std::string program;
  std::string payload;
  int priority = 0;
  Policy policy;
  Counters counters;       ///< before this attempt; this attempt's number is counters.attempts + 1
  std::string checkpoint;  ///< of an earlier attempt; empty: none
  Time enqueued_at{};
  std::optional<Duration> deadline;  ///< how long after the claim; nothing: none
  std::vector<Header> headers;
  BatchId batch = 0;
  Duration waited{0};  ///< before this attempt: from its due time, or from when it became ready
};

/// What the store is told about how an attempt ended. Kept with the attempt for `jobs show`.
struct AttemptReport {
  std::string error;             ///< empty: none; at most limits::kMaxErrorBytes
  std::string error_class;       ///< what errors are found by: an exception's type, "exit:3", "signal:SIGKILL",
                                 ///< "timeout", "failed"; at most limits::kMaxNameBytes; empty where `error` is
  std::optional<int> exit_code;  ///< of a command that exited
  std::optional<int> signal;     ///< of a command that was killed
  std::string out;               ///< tail of a command's standard output
  std::string err;               ///< tail of a command's standard error
  std::string log;               ///< tail of what the handler logged
  Duration run_time{0};
};

/// One attempt as it is kept and shown.
struct AttemptRecord {
  int attempt = 0;
  /// "completed", "failed", "timed_out", "paused", "snoozed", "discarded", "cancelled",
  /// "expired" or "crashed".
  std::string outcome;
  Time started_at{};
  Time ended_at{};
  std::string worker;
  AttemptReport report;
};

/// A job as it is kept and shown.
struct JobRecord {
  JobId id = 0;
  JobState state = JobState::Ready;
  std::string queue;
  std::string kind;
  std::string key;
  Content content = Content::Json;
  std::string program;
  std::string payload;
  int priority = 0;
  Policy policy;
  Counters counters;
  Time enqueued_at{};
  std::optional<Time> due_at;       ///< of a scheduled job
  std::optional<Time> started_at;   ///< of the running or the last attempt
  std::optional<Time> finished_at;  ///< of an ended job
  std::string worker;               ///< of a running job
  std::string error;                ///< of the last attempt that failed
  std::string error_class;
  std::string progress;
  std::string result;
  std::string checkpoint;
  bool cancel_requested = false;
  Unique unique;                   ///< its key is empty once it is given up; on_conflict is not kept
  Group group;                     ///< of a job that gathers others
  int members = 0;                 ///< of a job that gathers others: how many it holds
  std::optional<Time> expires_at;  ///< until its first start
  std::optional<Time> deadline_at;
  std::vector<std::string> tags;
  std::vector<Header> headers;
  bool redacted = false;
  BatchId batch = 0;
  BatchId awaits = 0;
  Trigger trigger = Trigger::Success;
  std::vector<std::string> limits;  ///< sorted
  bool ordered = false;
  Duration expect{0};
};

}  // namespace galley::job
