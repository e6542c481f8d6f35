#include "telemetry/prometheus.hpp"

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

namespace {

/// A sample line of the text format 0.0.4, read as its specification says.
class Sample {
 public:
  explicit Sample(std::string_view line) : left_(line) {
    name_ = upto("{ ");
    if (left_.front() == '{') read_labels();
    require(left_.starts_with(' '), "a value stands behind a blank", line);
    value_ = left_.substr(1);
    require(!value_.empty() && value_.find(' ') == std::string_view::npos, "a value is one word", line);
  }
  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] const std::vector<std::string>& values() const { return values_; }

 private:
  std::string_view upto(std::string_view ends) {
    const std::size_t end = left_.find_first_of(ends);
    require(end != std::string_view::npos && end > 0, "a name ends", left_);
    const std::string_view name = left_.substr(0, end);
    left_.remove_prefix(end);
    return name;
  }
  void skip(std::string_view text) {
    require(left_.starts_with(text), "a sample has the format's signs", left_);
    left_.remove_prefix(text.size());
  }
  void read_labels() {
    skip("{");
    while (!left_.starts_with("}")) {
      static_cast<void>(upto("="));
      skip("=\"");
      values_.emplace_back();
      while (!left_.starts_with("\"")) {
        require(!left_.empty(), "a label's value ends");
        if (left_.front() == '\\') {
          left_.remove_prefix(1);
          require(left_.starts_with("n") || left_.starts_with("\\") || left_.starts_with("\""), "an escape is known");
          values_.back() += left_.front() == 'n' ? '\n' : left_.front();
        } else {
          values_.back() += left_.front();
        }
        left_.remove_prefix(1);
      }
      skip("\"");
      if (left_.starts_with(",")) skip(",");
    }
    skip("}");
  }

  std::string_view left_;
  std::string_view name_;
  std::string_view value_;
  std::vector<std::string> values_;
};

}  // namespace

/// Values of two labels, on a line each (the second to the end), and the help between them.
void prometheus(std::string_view input) {
  Bytes bytes(input);
  const std::string first(bytes.line());
  const std::string help(bytes.line());
  const std::string second(bytes.rest());
  std::string text;
  telemetry::PrometheusWriter writer(text);
  writer.family("galley_jobs", telemetry::MetricType::Gauge, base::to_utf8(help));
  writer.sample({{"queue", first}, {"kind", second}}, static_cast<std::int64_t>(input.size()));
  writer.family("galley_wait_seconds", telemetry::MetricType::Histogram, "Waiting.");
  telemetry::Histogram waits;
  waits.add(Duration(1'000));
  const std::vector<Duration> edges = {Duration(500), Duration(1'000'000)};
  writer.sample({{"queue", second}}, waits, edges);

  require(base::is_utf8(text) && text.ends_with('\n'), "the text is UTF-8, in whole lines");
  std::size_t samples = 0;
  std::size_t comments = 0;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with('#')) {
      ++comments;
      continue;
    }
    const Sample sample(line);
    require(sample.name().starts_with("galley_"), "a sample belongs to a family", line);
    if (++samples == 1) {
      require(sample.values() == std::vector{base::to_utf8(first), base::to_utf8(second)},
              "the labels' values come back", line);
    }
  }
  require(comments == 4 && samples == 6, "nothing that was given makes a line of its own", text);
}

}  // namespace galley::fuzz
