#include "load/plan.hpp"

#include <charconv>
#include <cmath>
#include <string>

#include "base/duration.hpp"
#include "base/text.hpp"

namespace galley::load {

namespace {

Error refused(std::string_view part, const std::string& why) {
  return {Errc::InvalidInput, "rate " + base::quoted(part) + ": " + why};
}

Result<double> number_from(std::string_view part, std::string_view text) {
  double value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (fault != std::errc{} || end != text.data() + text.size() || !(value >= 0) || value > kMaxRate) {
    return refused(part, base::quoted(text) + " is not a number of requests a second from 0 to 1000000");
  }
  return value;
}

/// "RATE", "RATE:LENGTH", "FROM..TO:LENGTH".
Result<Stretch> stretch_from(std::string_view part) {
  Stretch stretch;
  const std::size_t colon = part.find(':');
  if (colon != std::string_view::npos) {
    const auto length = base::parse_duration("rate " + base::quoted(part), part.substr(colon + 1));
    if (!length) return length.error();
    if (*length <= Duration{0}) return refused(part, "its length must be more than 0");
    stretch.length = *length;
  }
  const std::string_view rates = part.substr(0, colon);
  const std::size_t dots = rates.find("..");
  const auto from = number_from(part, rates.substr(0, dots));
  if (!from) return from.error();
  const auto to = dots == std::string_view::npos ? from : number_from(part, rates.substr(dots + 2));
  if (!to) return to.error();
  stretch.from = *from;
  stretch.to = *to;
  return stretch;
}

double seconds(Duration length) { return std::chrono::duration<double>(length).count(); }

double requests_of(const Stretch& stretch) { return (stretch.from + stretch.to) / 2 * seconds(stretch.length); }

/// When the stretch has come to `count` requests: the root of from * t + (to - from) / length * t^2 / 2 = count, in the
/// form that does not cancel.
double time_of(const Stretch& stretch, double count) {
  const double slope = (stretch.to - stretch.from) / seconds(stretch.length);
  const double root = std::sqrt(std::max(0.0, stretch.from * stretch.from + 2 * slope * count));
  return count == 0 ? 0 : 2 * count / (stretch.from + root);
}

Result<void> check(std::string_view rate, const std::vector<Stretch>& stretches) {
  double requests = 0;
  Duration length{0};
  for (const Stretch& stretch : stretches) {
    requests += requests_of(stretch);
    length += stretch.length;
  }
  if (length > kMaxLength) {
    return refused(rate, "a test of " + base::format_duration(length) + " is not allowed; allowed are at most 7 days");
  }
  if (requests < 1) return refused(rate, "this plan has not one request");
  if (requests > static_cast<double>(kMaxRequests)) return refused(rate, "this plan has more than 1000000000 requests");
  return {};
}

}  // namespace

Result<std::vector<Stretch>> stretches_from(std::string_view rate, std::optional<Duration> duration) {
  std::vector<Stretch> stretches;
  Duration planned{0};
  for (std::size_t begin = 0; begin <= rate.size();) {
    const std::size_t comma = std::min(rate.find(',', begin), rate.size());
    auto stretch = stretch_from(rate.substr(begin, comma - begin));
    if (!stretch) return stretch.error();
    begin = comma + 1;
    const bool last = begin > rate.size();
    if (stretch->length == Duration{0}) {
      if (!last) return refused(rate, "only the last part may have no length");
      if (!duration) return refused(rate, "give its length, as in 100:30s, or --duration 30s");
      if (*duration <= planned) return refused(rate, "the parts before the last one take all of the duration");
      stretch->length = *duration - planned;
    }
    planned += stretch->length;
    stretches.push_back(*stretch);
    if (stretches.size() > kMaxStretches) return refused(rate, "more than 1000 parts are not allowed");
  }
  if (duration && planned != *duration) {
    return refused(rate, "its parts take " + base::format_duration(planned) + " together, and the duration is " +
                             base::format_duration(*duration) + "; leave one of them out");
  }
  if (auto valid = check(rate, stretches); !valid) return valid.error();
  return stretches;
}

Plan::Plan(std::vector<Stretch> stretches, std::optional<std::uint64_t> poisson_seed)
    : stretches_(std::move(stretches)) {
  if (poisson_seed) random_.emplace(*poisson_seed);
  for (const Stretch& stretch : stretches_) length_ += stretch.length;
}

double Plan::requests() const noexcept {
  double sum = 0;
  for (const Stretch& stretch : stretches_) sum += requests_of(stretch);
  return sum;
}

double Plan::step() {
  if (random_) return -std::log1p(-random_->unit());
  return started_ ? 1 : 0;
}

std::optional<Moment> Plan::next() {
  count_ += step();
  started_ = true;
  constexpr double kRounding = 1e-6;  // an evenly spaced plan of 1000 requests has no 1001st at its very end
  while (at_ < stretches_.size()) {
    const Stretch& stretch = stretches_[at_];
    const double inside = count_ - before_;
    if (inside < requests_of(stretch) - kRounding) {
      const auto since = std::chrono::duration<double>(time_of(stretch, inside));
      return began_ + std::chrono::duration_cast<Moment>(since);
    }
    before_ += requests_of(stretch);
    began_ += stretch.length;
    ++at_;
  }
  return std::nullopt;
}

}  // namespace galley::load
