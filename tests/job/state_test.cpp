#include "job/state.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace galley::job {

namespace {

// The whole table spelled out once more: one line a state, one letter an event, '.' where it is not allowed.
// A letter is the state after it: s(cheduled), r(eady), R(unning), c(ompleted), d(ead), x (cancelled), D(iscarded),
// e(xpired). Columns: due, unblock, claim, complete, retry, pause, release, crash, die, discard, cancel, expire,
// revive.
constexpr std::array<std::string_view, kJobStates> kExpected{
    "r.........xer",  // scheduled
    "..R.......xe.",  // ready
    ".r........xe.",  // blocked
    "...csrrrdDxe.",  // running
    ".............",  // completed
    "............r",  // dead
    "............r",  // cancelled
    "............r",  // discarded
    "............r",  // expired
};

std::optional<JobState> state_of(char letter) {
  switch (letter) {
    case 's': return JobState::Scheduled;
    case 'r': return JobState::Ready;
    case 'R': return JobState::Running;
    case 'c': return JobState::Completed;
    case 'd': return JobState::Dead;
    case 'x': return JobState::Cancelled;
    case 'D': return JobState::Discarded;
    case 'e': return JobState::Expired;
    default: return std::nullopt;
  }
}

}  // namespace

TEST(StateTable, AllowsExactlyTheseMoves) {
  for (std::size_t state = 0; state < kExpected.size(); ++state) {
    ASSERT_EQ(kExpected[state].size(), static_cast<std::size_t>(kJobEvents));
    for (std::size_t event = 0; event < static_cast<std::size_t>(kJobEvents); ++event) {
      const auto from = static_cast<JobState>(state);
      const auto by = static_cast<JobEvent>(event);
      EXPECT_EQ(next(from, by), state_of(kExpected[state][event])) << name(from) << ", " << name(by);
    }
  }
}

TEST(StateTable, LetsOnlyAPersonLeaveAnEndedState) {
  for (int state = 0; state < kJobStates; ++state) {
    const auto from = static_cast<JobState>(state);
    if (!is_ended(from)) continue;
    for (int event = 0; event < kJobEvents; ++event) {
      const auto by = static_cast<JobEvent>(event);
      if (by == JobEvent::Revive) continue;
      EXPECT_EQ(next(from, by), std::nullopt) << name(from) << ", " << name(by);
    }
  }
}

TEST(JobState, IsReadBackByItsName) {
  constexpr std::array<std::string_view, kJobStates> kNames{
      "scheduled", "ready", "blocked", "running", "completed", "dead", "cancelled", "discarded", "expired"};
  for (int state = 0; state < kJobStates; ++state) {
    const auto one = static_cast<JobState>(state);
    EXPECT_EQ(name(one), kNames[static_cast<std::size_t>(state)]);
    EXPECT_EQ(job_state_from(name(one)), one);
  }
  EXPECT_EQ(job_state_from("asleep"), std::nullopt);
  EXPECT_EQ(job_state_from(""), std::nullopt);
}

TEST(JobState, IsEndedFromCompletedOn) {
  EXPECT_FALSE(is_ended(JobState::Scheduled));
  EXPECT_FALSE(is_ended(JobState::Ready));
  EXPECT_FALSE(is_ended(JobState::Blocked));
  EXPECT_FALSE(is_ended(JobState::Running));
  EXPECT_TRUE(is_ended(JobState::Completed));
  EXPECT_TRUE(is_ended(JobState::Dead));
  EXPECT_TRUE(is_ended(JobState::Cancelled));
  EXPECT_TRUE(is_ended(JobState::Discarded));
  EXPECT_TRUE(is_ended(JobState::Expired));
}

TEST(JobEvent, HasANameOfItsOwn) {
  constexpr std::array<std::string_view, kJobEvents> kNames{"due",    "unblock", "claim", "complete", "retry",
                                                            "pause",  "release", "crash", "die",      "discard",
                                                            "cancel", "expire",  "revive"};
  for (int event = 0; event < kJobEvents; ++event) {
    EXPECT_EQ(name(static_cast<JobEvent>(event)), kNames[static_cast<std::size_t>(event)]);
  }
}

TEST(OnTimeout, IsReadBackByItsName) {
  EXPECT_EQ(name(OnTimeout::Pause), "pause");
  EXPECT_EQ(name(OnTimeout::Retry), "retry");
  EXPECT_EQ(name(OnTimeout::Dead), "dead");
  for (const OnTimeout action : {OnTimeout::Pause, OnTimeout::Retry, OnTimeout::Dead}) {
    EXPECT_EQ(on_timeout_from(name(action)), action);
  }
  EXPECT_EQ(on_timeout_from("kill"), std::nullopt);
}

}  // namespace galley::job
