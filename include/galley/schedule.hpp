#pragma once
// Recurring jobs: an expression of cron's, and the job that is enqueued at each of its ticks.
//
//   galley::Schedule nightly{.name = "nightly", .cron = "0 3 * * *", .zone = "Europe/Berlin"};
//   galley::put_schedule(store, nightly, "reports", "report", Report{"sales"}, galley::timeout(1h)).value();
//
// The ticks are served by the workers of the store, whichever comes first, in the transaction that enqueues the job:
// each tick has exactly one, with any number of workers and no leader. While no worker runs nothing ticks; what was
// missed then is `misfire`'s affair.
//
// Thread-safety: all functions may be called from any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "galley/error.hpp"
#include "galley/job.hpp"
#include "galley/queue.hpp"
#include "galley/recurrence.hpp"
#include "galley/store.hpp"

namespace galley {

struct Schedule {
  std::string name{};  ///< 1..128 of letters, digits, '.', '_' and '-'; what it is put, paused and removed by
  /// "minute hour day-of-month month day-of-week", with the seconds before them if there are six fields; "@daily" and
  /// its like; or "@every 90s", counted from when it was put.
  std::string cron{};
  std::string zone = "UTC";  ///< of the system's database ("Europe/Berlin"), whose daylight changes it follows
  Misfire misfire = Misfire::Once;
  Overlap overlap = Overlap::Allow;
  Duration jitter{0};  ///< Each job is due by its own random share of this after its tick, 0 up to 7 days; 0: at once.
  Duration spread{0};  ///< All jobs are due by the same share of this after their ticks, so that many schedules of one
                       ///< expression do not come at once; 0 up to 7 days; 0: none.
};

struct ScheduleInfo {
  Schedule schedule{};
  std::string queue{};
  std::string kind{};
  bool paused = false;
  std::optional<Time> next_at{};  ///< the tick, without spread and jitter; nothing: there is none
  std::optional<Time> last_at{};  ///< the last tick that was decided on since its times were put
  std::optional<JobId> last_job{};
  std::int64_t enqueued = 0;
  std::int64_t skipped = 0;  ///< ticks without a job
};

/// Adds a schedule, or changes the one of this name. The times unchanged, its next tick stays where it is: putting it
/// again at each start of a program is harmless. Options that belong to one moment (delay, at, token, group) are
/// refused. Returns after it is durable. Errors: InvalidInput naming the field, the value and what is allowed; those of
/// middleware, which sees the job once, here; Unavailable, ...
[[nodiscard]] Result<void> put_schedule_json(const StorePtr& store, const Schedule& schedule, const std::string& queue,
                                             std::string_view kind, std::string json, const JobOptions& options = {});
[[nodiscard]] Result<void> put_schedule_bytes(const StorePtr& store, const Schedule& schedule, const std::string& queue,
                                              std::string_view kind, std::string bytes, const JobOptions& options = {});
/// `kind` empty: the base name of argv[0].
[[nodiscard]] Result<void> put_schedule_command(const StorePtr& store, const Schedule& schedule,
                                                const std::string& queue, const Command& command,
                                                std::string_view kind = {}, const JobOptions& options = {});

/// The same with typed arguments (galley/payload.hpp).
template <class Args, class... Set>
[[nodiscard]] Result<void> put_schedule(const StorePtr& store, const Schedule& schedule, const std::string& queue,
                                        std::string_view kind, const Args& args, const JobOption<Set>&... set) {
  JobOptions options;
  (set.set(options), ...);
  return put_schedule_json(store, schedule, queue, kind, Codec<Args>::encode(args), options);
}

/// The jobs that it has enqueued stay. Errors: NotFound.
[[nodiscard]] Result<void> remove_schedule(const StorePtr& store, const std::string& name);
/// The ticks of a paused schedule pass without a job. Both are idempotent. Errors: NotFound.
[[nodiscard]] Result<void> pause_schedule(const StorePtr& store, const std::string& name);
[[nodiscard]] Result<void> resume_schedule(const StorePtr& store, const std::string& name);
/// All, in the order of their names; there are at most 10,000.
[[nodiscard]] Result<std::vector<ScheduleInfo>> schedules(const StorePtr& store);

/// The first `count` ticks after `after`, up to 1,000, without spread and jitter; those of "@every" are counted from
/// `after`. For looking at an expression before it is put. Errors: InvalidInput.
[[nodiscard]] Result<std::vector<Time>> next_ticks(const Schedule& schedule, Time after, std::size_t count);

}  // namespace galley
