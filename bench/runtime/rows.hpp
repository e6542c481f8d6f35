#pragma once
// What ./dev bench runtime measures: rows, each with those who are measured side by side. A row is added as a free
// function in a file of its own (kParts in runtime.cpp names them all).
//
// Those of a row take turns, so that a slow minute of the machine hits all of them; what is shown is the median.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/stopwatch.hpp"

namespace bench::runtime {

struct Options {
  bool json = false;
  bool quick = false;  ///< Shows that everything runs; the numbers are worth nothing.
  std::string only;    ///< a part's name; empty: all
  std::string modules = "build/peers";
  int rounds = 5;

  /// So many, or far fewer.
  [[nodiscard]] int times(int many) const { return quick ? std::max(many / 1'000, 8) : many; }
};

/// What the first one of a row is to reach.
struct Aim {
  enum class Kind { AtMost, AtLeast } kind = Kind::AtMost;
  double value = 0;
};

/// One of those who are measured. `measure` does the whole work once and answers a value for each of the row's lines.
struct Entrant {
  std::string who;
  std::function<std::vector<double>()> measure;
};

struct Line {
  std::string what;  ///< "p50"
  std::optional<Aim> aim = std::nullopt;
};

struct Row {
  std::string heading;  ///< "submit to execute, 1 producer, 1 worker"
  std::string unit;     ///< "ns"
  std::vector<Line> lines;
  std::vector<Entrant> entrants;  ///< ours first
  std::string against;            ///< the peer whose median ours is divided by; empty: none
};

[[nodiscard]] std::vector<Row> pool_rows(const Options& options);
[[nodiscard]] std::vector<Row> offload_rows(const Options& options);
[[nodiscard]] std::vector<Row> idle_rows(const Options& options);
[[nodiscard]] std::vector<Row> stall_rows(const Options& options);

/// Adds Node in a role of peers.mjs (its words; see there), which answers as many values. Without what it needs, here
/// node itself or a package, it is left out.
void add_node(std::vector<Entrant>& entrants, const Options& options, const std::string& who, const std::string& words,
              const std::string& package = "");

/// The part `q` (0..1) from below; reorders.
[[nodiscard]] double quantile(std::vector<double>& values, double q);

/// Seconds of CPU time of this process, all threads.
[[nodiscard]] double cpu_seconds();

}  // namespace bench::runtime
