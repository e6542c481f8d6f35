#include "telemetry/histogram.hpp"

#include "fuzz/target.hpp"
#include "fuzz/targets.hpp"

namespace galley::fuzz {

void histogram(std::string_view input) {
  using telemetry::Histogram;
  const auto read = Histogram::decode(input);
  if (refused(read)) return;
  require(read->encode() == input, "what was read is written the same");
  require(input.size() <= Histogram::kMaxBytes, "a histogram is bounded");
  require(read->empty() == (read->count() == 0), "what is empty counts nothing");
  Duration last{0};
  for (const double q : {0.0, 0.5, 0.99, 1.0}) {
    const Duration at = read->quantile(q);
    require(at >= last && at <= read->max(), "quantiles grow up to the maximum");
    last = at;
  }
  require(read->count_within(Duration::max()) <= read->count(), "no more are within an edge than there are");
  Histogram sum = *read;
  sum.merge(*read);
  require(sum.count() >= read->count() && sum.max() == read->max(), "a sum has at least as many");
  require(Histogram::decode(sum.encode()).has_value(), "a sum can be written and read");
}

}  // namespace galley::fuzz
