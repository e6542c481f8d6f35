#pragma once
// Pages of jobs: the walks through the tables that a filter asks for. None scans the jobs; each looks at a bounded
// number of rows and says where the next one goes on.
//
// Thread-safety: none; used inside a reading transaction, under its store's mutex.

#include <array>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/sqlite/directory.hpp"
#include "store/store.hpp"

namespace galley::store::sqlite {

/// What both walks share: how far one call goes.
class Walk {
 public:
  /// Is given the jobs of the page, in order; false: it is full with this one.
  using Take = std::function<bool(JobId)>;

  Walk(Database& db, const Directory& directory, const Filter& filter)
      : db_(db), directory_(directory), filter_(filter) {}
  virtual ~Walk() = default;
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  /// False: `cursor` is not one that such a walk gave.
  [[nodiscard]] virtual bool resume(const std::string& cursor) = 0;
  /// Up to `limit` jobs; where the next page begins, empty after the last one.
  [[nodiscard]] std::string run(std::size_t limit, const Take& take);

 protected:
  [[nodiscard]] virtual std::string walk() = 0;

  [[nodiscard]] bool full() const { return left_ == 0 || looks_ == 0; }
  [[nodiscard]] std::size_t room() const { return std::min(left_, looks_); }
  void looked(std::size_t rows) { looks_ -= std::min(looks_, rows); }
  void give(JobId id) { left_ = (*take_)(id) ? left_ - 1 : 0; }
  [[nodiscard]] bool matches(LaneKey lane) const;

  Database& db_;
  const Directory& directory_;
  const Filter& filter_;

 private:
  std::size_t left_ = 0;   // jobs that the page has room for
  std::size_t looks_ = 0;  // rows that this call may still look at
  const Take* take_ = nullptr;
};

/// By id, through the index of the most selective thing that the filter names (tag, key, error class, batch, time);
/// what else it names is checked row by row.
class IdWalk final : public Walk {
 public:
  using Walk::Walk;
  /// Whether the filter asks for this order.
  [[nodiscard]] static bool suits(const Filter& filter);
  [[nodiscard]] bool resume(const std::string& cursor) override;

 private:
  [[nodiscard]] std::string walk() override;
  [[nodiscard]] std::vector<JobId> next_ids(JobId after, JobId before, std::size_t limit);
  [[nodiscard]] bool fits(JobId id);
  [[nodiscard]] bool is_among(Sql jobs_by, const auto& value, JobId id);
  /// The first id whose job was enqueued at `time` or later: ids grow with it.
  [[nodiscard]] JobId first_since(Time time);

  JobId after_ = 0;
};

/// State by state, through the hot tables, each in its own order.
class StateWalk final : public Walk {
 public:
  using Walk::Walk;
  [[nodiscard]] bool resume(const std::string& cursor) override;

 private:
  /// After which row the page goes on.
  struct At {
    std::size_t state = 0;                                      // index into the order of the states
    std::int64_t a = std::numeric_limits<std::int64_t>::min();  // rank, due time or time of the end
    JobId id = 0;
    std::string queue;
    std::string kind;
  };
  using Row = std::pair<std::int64_t, JobId>;
  /// The lanes of each queue and kind that have jobs in a state: a command's kind has one for each program.
  using Groups = std::map<std::pair<std::string, std::string>, std::vector<LaneKey>>;

  [[nodiscard]] std::string walk() override;
  void load_groups();
  [[nodiscard]] bool wanted(JobState state) const;
  void begin(std::size_t state, std::string queue = {}, std::string kind = {});
  void walk_running();
  void walk_blocked();
  void walk_scheduled();
  void walk_queue(QueueKey queue);
  void walk_lanes(JobState state);
  void walk_group(const std::vector<LaneKey>& lanes, JobState state);
  [[nodiscard]] std::vector<Row> read_lane(LaneKey lane, JobState state, std::size_t limit);

  At at_;
  std::array<Groups, kJobStates> groups_;
};

[[nodiscard]] std::unique_ptr<Walk> walk_for(Database& db, const Directory& directory, const Filter& filter);

}  // namespace galley::store::sqlite
