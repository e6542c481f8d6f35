#pragma once
// What a load test has seen. Pure.
//
// Response time counts from the moment for which a request was planned: what a user has waited who came at that moment.
// Service time counts from when it was sent. A server that stalls for a second delays all who come in that second; in
// service times only the one request that was on its way shows it.
//
// Thread-safety: a plain value.

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <string>

#include "load/plan.hpp"
#include "telemetry/hdr_histogram.hpp"

namespace galley::load {

/// How one request ended.
struct Outcome {
  enum class Kind : std::uint8_t {
    Answered,  ///< with `status`
    Refused,   ///< no connection could be made
    Broken,    ///< the connection ended, or what came was no answer
    TimedOut,
  };
  Kind kind = Kind::Answered;
  int status = 0;
};
inline constexpr int kOutcomeKinds = 4;
/// "answered", "refused", "broken", "timed_out".
[[nodiscard]] std::string_view name(Outcome::Kind kind) noexcept;

/// A request that the generator itself took up later than this after its moment is late; with more than kMaxLate of
/// them the machine was too slow for the plan, and the figures say more about it than about the server.
inline constexpr Duration kLateAfter = std::chrono::milliseconds(1);
inline constexpr double kMaxLate = 0.05;

struct Report {
  Moment length{0};           ///< from the first moment of the plan to the last answer
  Moment planned_length{0};   ///< of the plan, as far as it was carried out
  std::int64_t taken_up = 0;  ///< requests whose moment came
  std::int64_t late = 0;      ///< of those
  std::int64_t unsent = 0;    ///< they found neither a free connection nor room to wait for one, or the test was ended
  std::array<std::int64_t, kOutcomeKinds> outcomes{};  ///< by Outcome::Kind
  std::map<int, std::int64_t> statuses;
  /// An answer is good when its status is below 400 and, where this is not 0, its response time within this.
  Moment deadline{0};
  std::int64_t good = 0;
  telemetry::HdrHistogram ok;        ///< response time of all that were answered with a status below 400
  telemetry::HdrHistogram response;  ///< of the answered ones, and of those that timed out
  telemetry::HdrHistogram service;   ///< the same
  telemetry::HdrHistogram lateness;  ///< of all that were taken up

  void took_up(Moment planned, Moment now);
  void ended(Moment planned, Moment sent, Moment now, const Outcome& outcome);

  [[nodiscard]] std::int64_t answered() const noexcept { return outcomes[0]; }
  /// Those that were not answered, whatever the reason.
  [[nodiscard]] std::int64_t failed() const noexcept;
  /// The generator kept up with its plan.
  [[nodiscard]] bool valid() const noexcept;
};

/// Times in milliseconds, rates in requests a second.
[[nodiscard]] boost::json::object to_json(const Report& report);
/// Lines for people.
[[nodiscard]] std::string to_text(const Report& report);

}  // namespace galley::load
