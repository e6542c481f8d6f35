#pragma once
// When the requests of a load test are meant to be sent: decided before the first answer is known, so that a slow
// server cannot slow its own test down (an open loop; a closed one, which waits for answers, never shows overload).
//
// Between two times the rate goes in a straight line. With N(t) requests planned up to t, the n-th one stands at
// N(t) = n; of a Poisson plan at N(t) = the sum of n exponential draws of mean 1 (the time change of a non-homogeneous
// Poisson process: Çinlar, "Introduction to Stochastic Processes", 1975, section 4.7).
//
// Pure. Thread-safety: none.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "galley/error.hpp"
#include "galley/job.hpp"

namespace galley::load {

/// Since the beginning of the test.
using Moment = std::chrono::nanoseconds;

inline constexpr double kMaxRate = 1'000'000;                // requests a second: more than one core sends
inline constexpr std::int64_t kMaxRequests = 1'000'000'000;  // of a plan
inline constexpr std::chrono::hours kMaxLength{24 * 7};
inline constexpr std::size_t kMaxStretches = 1'000;

/// Requests a second, at its beginning and at its end.
struct Stretch {
  double from = 0;
  double to = 0;
  Duration length{0};
};

/// "1000" for all of `duration`; "100:10s,500:1m" in steps; "0..1000:30s" a ramp; or a mixture of them. The last
/// stretch may leave its length out: what is left of `duration`. Errors: InvalidInput naming the part, its value and
/// what is allowed.
[[nodiscard]] Result<std::vector<Stretch>> stretches_from(std::string_view rate, std::optional<Duration> duration);

class Plan {
 public:
  /// Evenly spaced, or with `poisson_seed` as independent arrivals of the same mean.
  explicit Plan(std::vector<Stretch> stretches, std::optional<std::uint64_t> poisson_seed = std::nullopt);

  /// The next request's; nothing: there is none left. Never goes back.
  [[nodiscard]] std::optional<Moment> next();
  [[nodiscard]] Moment length() const noexcept { return length_; }
  /// Its mean number of requests.
  [[nodiscard]] double requests() const noexcept;

 private:
  [[nodiscard]] double step();

  std::vector<Stretch> stretches_;
  std::optional<base::Random> random_;
  Moment length_{0};
  std::size_t at_ = 0;    ///< the stretch
  Moment began_{0};       ///< when it began
  double before_ = 0;     ///< requests of the stretches before it
  double count_ = 0;      ///< N of the last request
  bool started_ = false;  ///< an evenly spaced plan sends its first request at once
};

}  // namespace galley::load
