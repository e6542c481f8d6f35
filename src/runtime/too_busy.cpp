#include "galley/runtime/too_busy.hpp"

#include <algorithm>
#include <string>

#include "base/duration.hpp"
#include "base/random.hpp"
#include "galley/error.hpp"

namespace galley {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

[[noreturn]] void refuse(const std::string& option, const std::string& value, const std::string& allowed) {
  throw Exception(Error{Errc::InvalidInput, option + " " + value + " is not allowed: " + allowed});
}

void check_interval(Duration interval) {
  if (interval < milliseconds(16) || interval > hours(1))
    refuse("interval", base::format_duration_exactly(interval), "16ms..1h");
}

void check(const TooBusyOptions& options) {
  if (options.max_lag < milliseconds(10) || options.max_lag > hours(1)) {
    refuse("max_lag", base::format_duration_exactly(options.max_lag), "10ms..1h");
  }
  check_interval(options.interval);
  if (!(options.smoothing_factor > 0 && options.smoothing_factor <= 1)) {
    refuse("smoothing_factor", std::to_string(options.smoothing_factor), "above 0, at most 1");
  }
  if (options.on_lag_above && *options.on_lag_above < Duration{0}) {
    refuse("on_lag_above", base::format_duration_exactly(*options.on_lag_above), "0 or more");
  }
}

double in_ns(nanoseconds duration) { return static_cast<double>(duration.count()); }

}  // namespace

class TooBusy::Impl {
 public:
  explicit Impl(TooBusyOptions options)
      : options_(std::move(options)),
        random_(options_.seed == 0 ? base::Random::seeded_by_system() : base::Random(options_.seed)) {}

  void tick(nanoseconds now) {
    const std::optional<nanoseconds> before = std::exchange(last_, now);
    if (!before) return;
    const nanoseconds lag = std::max(nanoseconds{0}, now - *before - nanoseconds(options_.interval));
    lag_ns_ = options_.smoothing_factor * in_ns(lag) + (1 - options_.smoothing_factor) * lag_ns_;
    if (options_.on_lag && lag_ns_ > in_ns(options_.on_lag_above.value_or(options_.max_lag)))
      options_.on_lag(smoothed());
  }
  [[nodiscard]] double share() const noexcept {
    const double max_lag = in_ns(options_.max_lag);
    return std::clamp((lag_ns_ - max_lag) / max_lag, 0.0, 1.0);
  }
  [[nodiscard]] bool draw() { return random_.unit() < share(); }
  [[nodiscard]] nanoseconds smoothed() const noexcept { return nanoseconds(static_cast<std::int64_t>(lag_ns_)); }
  void set_interval(Duration interval) {
    options_.interval = interval;
    lag_ns_ = 0;
  }
  [[nodiscard]] Duration interval() const noexcept { return options_.interval; }

 private:
  TooBusyOptions options_;
  base::Random random_;
  std::optional<nanoseconds> last_;
  double lag_ns_ = 0;
};

TooBusy::TooBusy(TooBusyOptions options) {
  check(options);
  impl_ = std::make_unique<Impl>(std::move(options));
}

TooBusy::~TooBusy() = default;

void TooBusy::tick(nanoseconds now) { impl_->tick(now); }
bool TooBusy::operator()() { return impl_->draw(); }
double TooBusy::share() const noexcept { return impl_->share(); }
nanoseconds TooBusy::lag() const noexcept { return impl_->smoothed(); }
Duration TooBusy::interval() const noexcept { return impl_->interval(); }

void TooBusy::set_interval(Duration interval) {
  check_interval(interval);
  impl_->set_interval(interval);
}

}  // namespace galley
