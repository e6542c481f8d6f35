#pragma once
// Fair shares among the lanes of a kind, and limits: the pure rules that every backend follows.
//
// Shares are start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", SIGCOMM 1996, section 2) with
// every job of the same length. A lane's `turn` is the start tag of its next job; a share group's virtual time is the
// start tag of the job that was claimed last. A lane is the ready jobs of one kind, key and set of limits; the jobs
// with none of these are one lane more, of weight 1.
//
// A rate is the generic cell rate algorithm (ITU-T I.371, annex A; the "virtual scheduling" form): a job may start at
// `now` if now >= arrival - (burst - 1) * interval; then arrival = max(arrival, now) + interval, where `arrival` is the
// theoretical arrival time of the next job and interval = period / rate. All of it in whole microseconds, the interval
// rounded up, so that a rate is never exceeded.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace galley::store {

/// Of a job of a lane of weight 1. Divided by a weight it is at least a thousand, so its rounding is below 0.1 %.
inline constexpr std::int64_t kTurnCost = 1'000'000;
/// A step of priority is this many jobs' head start: strict in practice, and nothing starves.
inline constexpr std::int64_t kTurnStep = 1'000'000 * kTurnCost;
/// How long a lane without ready jobs is remembered. Without a memory a key that has one job at a time would always go
/// first; after a minute nobody gains by that.
inline constexpr Duration kKeepTurn = std::chrono::minutes(1);

/// What the lanes of one kind, or all commands of a queue, have in common.
struct Share {
  std::int64_t time = 0;   ///< the start tag of what was claimed last
  std::int64_t plain = 0;  ///< the turn of the jobs without key and limits
};

/// Where a lane stands: the least goes first.
[[nodiscard]] constexpr std::int64_t standing_of(std::int64_t turn, int priority) noexcept {
  return turn - priority * kTurnStep;
}
/// The turn of a lane whose first job becomes ready; `idle`: since its last one had left.
[[nodiscard]] constexpr std::int64_t turn_again(std::int64_t turn, std::int64_t time, Duration idle) noexcept {
  return idle > kKeepTurn ? time : std::max(turn, time);
}
/// Claims a job of a lane.
constexpr void take_turn(std::int64_t& turn, std::int64_t& time, int weight) noexcept {
  time = std::max(turn, time);
  turn = time + kTurnCost / weight;
}

/// The names of a job's limits as one text by which lanes are told apart: sorted, with commas, which no name has.
[[nodiscard]] std::string text_of(std::vector<std::string> limits);
[[nodiscard]] std::vector<std::string> limits_from(const std::string& text);

/// A kind's expected run time after some more runs: a mean that forgets, by an eighth for each report, which comes
/// every few seconds (as RFC 6298 smooths round trips). 0: none was learned yet.
void learn(Duration& expected, const telemetry::Histogram& runs) noexcept;

/// What a limit counts.
struct Use {
  std::int64_t running = 0;
  std::int64_t arrival_us = 0;  ///< the theoretical arrival time; where it has passed it is nothing
  friend bool operator==(const Use&, const Use&) = default;
};

/// What a limit lets start now.
struct Room {
  std::int64_t jobs = 0;
  std::optional<std::int64_t> until_us;  ///< where it is 0 only because of the rate: when there is room
};
[[nodiscard]] Room room_in(const LimitRule& rule, Use use, std::int64_t now_us) noexcept;
/// Counts a start, and its end. `never`: it was put back before it ran, so long after it had been claimed. The rate
/// gets its start back then, less that time: others may have started meanwhile by what had gathered since.
void count_start(const LimitRule& rule, Use& use, std::int64_t now_us) noexcept;
void count_end(const LimitRule& rule, Use& use, std::optional<Duration> never) noexcept;
/// It counts nothing, and need not be kept.
[[nodiscard]] bool is_nothing(const LimitRule& rule, const Use& use, std::int64_t now_us) noexcept;
/// Starts that the rate allows; nothing: any number.
[[nodiscard]] std::optional<std::int64_t> tokens_in(const LimitRule& rule, Use use, std::int64_t now_us) noexcept;

[[nodiscard]] Error no_such_limit(const LimitTarget& target);
[[nodiscard]] Error too_many_limits();

}  // namespace galley::store
