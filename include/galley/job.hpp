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
/// Jobs that are watched together (galley/batch.hpp); the same rules as JobId.
using BatchId = std::int64_t;

/// Where a job is in its life; ARCHITECTURE.md shows who moves it.
enum class JobState : std::uint8_t {
  Scheduled,  ///< Waits for its due time (a delay, a backoff, a snooze).
  Ready,      ///< May be claimed now.
  Blocked,    ///< Waits for a batch, as its callback.
  Running,    ///< Claimed by a worker.
  Completed,  ///< Ended well; kept for a while.
  Dead,       ///< Out of tries; kept for a person, who may retry it.
  Cancelled,  ///< Ended by a person; never retried.
  Discarded,  ///< Its handler said that trying again is pointless.
  Expired,    ///< Waited longer than it was allowed to, or its deadline came while it ran; kept as a dead one.
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

/// How long a job holds its unique key.
enum class UniqueUntil : std::uint8_t {
  Start,   ///< Until its first attempt starts: another one may wait while this one runs.
  Finish,  ///< Until it has ended, well or not.
};
[[nodiscard]] std::string_view name(UniqueUntil until) noexcept;
[[nodiscard]] std::optional<UniqueUntil> unique_until_from(std::string_view name) noexcept;

/// What an enqueue does when the unique key is held.
enum class OnConflict : std::uint8_t {
  Ignore,   ///< Nothing is added; the answer is the id of the job that holds the key.
  Replace,  ///< The waiting holder gets the new payload, options and due time (and keeps its id); a running one is
            ///< left alone, as with Ignore.
  Error,    ///< Refused with Errc::Conflict, which names the holder.
};
[[nodiscard]] std::string_view name(OnConflict action) noexcept;
[[nodiscard]] std::optional<OnConflict> on_conflict_from(std::string_view name) noexcept;

/// At most one job of a kind holds a key, in the whole store. A fact, without a time to live. Deleting a job gives its
/// key up, and so does the moment from which a waiting one is over (expires, deadline); retrying an ended one takes an
/// until-finish key again, or is refused because another job has it.
/// A replacement's token takes the place of the holder's. The holder keeps its id, the time of its enqueue, its
/// counters and its batch; it loses progress and checkpoint; a blocked one stays blocked.
struct Unique {
  std::string key;  ///< at most 200 bytes; empty: not unique
  UniqueUntil until = UniqueUntil::Finish;
  OnConflict on_conflict = OnConflict::Ignore;
};

/// Many small jobs as one run: jobs of one queue, kind and group key are gathered into one job whose payload is the
/// JSON array of theirs. It becomes ready when the first of the three bounds is reached. JSON payloads only.
/// The bounds and all other options of the run are those of the group's first job. A job that would exceed max_bytes
/// closes the group and opens the next one; what is too large alone is a group of one.
struct Group {
  std::string key;                             ///< at most 200 bytes; empty: not grouped
  int max_jobs = 100;                          ///< 1..10,000
  int max_bytes = 256 << 10;                   ///< of the array, 1..1 MiB
  Duration max_age = std::chrono::seconds(5);  ///< from the first one, 0..10 years
};

/// A name and a value that travel with a job to its handler ("traceparent", "tenant").
using Header = std::pair<std::string, std::string>;

/// Options of one job. The defaults stand here; 0 means "none" only where it is said.
struct JobOptions {
  int priority = 0;                          ///< -10..10; larger runs sooner.
  Duration delay{0};                         ///< From now; 0: at once. Not together with `at`.
  std::optional<Time> at;                    ///< Absolute due time, UTC.
  Duration timeout{0};                       ///< Run time of one attempt; at most 366 days; 0: none.
  Duration grace = std::chrono::seconds(5);  ///< From the stop request to the kill, where a kill is possible.
  std::optional<OnTimeout> on_timeout;       ///< Default: Pause for a resumable job, else Retry.
  int max_attempts = 10;                     ///< Tries that may end in an error, 1..1000.
  int max_pauses = 100;                      ///< Pauses before it is dead, 0..1,000,000.
  int max_crashes = 3;                       ///< Workers that may die under it before it is quarantined, 1..1000.
  Backoff backoff;
  bool resumable = false;  ///< Its handler saves checkpoints and goes on from them.
  std::string key;         ///< Tenant or account, at most 200 bytes; empty: none. Keys of a kind share it fairly.
  std::vector<std::string>
      limits;            ///< Names of limits that it runs under, at most 4; one that nobody set binds nothing.
  bool ordered = false;  ///< Needs a key. The ordered jobs of a queue's kind and key run one at a time, in
                         ///< the order in which they became ready first: one that waits for another try
                         ///< holds up those behind it, whatever their priorities, until it has ended.
  Duration expect{0};    ///< Its run time, for a queue that runs the shortest first; 0: as was learned.
  std::string token;     ///< Idempotency token, at most 64 bytes: enqueueing it twice gives the same job.
  Unique unique;
  Group group;           ///< Not together with unique, token, batch, headers, tags or a delay.
  Duration expires{0};   ///< Expired when its first attempt has not started this long after it was due; 0: never.
  Duration deadline{0};  ///< From the enqueue: from then on it is stopped, or not started, and expired; 0: none. Both
                         ///< at most ten years.
  std::vector<std::string> tags;  ///< At most 16 of 1..64 bytes; to find it by. Twice is once.
  std::vector<Header> headers;    ///< At most 32, 8 KiB together; names of 1..64 letters, digits, '.', '_', '-'.
  bool redacted = false;          ///< `galley jobs` shows no payload, command, result and output of it.
  BatchId batch = 0;              ///< Its batch, which must be open or have a job that has not ended; 0: none.
  Duration wait_for_room{0};      ///< How long an enqueue waits while queue or store is full; 0: QueueFull at once.
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
/// Adds one; may be given several times.
[[nodiscard]] inline auto limit(std::string name) {
  return JobOption{[name = std::move(name)](JobOptions& o) { o.limits.push_back(name); }};
}
[[nodiscard]] inline auto ordered() {
  return JobOption{[](JobOptions& o) { o.ordered = true; }};
}
[[nodiscard]] inline auto expect(Duration value) {
  return JobOption{[value](JobOptions& o) { o.expect = value; }};
}
[[nodiscard]] inline auto token(std::string value) {
  return JobOption{[value = std::move(value)](JobOptions& o) { o.token = value; }};
}
[[nodiscard]] inline auto unique(std::string key, UniqueUntil until = UniqueUntil::Finish,
                                 OnConflict on_conflict = OnConflict::Ignore) {
  return JobOption{[value = Unique{std::move(key), until, on_conflict}](JobOptions& o) { o.unique = value; }};
}
/// Of many enqueues with this key in quick succession the last one runs, `quiet` after it.
[[nodiscard]] inline auto debounce(std::string key, Duration quiet) {
  return JobOption{[value = Unique{std::move(key), UniqueUntil::Start, OnConflict::Replace}, quiet](JobOptions& o) {
    o.unique = value;
    o.delay = quiet;
  }};
}
[[nodiscard]] inline auto group(Group value) {
  return JobOption{[value = std::move(value)](JobOptions& o) { o.group = value; }};
}
[[nodiscard]] inline auto expires(Duration value) {
  return JobOption{[value](JobOptions& o) { o.expires = value; }};
}
[[nodiscard]] inline auto deadline(Duration value) {
  return JobOption{[value](JobOptions& o) { o.deadline = value; }};
}
/// Adds one; may be given several times.
[[nodiscard]] inline auto tag(std::string value) {
  return JobOption{[value = std::move(value)](JobOptions& o) { o.tags.push_back(value); }};
}
/// Adds one; may be given several times.
[[nodiscard]] inline auto header(std::string name, std::string value) {
  return JobOption{[entry = Header{std::move(name), std::move(value)}](JobOptions& o) { o.headers.push_back(entry); }};
}
[[nodiscard]] inline auto redacted() {
  return JobOption{[](JobOptions& o) { o.redacted = true; }};
}
[[nodiscard]] inline auto batch(BatchId value) {
  return JobOption{[value](JobOptions& o) { o.batch = value; }};
}
[[nodiscard]] inline auto wait_for_room(Duration value) {
  return JobOption{[value](JobOptions& o) { o.wait_for_room = value; }};
}

}  // namespace galley
