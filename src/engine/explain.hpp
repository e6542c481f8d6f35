#pragma once
// Why a job does not run (yet), in words, with what to do about it; and its time line. The reasoning is a pure function
// of what was seen, so that every surface answers the same.
//
// Thread-safety: plain values; gather as the store.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace galley::engine {

/// How many jobs of its kind are in line before a ready one.
struct InLine {
  std::int64_t before = 0;
  bool at_least = false;  ///< there was more to look at than one look may
};

/// A running job, as far as it tells whose slots are busy.
struct Runs {
  JobId id = 0;
  std::string queue;
  std::string kind;
  std::string worker;
  Time started_at{};
};

/// What the reasoning looks at. Of a job that does not wait, only the first four are filled, and of an ended one
/// no workers.
struct Facts {
  Time now{};
  job::JobRecord job;
  std::vector<job::AttemptRecord> attempts;
  std::vector<store::WorkerStats> workers;
  std::vector<store::QueueStats> queues;
  std::vector<store::LaneStats> lanes;
  std::vector<Runs> running;                 ///< at most limits::kMaxPage
  std::optional<InLine> in_line;             ///< of a ready job
  std::int64_t ended = 0;                    ///< attempts of its queue and kind that ended...
  Duration ended_over{0};                    ///< ...in the last so much time
  std::optional<store::BatchStats> batch;    ///< that it awaits
  store::Standing standing;                  ///< of a ready job: what it shares with others
  std::optional<job::JobRecord> goes_first;  ///< the job that standing names as the first of its key
  std::string schedule;                      ///< whose last tick it is; empty: of none
  std::vector<store::Minute> minutes;        ///< of a ready job: all that are kept
};

/// One answer. Codes are stable; docs/watch.md lists them.
struct Reason {
  std::string code;
  std::string text;    ///< one sentence for a person; of user's names and errors unescaped
  std::string advice;  ///< what to do; empty: nothing
};

/// One event of a job's life.
struct Moment {
  Time at{};
  std::string what;
  bool ahead = false;  ///< it has not come yet
};

struct Explanation {
  std::vector<Reason> reasons;   ///< at least one; the one that matters first stands first
  std::vector<Reason> notes;     ///< what else is good to know
  std::vector<Moment> timeline;  ///< by time
};

[[nodiscard]] Explanation explain(const Facts& facts);
/// The time line alone.
[[nodiscard]] std::vector<Moment> timeline_of(const Facts& facts);

/// How long ago a running attempt should have ended at the latest: its job's own time-out or deadline and its grace are
/// over. Less than zero: there is time left; nothing: it has no bound. A worker's time-out of its kind is not seen.
[[nodiscard]] std::optional<Duration> overrun(const job::JobRecord& job, Time now);

/// Looks at all that `explain` needs, with bounded verbs. Errors: NotFound, and those of the store.
[[nodiscard]] Result<Facts> gather(store::Store& store, const base::Clock& clock, JobId id);

/// Text up to its first line's end.
[[nodiscard]] std::string first_line(std::string_view text);

}  // namespace galley::engine
