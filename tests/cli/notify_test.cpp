#include "cli/notify.hpp"

#include <gtest/gtest.h>

#include <map>

namespace galley::cli {
namespace {

using namespace std::chrono_literals;

Result<std::optional<Notifier>> from(const std::map<std::string, std::string>& environment, int pid = 7) {
  return Notifier::from(
      [&environment](const char* name) {
        const auto at = environment.find(name);
        return at == environment.end() ? nullptr : at->second.c_str();
      },
      pid);
}

Duration pulse_of(const std::map<std::string, std::string>& environment) {
  return from(environment).value().value().pulse_every();
}

TEST(NotifyStatus, IsOneLineForAPerson) {
  EXPECT_EQ(status_of({.slots = 8, .busy = 3}), "3 of 8 slots busy, 0 completed");
  EXPECT_EQ(status_of({.slots = 8, .busy = 3, .stuck = 2}), "3 of 8 slots busy (2 stuck), 0 completed");
  EXPECT_EQ(status_of({.slots = 10'000, .busy = 999, .completed = 1'234'567, .failed = 1'000, .dead = 1}),
            "999 of 10,000 slots busy, 1,234,567 completed, 1,000 failed, 1 dead");
  EXPECT_EQ(status_of({.slots = 1, .stopping = true, .store_failing = true}),
            "stopping, 0 of 1 slots busy, 0 completed; the store answers with errors, see the log");
}

TEST(Notifier, IsThereOnlyWhereSomebodyWantsToBeTold) {
  EXPECT_FALSE(from({}).value());
  EXPECT_FALSE(from({{"NOTIFY_SOCKET", ""}, {"WATCHDOG_USEC", "rubbish"}}).value());
  EXPECT_TRUE(from({{"NOTIFY_SOCKET", "/run/notify"}}).value());
}

TEST(Notifier, PulsesAtHalfOfItsOwnWatchdogsTimeAndAtLeastEvery5Seconds) {
  EXPECT_EQ(pulse_of({{"NOTIFY_SOCKET", "@n"}}), 5s);
  EXPECT_EQ(pulse_of({{"NOTIFY_SOCKET", "@n"}, {"WATCHDOG_USEC", "3000000"}}), 1500ms);
  EXPECT_EQ(pulse_of({{"NOTIFY_SOCKET", "@n"}, {"WATCHDOG_USEC", "3000000"}, {"WATCHDOG_PID", "7"}}), 1500ms);
  EXPECT_EQ(pulse_of({{"NOTIFY_SOCKET", "@n"}, {"WATCHDOG_USEC", "3000000"}, {"WATCHDOG_PID", "8"}}), 5s);
  EXPECT_EQ(pulse_of({{"NOTIFY_SOCKET", "@n"}, {"WATCHDOG_USEC", "90000000"}}), 5s);
  EXPECT_EQ(pulse_of({{"NOTIFY_SOCKET", "@n"}, {"WATCHDOG_USEC", "20000"}}), 10ms);
}

}  // namespace
}  // namespace galley::cli
