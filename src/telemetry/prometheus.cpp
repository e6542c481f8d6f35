#include "telemetry/prometheus.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "base/assert.hpp"
#include "base/text.hpp"

namespace galley::telemetry {

namespace {

bool is_name(std::string_view name, bool colons) noexcept {
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
  };
  if (name.empty() || !fits(name.front())) return false;
  for (const char c : name) {
    if (!fits(c) && (c < '0' || c > '9')) return false;
  }
  return true;
}

void escape(std::string& out, std::string_view text, bool quotes) {
  for (const char c : base::to_utf8(text)) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    out += c;
  }
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> digits{};  // the shortest form of a double has 24 characters at most
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

/// Exact: "0.0005", "1", "121.403". At least 0.
std::string seconds(Duration duration) {
  std::string fraction = std::to_string(duration.count() % 1'000'000);
  fraction.insert(0, 6 - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return std::to_string(duration.count() / 1'000'000) + (fraction.empty() ? "" : ".") + fraction;
}

std::string_view name(MetricType type) noexcept {
  switch (type) {
    case MetricType::Counter: return "counter";
    case MetricType::Gauge: return "gauge";
    case MetricType::Histogram: return "histogram";
  }
  return "untyped";
}

}  // namespace

void PrometheusWriter::family(std::string_view name, MetricType type, std::string_view help) {
  GALLEY_ASSERT(is_name(name, true));
  GALLEY_ASSERT(name.ends_with("_total") == (type == MetricType::Counter));
  name_ = name;
  type_ = type;
  GALLEY_ASSERT(names_.insert(name_).second);
  out_ += "# HELP " + name_ + ' ';
  escape(out_, help, false);
  out_ += "\n# TYPE " + name_ + ' ';
  out_ += telemetry::name(type);
  out_ += '\n';
}

void PrometheusWriter::label(bool& first, std::string_view name, std::string_view value) {
  out_ += first ? '{' : ',';
  first = false;
  out_ += name;
  out_ += "=\"";
  escape(out_, value, true);
  out_ += '"';
}

void PrometheusWriter::series(std::string_view suffix, const std::vector<Label>& labels, std::string_view le) {
  GALLEY_ASSERT(!name_.empty());
  out_ += name_;
  out_ += suffix;
  bool first = true;
  for (const Label& one : labels) {
    GALLEY_ASSERT(is_name(one.name, false) && !one.name.starts_with("__"));
    GALLEY_ASSERT(type_ != MetricType::Histogram || one.name != "le");
    label(first, one.name, one.value);
  }
  if (!le.empty()) label(first, "le", le);
  out_ += first ? " " : "} ";
}

void PrometheusWriter::sample(const std::vector<Label>& labels, double value) {
  GALLEY_ASSERT(type_ != MetricType::Histogram);
  GALLEY_ASSERT(type_ != MetricType::Counter || value >= 0);
  series("", labels);
  out_ += number(value) + '\n';
}

void PrometheusWriter::sample(const std::vector<Label>& labels, std::int64_t value) {
  GALLEY_ASSERT(type_ != MetricType::Histogram);
  GALLEY_ASSERT(type_ != MetricType::Counter || value >= 0);
  series("", labels);
  out_ += std::to_string(value) + '\n';
}

void PrometheusWriter::sample(const std::vector<Label>& labels, const Histogram& histogram,
                              std::span<const Duration> edges) {
  GALLEY_ASSERT(type_ == MetricType::Histogram);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    GALLEY_ASSERT(edges[i] > (i == 0 ? Duration{0} : edges[i - 1]));
    series("_bucket", labels, seconds(edges[i]));
    out_ += std::to_string(histogram.count_within(edges[i])) + '\n';
  }
  series("_bucket", labels, "+Inf");
  out_ += std::to_string(histogram.count()) + '\n';
  series("_sum", labels);
  out_ += seconds(histogram.sum()) + '\n';
  series("_count", labels);
  out_ += std::to_string(histogram.count()) + '\n';
}

void PrometheusWriter::sample(const std::vector<Label>& labels, std::span<const Duration> edges,
                              std::span<const std::int64_t> within, std::int64_t count, double sum_seconds) {
  GALLEY_ASSERT(type_ == MetricType::Histogram);
  GALLEY_ASSERT(edges.size() == within.size());
  for (std::size_t i = 0; i < edges.size(); ++i) {
    series("_bucket", labels, seconds(edges[i]));
    out_ += std::to_string(within[i]) + '\n';
  }
  series("_bucket", labels, "+Inf");
  out_ += std::to_string(count) + '\n';
  series("_sum", labels);
  out_ += number(sum_seconds) + '\n';
  series("_count", labels);
  out_ += std::to_string(count) + '\n';
}

}  // namespace galley::telemetry
