#pragma once
// The two forms of a result: a plain table, or one JSON object a line.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// The values of one contender, a run each, and what they are compared with.
struct Series {
  std::string who;           ///< "galley"
  std::vector<double> runs;  ///< never empty
  std::string against;       ///< whose median the ratio is of; empty: no ratio
};

struct Result {
  std::string what;  ///< "bulk enqueue"
  std::string unit;  ///< "jobs/s"
  std::vector<Series> series;
  std::string aim = {};  ///< of the first contender, "at most 45: met"; empty: none
};

[[nodiscard]] double median(std::vector<double> runs);

using Facts = std::vector<std::pair<std::string, std::string>>;

class Report {
 public:
  explicit Report(bool json) : json_(json) {}

  /// What is true of the machine and of the run.
  void facts(const Facts& facts) const;
  /// Under one heading; results of the same contenders side by side. Medians, ratios, and how far the runs lie apart.
  void results(const std::string& heading, const std::vector<Result>& results) const;

 private:
  bool json_;
};

/// Cores, processor, kernel, compiler, and the load before.
[[nodiscard]] Facts machine_facts();
/// The file system, and the cost of a sync there.
[[nodiscard]] Facts disk_facts(const std::filesystem::path& dir);

/// Seconds of CPU time since the machine started: what there was, and what others than this program had of it (the
/// kernel's own and what the host took away count as others).
struct CpuTime {
  double all = 0;
  double others = 0;
};
[[nodiscard]] CpuTime cpu_time();
[[nodiscard]] std::string share_of_others(const CpuTime& before, const CpuTime& after);

}  // namespace bench
