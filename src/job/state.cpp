#include "job/state.hpp"

#include <array>
#include <cstddef>

namespace galley {

namespace {
constexpr std::array<std::string_view, kJobStates> kStateNames{
    "scheduled", "ready", "blocked", "running", "completed", "dead", "cancelled", "discarded", "expired"};
constexpr std::array<std::string_view, 3> kOnTimeoutNames{"pause", "retry", "dead"};
constexpr std::array<std::string_view, 2> kUntilNames{"start", "finish"};
constexpr std::array<std::string_view, 3> kOnConflictNames{"ignore", "replace", "error"};

template <class Enum, std::size_t N>
std::optional<Enum> from(const std::array<std::string_view, N>& names, std::string_view text) noexcept {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}
}  // namespace

std::string_view name(JobState state) noexcept { return kStateNames[static_cast<std::size_t>(state)]; }

std::optional<JobState> job_state_from(std::string_view text) noexcept { return from<JobState>(kStateNames, text); }

bool is_ended(JobState state) noexcept { return state >= JobState::Completed; }

std::string_view name(OnTimeout action) noexcept { return kOnTimeoutNames[static_cast<std::size_t>(action)]; }

std::optional<OnTimeout> on_timeout_from(std::string_view text) noexcept {
  return from<OnTimeout>(kOnTimeoutNames, text);
}

std::string_view name(UniqueUntil until) noexcept { return kUntilNames[static_cast<std::size_t>(until)]; }

std::optional<UniqueUntil> unique_until_from(std::string_view text) noexcept {
  return from<UniqueUntil>(kUntilNames, text);
}

std::string_view name(OnConflict action) noexcept { return kOnConflictNames[static_cast<std::size_t>(action)]; }

std::optional<OnConflict> on_conflict_from(std::string_view text) noexcept {
  return from<OnConflict>(kOnConflictNames, text);
}

}  // namespace galley

namespace galley::job {

namespace {

constexpr std::array<std::string_view, kJobEvents> kEventNames{"due",    "unblock", "claim", "complete", "retry",
                                                               "pause",  "release", "crash", "die",      "discard",
                                                               "cancel", "expire",  "revive"};

struct Row {
  JobState from;
  JobEvent event;
  JobState to;
};

// clang-format off
constexpr std::array kTable{
    Row{JobState::Scheduled, JobEvent::Due,      JobState::Ready},
    Row{JobState::Blocked,   JobEvent::Unblock,  JobState::Ready},
    Row{JobState::Ready,     JobEvent::Claim,    JobState::Running},

    Row{JobState::Running,   JobEvent::Complete, JobState::Completed},
    Row{JobState::Running,   JobEvent::Retry,    JobState::Scheduled},
    Row{JobState::Running,   JobEvent::Pause,    JobState::Ready},
    Row{JobState::Running,   JobEvent::Release,  JobState::Ready},
    Row{JobState::Running,   JobEvent::Crash,    JobState::Ready},
    Row{JobState::Running,   JobEvent::Die,      JobState::Dead},
    Row{JobState::Running,   JobEvent::Discard,  JobState::Discarded},
    Row{JobState::Running,   JobEvent::Cancel,   JobState::Cancelled},
    Row{JobState::Running,   JobEvent::Expire,   JobState::Expired},

    Row{JobState::Scheduled, JobEvent::Cancel,   JobState::Cancelled},
    Row{JobState::Ready,     JobEvent::Cancel,   JobState::Cancelled},
    Row{JobState::Blocked,   JobEvent::Cancel,   JobState::Cancelled},
    Row{JobState::Scheduled, JobEvent::Expire,   JobState::Expired},
    Row{JobState::Ready,     JobEvent::Expire,   JobState::Expired},
    Row{JobState::Blocked,   JobEvent::Expire,   JobState::Expired},

    Row{JobState::Dead,      JobEvent::Revive,   JobState::Ready},
    Row{JobState::Cancelled, JobEvent::Revive,   JobState::Ready},
    Row{JobState::Discarded, JobEvent::Revive,   JobState::Ready},
    Row{JobState::Expired,   JobEvent::Revive,   JobState::Ready},
    Row{JobState::Scheduled, JobEvent::Revive,   JobState::Ready},
};
// clang-format on

}  // namespace

std::string_view name(JobEvent event) noexcept { return kEventNames[static_cast<std::size_t>(event)]; }

std::optional<JobState> next(JobState state, JobEvent event) noexcept {
  for (const Row& row : kTable) {
    if (row.from == state && row.event == event) return row.to;
  }
  return std::nullopt;
}

}  // namespace galley::job
