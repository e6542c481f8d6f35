#pragma once
// What a job is, as a user sees it: its states, and the options it is enqueued with.
//
// Thread-safety: plain values.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace galley {

using Duration = std::chrono::microseconds;
/// UTC with microseconds; what is stored and shown.
using Time = std::chrono::sys_time<std::chrono::microseconds>;

/// Unique within a store, growing, never used again.
using JobId = std::int64_t;

/// Where a job is in its life; ARCHITECTURE.md shows who moves it.
enum class JobState : std::uint8_t {
  Scheduled,  ///< Waits for its due time (a delay, a backoff, a snooze).
  Ready,      ///< May be claimed now.
  Blocked,    ///< Waits for other jobs.
  Running,    ///< Claimed by a worker.
  Completed,  ///< Ended well; kept for a while.
  Dead,       ///< Out of tries; kept for a person, who may retry it.
  Cancelled,  ///< Ended by a person; never retried.
  Discarded,  ///< Its handler said that trying again is pointless.
  Expired,    ///< Waited longer than it was allowed to.
};
inline constexpr int kJobStates = 9;

/// snake_case name ("scheduled"), the same in SQL, JSON, the command line and the docs.
[[nodiscard]] std::string_view name(JobState state) noexcept;
[[nodiscard]] std::optional<JobState> job_state_from(std::string_view name) noexcept;
/// True for the states that nothing but a person leaves.
[[nodiscard]] bool is_ended(JobState state) noexcept;

/// What happens to an attempt that ran into its time-out.
enum class OnTimeout : std::uint8_t {
  Pause,  ///< Put back behind everything ready of its priority, with its checkpoint; no try is used.
  Retry,  ///< Counts as an error: backoff, then another try, or dead.
  Dead,   ///< Dead at once.
};
[[nodiscard]] std::string_view name(OnTimeout action) noexcept;
[[nodiscard]] std::optional<OnTimeout> on_timeout_from(std::string_view name) noexcept;

/// How long to wait before another try after the n-th error (n from 1).
struct Backoff {
  enum class Kind : std::uint8_t {
    Exponential,  ///< base * 2^(n-1), at most cap, then jittered over [half, whole].
    Fixed,        ///< base, always, without jitter.
    List,         ///< list[n-1], and its last entry from then on, without jitter.
  };
  Kind kind = Kind::Exponential;
  Duration base = std::chrono::seconds(1);
  Duration cap = std::chrono::hours(1);
  std::vector<Duration> list;
};

/// Options of one job. The defaults stand here; 0 means "none" only where it is said.
struct JobOptions {
  int priority = 0;                          ///< -10..10; larger runs sooner.
  Duration delay{0};                         ///< From now; 0: at once. Not together with `at`.
  std::optional<Time> at;                    ///< Absolute due time, UTC.
  Duration timeout{0};                       ///< Run time of one attempt; 0: none.
  Duration grace = std::chrono::seconds(5);  ///< From the stop request to the kill, where a kill is possible.
  std::optional<OnTimeout> on_timeout;       ///< Default: Pause for a resumable job, else Retry.
  int max_attempts = 10;                     ///< Tries that may end in an error, 1..1000.
  int max_pauses = 100;                      ///< Pauses before it is dead, 0..1,000,000.
  int max_crashes = 3;                       ///< Workers that may die under it before it is quarantined, 1..1000.
  Backoff backoff;
  bool resumable = false;  ///< Its handler saves checkpoints and goes on from them.
  std::string key;         ///< Tenant or account, at most 200 bytes; empty: none.
  std::string token;       ///< Idempotency token, at most 64 bytes: enqueueing it twice gives the same job.
};

/// `queue.enqueue(kind, args, priority(3), delay(10s))`: each of these sets one option.
template <class Set>
struct JobOption {
  Set set;
};
template <class Set>
JobOption(Set) -> JobOption<Set>;

[[nodiscard]] inline auto priority(int value) {
  return JobOption{[value](JobOptions& o) { o.priority = value; }};
}
[[nodiscard]] inline auto delay(Duration value) {
  return JobOption{[value](JobOptions& o) { o.delay = value; }};
}
[[nodiscard]] inline auto at(Time value) {
  return JobOption{[value](JobOptions& o) { o.at = value; }};
}
[[nodiscard]] inline auto timeout(Duration value) {
  return JobOption{[value](JobOptions& o) { o.timeout = value; }};
}
[[nodiscard]] inline auto grace(Duration value) {
  return JobOption{[value](JobOptions& o) { o.grace = value; }};
}
[[nodiscard]] inline auto on_timeout(OnTimeout value) {
  return JobOption{[value](JobOptions& o) { o.on_timeout = value; }};
}
[[nodiscard]] inline auto attempts(int value) {
  return JobOption{[value](JobOptions& o) { o.max_attempts = value; }};
}
[[nodiscard]] inline auto backoff(Backoff value) {
  return JobOption{[value = std::move(value)](JobOptions& o) { o.backoff = value; }};
}
[[nodiscard]] inline auto resumable() {
  return JobOption{[](JobOptions& o) { o.resumable = true; }};
}
[[nodiscard]] inline auto key(std::string value) {
  return JobOption{[value = std::move(value)](JobOptions& o) { o.key = value; }};
}
[[nodiscard]] inline auto token(std::string value) {
  return JobOption{[value = std::move(value)](JobOptions& o) { o.token = value; }};
}

}  // namespace galley
