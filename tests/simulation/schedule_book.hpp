#pragma once
// What schedules have promised, kept apart from the store: each tick is decided on once, what gets a job gets one job,
// and nothing that is due is left out. Of "@every" rules, whose ticks are easily counted. Throws a Violation.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "simulation/violation.hpp"
#include "store/store.hpp"

namespace galley::simulation {

class ScheduleBook {
 public:
  /// After the call that has put it. Its job is the same whenever it is put again; its payload is the schedule's name.
  void put(const store::Schedule& schedule, Duration every);
  void removed(const std::string& name) { known_.erase(name); }
  void paused(const std::string& name, bool is_paused);

  /// The pattern of the schedule that has enqueued this job; nothing: none has.
  [[nodiscard]] const job::NewJob* ticked(const std::string& payload);

  struct Now {
    Time wall;
    bool stepped = false;  ///< the call was a step: nothing that is due may be left
    const std::map<std::string, std::int64_t>& bounds;
    std::function<bool(JobId)> is_live;
  };
  void check(const std::vector<store::ScheduleStats>& stats, const Now& now);

 private:
  struct Known {
    store::Schedule schedule;
    Duration every{};
    Time anchor{};
    std::int64_t base = 0;     ///< ticks of former rules
    std::int64_t decided = 0;  ///< since the anchor
    std::int64_t enqueued = 0;
    std::optional<JobId> last_job;
    bool paused = false;
    int appeared = 0;                    ///< jobs, in the present call
    std::optional<store::Schedule> put;  ///< in the present call
    Duration put_every{};
    std::optional<bool> pause;  ///< in the present call
  };
  void check_one(Known& known, const store::ScheduleStats& stats, const Now& now) const;
  [[nodiscard]] static std::int64_t expected(const Known& known, std::int64_t decided, Time wall);

  std::map<std::string, Known> known_;
};

}  // namespace galley::simulation
