#pragma once
// Writes the Prometheus text exposition format 0.0.4 (Content-Type: text/plain; version=0.0.4; charset=utf-8).
//
//   PrometheusWriter writer(text);
//   writer.family("galley_jobs", MetricType::Gauge, "Jobs by queue and state.");
//   writer.sample({{"queue", "default"}, {"state", "ready"}}, 12);
//
// Names come from the program, so a bad one is a bug and asserts; values of labels may be any bytes. Whoever writes two
// samples of one family owes them different labels.
//
// Thread-safety: none.

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "galley/job.hpp"
#include "telemetry/histogram.hpp"

namespace galley::telemetry {

enum class MetricType : std::uint8_t { Counter, Gauge, Histogram };

struct Label {
  std::string_view name;  ///< [a-zA-Z_][a-zA-Z0-9_]*, not beginning with "__", nor "le" of a histogram
  std::string_view value;
};

class PrometheusWriter {
 public:
  /// Appends to `out`, which is borrowed.
  explicit PrometheusWriter(std::string& out) noexcept : out_(out) {}

  /// The family that the samples from here on belong to; each name once. `name`: [a-zA-Z_:][a-zA-Z0-9_:]*, that of a
  /// counter, and of no other, ends in "_total".
  void family(std::string_view name, MetricType type, std::string_view help);

  /// Of a counter or gauge. NaN and infinities are for gauges; a counter is at least 0.
  void sample(const std::vector<Label>& labels, double value);
  void sample(const std::vector<Label>& labels, std::int64_t value);
  void sample(const std::vector<Label>& labels, int value) { sample(labels, std::int64_t{value}); }
  /// Of a histogram: growing edges over 0, written in seconds, and "+Inf" after them. An edge counts what is known to
  /// be within (Histogram::count_within).
  void sample(const std::vector<Label>& labels, const Histogram& histogram, std::span<const Duration> edges);
  /// Of one that is kept elsewhere: `within` says for each edge how many are known to be at most as long.
  void sample(const std::vector<Label>& labels, std::span<const Duration> edges, std::span<const std::int64_t> within,
              std::int64_t count, double sum_seconds);

 private:
  /// Name and labels; `le` empty: none.
  void series(std::string_view suffix, const std::vector<Label>& labels, std::string_view le = {});
  void label(bool& first, std::string_view name, std::string_view value);

  std::string& out_;
  std::string name_;
  MetricType type_ = MetricType::Gauge;
  std::set<std::string, std::less<>> names_;  ///< of the families so far
};

}  // namespace galley::telemetry
