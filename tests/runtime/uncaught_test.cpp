#include "galley/runtime/uncaught.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/event.hpp"
#include "galley/runtime/throw_sites.hpp"

GALLEY_RECORD_THROW_SITES

namespace galley {
namespace {

using namespace std::chrono_literals;

constexpr int kThrowLine = __LINE__ + 1;
[[noreturn, gnu::noinline]] void read_settings() { throw std::runtime_error("no settings"); }

[[gnu::noinline]] void start() {
  try {
    read_settings();
  } catch (...) {
    std::throw_with_nested(std::logic_error("cannot start"));
  }
}

std::exception_ptr caught(void (*function)()) {
  try {
    function();
  } catch (...) {  // whatever it is: that is the test
    return std::current_exception();
  }
  return nullptr;
}

TEST(Describe, NamesTypeTextAndTheLineOfTheThrow) {
  const ErrorDescription error = describe(caught(&read_settings));
  EXPECT_EQ(error.type, "std::runtime_error");
  EXPECT_EQ(error.text, "no settings");
  ASSERT_FALSE(error.thrown_at.empty());
  EXPECT_EQ(error.thrown_at[0].function, "galley::read_settings()") << to_text(error);
  EXPECT_EQ(error.thrown_at[0].line, kThrowLine) << to_text(error);
  const std::string text = to_text(error);
  EXPECT_TRUE(text.starts_with("std::runtime_error: no settings\n  at galley::read_settings() (uncaught_test")) << text;
  EXPECT_TRUE(error.causes.empty());
}

TEST(Describe, FollowsWhatAnErrorWasThrownFor) {
  const ErrorDescription error = describe(caught(&start));
  EXPECT_EQ(error.type, "std::logic_error");
  EXPECT_EQ(error.text, "cannot start");
  ASSERT_EQ(error.causes.size(), 1U);
  EXPECT_EQ(error.causes[0].type, "std::runtime_error");
  EXPECT_EQ(error.causes[0].text, "no settings");
  ASSERT_FALSE(error.causes[0].thrown_at.empty());
  EXPECT_EQ(error.causes[0].thrown_at[0].line, kThrowLine);
  EXPECT_NE(to_text(error).find("caused by std::runtime_error: no settings\n"), std::string::npos) << to_text(error);
}

TEST(Describe, KeepsTheThrowSiteOnAnotherThreadAndWhenItIsThrownAgain) {
  std::exception_ptr error = caught(&read_settings);
  std::thread([&error] {
    try {
      std::rethrow_exception(error);
    } catch (...) {  // as a task group would
      error = std::current_exception();
    }
  }).join();
  EXPECT_EQ(describe(error).thrown_at.at(0).line, kThrowLine);
}

TEST(Describe, KnowsWhereTheStandardLibraryThrew) {
  const ErrorDescription error = describe(caught([] { static_cast<void>(std::vector<int>{}.at(7)); }));
  EXPECT_EQ(error.type, "std::out_of_range");
  EXPECT_NE(to_text(error).find("uncaught_test.cpp:"), std::string::npos) << to_text(error);
}

TEST(Describe, TellsWhatIsNoStandardException) {
  EXPECT_EQ(describe(caught([] { throw 42; })).text, "42");
  EXPECT_EQ(describe(caught([] { throw 42; })).type, "int");
  EXPECT_EQ(describe(caught([] { throw "text"; })).text, "text");
  EXPECT_EQ(describe(caught([] { throw std::string("more"); })).text, "more");
  EXPECT_EQ(describe(caught([] { throw std::string("more"); })).type, "std::string");
  struct Odd {};
  const ErrorDescription odd = describe(std::make_exception_ptr(Odd{}));
  EXPECT_NE(odd.type.find("Odd"), std::string::npos);
  EXPECT_EQ(odd.text, "");
  EXPECT_EQ(to_text(describe(nullptr)), "no exception\n");
}

TEST(Describe, OfOneThatWasNeverThrownThereIsNoThrowSite) {
  EXPECT_TRUE(describe(std::make_exception_ptr(std::runtime_error("made"))).thrown_at.empty());
}

/// More live exceptions than are remembered: those beyond have no throw site, and all are destroyed once.
TEST(ThrowSites, AreForgottenWithTheirExceptionAndBounded) {
  const auto token = std::make_shared<int>(0);
  struct Counted : std::runtime_error {
    std::shared_ptr<int> token;
    explicit Counted(std::shared_ptr<int> its) : std::runtime_error("counted"), token(std::move(its)) {}
  };
  for (int round = 0; round < 3; ++round) {
    std::vector<std::exception_ptr> alive;
    for (int i = 0; i < 1'500; ++i) {
      try {
        throw Counted(token);
      } catch (const Counted&) {
        alive.push_back(std::current_exception());
      }
    }
    EXPECT_EQ(token.use_count(), 1'501);
    EXPECT_FALSE(describe(alive[0]).thrown_at.empty()) << "room again in round " << round;
    alive.clear();
    EXPECT_EQ(token.use_count(), 1);
  }
}

TEST(ThrowSites, AreRecordedOnManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([] {
      for (int i = 0; i < 2'000; ++i) {
        const std::exception_ptr error = caught(&read_settings);
        if (i % 500 == 0) {
          EXPECT_EQ(describe(error).thrown_at.at(0).line, kThrowLine);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(UncaughtReport, NamesTheTaskAndTheThread) {
  const TaskInfo task{"mail", BOOST_CURRENT_LOCATION};
  const std::string text = uncaught_report(task, caught(&read_settings)).text();
  EXPECT_TRUE(text.starts_with("uncaught std::runtime_error: no settings\n")) << text;
  EXPECT_NE(text.find("in task \"mail\", spawned at uncaught_test.cpp:"), std::string::npos) << text;
  EXPECT_NE(text.find("on thread " + std::to_string(uncaught_report(nullptr).thread_id) + " \""), std::string::npos)
      << text;
  EXPECT_FALSE(uncaught_report(nullptr).task.has_value());
}

class TerminateDeathTest : public testing::Test {
 protected:
  TerminateDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

void say(const char* text) { std::cerr << text << '\n' << std::flush; }

TEST_F(TerminateDeathTest, ReportsAnUncaughtExceptionOfAnyThreadAndEndsInOrder) {
  const auto die = [] {
    TerminateOptions options;
    options.on_fatal = [] { say("flushed"); };
    const TerminateReport guard{options};
    const TaskInfo task{"mail", BOOST_CURRENT_LOCATION};
    std::thread thread([&task] {
      const TaskScope scope(&task);
      read_settings();
    });
    thread.join();
  };
  EXPECT_EXIT(die(), testing::KilledBySignal(SIGABRT),
              "uncaught std::runtime_error: no settings(\n|.)*at galley::read_settings(\n|.)*in task \"mail\", spawned "
              "at uncaught_test.cpp(\n|.)*on thread(\n|.)*terminated(\n|.)*at (\n|.)*flushed");
}

TEST_F(TerminateDeathTest, AbortsInTimeThoughTheOrderlyEndHangs) {
  const auto die = [] {
    TerminateOptions options;
    options.limit = 3s;  // which reading the debug information must fit in as well
    options.on_fatal = [] {
      say("begun");
      test::Event never;
      static_cast<void>(never.wait());
      std::_Exit(3);
    };
    const TerminateReport guard{options};
    std::terminate();
  };
  EXPECT_EXIT(die(), testing::KilledBySignal(SIGABRT), "no exception(\n|.)*terminated(\n|.)*begun");
}

TEST_F(TerminateDeathTest, TheOrderlyEndMayEndTheProcessItself) {
  const auto die = [] {
    TerminateOptions options;
    options.on_fatal = [] { std::_Exit(7); };
    const TerminateReport guard{options};
    std::terminate();
  };
  EXPECT_EXIT(die(), testing::ExitedWithCode(7), "");
}

TEST_F(TerminateDeathTest, ThatTheReportFailsTooEndsTheProcessAllTheSame) {
  const auto throws = [] {
    TerminateOptions options;
    options.on_report = [](const UncaughtReport&) { throw std::runtime_error("the log is full"); };
    options.on_fatal = [] { say("flushed all the same"); };
    const TerminateReport guard{options};
    std::terminate();
  };
  EXPECT_EXIT(throws(), testing::KilledBySignal(SIGABRT), "flushed all the same");
  const auto terminates = [] {
    TerminateOptions options;
    options.on_fatal = [] { std::terminate(); };
    const TerminateReport guard{options};
    std::terminate();
  };
  EXPECT_EXIT(terminates(), testing::KilledBySignal(SIGABRT), "");
}

TEST_F(TerminateDeathTest, TwoThreadsThatFailTogetherAreOneReport) {
  const auto die = [] {
    std::mutex mutex;
    mutex.lock();
    TerminateOptions options;
    options.on_report = [&mutex](const UncaughtReport&) {
      say("one report");
      std::thread second([] { std::terminate(); });
      mutex.lock();  // until the limit
    };
    options.limit = 3s;
    const TerminateReport guard{options};
    std::terminate();
  };
  EXPECT_EXIT(die(), testing::KilledBySignal(SIGABRT),
              testing::Not(testing::ContainsRegex("one report(\n|.)*one report")));
}

TEST(TerminateReport, GivesTheHandlerBackAndIsThereOnce) {
  const std::terminate_handler before = std::get_terminate();
  {
    const TerminateReport guard{TerminateOptions()};
    EXPECT_NE(std::get_terminate(), before);
    EXPECT_THROW(TerminateReport{TerminateOptions()}, Exception);
  }
  EXPECT_EQ(std::get_terminate(), before);
  TerminateOptions options;
  options.limit = 0ms;
  EXPECT_THROW(TerminateReport{options}, Exception);
}

}  // namespace
}  // namespace galley
