#pragma once
// All that a history says about one job, and the rules that it is held against. Values, and nothing of the engine or a
// store: only what ARCHITECTURE.md promises.

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace galley::history {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// Something that was asked, and took place, if it did, between `called` and `answered`.
struct Span {
  std::int64_t called = 0;
  std::int64_t answered = kNever;  ///< kNever: no answer is known
  bool refused = false;            ///< it is known not to have taken place
};

struct Ending {
  Span span;
  std::string event;  ///< "complete", "retry", "pause", "release", "die", "discard", "cancel", "expire"
  std::string outcome;
  std::int64_t delay = 0;
  std::string answer;  ///< empty: not known
  std::string by;
  std::int64_t call = 0;
};

struct ClaimStory {
  std::int64_t epoch = 0;
  int attempt = 0;
  std::string by;
  std::int64_t worker = 0;
  Span span;
  std::int64_t lease_end = 0;  ///< the earliest, after the last renewal that was answered well
  bool moved_on = false;       ///< it may have saved a checkpoint: crashes and pauses start anew
  std::vector<Ending> endings;
};

struct Operation {
  Span span;
  std::string verb;
  std::string answer;  ///< empty: not known
  std::string by;
  std::int64_t call = 0;
};

struct JobStory {
  std::int64_t id = 0;
  bool acknowledged = false;
  Span enqueue;  ///< of the one that made it
  std::int64_t delay = 0;
  bool due_is_known = false;
  bool expires = false;
  int max_attempts = 0;  ///< 0: not known
  int max_crashes = 0;
  std::vector<ClaimStory> claims;
  std::vector<Operation> operations;
  std::vector<Ending> strays;  ///< ends of claims that nobody was seen to get
  std::string kept;            ///< its state at the end; empty: it is not there
  std::vector<std::string> lines;
};

/// What the whole history says about processes and lost calls.
struct Surroundings {
  std::map<std::string, std::int64_t> killed;  ///< process, and when that began
  std::map<std::int64_t, std::int64_t> left;   ///< worker, and when it began to say goodbye
  std::vector<Span> lost_claims;               ///< calls that may have claimed what nobody knows of
  std::vector<Span> lost_enqueues;             ///< calls that may have enqueued what nobody knows of
  bool closed = false;                         ///< the story is over: what is kept is known
  bool cut = false;                            ///< jobs may be left
};

struct Violation {
  std::string invariant;
  std::int64_t job = 0;
  std::string what;
  std::vector<std::string> lines;  ///< the job's last events
  [[nodiscard]] std::string text() const;
};

/// The earliest time at which the claim may have ceased to be held, but for an end that it told.
[[nodiscard]] std::int64_t may_lapse(const ClaimStory& claim, const Surroundings& around);
/// The end that was taken; nothing: none is known to have been.
[[nodiscard]] const Ending* taken(const ClaimStory& claim);
[[nodiscard]] std::vector<Violation> check(const JobStory& story, const Surroundings& around);

}  // namespace galley::history
