#pragma once
// The lines of one screen of `galley top`, from what was seen of a store. Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "cli/running.hpp"
#include "engine/explain_rooms.hpp"
#include "store/store.hpp"

namespace galley::cli::top {

/// What one look at a store gives.
struct Snapshot {
  Time now{};
  store::StoreInfo info;
  std::vector<store::QueueStats> queues;
  std::vector<store::LaneStats> lanes;
  std::vector<store::WorkerStats> workers;
  std::vector<store::Minute> minutes;  ///< of the last kRateMinutes
  std::vector<RunningJob> running{};
  std::vector<std::vector<engine::PoolRoom>> rooms{};  ///< of the workers, in their order; may be of a moment ago
};

struct Totals {
  std::int64_t enqueued = 0;
  std::int64_t completed = 0;
  std::int64_t failed = 0;
};

struct PerSecond {
  double enqueued = 0;
  double completed = 0;
  double failed = 0;
};

/// What was counted between two looks; minutes that only the earlier one saw do not count.
[[nodiscard]] Totals change(const std::vector<store::Minute>& before, const std::vector<store::Minute>& after);

/// The rate of the last seconds, from looks that come one after the other. Workers tell what they did every few
/// seconds, so a single second says little.
class Pace {
 public:
  void look(base::Mono at, const std::vector<store::Minute>& minutes);
  /// Nothing before the second look.
  [[nodiscard]] std::optional<PerSecond> rates() const;

 private:
  struct Look {
    base::Mono at;
    Totals totals;  ///< since the first one
  };
  std::vector<Look> looks_;  ///< the last kPaceTime
  std::vector<store::Minute> minutes_;
};

/// Kinds whose attempts failed lately, most failures first.
struct Failing {
  std::string queue;
  std::string kind;
  double per_minute = 0;
  std::int64_t dead = 0;
};
[[nodiscard]] std::vector<Failing> failing(const Snapshot& seen);

/// (queue, kind) -> what its errors are called.
using ErrorClasses = std::map<std::pair<std::string, std::string>, std::string>;

/// Of the terminal; 0: as much as there is.
struct Size {
  std::size_t columns = 0;
  std::size_t lines = 0;
};

struct Look {
  const Snapshot& seen;
  std::optional<PerSecond> pace{};
  ErrorClasses errors{};
  std::string trouble{};  ///< why this is not what the store says now; empty: it is
  bool paused = false;
  std::size_t scrolled = 0;  ///< rows, of every section that has more than there is room for
  bool keys = false;         ///< with a last line that names the keys
};

struct Line {
  std::string text;  ///< printable, and no longer than the screen is wide
  bool title = false;
};

/// At most `size.lines` lines.
[[nodiscard]] std::vector<Line> screen(const Look& look, Size size);

enum class Key : std::uint8_t { Quit, Pause, Up, Down, PageUp, PageDown, Refresh };
/// What a person typed, as a terminal sends it; what means nothing is left out.
[[nodiscard]] std::vector<Key> keys_from(std::string_view bytes);

}  // namespace galley::cli::top
